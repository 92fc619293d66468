#include "kernels.h"

void graft_gather_rows(float *out, const float *table, const int32_t *rows, long count, long columns) {
  for (long i = 0; i < count; i++) memcpy(out + i * columns, table + (long)rows[i] * columns, (size_t)columns * sizeof(float));
}
