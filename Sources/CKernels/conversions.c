#include "kernels.h"

GRAFT_KERNEL void graft_bfloat16_to_float(float *out, const uint16_t *a, long n) {
  uint32_t *bits = (uint32_t *)out;
  for (long i = 0; i < n; i++) bits[i] = (uint32_t)a[i] << 16;
}

/// Rounds to nearest even; a NaN stays one.
GRAFT_KERNEL void graft_float_to_bfloat16(uint16_t *out, const float *a, long n) {
  const uint32_t *bits = (const uint32_t *)a;
  for (long i = 0; i < n; i++) {
    uint32_t b = bits[i];
    uint32_t rounded = (b + 0x7fffu + ((b >> 16) & 1u)) >> 16;
    uint32_t quiet = (b >> 16) | 0x40u;
    out[i] = (uint16_t)((b & 0x7fffffffu) > 0x7f800000u ? quiet : rounded);
  }
}

/// Moves the exponent by a multiplication, so that subnormals need no branch; infinities and NaNs are mended after.
GRAFT_KERNEL void graft_float16_to_float(float *out, const uint16_t *a, long n) {
  for (long i = 0; i < n; i++) {
    uint32_t h = a[i];
    union { uint32_t i; float f; } magnitude = {.i = (h & 0x7fffu) << 13};
    magnitude.f *= 0x1p112f;
    magnitude.i |= (h & 0x7c00u) == 0x7c00u ? 0x7f800000u : 0u;
    magnitude.i |= (h & 0x8000u) << 16;
    out[i] = magnitude.f;
  }
}

/// Rounds to nearest even, overflowing to infinity.
GRAFT_KERNEL void graft_float_to_float16(uint16_t *out, const float *a, long n) {
  const uint32_t *bits = (const uint32_t *)a;
  for (long i = 0; i < n; i++) {
    uint32_t b = bits[i], sign = (b >> 16) & 0x8000u;
    union { uint32_t i; float f; } magnitude = {.i = b & 0x7fffffffu}, tiny;
    // Subnormal results: adding 0.5 lines the mantissa up with the half's, and the addition rounds.
    tiny.f = magnitude.f + 0.5f;
    uint32_t subnormal = tiny.i - 0x3f000000u;
    uint32_t normal = (magnitude.i - 0x38000000u + 0xfffu + ((magnitude.i >> 13) & 1u)) >> 13;
    uint32_t half = magnitude.i < 0x38800000u ? subnormal : normal;
    half = magnitude.i >= 0x477ff000u ? 0x7c00u : half;
    half = magnitude.i > 0x7f800000u ? 0x7e00u : half;
    out[i] = (uint16_t)(half | sign);
  }
}

GRAFT_KERNEL static void round_to_bfloat16(float *out, const float *a, long n) {
  const uint32_t *bits = (const uint32_t *)a;
  uint32_t *to = (uint32_t *)out;
  for (long i = 0; i < n; i++) {
    uint32_t b = bits[i], rounded = b + 0x7fffu + ((b >> 16) & 1u), quiet = b | 0x400000u;
    to[i] = ((b & 0x7fffffffu) > 0x7f800000u ? quiet : rounded) & 0xffff0000u;
  }
}

void graft_round(float *out, const float *a, int type, long n) {
  if (type == GRAFT_FLOAT32) {
    if (out != a) memmove(out, a, (size_t)n * sizeof(float));
  } else if (type == GRAFT_BFLOAT16) {
    round_to_bfloat16(out, a, n);
  } else {
    uint16_t halves[256];
    for (long start = 0; start < n; start += 256) {
      long count = n - start < 256 ? n - start : 256;
      graft_float_to_float16(halves, a + start, count);
      graft_float16_to_float(out + start, halves, count);
    }
  }
}

void graft_round_rows(float *out, const float *a, long stride, int type, long rows, long columns) {
  for (long r = 0; r < rows; r++) graft_round(out + r * columns, a + r * stride, type, columns);
}
