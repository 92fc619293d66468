// Decoding of ggml's blocks (`ggml-common.h`). Every product and sum is rounded, as those who wrote the blocks round them.
#include "kernels.h"

#pragma clang fp contract(off) reassociate(off)

GRAFT_INLINE float half_at(const uint8_t *bytes) { return graft_from_float16((uint16_t)(bytes[0] | bytes[1] << 8)); }

GRAFT_INLINE uint32_t word_at(const uint8_t *bytes) {
  return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

// Blocks of 32: the lower halves of 16 bytes are the first 16 codes.

GRAFT_KERNEL static void decode_q4_0(float *restrict out, const uint8_t *restrict bytes, long blocks) {
  for (long b = 0; b < blocks; b++, out += 32, bytes += 18) {
    float scale = half_at(bytes);
    for (int i = 0; i < 16; i++) {
      out[i] = scale * (float)((bytes[2 + i] & 15) - 8);
      out[i + 16] = scale * (float)((bytes[2 + i] >> 4) - 8);
    }
  }
}

GRAFT_KERNEL static void decode_q4_1(float *restrict out, const uint8_t *restrict bytes, long blocks) {
  for (long b = 0; b < blocks; b++, out += 32, bytes += 20) {
    float scale = half_at(bytes), least = half_at(bytes + 2);
    for (int i = 0; i < 16; i++) {
      out[i] = scale * (float)(bytes[4 + i] & 15) + least;
      out[i + 16] = scale * (float)(bytes[4 + i] >> 4) + least;
    }
  }
}

GRAFT_KERNEL static void decode_q5_0(float *restrict out, const uint8_t *restrict bytes, long blocks) {
  for (long b = 0; b < blocks; b++, out += 32, bytes += 22) {
    float scale = half_at(bytes);
    uint32_t high = word_at(bytes + 2);
    for (int i = 0; i < 16; i++) {
      out[i] = scale * (float)((int)((bytes[6 + i] & 15) | (high >> i & 1) << 4) - 16);
      out[i + 16] = scale * (float)((int)(bytes[6 + i] >> 4 | (high >> (i + 16) & 1) << 4) - 16);
    }
  }
}

GRAFT_KERNEL static void decode_q5_1(float *restrict out, const uint8_t *restrict bytes, long blocks) {
  for (long b = 0; b < blocks; b++, out += 32, bytes += 24) {
    float scale = half_at(bytes), least = half_at(bytes + 2);
    uint32_t high = word_at(bytes + 4);
    for (int i = 0; i < 16; i++) {
      out[i] = scale * (float)((bytes[8 + i] & 15) | (high >> i & 1) << 4) + least;
      out[i + 16] = scale * (float)(bytes[8 + i] >> 4 | (high >> (i + 16) & 1) << 4) + least;
    }
  }
}

GRAFT_KERNEL static void decode_q8_0(float *restrict out, const uint8_t *restrict bytes, long blocks) {
  for (long b = 0; b < blocks; b++, out += 32, bytes += 34) {
    float scale = half_at(bytes);
    const int8_t *codes = (const int8_t *)bytes + 2;
    for (int i = 0; i < 32; i++) out[i] = scale * (float)codes[i];
  }
}

/// Twice the numbers of a sign, two bits of exponent and one of fraction.
static const float twice_float4[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

/// Half of a power of two times twice a number of 4 bits (OCP Microscaling Formats 1.0, sections 5.3.3 and 5.4.1).
GRAFT_KERNEL static void decode_mxfp4(float *restrict out, const uint8_t *restrict bytes, long blocks) {
  for (long b = 0; b < blocks; b++, out += 32, bytes += 17) {
    union { uint32_t i; float f; } scale = {.i = bytes[0] < 2 ? 0x00200000u << bytes[0] : (uint32_t)(bytes[0] - 1) << 23};
    float numbers[16];
    for (int i = 0; i < 16; i++) numbers[i] = scale.f * twice_float4[i];
    for (int i = 0; i < 16; i++) {
      out[i] = numbers[bytes[1 + i] & 15];
      out[i + 16] = numbers[bytes[1 + i] >> 4];
    }
  }
}

// Superblocks of 256, in parts of 16 or 32 with scales of their own.

/// The scale and the least number of the part j of Q4_K and Q5_K: 6 bits each, packed in 12 bytes.
GRAFT_INLINE void part_scales(const uint8_t *packed, int j, float *scale, float *least) {
  *scale = (float)(j < 4 ? packed[j] & 63 : (packed[j + 4] & 15) | (packed[j - 4] >> 6) << 4);
  *least = (float)(j < 4 ? packed[j + 4] & 63 : packed[j + 4] >> 4 | (packed[j] >> 6) << 4);
}

GRAFT_KERNEL static void decode_q2_k(float *restrict out, const uint8_t *restrict bytes, long blocks) {
  for (long b = 0; b < blocks; b++, out += 256, bytes += 84) {
    float scale = half_at(bytes + 80), least = half_at(bytes + 82);
    for (int part = 0; part < 16; part++) {
      const uint8_t *codes = bytes + 16 + part / 8 * 32 + part % 2 * 16;
      float s = scale * (float)(bytes[part] & 15), m = least * (float)(bytes[part] >> 4);
      int shift = part / 2 % 4 * 2;
      for (int i = 0; i < 16; i++) out[part * 16 + i] = s * (float)(codes[i] >> shift & 3) - m;
    }
  }
}

GRAFT_KERNEL static void decode_q3_k(float *restrict out, const uint8_t *restrict bytes, long blocks) {
  for (long b = 0; b < blocks; b++, out += 256, bytes += 110) {
    const uint8_t *scales = bytes + 96;
    float scale = half_at(bytes + 108);
    for (int part = 0; part < 16; part++) {
      const uint8_t *codes = bytes + 32 + part / 8 * 32 + part % 2 * 16, *high = bytes + part % 2 * 16;
      int low = scales[part % 8] >> part / 8 * 4 & 15, top = scales[8 + part % 4] >> part / 4 * 2 & 3;
      float s = scale * (float)((low | top << 4) - 32);
      int shift = part / 2 % 4 * 2, bit = part / 2;
      for (int i = 0; i < 16; i++) out[part * 16 + i] = s * (float)((codes[i] >> shift & 3) - (high[i] >> bit & 1 ? 0 : 4));
    }
  }
}

GRAFT_KERNEL static void decode_q4_k(float *restrict out, const uint8_t *restrict bytes, long blocks) {
  for (long b = 0; b < blocks; b++, out += 256, bytes += 144) {
    float scale = half_at(bytes), least = half_at(bytes + 2);
    for (int pair = 0; pair < 4; pair++) {
      const uint8_t *codes = bytes + 16 + pair * 32;
      float s0, m0, s1, m1;
      part_scales(bytes + 4, 2 * pair, &s0, &m0);
      part_scales(bytes + 4, 2 * pair + 1, &s1, &m1);
      s0 *= scale, m0 *= least, s1 *= scale, m1 *= least;
      float *o = out + pair * 64;
      for (int i = 0; i < 32; i++) o[i] = s0 * (float)(codes[i] & 15) - m0;
      for (int i = 0; i < 32; i++) o[i + 32] = s1 * (float)(codes[i] >> 4) - m1;
    }
  }
}

GRAFT_KERNEL static void decode_q5_k(float *restrict out, const uint8_t *restrict bytes, long blocks) {
  for (long b = 0; b < blocks; b++, out += 256, bytes += 176) {
    float scale = half_at(bytes), least = half_at(bytes + 2);
    const uint8_t *high = bytes + 16;
    for (int part = 0; part < 8; part++) {
      const uint8_t *codes = bytes + 48 + part / 2 * 32;
      float s, m;
      part_scales(bytes + 4, part, &s, &m);
      s *= scale, m *= least;
      int shift = part % 2 * 4;
      for (int i = 0; i < 32; i++) out[part * 32 + i] = s * (float)((codes[i] >> shift & 15) | (high[i] >> part & 1) << 4) - m;
    }
  }
}

GRAFT_KERNEL static void decode_q6_k(float *restrict out, const uint8_t *restrict bytes, long blocks) {
  for (long b = 0; b < blocks; b++, out += 256, bytes += 210) {
    const int8_t *scales = (const int8_t *)bytes + 192;
    float scale = half_at(bytes + 208);
    for (int part = 0; part < 16; part++) {
      int row = part / 2 % 4, offset = part % 2 * 16;
      const uint8_t *low = bytes + part / 8 * 64 + row % 2 * 32 + offset, *high = bytes + 128 + part / 8 * 32 + offset;
      float s = scale * (float)scales[part];
      int shift = row / 2 * 4, top = row * 2;
      for (int i = 0; i < 16; i++) out[part * 16 + i] = s * (float)(((low[i] >> shift & 15) | (high[i] >> top & 3) << 4) - 32);
    }
  }
}

void graft_decode_ggml(float *out, const uint8_t *bytes, int type, long blocks) {
  switch (type) {
  case GRAFT_Q4_0: decode_q4_0(out, bytes, blocks); break;
  case GRAFT_Q4_1: decode_q4_1(out, bytes, blocks); break;
  case GRAFT_Q5_0: decode_q5_0(out, bytes, blocks); break;
  case GRAFT_Q5_1: decode_q5_1(out, bytes, blocks); break;
  case GRAFT_Q8_0: decode_q8_0(out, bytes, blocks); break;
  case GRAFT_MXFP4: decode_mxfp4(out, bytes, blocks); break;
  case GRAFT_Q2_K: decode_q2_k(out, bytes, blocks); break;
  case GRAFT_Q3_K: decode_q3_k(out, bytes, blocks); break;
  case GRAFT_Q4_K: decode_q4_k(out, bytes, blocks); break;
  case GRAFT_Q5_K: decode_q5_k(out, bytes, blocks); break;
  case GRAFT_Q6_K: decode_q6_k(out, bytes, blocks); break;
  }
}
