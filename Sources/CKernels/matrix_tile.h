// One register tile of a matrix product and the packing of its panels, for one instruction set and width: included once for
// each, with ROWS, LANES and VECTORS defined. With every bound a constant the compiler keeps the whole tile in registers.
//
// With PAIRS defined, for the tile alone: the 4 bytes of an operand's term are a pair of bfloat16 terms, and their products are summed
// by one instruction (VDPBF16PS).

#define JOIN_(a, b, c, d, e, f) a##b##c##d##e##f
#define JOIN(a, b, c, d, e, f) JOIN_(a, b, c, d, e, f)
#define NAMED(name) JOIN(name, ROWS, x, LANES, x, VECTORS)
#define VECTOR NAMED(vector)
#define HALF NAMED(half)
#define WIDTH (LANES * VECTORS)
#define UNROLLED _Pragma("clang loop unroll(full)") for

#if LANES == 16
#define ZIP_LOW(a, b) __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define ZIP_HIGH(a, b) __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#else
#define ZIP_LOW(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define ZIP_HIGH(a, b) __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#endif

typedef float VECTOR __attribute__((vector_size(4 * LANES), aligned(4)));
typedef float HALF __attribute__((vector_size(2 * LANES), aligned(4)));

#ifndef PAIRS

/// out[k, width] = a[count, k] transposed, and zero in the columns of the panel beyond `count`. Where `width` is less than
/// the panel's, a row's end is written over by the next row, and the last one's falls behind `out`.
__attribute__((noinline, min_vector_width(32 * LANES))) static void NAMED(transpose)(
    void *panel, long width, const void *matrix, long row_stride, long count, long k) {
  float *out = panel;
  const float *a = matrix;
  long whole = k - k % LANES;
  for (long v = 0; v < VECTORS; v++) {
    const float *rows = a + v * LANES * row_stride;
    for (long p = 0; p < whole; p += LANES) {
      VECTOR square[LANES], dealt[LANES];
      UNROLLED(int i = 0; i < LANES; i++) {
        square[i] = v * LANES + i < count ? *(const VECTOR *)(rows + i * row_stride + p) : (VECTOR){0};
        if (v * LANES + i < count) __builtin_prefetch(rows + i * row_stride + p + TERMS_AHEAD);
      }
      // Zipping the two halves moves the bits of an element's place round by one; when all of a row's have moved, rows are columns.
      UNROLLED(int bit = 1; bit < LANES; bit *= 2) {
        UNROLLED(int i = 0; i < LANES / 2; i++) {
          dealt[2 * i] = ZIP_LOW(square[i], square[i + LANES / 2]);
          dealt[2 * i + 1] = ZIP_HIGH(square[i], square[i + LANES / 2]);
        }
        UNROLLED(int i = 0; i < LANES; i++) square[i] = dealt[i];
      }
      UNROLLED(int i = 0; i < LANES; i++) *(VECTOR *)(out + (p + i) * width + v * LANES) = square[i];
    }
  }
  for (long p = whole; p < k; p++)
    for (long i = 0; i < width && i < WIDTH; i++) out[p * width + i] = i < count ? a[i * row_stride + p] : 0;
}

/// out[k, width] = a[k, count], and zero beyond `count`.
__attribute__((noinline, min_vector_width(32 * LANES))) static void NAMED(copy)(
    void *panel, long width, const void *matrix, long stride, long count, long k) {
  float *out = panel;
  const float *a = matrix;
  for (long p = 0; p < k; p++, a += stride, out += width) {
    UNROLLED(int v = 0; v < VECTORS; v++) __builtin_prefetch(a + ROWS_AHEAD * stride + v * LANES);
    if (count == WIDTH) {
      UNROLLED(int v = 0; v < VECTORS; v++) *(VECTOR *)(out + v * LANES) = *(const VECTOR *)(a + v * LANES);
    } else if (VECTORS == 1 && count >= LANES / 2) {
      // Two halves that overlap.
      HALF first = *(const HALF *)a, last = *(const HALF *)(a + count - LANES / 2);
      *(HALF *)out = first;
      *(HALF *)(out + count - LANES / 2) = last;
    } else {
      for (long i = 0; i < count; i++) out[i] = a[i];
    }
    for (long i = count; i < width; i++) out[i] = 0;
  }
}

#define TILE NAMED(tile)
#define FIXED NAMED(fixed)
#define ELEMENT float
#define BROADCAST(element) (element)
#define ADD_PRODUCT(sum, element, panel) (sum) += (element) * (panel)

#else

#define TILE NAMED(pair_tile)
#define FIXED NAMED(fixed_pair)
#define ELEMENT int32_t
#define WORDS NAMED(words)
#define HALVES NAMED(halves)
typedef int32_t WORDS __attribute__((vector_size(4 * LANES), aligned(4)));
typedef __bf16 HALVES __attribute__((vector_size(4 * LANES)));
#define BROADCAST(element) ((HALVES)((WORDS){0} + (element)))
#if LANES == 16
#define ADD_PRODUCT(sum, element, panel) (sum) = __builtin_ia32_dpbf16ps_512(sum, element, (HALVES)(panel))
#else
#define ADD_PRODUCT(sum, element, panel) (sum) = __builtin_ia32_dpbf16ps_256(sum, element, (HALVES)(panel))
#endif

#endif

/// The tile, with as many rows as the compiler is told.
__attribute__((always_inline, min_vector_width(32 * LANES))) static inline void FIXED(int rows, const struct tile *tile) {
  const ELEMENT *a = (const ELEMENT *)tile->a;
  const float *b = tile->b, *addend = tile->addend, *ahead = tile->ahead;
  float *c = tile->c, alpha = tile->alpha, beta = tile->beta;
  long row_stride = tile->row_stride, column_stride = tile->column_stride, b_stride = tile->b_stride, c_stride = tile->c_stride;
  VECTOR sums[ROWS][VECTORS];
  UNROLLED(int i = 0; i < rows; i++) UNROLLED(int v = 0; v < VECTORS; v++) sums[i][v] = (VECTOR){0};
  // What is needed soon is asked for a line of a row at a time: asked for at once, it would keep the operands waiting.
  long step = tile->k > rows * LINE ? LINE : (tile->k + rows - 1) / rows;
  for (long left = tile->k, row = 0; left > 0; row++) {
    if (row < rows) UNROLLED(int v = 0; v < VECTORS; v++) __builtin_prefetch(c + row * c_stride + v * LANES, 1);
    if (row * LINE < tile->k) for (long i = 0; i < tile->ahead_rows; i++) __builtin_prefetch(ahead + i * tile->ahead_stride + row * LINE, 0, 2);
    long terms = left < step ? left : step;
    left -= terms;
    for (; terms > 0; terms--) {
      VECTOR panel[VECTORS];
      UNROLLED(int v = 0; v < VECTORS; v++) panel[v] = *(const VECTOR *)(b + v * LANES);
      UNROLLED(int i = 0; i < rows; i++) {
        ELEMENT element = a[i * row_stride];
        UNROLLED(int v = 0; v < VECTORS; v++) ADD_PRODUCT(sums[i][v], BROADCAST(element), panel[v]);
      }
      a += column_stride;
      b += b_stride;
    }
  }
  if (tile->columns == WIDTH) {
    UNROLLED(int i = 0; i < rows; i++) UNROLLED(int v = 0; v < VECTORS; v++) {
      long at = i * c_stride + v * LANES;
      *(VECTOR *)(c + at) = beta == 0 ? alpha * sums[i][v] : alpha * sums[i][v] + beta * *(const VECTOR *)(addend + at);
    }
  } else {
    // A copy, since registers have no addresses.
    VECTOR copy[ROWS][VECTORS];
    UNROLLED(int i = 0; i < rows; i++) UNROLLED(int v = 0; v < VECTORS; v++) copy[i][v] = sums[i][v];
    for (int i = 0; i < rows; i++) {
      const float *sum = (const float *)copy[i];
      for (long j = 0; j < tile->columns; j++) {
        long at = i * c_stride + j;
        c[at] = beta == 0 ? alpha * sum[j] : alpha * sum[j] + beta * addend[at];
      }
    }
  }
}

/// The tile, of at most ROWS rows and WIDTH columns.
__attribute__((noinline, min_vector_width(32 * LANES))) static void TILE(const struct tile *tile) {
#define CASE(n) case n: FIXED(n < ROWS ? n : ROWS, tile); return;
  switch (tile->rows) {
    CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6)
#if ROWS > 6
    CASE(7) CASE(8) CASE(9) CASE(10) CASE(11) CASE(12)
#endif
#if ROWS > 12
    CASE(13) CASE(14)
#endif
  }
#undef CASE
}

#undef TILE
#undef FIXED
#undef ELEMENT
#undef BROADCAST
#undef ADD_PRODUCT
#undef WORDS
#undef HALVES
#undef PAIRS
#undef UNROLLED
#undef ZIP_LOW
#undef ZIP_HIGH
#undef WIDTH
#undef VECTOR
#undef HALF
#undef NAMED
#undef JOIN
#undef JOIN_
#undef LANES
#undef VECTORS
