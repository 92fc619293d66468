// One register tile of a matrix product, for one instruction set and width: included once for each, with ROWS, LANES and
// VECTORS defined. No intrinsics: with every bound a constant the compiler keeps the whole tile in registers.
//
// The scheme is that of Goto and van de Geijn, "Anatomy of high-performance matrix multiplication" (2008).

#define JOIN_(a, b, c, d, e, f) a##b##c##d##e##f
#define JOIN(a, b, c, d, e, f) JOIN_(a, b, c, d, e, f)
#define NAMED(name) JOIN(name, ROWS, x, LANES, x, VECTORS)
#define VECTOR NAMED(vector)
#define WIDTH (LANES * VECTORS)
#define UNROLLED _Pragma("clang loop unroll(full)") for

typedef float VECTOR __attribute__((vector_size(4 * LANES), aligned(4)));

/// c[rows, columns] = alpha a b + beta c, with b one panel [k, WIDTH] and at most WIDTH columns.
__attribute__((always_inline, min_vector_width(32 * LANES))) static inline void NAMED(fixed)(
    int rows, long columns, long k, float alpha, const float *a, long row_stride, long column_stride, const float *b, float beta, float *c,
    long c_stride) {
  VECTOR sums[ROWS][VECTORS];
  UNROLLED(int i = 0; i < rows; i++) UNROLLED(int v = 0; v < VECTORS; v++) __builtin_prefetch(c + i * c_stride + v * LANES, 1);
  UNROLLED(int i = 0; i < rows; i++) UNROLLED(int v = 0; v < VECTORS; v++) sums[i][v] = (VECTOR){0};
  for (long p = 0; p < k; p++) {
    VECTOR panel[VECTORS];
    UNROLLED(int v = 0; v < VECTORS; v++) panel[v] = *(const VECTOR *)(b + v * LANES);
    UNROLLED(int i = 0; i < rows; i++) {
      float element = a[i * row_stride];
      UNROLLED(int v = 0; v < VECTORS; v++) sums[i][v] += element * panel[v];
    }
    a += column_stride;
    b += WIDTH;
  }
  if (columns == WIDTH) {
    UNROLLED(int i = 0; i < rows; i++) UNROLLED(int v = 0; v < VECTORS; v++) {
      VECTOR *out = (VECTOR *)(c + i * c_stride + v * LANES);
      *out = beta == 0 ? alpha * sums[i][v] : alpha * sums[i][v] + beta * *out;
    }
  } else {
    for (int i = 0; i < rows; i++) {
      const float *sum = (const float *)sums[i];
      for (long j = 0; j < columns; j++) {
        float *out = c + i * c_stride + j;
        *out = beta == 0 ? alpha * sum[j] : alpha * sum[j] + beta * *out;
      }
    }
  }
}

/// The same for any number of rows up to ROWS.
__attribute__((noinline, min_vector_width(32 * LANES))) static void NAMED(tile)(
    int rows, long columns, long k, float alpha, const float *a, long row_stride, long column_stride, const float *b, float beta, float *c,
    long c_stride) {
#define CASE(n) case n: NAMED(fixed)(n < ROWS ? n : ROWS, columns, k, alpha, a, row_stride, column_stride, b, beta, c, c_stride); return;
  switch (rows) {
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

#undef UNROLLED
#undef WIDTH
#undef VECTOR
#undef NAMED
#undef JOIN
#undef JOIN_
#undef LANES
#undef VECTORS
