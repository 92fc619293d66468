#include "kernels.h"

#pragma clang fp contract(fast) reassociate(on)

/// Elements that are handled together.
#define LANES 16
#define BY_LANES _Pragma("clang loop vectorize_width(16) interleave_count(1)") for

/// The compiler may not reorder comparisons, which NaN would make depend on their order: so they are written in lanes.
GRAFT_INLINE float maximum(const float *a, long n) {
  float lanes[LANES], largest = -INFINITY;
  if (n < LANES) {
    for (long i = 0; i < n; i++) largest = a[i] > largest ? a[i] : largest;
    return largest;
  }
  for (int lane = 0; lane < LANES; lane++) lanes[lane] = -INFINITY;
  for (long i = 0; i < n; i += LANES) {
    // The last lanes overlap those before.
    const float *next = a + (i + LANES <= n ? i : n - LANES);
    for (int lane = 0; lane < LANES; lane++) lanes[lane] = next[lane] > lanes[lane] ? next[lane] : lanes[lane];
  }
  for (int half = LANES / 2; half > 0; half /= 2)
    for (int lane = 0; lane < half; lane++) lanes[lane] = lanes[lane + half] > lanes[lane] ? lanes[lane + half] : lanes[lane];
  return lanes[0];
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

GRAFT_KERNEL void graft_softmax_row(float *scores, float *log_sum, float scale, float sink, long first, long last, long columns) {
  long end = pad(scores, first, last, columns);
  float largest = scale * maximum(scores + first, end - first);
  largest = sink > largest ? sink : largest;
  float sum = 0;
  // The exponential of minus infinity is the least there is, which is nothing beside the largest one's.
  BY_LANES (long i = first; i < end; i++) {
    float e = graft_exp(scale * scores[i] - largest);
    scores[i] = e;
    sum += e;
  }
  if (sink > -INFINITY) sum += expf(sink - largest);
  float inverse = sum > 0 ? 1.0f / sum : 0.0f;
  BY_LANES (long i = first; i < end; i++) scores[i] *= inverse;
  clear_outside(scores, first, last, columns);
  *log_sum = sum > 0 ? largest + logf(sum) : 0.0f;
}

GRAFT_KERNEL void graft_probabilities_row(float *scores, float log_sum, float scale, long first, long last, long columns) {
  long end = pad(scores, first, last, columns);
  BY_LANES (long i = first; i < end; i++) scores[i] = graft_exp(scale * scores[i] - log_sum);
  clear_outside(scores, first, last, columns);
}

GRAFT_KERNEL void graft_softmax_gradient_row(float *dprobabilities, const float *probabilities, float delta, float scale, long n) {
  for (long i = 0; i < n; i++) dprobabilities[i] = probabilities[i] * (dprobabilities[i] - delta) * scale;
}

GRAFT_KERNEL float graft_largest(const float *a, long n) { return maximum(a, n); }

GRAFT_KERNEL float graft_log_sum_exp(const float *logits, long n) {
  float largest = maximum(logits, n), sum = 0;
  for (long i = 0; i < n; i++) sum += graft_exp(logits[i] - largest);
  return largest + logf(sum);
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
