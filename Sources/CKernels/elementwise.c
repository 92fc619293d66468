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
