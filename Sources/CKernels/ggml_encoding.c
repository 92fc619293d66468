// Encoding into ggml's blocks (`ggml-common.h`).
#include "kernels.h"

#pragma clang fp contract(off) reassociate(off)

GRAFT_INLINE int put_half(uint8_t *bytes, float x) {
  uint16_t half = graft_to_float16(x);
  bytes[0] = (uint8_t)half, bytes[1] = (uint8_t)(half >> 8);
  return (half & 0x7c00u) != 0x7c00u;
}

/// The element with the largest magnitude, the first of several.
GRAFT_INLINE float extreme(const float *x, int n) {
  float largest = 0, found = 0;
  for (int i = 0; i < n; i++) {
    float magnitude = __builtin_fabsf(x[i]);
    found = magnitude > largest ? x[i] : found;
    largest = magnitude > largest ? magnitude : largest;
  }
  return found;
}

/// The inverse of a scale; zero where it has none, as float16 has no such scale either.
GRAFT_INLINE float inverse_of(float scale) { return __builtin_fabsf(scale) < 0x1p-126f ? 0 : 1 / scale; }

GRAFT_INLINE int clamped(int x, int low, int high) { return x < low ? low : x > high ? high : x; }

/// Codes of 4 or 5 bits about the middle: the scale makes the extreme element the lowest code.
GRAFT_INLINE int encode_centred(uint8_t *codes, uint8_t *scale, const float *x, int half) {
  float d = extreme(x, 32) / (float)-half, inverse = inverse_of(d);
  for (int i = 0; i < 32; i++) codes[i] = (uint8_t)clamped((int)(x[i] * inverse + ((float)half + 0.5f)), 0, 2 * half - 1);
  return put_half(scale, d);
}

GRAFT_KERNEL static int encode_q4_0(uint8_t *restrict bytes, const float *restrict x, long blocks) {
  int fits = 1;
  for (long b = 0; b < blocks; b++, x += 32, bytes += 18) {
    uint8_t codes[32];
    fits &= encode_centred(codes, bytes, x, 8);
    for (int i = 0; i < 16; i++) bytes[2 + i] = (uint8_t)(codes[i] | codes[i + 16] << 4);
  }
  return fits;
}

GRAFT_KERNEL static int encode_q5_0(uint8_t *restrict bytes, const float *restrict x, long blocks) {
  int fits = 1;
  for (long b = 0; b < blocks; b++, x += 32, bytes += 22) {
    uint8_t codes[32];
    uint32_t high = 0;
    fits &= encode_centred(codes, bytes, x, 16);
    for (int i = 0; i < 32; i++) high |= (uint32_t)(codes[i] >> 4) << i;
    for (int i = 0; i < 4; i++) bytes[2 + i] = (uint8_t)(high >> 8 * i);
    for (int i = 0; i < 16; i++) bytes[6 + i] = (uint8_t)((codes[i] & 15) | (codes[i + 16] & 15) << 4);
  }
  return fits;
}

GRAFT_KERNEL static int encode_q8_0(uint8_t *restrict bytes, const float *restrict x, long blocks) {
  int fits = 1;
  for (long b = 0; b < blocks; b++, x += 32, bytes += 34) {
    float d = __builtin_fabsf(extreme(x, 32)) / 127, inverse = inverse_of(d);
    fits &= put_half(bytes, d);
    for (int i = 0; i < 32; i++) {
      // Halves are rounded away from zero.
      float y = x[i] * inverse, magnitude = __builtin_fabsf(y), whole = __builtin_floorf(magnitude);
      int code = (int)whole + (int)(2 * (magnitude - whole));
      bytes[2 + i] = (uint8_t)(y < 0 ? -code : code);
    }
  }
  return fits;
}

/// Twice the magnitudes of numbers of 4 bits.
static const float twice_float4[8] = {0, 1, 2, 3, 4, 6, 8, 12};

GRAFT_KERNEL static int encode_mxfp4(uint8_t *restrict bytes, const float *restrict x, long blocks) {
  for (long b = 0; b < blocks; b++, x += 32, bytes += 17) {
    union { float f; uint32_t i; } largest = {.f = __builtin_fabsf(extreme(x, 32))}, scale;
    // The exponent of the largest, two lower: 4 to 6 are the largest numbers of 4 bits.
    int exponent = clamped((int)(largest.i >> 23) - 2, 0, 254);
    bytes[0] = (uint8_t)exponent;
    scale.i = exponent < 2 ? 0x00200000u << exponent : (uint32_t)(exponent - 1) << 23;
    uint8_t codes[32];
    for (int i = 0; i < 32; i++) {
      int code = 0;
      float least = __builtin_fabsf(x[i]);
      for (int c = 1; c < 8; c++) {
        float error = __builtin_fabsf(scale.f * (x[i] < 0 ? -twice_float4[c] : twice_float4[c]) - x[i]);
        code = error < least ? c | (x[i] < 0 ? 8 : 0) : code;
        least = error < least ? error : least;
      }
      codes[i] = (uint8_t)code;
    }
    for (int i = 0; i < 16; i++) bytes[1 + i] = (uint8_t)(codes[i] | codes[i + 16] << 4);
  }
  return 1;
}

/// True where 256 numbers are within float16's range, so that sums of their squares are within float32's.
GRAFT_INLINE int are_in_range(const float *x) { return __builtin_fabsf(extreme(x, 256)) <= 65504; }

/// The scale and offset, x = scale code - least, of 32 elements whose codes of 4 bits have the least squares of errors among
/// a few scales; for the codes that a scale makes, the best line is known.
GRAFT_INLINE void fit_line(const float *x, float *scale, float *least) {
#pragma clang fp contract(fast) reassociate(on)
  float low = 0, high = x[0], sum = 0;
  for (int i = 0; i < 32; i++) low = x[i] < low ? x[i] : low, high = x[i] > high ? x[i] : high, sum += x[i];
  *scale = 0, *least = -low;
  if (!(high > low)) return;
  float best = 3.4e38f;
  for (int step = -8; step <= 12; step++) {
    float inverse = (15 + 0.1f * (float)step) / (high - low), sum_code = 0, sum_square = 0, sum_product = 0;
    for (int i = 0; i < 32; i++) {
      float code = __builtin_rintf((x[i] - low) * inverse);
      code = code < 0 ? 0 : code > 15 ? 15 : code;
      sum_code += code, sum_square += code * code, sum_product += code * x[i];
    }
    float determinant = 32 * sum_square - sum_code * sum_code;
    float s = (32 * sum_product - sum_code * sum) / determinant, m = (sum_square * sum - sum_code * sum_product) / determinant;
    // The offset has no sign: where a line would begin above zero, or all codes are the same, it goes through zero.
    if (determinant <= 0 || m > 0) s = sum_product / sum_square, m = 0;
    if (!(s > 0)) continue;
    float error = 0, nearest = 1 / s;
    for (int i = 0; i < 32; i++) {
      float code = __builtin_rintf((x[i] - m) * nearest);
      code = code < 0 ? 0 : code > 15 ? 15 : code;
      error += (s * code + m - x[i]) * (s * code + m - x[i]);
    }
    if (error < best) best = error, *scale = s, *least = -m;
  }
}

GRAFT_KERNEL static int encode_q4_k(uint8_t *restrict bytes, const float *restrict x, long blocks) {
  int fits = 1;
  for (long b = 0; b < blocks; b++, x += 256, bytes += 144) {
    float scales[8], leasts[8], largest_scale = 0, largest_least = 0;
    for (int part = 0; part < 8; part++) {
      fit_line(x + part * 32, &scales[part], &leasts[part]);
      largest_scale = scales[part] > largest_scale ? scales[part] : largest_scale;
      largest_least = leasts[part] > largest_least ? leasts[part] : largest_least;
    }
    fits &= are_in_range(x) & put_half(bytes, largest_scale / 63) & put_half(bytes + 2, largest_least / 63);
    float d = graft_from_float16((uint16_t)(bytes[0] | bytes[1] << 8)), m = graft_from_float16((uint16_t)(bytes[2] | bytes[3] << 8));
    uint8_t *packed = bytes + 4;
    memset(packed, 0, 12);
    for (int part = 0; part < 8; part++) {
      int s = d > 0 ? clamped((int)__builtin_rintf(scales[part] / d), 0, 63) : 0;
      int l = m > 0 ? clamped((int)__builtin_rintf(leasts[part] / m), 0, 63) : 0;
      if (part < 4) packed[part] |= (uint8_t)s, packed[part + 4] |= (uint8_t)l;
      else packed[part + 4] = (uint8_t)((s & 15) | (l & 15) << 4), packed[part - 4] |= (uint8_t)(s >> 4 << 6), packed[part] |= (uint8_t)(l >> 4 << 6);
      float scale = d * (float)s, least = m * (float)l, inverse = scale > 0 ? 1 / scale : 0;
      uint8_t *codes = bytes + 16 + part / 2 * 32;
      for (int i = 0; i < 32; i++) {
        float code = __builtin_rintf((x[part * 32 + i] + least) * inverse);
        code = code < 0 ? 0 : code > 15 ? 15 : code;
        codes[i] = part % 2 ? (uint8_t)(codes[i] | (int)code << 4) : (uint8_t)code;
      }
    }
  }
  return fits;
}

/// The scale of 16 elements whose codes of 6 bits have the least squares of errors among a few scales.
GRAFT_INLINE float fit_scale(const float *x) {
#pragma clang fp contract(fast) reassociate(on)
  float largest = extreme(x, 16), scale = 0, best = -1;
  if (largest == 0) return 0;
  for (int step = -9; step <= 9; step++) {
    float inverse = (-32 + 0.1f * (float)step) / largest, sum_product = 0, sum_square = 0;
    for (int i = 0; i < 16; i++) {
      float code = __builtin_rintf(x[i] * inverse);
      code = code < -32 ? -32 : code > 31 ? 31 : code;
      sum_product += code * x[i], sum_square += code * code;
    }
    // What the best scale for these codes takes from the sum of squares.
    float gain = sum_square > 0 ? sum_product * sum_product / sum_square : 0;
    if (gain > best) best = gain, scale = sum_square > 0 ? sum_product / sum_square : 0;
  }
  return scale;
}

GRAFT_KERNEL static int encode_q6_k(uint8_t *restrict bytes, const float *restrict x, long blocks) {
  int fits = 1;
  for (long b = 0; b < blocks; b++, x += 256, bytes += 210) {
    float scales[16];
    for (int part = 0; part < 16; part++) scales[part] = fit_scale(x + part * 16);
    fits &= are_in_range(x) & put_half(bytes + 208, extreme(scales, 16) / -128);
    float d = graft_from_float16((uint16_t)(bytes[208] | bytes[209] << 8));
    uint8_t codes[256];
    for (int part = 0; part < 16; part++) {
      int s = d != 0 ? clamped((int)__builtin_rintf(scales[part] / d), -128, 127) : 0;
      bytes[192 + part] = (uint8_t)s;
      float scale = d * (float)s, inverse = scale != 0 ? 1 / scale : 0;
      for (int i = 0; i < 16; i++) {
        float code = __builtin_rintf(x[part * 16 + i] * inverse);
        codes[part * 16 + i] = (uint8_t)((code < -32 ? -32 : code > 31 ? 31 : (int)code) + 32);
      }
    }
    for (int half = 0; half < 2; half++) {
      const uint8_t *from = codes + half * 128;
      for (int i = 0; i < 64; i++) bytes[half * 64 + i] = (uint8_t)((from[i] & 15) | (from[i + 64] & 15) << 4);
      for (int i = 0; i < 32; i++)
        bytes[128 + half * 32 + i] = (uint8_t)(from[i] >> 4 | from[i + 32] >> 4 << 2 | from[i + 64] >> 4 << 4 | from[i + 96] >> 4 << 6);
    }
  }
  return fits;
}

int graft_encode_ggml(uint8_t *bytes, const float *x, int type, long blocks) {
  switch (type) {
  case GRAFT_Q4_0: return encode_q4_0(bytes, x, blocks);
  case GRAFT_Q5_0: return encode_q5_0(bytes, x, blocks);
  case GRAFT_Q8_0: return encode_q8_0(bytes, x, blocks);
  case GRAFT_MXFP4: return encode_mxfp4(bytes, x, blocks);
  case GRAFT_Q4_K: return encode_q4_k(bytes, x, blocks);
  case GRAFT_Q6_K: return encode_q6_k(bytes, x, blocks);
  default: return 0;
  }
}
