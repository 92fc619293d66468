// Packing of bfloat16 terms in pairs of 4 bytes, from floats, which are rounded on the way, and from stored bfloat16. Included once
// for each processor, with PAIRS(name) defined, and ROUND(out, low, high): *out = two vectors of 16 floats as 32 rounded elements, and
// READ(out, from, bytes): *out = up to 64 bytes, and zero behind them.
#include "matrix_product.h"

#define UNROLLED _Pragma("clang loop unroll(full)") for
#define INLINE __attribute__((always_inline, min_vector_width(512))) static inline
#define PACK __attribute__((noinline, min_vector_width(512))) static void
#define LANES 16

INLINE long PAIRS(least)(long a, long b) { return a < b ? a : b; }

/// 32 consecutive terms of a row.
INLINE void PAIRS(terms)(words16 *out, const void *row, int is_half) {
  if (is_half) *out = (words16)*(const halves32 *)row;
  else ROUND(out, ((const floats16 *)row)[0], ((const floats16 *)row)[1]);
}

/// The last terms of a row, and zero behind them.
INLINE void PAIRS(last_terms)(words16 *out, const void *row, int is_half, long count) {
  floats16 part[2];
  READ(&part[0], row, PAIRS(least)(count * (is_half ? 2 : 4), 64));
  if (!is_half) READ(&part[1], (const char *)row + 64, count > LANES ? (count - LANES) * 4 : 0);
  PAIRS(terms)(out, part, is_half);
}

/// The terms of two rows in turn.
INLINE void PAIRS(zip)(words16 *out, const void *first, const void *second, int is_half) {
  halves32 terms;
  if (is_half) {
    halves16 low = *(const halves16 *)first, high = *(const halves16 *)second;
    terms = __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29,
                                    30, 31);
  } else {
    ROUND(&terms, *(const floats16 *)first, *(const floats16 *)second);
  }
  *out = (words16)__builtin_shufflevector(terms, terms, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13,
                                          29, 14, 30, 15, 31);
}

/// The same of rows that end before, and of a second row that may be null.
INLINE void PAIRS(zip_rest)(words16 *out, const void *first, const void *second, int is_half, long count) {
  long bytes = count * (is_half ? 2 : 4);
  floats16 low, high;
  READ(&low, first, bytes);
  READ(&high, second ? second : first, second ? bytes : 0);
  PAIRS(zip)(out, &low, &high, is_half);
}

/// Transposes a square: zipping its two halves moves the bits of an element's place round by one.
INLINE void PAIRS(turn)(words16 square[LANES]) {
  UNROLLED(int bit = 1; bit < LANES; bit *= 2) {
    words16 dealt[LANES];
    UNROLLED(int i = 0; i < LANES / 2; i++) {
      words16 a = square[i], b = square[i + LANES / 2];
      dealt[2 * i] = __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
      dealt[2 * i + 1] = __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    }
    UNROLLED(int i = 0; i < LANES; i++) square[i] = dealt[i];
  }
}

/// 16 pairs of up to 16 rows, transposed; `rest` terms, or 32 where it is zero.
INLINE void PAIRS(transpose_square)(uint32_t *out, long width, const char *a, int is_half, long stride, long count, long lanes, long rest) {
  long size = is_half ? sizeof(uint16_t) : sizeof(float);
  words16 square[LANES];
  UNROLLED(int i = 0; i < LANES; i++, a += stride * size) {
    square[i] = (words16){0};
    if (i < count && rest) {
      PAIRS(last_terms)(&square[i], a, is_half, rest);
    } else if (i < count) {
      PAIRS(terms)(&square[i], a, is_half);
      __builtin_prefetch(a + 2 * LANES * size);
      if (!is_half) __builtin_prefetch(a + 3 * LANES * size);
    }
  }
  PAIRS(turn)(square);
  // Where a panel is narrower than a register, a row's end is written over by the next row.
  if (!rest) {
    UNROLLED(int i = 0; i < LANES - 1; i++, out += width) *(words16 *)out = square[i];
    if (lanes == LANES) *(words16 *)out = square[LANES - 1];
    else memcpy(out, &square[LANES - 1], (size_t)lanes * sizeof(uint32_t));
  } else {
    for (long i = 0; i < (rest + 1) / 2; i++, out += width) memcpy(out, &square[i], (size_t)lanes * sizeof(uint32_t));
  }
}

/// out[pairs, width] = a[count, k] transposed.
INLINE void PAIRS(transpose)(uint32_t *out, long width, const void *a, int is_half, long stride, long count, long k) {
  long size = is_half ? sizeof(uint16_t) : sizeof(float), whole = k - k % (2 * LANES);
  for (long left = 0; left < width; left += LANES) {
    const char *rows = (const char *)a + left * stride * size;
    long lanes = PAIRS(least)(LANES, width - left);
    for (long start = 0; start < whole; start += 2 * LANES)
      PAIRS(transpose_square)(out + start / 2 * width + left, width, rows + start * size, is_half, stride, count - left, lanes, 0);
    if (whole < k) PAIRS(transpose_square)(out + whole / 2 * width + left, width, rows + whole * size, is_half, stride, count - left, lanes, k - whole);
  }
}

/// out[pairs, width] = a[k, count].
INLINE void PAIRS(copy)(uint32_t *out, long width, const void *a, int is_half, long stride, long count, long k) {
  long size = is_half ? sizeof(uint16_t) : sizeof(float);
  for (long p = 0; 2 * p < k; p++, out += width) {
    for (long left = 0; left < width; left += LANES) {
      long lanes = PAIRS(least)(LANES, width - left), present = PAIRS(least)(LANES, count - left);
      const char *first = (const char *)a + (2 * p * stride + left) * size, *second = first + stride * size;
      __builtin_prefetch(first + ROWS_AHEAD * stride * size);
      __builtin_prefetch(second + ROWS_AHEAD * stride * size);
      words16 zipped = {0};
      if (present == LANES && 2 * p + 1 < k) PAIRS(zip)(&zipped, first, second, is_half);
      else if (present > 0) PAIRS(zip_rest)(&zipped, first, 2 * p + 1 < k ? second : 0, is_half, present);
      // Where a panel is narrower than a register, a row's end is written over by the next row.
      if (lanes == LANES || 2 * p + 2 < k) *(words16 *)(out + left) = zipped;
      else memcpy(out + left, &zipped, (size_t)lanes * sizeof(uint32_t));
    }
  }
}

/// The first operand of AMX, out[pairs / 16, width, 16] = a[count, k], filled up with zeros to whole tiles.
INLINE void PAIRS(transpose_first)(uint32_t *out, long width, const void *a, int is_half, long stride, long count, long k) {
  long size = is_half ? sizeof(uint16_t) : sizeof(float);
  for (long i = 0; i < width; i++) {
    const char *row = (const char *)a + i * stride * size;
    for (long start = 0; start < k; start += 2 * LANES) {
      words16 terms = {0};
      if (i < count && k - start >= 2 * LANES) PAIRS(terms)(&terms, row + start * size, is_half);
      else if (i < count) PAIRS(last_terms)(&terms, row + start * size, is_half, k - start);
      *(words16 *)(out + start / 2 * width + i * LANES) = terms;
    }
  }
}

/// The same from a[k, count].
INLINE void PAIRS(copy_first)(uint32_t *out, long width, const void *a, int is_half, long stride, long count, long k) {
  long size = is_half ? sizeof(uint16_t) : sizeof(float);
  for (long start = 0; start < k; start += 2 * LANES) {
    for (long left = 0; left < width; left += LANES) {
      words16 square[LANES];
      UNROLLED(int i = 0; i < LANES; i++) {
        long term = start + 2 * i;
        const char *first = (const char *)a + (term * stride + left) * size;
        square[i] = (words16){0};
        if (term + 1 < k && count - left >= LANES) PAIRS(zip)(&square[i], first, first + stride * size, is_half);
        else if (term < k && left < count)
          PAIRS(zip_rest)(&square[i], first, term + 1 < k ? first + stride * size : 0, is_half, PAIRS(least)(LANES, count - left));
      }
      PAIRS(turn)(square);
      UNROLLED(int i = 0; i < LANES; i++) *(words16 *)(out + start / 2 * width + (left + i) * LANES) = square[i];
    }
  }
}

#define PACK_OF(verb, format, is_half)                                                                               \
  PACK PAIRS(verb##_##format)(void *out, long width, const void *a, long stride, long count, long k) {               \
    PAIRS(verb)(out, width, a, is_half, stride, count, k);                                                           \
  }
PACK_OF(transpose, floats, 0)
PACK_OF(transpose, halves, 1)
PACK_OF(copy, floats, 0)
PACK_OF(copy, halves, 1)
PACK_OF(transpose_first, floats, 0)
PACK_OF(transpose_first, halves, 1)
PACK_OF(copy_first, floats, 0)
PACK_OF(copy_first, halves, 1)


/// The packing of floats and of stored bfloat16.
const struct packing PAIRS(graft_pairs)[2] = {
    {PAIRS(transpose_floats), PAIRS(copy_floats), PAIRS(transpose_first_floats), PAIRS(copy_first_floats)},
    {PAIRS(transpose_halves), PAIRS(copy_halves), PAIRS(transpose_first_halves), PAIRS(copy_first_halves)}};

#undef PACK_OF
#undef PACK
#undef INLINE
#undef UNROLLED
#undef LANES
#undef PAIRS
#undef ROUND
#undef READ
