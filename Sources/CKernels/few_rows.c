// Products of a few rows with a large matrix, as decoding makes them: the matrix is read once, at the speed of memory, and
// widened on the way. Every element is summed in one order, whatever the rows beside it and the columns of a call.
#include "kernels.h"

#pragma clang fp contract(fast) reassociate(off)

#define LANES 16
/// Rows of the first operand that are multiplied while a part of the matrix is at hand.
#define ROWS 4
/// Columns whose terms lie side by side in memory, and that are read together.
#define COLUMNS 4
/// Terms whose columns lie side by side, and that are read together.
#define TERMS 4
/// Registers of columns that a term fills.
#define VECTORS 4
/// Sums that stay in the first-level cache.
#define SUMS 4096
/// Bytes that are asked for ahead: those that memory hands out while a request is on its way.
#define AHEAD 8192
#define UNROLLED _Pragma("clang loop unroll(full)") for
#define WIDE __attribute__((min_vector_width(512)))
#define INLINE WIDE GRAFT_INLINE

typedef float floats __attribute__((vector_size(4 * LANES), aligned(4)));
typedef float quarters __attribute__((vector_size(LANES), aligned(4)));
typedef uint32_t words __attribute__((vector_size(4 * LANES), aligned(4)));
typedef uint16_t halves __attribute__((vector_size(2 * LANES), aligned(2)));
#if defined(__x86_64__) || defined(__aarch64__)
typedef _Float16 float16s __attribute__((vector_size(2 * LANES), aligned(2)));
#endif

/// Elements i to i + LANES of a matrix of the given type, widened.
INLINE void load(floats *out, const void *base, int type, long i) {
  if (type == GRAFT_FLOAT32) {
    *out = *(const floats *)((const float *)base + i);
  } else if (type == GRAFT_BFLOAT16) {
    *out = (floats)(__builtin_convertvector(*(const halves *)((const uint16_t *)base + i), words) << 16);
  } else {
#if defined(__x86_64__) || defined(__aarch64__)
    *out = __builtin_convertvector(*(const float16s *)((const uint16_t *)base + i), floats);
#else
    float wide[LANES];
    graft_float16_to_float(wide, (const uint16_t *)base + i, LANES);
    memcpy(out, wide, sizeof wide);
#endif
  }
}

INLINE long bytes(int type, long count) { return count * (type == GRAFT_FLOAT32 ? 4 : 2); }

/// Asks for the memory of an element that is read soon: what lies side by side is too short for the processor to see it coming.
INLINE void prefetch(const void *base, int type, long i) { __builtin_prefetch((const char *)base + bytes(type, i)); }

/// The first `count` of LANES elements, and zero behind them.
INLINE void load_part(floats *out, const void *base, int type, long i, long count) {
  float part[LANES] = {0};
  if (type == GRAFT_FLOAT32) memcpy(part, (const float *)base + i, (size_t)count * sizeof(float));
  else if (type == GRAFT_BFLOAT16) graft_bfloat16_to_float(part, (const uint16_t *)base + i, count);
  else graft_float16_to_float(part, (const uint16_t *)base + i, count);
  *out = *(const floats *)part;
}

/// The sums of the lanes of COLUMNS registers, each by halves: lane i with lane i + 8, then i with i + 4, and so on.
INLINE void totals(float *out, const floats *lanes) {
  floats eighths[2];
  UNROLLED(int pair = 0; pair < 2; pair++) {
    floats a = lanes[2 * pair], b = lanes[2 * pair + 1];
    eighths[pair] = __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23) +
                    __builtin_shufflevector(a, b, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
  }
  floats fours = __builtin_shufflevector(eighths[0], eighths[1], 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27) +
                 __builtin_shufflevector(eighths[0], eighths[1], 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
  quarters even = __builtin_shufflevector(fours, fours, 0, 4, 8, 12) + __builtin_shufflevector(fours, fours, 2, 6, 10, 14);
  quarters odd = __builtin_shufflevector(fours, fours, 1, 5, 9, 13) + __builtin_shufflevector(fours, fours, 3, 7, 11, 15);
  *(quarters *)out = even + odd;
}

struct product {
  const float *a, *addend;
  float *c;
  long a_stride, c_stride, k;
  float alpha, beta;
};

GRAFT_INLINE void store(const struct product *p, long row, long column, float sum) {
  long at = row * p->c_stride + column;
  p->c[at] = p->beta == 0 ? p->alpha * sum : p->alpha * sum + p->beta * p->addend[at];
}

/// Rows by columns whose terms are consecutive elements: dot products.
INLINE void dots(const struct product *p, int rows, int columns, const void *base, int type, long first, long column_stride, long column) {
  long ahead = AHEAD / bytes(type, COLUMNS * column_stride) * COLUMNS * column_stride;
  if (ahead < COLUMNS * column_stride) ahead = COLUMNS * column_stride;
  floats sums[ROWS][COLUMNS];
  UNROLLED(int i = 0; i < rows; i++) UNROLLED(int j = 0; j < columns; j++) sums[i][j] = (floats){0};
  long whole = p->k - p->k % LANES, rest = p->k - whole;
  for (long t = 0; t < whole; t += LANES) {
    floats w[COLUMNS];
    UNROLLED(int j = 0; j < columns; j++) {
      load(&w[j], base, type, first + j * column_stride + t);
      prefetch(base, type, first + j * column_stride + t + ahead);
    }
    UNROLLED(int i = 0; i < rows; i++) {
      floats x = *(const floats *)(p->a + i * p->a_stride + t);
      UNROLLED(int j = 0; j < columns; j++) sums[i][j] += x * w[j];
    }
  }
  if (rest > 0) {
    UNROLLED(int i = 0; i < rows; i++) {
      floats x;
      load_part(&x, p->a + i * p->a_stride, GRAFT_FLOAT32, whole, rest);
      UNROLLED(int j = 0; j < columns; j++) {
        floats w;
        load_part(&w, base, type, first + j * column_stride + whole, rest);
        sums[i][j] += x * w;
      }
    }
  }
  UNROLLED(int i = 0; i < rows; i++) {
    float out[COLUMNS];
    UNROLLED(int j = columns; j < COLUMNS; j++) sums[i][j] = (floats){0};
    totals(out, sums[i]);
    UNROLLED(int j = 0; j < columns; j++) store(p, i, column + j, out[j]);
  }
}

/// The same, with the number of rows known.
INLINE void all_dots(const struct product *p, int rows, const void *base, int type, long first, long column_stride, long columns) {
  long column = 0;
  for (; column + COLUMNS <= columns; column += COLUMNS)
    dots(p, rows, COLUMNS, base, type, first + column * column_stride, column_stride, column);
  for (; column < columns; column++) dots(p, rows, 1, base, type, first + column * column_stride, column_stride, column);
}

/// sums[rows, width] += the terms from `term` on, whose columns are consecutive elements from `first` on.
INLINE void add_terms(const struct product *p, int rows, int terms, int vectors, float *sums, long width, const void *base, int type, long first,
                      long row_stride, long term, long ahead) {
  floats held[ROWS][VECTORS];
  UNROLLED(int i = 0; i < rows; i++) UNROLLED(int v = 0; v < vectors; v++) held[i][v] = *(const floats *)(sums + i * width + v * LANES);
  UNROLLED(int t = 0; t < terms; t++) {
    floats w[VECTORS];
    UNROLLED(int v = 0; v < vectors; v++) {
      load(&w[v], base, type, first + t * row_stride + v * LANES);
      if (type == GRAFT_FLOAT32 || v % 2 == 0) prefetch(base, type, first + t * row_stride + v * LANES + ahead);
    }
    UNROLLED(int i = 0; i < rows; i++) {
      float x = p->a[i * p->a_stride + term + t];
      UNROLLED(int v = 0; v < vectors; v++) held[i][v] += x * w[v];
    }
  }
  UNROLLED(int i = 0; i < rows; i++) UNROLLED(int v = 0; v < vectors; v++) *(floats *)(sums + i * width + v * LANES) = held[i][v];
}

/// A strip of columns of some terms. A single term is memory from end to end, and its successor follows where columns are all there are.
INLINE void add_strip(const struct product *p, int rows, int terms, float *sums, long width, const void *base, int type, long first,
                      long row_stride, long term, long columns) {
  long ahead = AHEAD / bytes(type, terms * row_stride) * terms * row_stride, column = 0;
  if (ahead < terms * row_stride) ahead = terms * row_stride;
  if (terms == 1 && columns == row_stride) ahead = AHEAD / bytes(type, 1);
  for (; column + VECTORS * LANES <= columns; column += VECTORS * LANES)
    add_terms(p, rows, terms, VECTORS, sums + column, width, base, type, first + column, row_stride, term, ahead);
  for (; column + LANES <= columns; column += LANES)
    add_terms(p, rows, terms, 1, sums + column, width, base, type, first + column, row_stride, term, ahead);
  if (column == columns) return;
  for (int t = 0; t < terms; t++) {
    floats w;
    load_part(&w, base, type, first + t * row_stride + column, columns - column);
    UNROLLED(int i = 0; i < rows; i++) *(floats *)(sums + i * width + column) += p->a[i * p->a_stride + term + t] * w;
  }
}

/// Rows by columns that are consecutive elements of each term: sums of scaled rows, a strip of columns at a time. Where the
/// addend counts as it is, they go on from it. A single row takes the terms one by one, as memory has them; more rows share registers.
INLINE void all_sums(const struct product *p, int rows, const void *base, int type, long first, long row_stride, long columns) {
  const long strip = SUMS / rows / LANES * LANES;
  const int terms = rows == 1 ? 1 : TERMS;
  float sums[SUMS];
  for (long column = 0; column < columns; column += strip) {
    long width = columns - column < strip ? columns - column : strip, term = 0;
    if (p->beta == 1 && p->alpha == 1) {
      for (int i = 0; i < rows; i++) memcpy(sums + i * strip, p->addend + i * p->c_stride + column, (size_t)width * sizeof(float));
    } else {
      for (int i = 0; i < rows; i++) memset(sums + i * strip, 0, (size_t)((width + LANES - 1) / LANES * LANES) * sizeof(float));
    }
    for (; term + terms <= p->k; term += terms)
      add_strip(p, rows, terms, sums, strip, base, type, first + term * row_stride + column, row_stride, term, width);
    for (; term < p->k; term++) add_strip(p, rows, 1, sums, strip, base, type, first + term * row_stride + column, row_stride, term, width);
    for (int i = 0; i < rows; i++) {
      if (p->beta == 1 && p->alpha == 1) memcpy(p->c + i * p->c_stride + column, sums + i * strip, (size_t)width * sizeof(float));
      else for (long j = 0; j < width; j++) store(p, i, column + j, sums[i * strip + j]);
    }
  }
}

INLINE void all(const struct product *p, int rows, const struct graft_matrix *b, int type, long first, long columns) {
  if (b->row_stride == 1) all_dots(p, rows, b->base, type, first * b->column_stride, b->column_stride, columns);
  else all_sums(p, rows, b->base, type, first, b->row_stride, columns);
}

INLINE void all_of_type(const struct product *p, int rows, const struct graft_matrix *b, long first, long columns) {
  if (b->type == GRAFT_FLOAT32) all(p, rows, b, GRAFT_FLOAT32, first, columns);
  else if (b->type == GRAFT_BFLOAT16) all(p, rows, b, GRAFT_BFLOAT16, first, columns);
  else all(p, rows, b, GRAFT_FLOAT16, first, columns);
}

WIDE GRAFT_KERNEL void graft_multiply_few_rows(const float *a, long rows, long a_stride, const struct graft_matrix *b, long first, long columns,
                                               long k, float alpha, float beta, const float *addend, float *c, long c_stride) {
  struct product p = {.a = a, .addend = addend, .c = c, .a_stride = a_stride, .c_stride = c_stride, .k = k, .alpha = alpha, .beta = beta};
  for (long row = 0; row < rows; row += ROWS) {
    long left = rows - row;
    if (left >= 4) all_of_type(&p, 4, b, first, columns);
    else if (left == 3) all_of_type(&p, 3, b, first, columns);
    else if (left == 2) all_of_type(&p, 2, b, first, columns);
    else all_of_type(&p, 1, b, first, columns);
    p.a += ROWS * a_stride;
    p.addend += ROWS * c_stride;
    p.c += ROWS * c_stride;
  }
}
