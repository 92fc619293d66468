#include "kernels.h"

typedef struct { uint32_t v[4]; } philox_block;

GRAFT_INLINE philox_block philox(uint64_t key, uint64_t counter) {
  uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
  uint32_t c0 = (uint32_t)counter, c1 = (uint32_t)(counter >> 32), c2 = 0, c3 = 0;
  for (int round = 0; round < 10; round++) {
    uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
    uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0, n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
    c1 = (uint32_t)p1;
    c3 = (uint32_t)p0;
    c0 = n0;
    c2 = n2;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return (philox_block){{c0, c1, c2, c3}};
}

GRAFT_INLINE float unit(uint32_t bits) { return (float)(bits >> 8) * 0x1p-24f; }

void graft_uniform(float *out, uint64_t key, uint64_t start, long n) {
  philox_block block = {{0}};
  for (long i = 0; i < n; i++) {
    uint64_t position = start + (uint64_t)i;
    if (i == 0 || (position & 3) == 0) block = philox(key, position >> 2);
    out[i] = unit(block.v[position & 3]);
  }
}

void graft_normal(float *out, uint64_t key, uint64_t start, long n) {
  for (long i = 0; i < n; i++) {
    uint64_t position = start + (uint64_t)i;
    philox_block block = philox(key, position >> 2);
    int pair = (int)(position & 2);
    float radius = sqrtf(-2.0f * logf(1.0f - unit(block.v[pair])));
    float angle = 6.283185307179586f * unit(block.v[pair + 1]);
    out[i] = radius * ((position & 1) ? sinf(angle) : cosf(angle));
  }
}

void graft_float_to_bfloat16_by_chance(uint16_t *out, const float *a, uint64_t key, uint64_t start, long n) {
  const uint32_t *bits = (const uint32_t *)a;
  philox_block block = {{0}};
  for (long i = 0; i < n; i++) {
    uint64_t position = start + (uint64_t)i;
    if (i == 0 || (position & 7) == 0) block = philox(key, position >> 3);
    uint32_t chance = block.v[(position >> 1) & 3] >> ((position & 1) * 16) & 0xffffu, b = bits[i];
    // What is not finite stays what it is.
    uint32_t rounded = (b & 0x7f800000u) == 0x7f800000u ? b | ((b & 0x7fffffu) != 0) << 22 : b + chance;
    out[i] = (uint16_t)(rounded >> 16);
  }
}

void graft_dropout(float *out, const float *x, float keep, uint64_t key, uint64_t start, long n) {
  float scale = 1.0f / keep;
  philox_block block = {{0}};
  for (long i = 0; i < n; i++) {
    uint64_t position = start + (uint64_t)i;
    if (i == 0 || (position & 3) == 0) block = philox(key, position >> 2);
    out[i] = unit(block.v[position & 3]) < keep ? x[i] * scale : 0.0f;
  }
}
