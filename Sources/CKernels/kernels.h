// What every kernel file shares: dispatch, permission to reassociate sums, and vectorisable transcendentals.
#ifndef GRAFT_KERNELS_H
#define GRAFT_KERNELS_H

#include "CKernels.h"
#include <math.h>
#include <string.h>

#if defined(__x86_64__) && defined(__linux__)
#define GRAFT_KERNEL __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define GRAFT_KERNEL
#endif

#define GRAFT_INLINE static inline __attribute__((always_inline))

// Sums may be split over vector lanes. Each file's result is fixed for one machine and does not depend on threads.
#pragma clang fp contract(fast) reassociate(on)

/// e^x to 2 units in the last place, without a branch: 2^n times a polynomial on [-ln 2 / 2, ln 2 / 2].
GRAFT_INLINE float graft_exp(float x) {
#pragma clang fp reassociate(off) contract(fast)
  x = x < -87.0f ? -87.0f : x;
  x = x > 88.0f ? 88.0f : x;
  // Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits.
  float shifted = x * 1.44269504088896f + 12582912.0f;
  float n = shifted - 12582912.0f;
  float r = x - n * 0.693359375f;
  r = r - n * -2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  union { float f; int32_t i; } scale = {.f = shifted};
  scale.i = (scale.i - 0x4b400000 + 127) << 23;
  return p * scale.f;
}

GRAFT_INLINE float graft_sigmoid(float x) { return 1.0f / (1.0f + graft_exp(-x)); }

GRAFT_INLINE float graft_tanh(float x) { return 1.0f - 2.0f / (graft_exp(2.0f * x) + 1.0f); }

/// log(1 + e^x): max(x, 0) + log(1 + u) of u = e^-|x|, which is twice the inverse hyperbolic tangent of u / (2 + u).
GRAFT_INLINE float graft_softplus(float x) {
  float u = graft_exp(x > 0 ? -x : x), s = u / (2.0f + u), q = s * s;
  float p = 1.0f / 15.0f;
  p = p * q + 1.0f / 13.0f;
  p = p * q + 1.0f / 11.0f;
  p = p * q + 1.0f / 9.0f;
  p = p * q + 1.0f / 7.0f;
  p = p * q + 1.0f / 5.0f;
  p = p * q + 1.0f / 3.0f;
  return (x > 0 ? x : 0) + 2.0f * (s + s * q * p);
}

/// The rational minimax approximation on [-4, 4] that Eigen uses for float.
GRAFT_INLINE float graft_erf(float x) {
  x = x < -4.0f ? -4.0f : x;
  x = x > 4.0f ? 4.0f : x;
  float s = x * x;
  float p = -2.72614225801306e-10f;
  p = p * s + 2.77068142495902e-08f;
  p = p * s + -2.10102402082508e-06f;
  p = p * s + -5.69250639462346e-05f;
  p = p * s + -7.34990630326855e-04f;
  p = p * s + -2.95459980854025e-03f;
  p = p * s + -1.60960333262415e-02f;
  float q = -1.45660718464996e-05f;
  q = q * s + -2.13374055278905e-04f;
  q = q * s + -1.68282697438203e-03f;
  q = q * s + -7.37332916720468e-03f;
  q = q * s + -1.42647390514189e-02f;
  return x * p / q;
}

/// The number of a float16. A multiplication moves the exponent, so that subnormals need no branch; infinities and NaNs are mended after.
GRAFT_INLINE float graft_from_float16(uint16_t h) {
  union { uint32_t i; float f; } magnitude = {.i = (uint32_t)(h & 0x7fffu) << 13};
  magnitude.f *= 0x1p112f;
  magnitude.i |= (h & 0x7c00u) == 0x7c00u ? 0x7f800000u : 0u;
  magnitude.i |= (uint32_t)(h & 0x8000u) << 16;
  return magnitude.f;
}

/// The float16 nearest to a number, ties to even, overflowing to infinity.
GRAFT_INLINE uint16_t graft_to_float16(float x) {
  union { float f; uint32_t i; } number = {.f = x}, magnitude = {.i = number.i & 0x7fffffffu}, tiny;
  uint32_t sign = (number.i >> 16) & 0x8000u;
  // Subnormal results: adding 0.5 lines the mantissa up with the half's, and the addition rounds.
  tiny.f = magnitude.f + 0.5f;
  uint32_t subnormal = tiny.i - 0x3f000000u;
  uint32_t normal = (magnitude.i - 0x38000000u + 0xfffu + ((magnitude.i >> 13) & 1u)) >> 13;
  uint32_t half = magnitude.i < 0x38800000u ? subnormal : normal;
  half = magnitude.i >= 0x477ff000u ? 0x7c00u : half;
  half = magnitude.i > 0x7f800000u ? 0x7e00u : half;
  return (uint16_t)(half | sign);
}

#endif
