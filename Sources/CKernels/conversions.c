#include "kernels.h"
#if defined(__x86_64__) && defined(__linux__)
#include <immintrin.h>
#endif

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

GRAFT_KERNEL static void float16_to_float(float *out, const uint16_t *a, long n) {
  for (long i = 0; i < n; i++) out[i] = graft_from_float16(a[i]);
}

GRAFT_KERNEL static void float_to_float16(uint16_t *out, const float *a, long n) {
  for (long i = 0; i < n; i++) out[i] = graft_to_float16(a[i]);
}

#if defined(__x86_64__) && defined(__linux__)

static int has_float16(void) { return __builtin_cpu_supports("f16c"); }

#define CONVERSION __attribute__((target("avx,f16c"))) static void

/// The processor's own conversions, 8 at a time, with the same results but for the payloads of NaNs.
CONVERSION float16_to_float_natively(float *out, const uint16_t *a, long n) {
  long i = 0;
  for (; i + 8 <= n; i += 8) _mm256_storeu_ps(out + i, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(a + i))));
  float16_to_float(out + i, a + i, n - i);
}

CONVERSION float_to_float16_natively(uint16_t *out, const float *a, long n) {
  long i = 0;
  for (; i + 8 <= n; i += 8) _mm_storeu_si128((__m128i *)(out + i), _mm256_cvtps_ph(_mm256_loadu_ps(a + i), _MM_FROUND_TO_NEAREST_INT));
  float_to_float16(out + i, a + i, n - i);
}

CONVERSION round_to_float16_natively(float *out, const float *a, long n) {
  long i = 0;
  for (; i + 8 <= n; i += 8) _mm256_storeu_ps(out + i, _mm256_cvtph_ps(_mm256_cvtps_ph(_mm256_loadu_ps(a + i), _MM_FROUND_TO_NEAREST_INT)));
  uint16_t rest[8];
  float_to_float16(rest, a + i, n - i);
  float16_to_float(out + i, rest, n - i);
}

#else

static int has_float16(void) { return 0; }
static void float16_to_float_natively(float *out, const uint16_t *a, long n) {}
static void float_to_float16_natively(uint16_t *out, const float *a, long n) {}
static void round_to_float16_natively(float *out, const float *a, long n) {}

#endif

void graft_float16_to_float(float *out, const uint16_t *a, long n) {
  if (has_float16()) float16_to_float_natively(out, a, n);
  else float16_to_float(out, a, n);
}

void graft_float_to_float16(uint16_t *out, const float *a, long n) {
  if (has_float16()) float_to_float16_natively(out, a, n);
  else float_to_float16(out, a, n);
}

/// Zero for subnormals, as matrix units read them.
GRAFT_KERNEL static void round_to_bfloat16(float *out, const float *a, long n) {
  const uint32_t *bits = (const uint32_t *)a;
  uint32_t *to = (uint32_t *)out;
  for (long i = 0; i < n; i++) {
    uint32_t b = bits[i], magnitude = b & 0x7fffffffu, rounded = b + 0x7fffu + ((b >> 16) & 1u), quiet = b | 0x400000u;
    rounded = (magnitude > 0x7f800000u ? quiet : rounded) & 0xffff0000u;
    to[i] = magnitude < 0x00800000u ? b & 0x80000000u : rounded;
  }
}

void graft_round(float *out, const float *a, int type, long n) {
  if (type == GRAFT_FLOAT32) {
    if (out != a) memmove(out, a, (size_t)n * sizeof(float));
  } else if (type == GRAFT_BFLOAT16) {
    round_to_bfloat16(out, a, n);
  } else if (has_float16()) {
    round_to_float16_natively(out, a, n);
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
