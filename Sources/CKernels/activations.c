#include "kernels.h"

#pragma clang fp contract(fast) reassociate(on)

// sqrt(2 / pi) and the cubic coefficient of the tanh form of GELU (Hendrycks and Gimpel 2016, section 2).
#define GELU_A 0.7978845608028654f
#define GELU_B 0.044715f

// The mean and the deviation of the Laplace activation (Ma et al. 2022, section 3.2), as Transformers rounds them.
#define LAPLACE_MEAN 0.707107f
#define LAPLACE_DEVIATION 0.282095f

GRAFT_INLINE float gelu(float x) { return 0.5f * x * (1.0f + graft_erf(x * 0.70710678118654752f)); }

GRAFT_INLINE float gelu_slope(float x) {
  return 0.5f * (1.0f + graft_erf(x * 0.70710678118654752f)) + x * 0.3989422804014327f * graft_exp(-0.5f * x * x);
}

/// tanh(softplus(x)), which is n / (n + 2) of n = e^x (e^x + 2).
GRAFT_INLINE float mish_gate(float x) {
  float e = graft_exp(x > 20.0f ? 20.0f : x), n = e * (e + 2.0f);
  return n / (n + 2.0f);
}

GRAFT_INLINE float value_of(int kind, float x) {
  switch (kind) {
    case GRAFT_RELU: return x > 0 ? x : 0;
    case GRAFT_GELU: return gelu(x);
    case GRAFT_GELU_TANH: return 0.5f * x * (1.0f + graft_tanh(GELU_A * (x + GELU_B * x * x * x)));
    case GRAFT_SILU: return x * graft_sigmoid(x);
    case GRAFT_QUICK_GELU: return x * graft_sigmoid(1.702f * x);
    case GRAFT_TANH: return graft_tanh(x);
    case GRAFT_SIGMOID: return graft_sigmoid(x);
    case GRAFT_RELU6: return x < 0 ? 0 : x > 6.0f ? 6.0f : x;
    case GRAFT_RELU_SQUARED: return x > 0 ? x * x : 0;
    case GRAFT_LEAKY_RELU: return x > 0 ? x : 0.01f * x;
    case GRAFT_CLIPPED_GELU: {
      float g = gelu(x);
      return g > 10.0f ? 10.0f : g;
    }
    case GRAFT_MISH: return x * mish_gate(x);
    case GRAFT_LAPLACE: return 0.5f * (1.0f + graft_erf((x - LAPLACE_MEAN) * (0.70710678118654752f / LAPLACE_DEVIATION)));
    case GRAFT_HARD_SWISH: return x * (x < -3.0f ? 0 : x > 3.0f ? 6.0f : x + 3.0f) * (1.0f / 6.0f);
    case GRAFT_ROOT_SOFTPLUS: return __builtin_elementwise_sqrt(graft_softplus(x));
    case GRAFT_NEGATIVE_EXPONENTIAL: return x > 0 ? 0 : graft_exp(x) - 1.0f - x;
    default: return x;
  }
}

GRAFT_INLINE float slope_of(int kind, float x) {
  switch (kind) {
    case GRAFT_RELU: return x > 0 ? 1.0f : 0.0f;
    case GRAFT_GELU: return gelu_slope(x);
    case GRAFT_GELU_TANH: {
      float t = graft_tanh(GELU_A * (x + GELU_B * x * x * x));
      return 0.5f * (1.0f + t) + 0.5f * x * (1.0f - t * t) * GELU_A * (1.0f + 3.0f * GELU_B * x * x);
    }
    case GRAFT_SILU: {
      float s = graft_sigmoid(x);
      return s * (1.0f + x * (1.0f - s));
    }
    case GRAFT_QUICK_GELU: {
      float s = graft_sigmoid(1.702f * x);
      return s * (1.0f + 1.702f * x * (1.0f - s));
    }
    case GRAFT_TANH: {
      float t = graft_tanh(x);
      return 1.0f - t * t;
    }
    case GRAFT_SIGMOID: {
      float s = graft_sigmoid(x);
      return s * (1.0f - s);
    }
    case GRAFT_RELU6: return x > 0 && x < 6.0f ? 1.0f : 0.0f;
    case GRAFT_RELU_SQUARED: return x > 0 ? 2.0f * x : 0.0f;
    case GRAFT_LEAKY_RELU: return x > 0 ? 1.0f : 0.01f;
    case GRAFT_CLIPPED_GELU: return gelu(x) > 10.0f ? 0.0f : gelu_slope(x);
    case GRAFT_MISH: {
      float t = mish_gate(x);
      return t + x * graft_sigmoid(x) * (1.0f - t * t);
    }
    case GRAFT_LAPLACE: {
      float z = (x - LAPLACE_MEAN) / LAPLACE_DEVIATION;
      return graft_exp(-0.5f * z * z) * (0.3989422804014327f / LAPLACE_DEVIATION);
    }
    case GRAFT_HARD_SWISH: return x < -3.0f ? 0.0f : x > 3.0f ? 1.0f : x * (1.0f / 3.0f) + 0.5f;
    case GRAFT_ROOT_SOFTPLUS: return graft_sigmoid(x) / (2.0f * __builtin_elementwise_sqrt(graft_softplus(x)));
    case GRAFT_NEGATIVE_EXPONENTIAL: return x > 0 ? 0 : graft_exp(x) - 1.0f;
    default: return 1.0f;
  }
}

// The square root is a builtin, since sqrtf may set errno and keeps a loop from being vectorised.

// An output may be an input's memory, element upon element.
#define ELEMENTWISE _Pragma("clang loop vectorize(assume_safety)") for

// One loop per activation, so that each is vectorised with its kind known.
#define FOR_EACH_KIND(CASE)                                                                                              \
  switch (kind) {                                                                                                        \
    CASE(GRAFT_RELU) CASE(GRAFT_GELU) CASE(GRAFT_GELU_TANH) CASE(GRAFT_SILU) CASE(GRAFT_QUICK_GELU) CASE(GRAFT_TANH)     \
    CASE(GRAFT_SIGMOID) CASE(GRAFT_RELU6) CASE(GRAFT_RELU_SQUARED) CASE(GRAFT_LEAKY_RELU) CASE(GRAFT_CLIPPED_GELU)       \
    CASE(GRAFT_MISH) CASE(GRAFT_LAPLACE) CASE(GRAFT_HARD_SWISH) CASE(GRAFT_ROOT_SOFTPLUS)                                \
    CASE(GRAFT_NEGATIVE_EXPONENTIAL) CASE(GRAFT_IDENTITY)                                                                \
  }

GRAFT_KERNEL void graft_activate(int kind, float *out, const float *x, long n) {
#define CASE(K) case K: ELEMENTWISE (long i = 0; i < n; i++) out[i] = value_of(K, x[i]); return;
  FOR_EACH_KIND(CASE)
#undef CASE
}

GRAFT_KERNEL void graft_activate_gradient(int kind, float *dx, const float *x, const float *dout, long n) {
#define CASE(K) case K: ELEMENTWISE (long i = 0; i < n; i++) dx[i] = dout[i] * slope_of(K, x[i]); return;
  FOR_EACH_KIND(CASE)
#undef CASE
}

GRAFT_KERNEL void graft_gated(int kind, float *out, const float *gate, const float *up, long rows, long columns, long gate_stride, long up_stride) {
#define CASE(K)                                                                                                          \
  case K:                                                                                                                \
    for (long r = 0; r < rows; r++) {                                                                                    \
      const float *g = gate + r * gate_stride, *u = up + r * up_stride;                                                  \
      float *o = out + r * columns;                                                                                      \
      ELEMENTWISE (long c = 0; c < columns; c++) o[c] = value_of(K, g[c]) * u[c];                                        \
    }                                                                                                                    \
    return;
  FOR_EACH_KIND(CASE)
#undef CASE
}

GRAFT_KERNEL void graft_gated_gradient(int kind, float *dgate, float *dup, const float *gate, const float *up, const float *dout, long rows,
                                       long columns, long gate_stride, long up_stride) {
#define CASE(K)                                                                                                          \
  case K:                                                                                                                \
    for (long r = 0; r < rows; r++) {                                                                                    \
      const float *g = gate + r * gate_stride, *u = up + r * up_stride, *d = dout + r * columns;                         \
      float *dg = dgate + r * gate_stride, *du = dup + r * up_stride;                                                    \
      ELEMENTWISE (long c = 0; c < columns; c++) {                                                                       \
        float dv = d[c], gv = g[c], uv = u[c];                                                                           \
        dg[c] = dv * uv * slope_of(K, gv);                                                                               \
        du[c] = dv * value_of(K, gv);                                                                                    \
      }                                                                                                                  \
    }                                                                                                                    \
    return;
  FOR_EACH_KIND(CASE)
#undef CASE
}
