// Rows of a mixture of experts: from tokens to experts and back, and the arithmetic between.
#include "kernels.h"

#pragma clang fp contract(fast) reassociate(on)

GRAFT_KERNEL void graft_combine_rows(float *out, const float *y, const float *weights, const int32_t *places, int add, long count, long rows, long columns) {
  for (long r = 0; r < rows; r++) {
    float *o = out + r * columns;
    for (long j = 0; j < count; j++) {
      const float *from = y + (long)places[r * count + j] * columns;
      float weight = weights ? weights[r * count + j] : 1.0f;
      if (j == 0 && !add) for (long c = 0; c < columns; c++) o[c] = weight * from[c];
      else for (long c = 0; c < columns; c++) o[c] += weight * from[c];
    }
  }
}

GRAFT_KERNEL void graft_combine_rows_gradient(float *dy, float *dweights, const float *dout, const float *y, const float *weights, const int32_t *places,
                                              long count, long rows, long columns) {
  for (long r = 0; r < rows; r++) {
    const float *d = dout + r * columns;
    for (long j = 0; j < count; j++) {
      long at = (long)places[r * count + j] * columns;
      float weight = weights[r * count + j];
      if (dy) for (long c = 0; c < columns; c++) dy[at + c] = weight * d[c];
      if (dweights) {
        float sum = 0;
        for (long c = 0; c < columns; c++) sum += d[c] * y[at + c];
        dweights[r * count + j] = sum;
      }
    }
  }
}

GRAFT_KERNEL void graft_softmax_rows(float *out, const float *x, long rows, long columns) {
  for (long r = 0; r < rows; r++) {
    const float *from = x + r * columns;
    float *o = out + r * columns, largest = graft_largest(from, columns), sum = 0;
    for (long c = 0; c < columns; c++) {
      float e = graft_exp(from[c] - largest);
      o[c] = e;
      sum += e;
    }
    float inverse = 1.0f / sum;
    for (long c = 0; c < columns; c++) o[c] *= inverse;
  }
}

GRAFT_KERNEL void graft_softmax_rows_gradient(float *dx, const float *dout, const float *out, long rows, long columns) {
  for (long r = 0; r < rows; r++) {
    const float *p = out + r * columns, *d = dout + r * columns;
    float delta = 0;
    for (long c = 0; c < columns; c++) delta += p[c] * d[c];
    for (long c = 0; c < columns; c++) dx[r * columns + c] = p[c] * (d[c] - delta);
  }
}

GRAFT_KERNEL void graft_clamped_gate(float *out, const float *x, float alpha, float limit, long rows, long columns) {
  for (long i = 0; i < rows * columns; i++) {
    float gate = x[2 * i], up = x[2 * i + 1];
    gate = gate > limit ? limit : gate;
    up = up > limit ? limit : up < -limit ? -limit : up;
    out[i] = (up + 1.0f) * gate * graft_sigmoid(alpha * gate);
  }
}

GRAFT_KERNEL void graft_clamped_gate_gradient(float *dx, const float *dout, const float *x, float alpha, float limit, long rows, long columns) {
  for (long i = 0; i < rows * columns; i++) {
    float gate = x[2 * i], up = x[2 * i + 1];
    float inside_gate = gate > limit ? 0.0f : 1.0f, inside_up = up > limit || up < -limit ? 0.0f : 1.0f;
    gate = gate > limit ? limit : gate;
    up = up > limit ? limit : up < -limit ? -limit : up;
    float s = graft_sigmoid(alpha * gate), d = dout[i];
    dx[2 * i] = inside_gate * d * (up + 1.0f) * s * (1.0f + alpha * gate * (1.0f - s));
    dx[2 * i + 1] = inside_up * d * gate * s;
  }
}
