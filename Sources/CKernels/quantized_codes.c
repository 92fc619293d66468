// Decoding of numbers that are stored as codes of 4 or 8 bits with a factor a block or a row.
#include "kernels.h"
#if defined(__x86_64__) && defined(__linux__)
#include <immintrin.h>
#endif

/// Products and sums are rounded one by one, as those who encoded the factors rounded them.
static float factor_of(const struct graft_block_factors *factors, long block) {
#pragma clang fp contract(off) reassociate(off)
  if (!factors->codes) return factors->values[block];
  float product = factors->code[factors->codes[block]] * factors->values[block / factors->group];
  return product + factors->offset;
}

/// Elements of one block from `first` on by its 16 numbers. Of a byte the upper half comes first.
static void decode_block(float *out, const uint8_t *codes, const float *numbers, long first, long n) {
  long i = 0;
  if (first & 1 && n > 0) out[i++] = numbers[codes[first >> 1] & 15];
  const uint8_t *pairs = codes + ((first + i) >> 1);
  long count = (n - i) / 2;
  for (long pair = 0; pair < count; pair++, i += 2) {
    out[i] = numbers[pairs[pair] >> 4];
    out[i + 1] = numbers[pairs[pair] & 15];
  }
  if (i < n) out[i] = numbers[pairs[count] >> 4];
}

#if defined(__x86_64__) && defined(__linux__)

static int has_permutation(void) { return __builtin_cpu_supports("avx512f"); }

/// The same with 16 elements a step: a register holds the block's numbers, and codes pick from it.
__attribute__((target("avx512f"))) static void decode_block_natively(float *out, const uint8_t *codes, const float *numbers, long first, long n) {
  if (first & 1 || n < 16) return decode_block(out, codes, numbers, first, n);
  const __m512 table = _mm512_loadu_ps(numbers);
  const uint8_t *from = codes + (first >> 1);
  long i = 0;
  for (; i + 16 <= n; i += 16) {
    __m512i bytes = _mm512_cvtepu8_epi64(_mm_loadl_epi64((const __m128i *)(from + i / 2)));
    // Of every 8 bytes the lower 4 hold the upper half of a code, the higher 4 the lower one; a permutation reads the last 4 bits.
    __m512i indices = _mm512_or_si512(_mm512_srli_epi64(bytes, 4), _mm512_slli_epi64(bytes, 32));
    _mm512_storeu_ps(out + i, _mm512_permutexvar_ps(indices, table));
  }
  decode_block(out + i, codes, numbers, first + i, n - i);
}

#else

static int has_permutation(void) { return 0; }
static void decode_block_natively(float *out, const uint8_t *codes, const float *numbers, long first, long n) {}

#endif

void graft_decode_4bit(float *out, const uint8_t *codes, const float *code, const struct graft_block_factors *factors, long length, long first, long n) {
  int is_native = has_permutation();
  for (long done = 0; done < n;) {
    long start = first + done, block = start / length, count = (block + 1) * length - start;
    if (count > n - done) count = n - done;
    float numbers[16], factor = factor_of(factors, block);
    for (int i = 0; i < 16; i++) numbers[i] = code[i] * factor;
    (is_native ? decode_block_natively : decode_block)(out + done, codes, numbers, start, count);
    done += count;
  }
}

GRAFT_KERNEL void graft_encode_4bit(uint8_t *codes, const float *x, const float *bounds, const uint8_t *order, long n) {
  uint32_t places[64], zero = 0;
  for (int b = 0; b < 15; b++) zero += bounds[b] < 0;
  for (long start = 0; start < n; start += 64) {
    long count = n - start < 64 ? n - start : 64;
    for (long i = 0; i < count; i++) {
      uint32_t place = 0;
      for (int b = 0; b < 15; b++) place += bounds[b] < x[start + i];
      places[i] = place;
    }
    for (long i = 0; i + 1 < count; i += 2) codes[(start + i) / 2] = (uint8_t)(order[places[i]] << 4 | order[places[i + 1]]);
    if (count & 1) codes[(start + count) / 2] = (uint8_t)(order[places[count - 1]] << 4 | order[zero]);
  }
}

GRAFT_KERNEL void graft_encode_8bit(int8_t *codes, const float *x, float scale, long n) {
  for (long i = 0; i < n; i++) codes[i] = (int8_t)__builtin_rintf(x[i] * scale);
}

GRAFT_KERNEL void graft_decode_8bit(float *out, const int8_t *codes, float factor, long n) {
#pragma clang fp contract(off) reassociate(off)
  // A code is a 127th of its row's factor, which is multiplied with first.
  for (long i = 0; i < n; i++) out[i] = (float)codes[i] * factor * 7.874015718698502e-3f;
}

GRAFT_KERNEL void graft_decode_table(float *restrict out, const uint8_t *restrict codes, const float *restrict table, const float *factors, long length,
                                     long first, long n) {
  for (long done = 0; done < n;) {
    long block = (first + done) / length, count = (block + 1) * length - first - done;
    if (count > n - done) count = n - done;
    float factor = factors[block];
    for (long i = done; i < done + count; i++) out[i] = table[codes[i]] * factor;
    done += count;
  }
}

GRAFT_KERNEL void graft_decode_grouped(float *restrict out, const uint32_t *restrict words, int shift, int bits, const float *restrict scales,
                                       const float *restrict zeros, long n) {
  uint32_t mask = (1u << bits) - 1;
  for (long i = 0; i < n; i++) out[i] = scales[i] * ((float)(words[i] >> shift & mask) - zeros[i]);
}

GRAFT_KERNEL void graft_decode_interleaved(float *restrict out, const uint32_t *restrict words, const float *restrict scales, const float *restrict zeros,
                                           long first, long n) {
  static const int shifts[8] = {0, 16, 4, 20, 8, 24, 12, 28};
  for (long i = 0; i < n; i++) out[i] = scales[i] * ((float)(words[(first + i) / 8] >> shifts[(first + i) % 8] & 15) - zeros[i]);
}

void graft_decode_microscaled(float *restrict out, const uint8_t *restrict codes, const uint8_t *restrict exponents, long first, long n) {
  static const float float4[16] = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6, -0.0f, -0.5f, -1, -1.5f, -2, -3, -4, -6};
  for (long i = 0; i < n;) {
    long at = first + i, count = (at / 32 + 1) * 32 - at;
    if (count > n - i) count = n - i;
    // Of a power of two below float32's normal numbers the halves are exact, too.
    float scale = __builtin_ldexpf(1, exponents[at / 32] - 127), numbers[16];
    for (int c = 0; c < 16; c++) numbers[c] = float4[c] * scale;
    for (long j = 0; j < count; j++) out[i + j] = numbers[codes[(at + j) / 2] >> ((at + j) & 1) * 4 & 15];
    i += count;
  }
}
