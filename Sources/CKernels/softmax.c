#include "kernels.h"

#pragma clang fp contract(fast) reassociate(on)

/// Elements that are handled together.
#define LANES 16
#define BY_LANES _Pragma("clang loop vectorize_width(16) interleave_count(1)") for

typedef float floats __attribute__((vector_size(4 * LANES), aligned(4)));
typedef int32_t masks __attribute__((vector_size(4 * LANES)));

/// The larger element in each lane. The compiler may not reorder comparisons, which NaN would make depend on their order: so
/// they are written in lanes.
GRAFT_INLINE void raise(floats *most, const floats *next) {
  masks larger = *next > *most;
  *most = (floats)(((masks)*next & larger) | ((masks)*most & ~larger));
}

GRAFT_INLINE float maximum(const float *a, long n) {
  if (n < LANES) {
    float largest = -INFINITY;
    for (long i = 0; i < n; i++) largest = a[i] > largest ? a[i] : largest;
    return largest;
  }
  // Four at a time, which do not wait for each other; the last lanes overlap those before.
  floats most[4];
  for (int v = 0; v < 4; v++) most[v] = (floats){0} - INFINITY;
  long i = 0;
  for (; i + 4 * LANES <= n; i += 4 * LANES)
    for (int v = 0; v < 4; v++) raise(&most[v], (const floats *)(a + i + v * LANES));
  for (; i < n; i += LANES) raise(&most[0], (const floats *)(a + (i + LANES <= n ? i : n - LANES)));
  for (int v = 1; v < 4; v++) raise(&most[0], &most[v]);
#define FOLD(...) { floats half = __builtin_shufflevector(most[0], most[0], __VA_ARGS__); raise(&most[0], &half); }
  FOLD(8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7)
  FOLD(4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3)
  FOLD(2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1)
  FOLD(1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0)
#undef FOLD
  return most[0][0];
}

/// Sets what lies beyond `last` up to a whole number of lanes, as far as there are columns, to minus infinity, so that no
/// element is handled alone; returns where that ends.
GRAFT_INLINE long pad(float *scores, long first, long last, long columns) {
  long end = first + (last - first + LANES - 1) / LANES * LANES;
  end = end < columns ? end : columns;
  for (long i = last; i < end; i++) scores[i] = -INFINITY;
  return end;
}

GRAFT_INLINE void clear_outside(float *scores, long first, long last, long columns) {
  if (first > 0) memset(scores, 0, (size_t)first * sizeof(float));
  if (last < columns) memset(scores + last, 0, (size_t)(columns - last) * sizeof(float));
}

GRAFT_KERNEL float graft_softmax_row(float *scores, float *largest, float *sum, float scale, long first, long last, long columns) {
  long end = pad(scores, first, last, columns);
  float here = scale * maximum(scores + first, end - first), most = *largest > here ? *largest : here, total = 0;
  // The exponential of minus infinity is the least there is, which is nothing beside the largest one's.
  BY_LANES (long i = first; i < end; i++) {
    float e = graft_exp(scale * scores[i] - most);
    scores[i] = e;
    total += e;
  }
  float before = *sum > 0 ? *sum * expf(*largest - most) : 0;
  total += before;
  float inverse = total > 0 ? 1.0f / total : 0.0f;
  BY_LANES (long i = first; i < end; i++) scores[i] *= inverse;
  clear_outside(scores, first, last, columns);
  *largest = most;
  *sum = total;
  return total > 0 ? before / total : 0.0f;
}

GRAFT_KERNEL void graft_probabilities_row(float *scores, float log_sum, float scale, long first, long last, long columns) {
  long end = pad(scores, first, last, columns);
  BY_LANES (long i = first; i < end; i++) scores[i] = graft_exp(scale * scores[i] - log_sum);
  clear_outside(scores, first, last, columns);
}

GRAFT_KERNEL void graft_softmax_gradient_row(float *dprobabilities, const float *probabilities, float delta, float scale, long n) {
  for (long i = 0; i < n; i++) dprobabilities[i] = probabilities[i] * (dprobabilities[i] - delta) * scale;
}

/// Eigen's rational approximation, whose error is relative: graft_tanh's is not, and a large limit would show it.
GRAFT_INLINE float accurate_tanh(float x) {
  x = x < -7.90531110763549805f ? -7.90531110763549805f : x;
  x = x > 7.90531110763549805f ? 7.90531110763549805f : x;
  float s = x * x;
  float p = -2.76076847742355e-16f;
  p = p * s + 2.00018790482477e-13f;
  p = p * s + -8.60467152213735e-11f;
  p = p * s + 5.12229709037114e-08f;
  p = p * s + 1.48572235717979e-05f;
  p = p * s + 6.37261928875436e-04f;
  p = p * s + 4.89352455891786e-03f;
  float q = 1.19825839466702e-06f;
  q = q * s + 1.18534705686654e-04f;
  q = q * s + 2.26843463243900e-03f;
  q = q * s + 4.89352518554385e-03f;
  return x * p / q;
}

GRAFT_KERNEL void graft_softcap(float *x, float *slopes, float limit, long n) {
  float inverse = 1.0f / limit;
  if (!slopes) {
    for (long i = 0; i < n; i++) x[i] = limit * accurate_tanh(inverse * x[i]);
    return;
  }
  for (long i = 0; i < n; i++) {
    float t = accurate_tanh(inverse * x[i]);
    x[i] = limit * t;
    slopes[i] = 1.0f - t * t;
  }
}

GRAFT_KERNEL float graft_largest(const float *a, long n) { return maximum(a, n); }

GRAFT_KERNEL float graft_log_sum_exp(const float *logits, long n) {
  float largest = maximum(logits, n), sum = 0;
  for (long i = 0; i < n; i++) sum += graft_exp(logits[i] - largest);
  return largest + logf(sum);
}

GRAFT_KERNEL void graft_log_softmax(float *out, const float *logits, long n) {
  float largest = maximum(logits, n), sum = 0;
  for (long i = 0; i < n; i++) {
    out[i] = logits[i] - largest;
    sum += graft_exp(out[i]);
  }
  float logarithm = logf(sum);
  for (long i = 0; i < n; i++) out[i] -= logarithm;
}

GRAFT_KERNEL float graft_cross_entropy_row(float *logits, long target, float scale, long n) {
  float wanted = logits[target], largest = maximum(logits, n), sum = 0;
  for (long i = 0; i < n; i++) {
    float e = graft_exp(logits[i] - largest);
    logits[i] = e;
    sum += e;
  }
  float factor = scale / sum;
  for (long i = 0; i < n; i++) logits[i] *= factor;
  logits[target] -= scale;
  return largest + logf(sum) - wanted;
}

GRAFT_KERNEL float graft_smoothed_cross_entropy_row(
    float *logits, long target, float scale, float smoothing, const float *weights, long n) {
  float wanted = logits[target], largest = maximum(logits, n), sum = 0;
  double mass = 0, below = 0;
  for (long i = 0; i < n; i++) {
    float shifted = logits[i] - largest, weight = weights ? weights[i] : 1, e = graft_exp(shifted);
    mass += weight;
    below += weight * shifted;
    logits[i] = e;
    sum += e;
  }
  float share = smoothing / (float)n, own = (1 - smoothing) * (weights ? weights[target] : 1);
  float factor = scale * (own + share * (float)mass) / sum;
  for (long i = 0; i < n; i++) logits[i] = factor * logits[i] - scale * share * (weights ? weights[i] : 1);
  logits[target] -= scale * own;
  return own * (largest + logf(sum) - wanted) + (float)(share * (mass * logf(sum) - below));
}
