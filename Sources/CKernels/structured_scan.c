// The scan of a state space whose states fade by one factor a head (Dao and Gu 2024, "Transformers are SSMs"): what stands between the
// products of its block form, and its recurrence for few rows.
#include "kernels.h"

#pragma clang fp contract(fast) reassociate(on)

#define BLOCK GRAFT_SCAN_BLOCK

GRAFT_KERNEL void graft_structured_steps(float *steps, float *sums, const float *delta, const float *bias, const float *rates, float least,
                                         float most, long rows, long heads) {
  for (long r = 0; r < rows; r++) {
    const float *before = r % BLOCK ? sums + (r - 1) * heads : 0;
    float *restrict step = steps + r * heads, *restrict sum = sums + r * heads;
    for (long h = 0; h < heads; h++) {
      float s = graft_softplus(delta[r * heads + h] + bias[h]);
      s = s < least ? least : s;
      step[h] = s > most ? most : s;
    }
    for (long h = 0; h < heads; h++) sum[h] = step[h] * rates[h] + (before ? before[h] : 0.0f);
  }
}

/// The column of a head.
GRAFT_INLINE void read_column(float *restrict to, const float *from, long rows, long stride) {
  for (long t = 0; t < rows; t++) to[t] = from[t * stride];
}

GRAFT_KERNEL void graft_structured_weights(float *weights, float *decays, const float *steps, const float *sums, long rows, long heads) {
  float step[BLOCK], sum[BLOCK];
  read_column(step, steps, rows, heads);
  read_column(sum, sums, rows, heads);
  float last = sum[rows - 1];
  for (long t = 0; t < rows; t++) {
    weights[t] = graft_exp(last - sum[t]) * step[t];
    decays[t] = graft_exp(sum[t]);
  }
}

GRAFT_KERNEL void graft_structured_mask(float *out, const float *products, const float *steps, const float *sums, long rows, long heads) {
  float step[BLOCK], sum[BLOCK];
  read_column(step, steps, rows, heads);
  read_column(sum, sums, rows, heads);
  for (long t = 0; t < rows; t++) {
    const float *p = products + t * rows;
    float *restrict o = out + t * rows, own = sum[t];
    for (long j = 0; j <= t; j++) o[j] = p[j] * graft_exp(own - sum[j]) * step[j];
    for (long j = t + 1; j < rows; j++) o[j] = 0;
  }
}

GRAFT_KERNEL void graft_structured_output(float *out, const float *x, const float *decays, float skip, long rows, long columns, long stride) {
  for (long t = 0; t < rows; t++) {
    float f = decays[t], *o = out + t * stride;
    const float *from = x + t * stride;
#pragma clang loop vectorize(assume_safety)
    for (long c = 0; c < columns; c++) o[c] = f * o[c] + skip * from[c];
  }
}

GRAFT_KERNEL void graft_structured_rows(float *out, float *state, const float *x, const float *b, const float *c, const float *steps,
                                        const float *sums, float skip, long rows, long columns, long stride, long heads, long size,
                                        long parameters) {
  for (long t = 0; t < rows; t++) {
    // A sum of logarithms begins anew with every block.
    float step = steps[t * heads], decay = graft_exp(sums[t * heads] - (t % BLOCK ? sums[(t - 1) * heads] : 0.0f));
    const float *from = x + t * stride, *bt = b + t * parameters, *ct = c + t * parameters;
    float *restrict o = out + t * stride;
    for (long i = 0; i < columns; i++) o[i] = skip * from[i];
    for (long n = 0; n < size; n++) {
      float *restrict s = state + n * columns, share = bt[n] * step, read = ct[n];
      for (long i = 0; i < columns; i++) {
        float value = decay * s[i] + share * from[i];
        s[i] = value;
        o[i] += read * value;
      }
    }
  }
}

// -- the way back ------------------------------------------------------------------------------------------

GRAFT_KERNEL void graft_structured_mask_gradient(float *mask, float *dproducts, float *dsums, float *dsteps, const float *products,
                                                 const float *steps, const float *sums, long rows, long heads) {
  float step[BLOCK], sum[BLOCK];
  read_column(step, steps, rows, heads);
  read_column(sum, sums, rows, heads);
  for (long t = 0; t < rows; t++) dsums[t] = dsteps[t] = 0;
  for (long t = 0; t < rows; t++) {
    const float *p = products + t * rows;
    float *restrict m = mask + t * rows, *restrict d = dproducts + t * rows, own = sum[t], total = 0;
#pragma clang loop vectorize(assume_safety)
    for (long j = 0; j <= t; j++) {
      float decay = graft_exp(own - sum[j]), gradient = m[j] * decay, fading = gradient * p[j];
      d[j] += gradient * step[j];
      m[j] = p[j] * decay * step[j];
      dsteps[j] += fading;
      total += fading * step[j];
    }
    for (long j = t + 1; j < rows; j++) m[j] = 0;
    dsums[t] = total;
  }
  for (long t = 0; t < rows; t++) dsums[t] -= dsteps[t] * step[t];
}

GRAFT_KERNEL float graft_structured_input_gradient(float *dx, float *dweights, const float *through, const float *x, const float *dout,
                                                   const float *weights, float skip, long rows, long columns, long stride) {
  float dskip = 0;
  for (long t = 0; t < rows; t++) {
    float *d = dx + t * stride, w = weights[t], sum = 0, own = 0;
    const float *u = through + t * columns, *xt = x + t * stride, *dy = dout + t * stride;
#pragma clang loop vectorize(assume_safety)
    for (long i = 0; i < columns; i++) {
      sum += xt[i] * u[i];
      own += xt[i] * dy[i];
      d[i] += w * u[i] + skip * dy[i];
    }
    dweights[t] = sum;
    dskip += own;
  }
  return dskip;
}

GRAFT_KERNEL void graft_structured_output_gradient(float *dc, float *dsums, const float *own, const float *c, long rows, long size,
                                                   long parameters) {
  for (long t = 0; t < rows; t++) {
    float *d = dc + t * parameters, sum = 0;
    const float *from = own + t * size, *ct = c + t * parameters;
#pragma clang loop vectorize(assume_safety)
    for (long n = 0; n < size; n++) {
      d[n] += from[n];
      sum += from[n] * ct[n];
    }
    dsums[t] += sum;
  }
}

GRAFT_KERNEL float graft_structured_step_gradient(float *ddelta, const float *delta, float bias, float rate, float least, float most,
                                                  const float *steps, const float *weights, const float *dsums, const float *dsteps,
                                                  const float *dweights, float dlast, long rows, long heads) {
  float carried = dlast, drate = 0;
  for (long t = 0; t < rows; t++) carried += weights[t] * dweights[t];
  // The last sum is a part of every weight, and each sum of all that follow.
  for (long t = rows - 1; t >= 0; t--) {
    float step = steps[t * heads], raw = delta[t * heads] + bias, softplus = graft_softplus(raw);
    carried += dsums[t] - weights[t] * dweights[t];
    float share = step > 0 ? weights[t] / step * dweights[t] : 0.0f;
    float d = dsteps[t] + share + rate * carried;
    drate += step * carried;
    ddelta[t * heads] = softplus < least || softplus > most ? 0.0f : d * graft_sigmoid(raw);
  }
  return drate;
}
