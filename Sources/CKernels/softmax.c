#include "kernels.h"

#pragma clang fp contract(fast) reassociate(on)

GRAFT_INLINE float maximum(const float *a, long n) {
  float m = -INFINITY;
  for (long i = 0; i < n; i++) m = a[i] > m ? a[i] : m;
  return m;
}

GRAFT_KERNEL void graft_softmax_row(float *scores, float *log_sum, float scale, float sink, long first, long last, long columns) {
  float largest = scale * maximum(scores + first, last - first);
  largest = sink > largest ? sink : largest;
  float sum = 0;
  for (long i = first; i < last; i++) {
    float e = graft_exp(scale * scores[i] - largest);
    scores[i] = e;
    sum += e;
  }
  if (sink > -INFINITY) sum += expf(sink - largest);
  float inverse = sum > 0 ? 1.0f / sum : 0.0f;
  for (long i = first; i < last; i++) scores[i] *= inverse;
  if (first > 0) memset(scores, 0, (size_t)first * sizeof(float));
  if (last < columns) memset(scores + last, 0, (size_t)(columns - last) * sizeof(float));
  *log_sum = sum > 0 ? largest + logf(sum) : 0.0f;
}

GRAFT_KERNEL void graft_probabilities_row(float *scores, float log_sum, float scale, long first, long last, long columns) {
  for (long i = first; i < last; i++) scores[i] = graft_exp(scale * scores[i] - log_sum);
  if (first > 0) memset(scores, 0, (size_t)first * sizeof(float));
  if (last < columns) memset(scores + last, 0, (size_t)(columns - last) * sizeof(float));
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
