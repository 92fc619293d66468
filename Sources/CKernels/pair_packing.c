// The packing of pairs of bfloat16 for processors that round floats to them, and for all others.
#include "matrix_product.h"

/// 16 floats rounded to nearest even, in the lower half of each; zero for subnormals, as products read them.
GRAFT_INLINE void round_words(words16 *out, const floats16 *x) {
  words16 bits = *(const words16 *)x, magnitude = bits & 0x7fffffffu;
  words16 is_nan = (words16)(magnitude > 0x7f800000u), is_small = (words16)(magnitude < 0x00800000u);
  words16 rounded = bits + 0x7fffu + ((bits >> 16) & 1u);
  rounded = (is_nan & (bits | 0x400000u)) | (~is_nan & rounded);
  *out = ((is_small & bits & 0x80000000u) | (~is_small & rounded)) >> 16;
}

GRAFT_INLINE void round_portably(void *out, const floats16 *low, const floats16 *high) {
  words16 words[2];
  round_words(&words[0], low);
  round_words(&words[1], high);
  ((halves16 *)out)[0] = __builtin_convertvector(words[0], halves16);
  ((halves16 *)out)[1] = __builtin_convertvector(words[1], halves16);
}

#define PAIRS(name) name##_portable
#define ROUND(out, low, high) round_portably(out, &(low), &(high))
#define READ(out, from, bytes) (memset(out, 0, 64), memcpy(out, from, (size_t)(bytes)))
#include "pair_packing.h"

#if defined(__x86_64__) && defined(__linux__)
#include <immintrin.h>
#pragma clang attribute push(__attribute__((target("arch=x86-64-v4,avx512bf16"))), apply_to = function)
#define PAIRS(name) name##_native
#define ROUND(out, low, high) (*(halves32 *)(out) = (halves32)_mm512_cvtne2ps_pbh(high, low))
#define READ(out, from, bytes) (*(words16 *)(out) = (words16)_mm512_maskz_loadu_epi8(_bzhi_u64(~0ull, (unsigned)(bytes)), from))
#include "pair_packing.h"
#pragma clang attribute pop
#endif
