#include "kernels.h"

void graft_gather_rows(float *out, const float *table, const int32_t *rows, long count, long columns) {
  for (long i = 0; i < count; i++) memcpy(out + i * columns, table + (long)rows[i] * columns, (size_t)columns * sizeof(float));
}

GRAFT_KERNEL void graft_scatter_add_rows(float *table, const float *x, const int32_t *rows, long count, long columns) {
  for (long i = 0; i < count; i++) {
    float *row = table + (long)rows[i] * columns;
    for (long c = 0; c < columns; c++) row[c] += x[i * columns + c];
  }
}
