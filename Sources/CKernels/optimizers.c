#include "kernels.h"

#pragma clang fp contract(fast) reassociate(on)

GRAFT_KERNEL void graft_adamw(float *weights, float *first, float *second, const float *gradient, float gradient_scale, float step_size,
                              float correction, float beta1, float beta2, float epsilon, float decay, long n) {
  for (long i = 0; i < n; i++) {
    float g = gradient[i] * gradient_scale;
    float m = beta1 * first[i] + (1.0f - beta1) * g;
    float v = beta2 * second[i] + (1.0f - beta2) * g * g;
    first[i] = m;
    second[i] = v;
    float w = weights[i] - decay * weights[i];
    weights[i] = w - step_size * m / (sqrtf(v) / correction + epsilon);
  }
}
