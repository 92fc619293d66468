#include "kernels.h"

#pragma clang fp contract(fast) reassociate(on)

GRAFT_KERNEL void graft_add(float *out, const float *a, const float *b, long n) {
  for (long i = 0; i < n; i++) out[i] = a[i] + b[i];
}

GRAFT_KERNEL void graft_subtract(float *out, const float *a, const float *b, long n) {
  for (long i = 0; i < n; i++) out[i] = a[i] - b[i];
}

GRAFT_KERNEL void graft_multiply(float *out, const float *a, const float *b, long n) {
  for (long i = 0; i < n; i++) out[i] = a[i] * b[i];
}

GRAFT_KERNEL void graft_accumulate(float *out, const float *a, long n) {
  for (long i = 0; i < n; i++) out[i] += a[i];
}

GRAFT_KERNEL void graft_accumulate_scaled(float *out, const float *a, float scale, long n) {
  for (long i = 0; i < n; i++) out[i] += scale * a[i];
}

GRAFT_KERNEL void graft_scale(float *out, const float *a, float scale, long n) {
  for (long i = 0; i < n; i++) out[i] = scale * a[i];
}

GRAFT_KERNEL void graft_fill(float *out, float value, long n) {
  for (long i = 0; i < n; i++) out[i] = value;
}

#define SIDE 16
#define UNROLLED _Pragma("clang loop unroll(full)") for
typedef float side __attribute__((vector_size(4 * SIDE), aligned(4)));

/// A square of `a` added to a square of `out`, transposed in registers: zipping the two halves moves the bits of an element's place round
/// by one; when all of a row's have moved, rows are columns.
GRAFT_INLINE void accumulate_transposed_square(float *out, long out_stride, const float *a, long a_stride) {
  side square[SIDE], dealt[SIDE];
  UNROLLED(int i = 0; i < SIDE; i++) square[i] = *(const side *)(a + i * a_stride);
  UNROLLED(int bit = 1; bit < SIDE; bit *= 2) {
    UNROLLED(int i = 0; i < SIDE / 2; i++) {
      side low = square[i], high = square[i + SIDE / 2];
      dealt[2 * i] = __builtin_shufflevector(low, high, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
      dealt[2 * i + 1] = __builtin_shufflevector(low, high, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    }
    UNROLLED(int i = 0; i < SIDE; i++) square[i] = dealt[i];
  }
  UNROLLED(int i = 0; i < SIDE; i++) *(side *)(out + i * out_stride) += square[i];
}

__attribute__((min_vector_width(512))) GRAFT_KERNEL void graft_accumulate_transposed(
    float *out, long out_stride, const float *a, long a_stride, long rows, long columns) {
  long whole_rows = rows - rows % SIDE, whole_columns = columns - columns % SIDE;
  for (long r = 0; r < whole_rows; r += SIDE)
    for (long c = 0; c < whole_columns; c += SIDE)
      accumulate_transposed_square(out + c * out_stride + r, out_stride, a + r * a_stride + c, a_stride);
  for (long r = 0; r < rows; r++)
    for (long c = r < whole_rows ? whole_columns : 0; c < columns; c++) out[c * out_stride + r] += a[r * a_stride + c];
}

GRAFT_KERNEL void graft_add_row(float *out, const float *a, const float *row, long rows, long columns) {
  for (long r = 0; r < rows; r++)
    for (long c = 0; c < columns; c++) out[r * columns + c] = a[r * columns + c] + row[c];
}

GRAFT_KERNEL void graft_multiply_row(float *out, const float *a, const float *row, long rows, long columns) {
  for (long r = 0; r < rows; r++)
    for (long c = 0; c < columns; c++) out[r * columns + c] = a[r * columns + c] * row[c];
}

GRAFT_KERNEL void graft_column_sums(float *row, const float *a, long rows, long columns) {
  for (long r = 0; r < rows; r++)
    for (long c = 0; c < columns; c++) row[c] += a[r * columns + c];
}

GRAFT_KERNEL void graft_column_dots(float *row, const float *a, const float *b, long rows, long columns) {
  for (long r = 0; r < rows; r++)
    for (long c = 0; c < columns; c++) row[c] += a[r * columns + c] * b[r * columns + c];
}

GRAFT_KERNEL double graft_sum(const float *a, long n) {
  double sum = 0;
  for (long i = 0; i < n; i++) sum += (double)a[i];
  return sum;
}

GRAFT_KERNEL double graft_sum_of_squares(const float *a, long n) {
  double sum = 0;
  for (long i = 0; i < n; i++) sum += (double)a[i] * (double)a[i];
  return sum;
}

GRAFT_KERNEL double graft_dot(const float *a, const float *b, long n) {
  double sum = 0;
  for (long i = 0; i < n; i++) sum += (double)a[i] * (double)b[i];
  return sum;
}

GRAFT_KERNEL static int graft_has_nonfinite(const float *a, long n) {
  const uint32_t *bits = (const uint32_t *)a;
  uint32_t found = 0;
  for (long i = 0; i < n; i++) found |= (bits[i] & 0x7f800000u) == 0x7f800000u;
  return (int)found;
}

long graft_first_nonfinite(const float *a, long n) {
  if (!graft_has_nonfinite(a, n)) return -1;
  for (long i = 0; i < n; i++)
    if (!isfinite(a[i])) return i;
  return -1;
}

GRAFT_KERNEL void graft_scale_rows(float *out, const float *x, const float *factors, long rows, long columns, long out_stride, long stride) {
  for (long t = 0; t < rows; t++) {
    float f = factors[t];
    const float *from = x + t * stride;
    float *to = out + t * out_stride;
#pragma clang loop vectorize(assume_safety)
    for (long c = 0; c < columns; c++) to[c] = f * from[c];
  }
}
