#include "kernels.h"

#pragma clang fp contract(fast) reassociate(on)

GRAFT_KERNEL void graft_rms_norm(float *out, float *rstd, const float *x, const float *weight, float offset, float epsilon, long rows, long columns) {
  for (long r = 0; r < rows; r++) {
    const float *row = x + r * columns;
    float sum = 0;
    for (long c = 0; c < columns; c++) sum += row[c] * row[c];
    float scale = 1.0f / sqrtf(sum / (float)columns + epsilon);
    rstd[r] = scale;
    float *o = out + r * columns;
    for (long c = 0; c < columns; c++) o[c] = row[c] * scale * (weight[c] + offset);
  }
}

GRAFT_KERNEL void graft_rms_norm_gradient(float *dx, float *dweight, const float *dout, const float *x, const float *weight, const float *rstd,
                                          float offset, int add, long rows, long columns) {
  for (long r = 0; r < rows; r++) {
    const float *row = x + r * columns, *d = dout + r * columns;
    float *o = dx + r * columns, scale = rstd[r], dot = 0;
    for (long c = 0; c < columns; c++) dot += d[c] * (weight[c] + offset) * row[c];
    float shift = dot * scale * scale / (float)columns;
    if (add)
      for (long c = 0; c < columns; c++) o[c] += scale * (d[c] * (weight[c] + offset) - row[c] * shift);
    else
      for (long c = 0; c < columns; c++) o[c] = scale * (d[c] * (weight[c] + offset) - row[c] * shift);
    if (dweight)
      for (long c = 0; c < columns; c++) dweight[c] += d[c] * row[c] * scale;
  }
}

GRAFT_KERNEL void graft_layer_norm(float *out, float *mean, float *rstd, const float *x, const float *weight, const float *bias, float epsilon,
                                   long rows, long columns) {
  for (long r = 0; r < rows; r++) {
    const float *row = x + r * columns;
    float sum = 0, squares = 0;
    for (long c = 0; c < columns; c++) sum += row[c];
    float centre = sum / (float)columns;
    for (long c = 0; c < columns; c++) squares += (row[c] - centre) * (row[c] - centre);
    float scale = 1.0f / sqrtf(squares / (float)columns + epsilon);
    mean[r] = centre;
    rstd[r] = scale;
    float *o = out + r * columns;
    if (bias)
      for (long c = 0; c < columns; c++) o[c] = (row[c] - centre) * scale * weight[c] + bias[c];
    else
      for (long c = 0; c < columns; c++) o[c] = (row[c] - centre) * scale * weight[c];
  }
}

GRAFT_KERNEL void graft_layer_norm_gradient(float *dx, float *dweight, float *dbias, const float *dout, const float *x, const float *weight,
                                            const float *mean, const float *rstd, int add, long rows, long columns) {
  for (long r = 0; r < rows; r++) {
    const float *row = x + r * columns, *d = dout + r * columns;
    float *o = dx + r * columns, scale = rstd[r], centre = mean[r], total = 0, dot = 0;
    for (long c = 0; c < columns; c++) {
      float dw = d[c] * weight[c];
      total += dw;
      dot += dw * (row[c] - centre) * scale;
    }
    total /= (float)columns;
    dot /= (float)columns;
    if (add)
      for (long c = 0; c < columns; c++) o[c] += scale * (d[c] * weight[c] - total - (row[c] - centre) * scale * dot);
    else
      for (long c = 0; c < columns; c++) o[c] = scale * (d[c] * weight[c] - total - (row[c] - centre) * scale * dot);
    if (dweight)
      for (long c = 0; c < columns; c++) dweight[c] += d[c] * (row[c] - centre) * scale;
    if (dbias)
      for (long c = 0; c < columns; c++) dbias[c] += d[c];
  }
}
