// Recurrences along the rows of sequences: causal convolutions, the selective scan of state spaces, and RWKV's weighted means.
#include "kernels.h"

#pragma clang fp contract(fast) reassociate(on)

#define CHANNELS GRAFT_SCAN_CHANNELS
#define CHUNK GRAFT_SCAN_CHUNK

// -- causal convolutions -----------------------------------------------------------------------------------

/// The row `back` rows before row r of its sequence; null where there is none.
GRAFT_INLINE const float *row_before(const float *x, const float *initial, const int32_t *places, const int32_t *sequences, long kernel, long r,
                                     long back, long columns) {
  if (places[r] >= back) return x + (r - back) * columns;
  if (!initial || sequences[r] < 0) return 0;
  return initial + ((long)sequences[r] * (kernel - 1) + kernel - 1 + places[r] - back) * columns;
}

GRAFT_KERNEL void graft_causal_convolution(float *out, const float *x, const float *weights, const float *bias, const float *initial,
                                           const int32_t *places, const int32_t *sequences, long kernel, long first, long count, long columns) {
  for (long r = first; r < first + count; r++) {
    float *restrict o = out + r * columns;
    for (long c = 0; c < columns; c++) o[c] = bias ? bias[c] : 0.0f;
    for (long i = 0; i < kernel; i++) {
      const float *from = row_before(x, initial, places, sequences, kernel, r, kernel - 1 - i, columns), *w = weights + i * columns;
      if (from) for (long c = 0; c < columns; c++) o[c] += w[c] * from[c];
    }
  }
}

GRAFT_KERNEL void graft_causal_convolution_input_gradient(float *dx, const float *dout, const float *weights, const int32_t *places, int add,
                                                          long kernel, long first, long count, long rows, long columns) {
  for (long r = first; r < first + count; r++) {
    float *restrict d = dx + r * columns;
    if (!add) for (long c = 0; c < columns; c++) d[c] = 0;
    for (long ahead = 0; ahead < kernel && r + ahead < rows; ahead++) {
      if (places[r + ahead] != places[r] + ahead) break;
      const float *from = dout + (r + ahead) * columns, *w = weights + (kernel - 1 - ahead) * columns;
      for (long c = 0; c < columns; c++) d[c] += w[c] * from[c];
    }
  }
}

GRAFT_KERNEL void graft_causal_convolution_weight_gradient(float *dweights, float *dbias, const float *dout, const float *x, const float *initial,
                                                           const int32_t *places, const int32_t *sequences, long kernel, long first, long count,
                                                           long columns) {
  for (long r = first; r < first + count; r++) {
    const float *d = dout + r * columns;
    for (long i = 0; i < kernel; i++) {
      const float *from = row_before(x, initial, places, sequences, kernel, r, kernel - 1 - i, columns);
      float *restrict dw = dweights + i * columns;
      if (from) for (long c = 0; c < columns; c++) dw[c] += d[c] * from[c];
    }
    if (dbias) for (long c = 0; c < columns; c++) dbias[c] += d[c];
  }
}

// -- the selective scan ------------------------------------------------------------------------------------

GRAFT_KERNEL void graft_scan_rates(float *rates, const float *logarithms, long channels, long size) {
  for (long c = 0; c < channels; c++)
    for (long n = 0; n < size; n++) rates[n * channels + c] = -graft_exp(logarithms[c * size + n]);
}

/// Copies [size, channels] between a tensor's columns and scratch memory.
GRAFT_INLINE void load(float *restrict to, const float *from, long size, long channels, long stride) {
  for (long n = 0; n < size; n++)
    for (long c = 0; c < channels; c++) to[n * CHANNELS + c] = from ? from[n * stride + c] : 0.0f;
}

GRAFT_INLINE void store(float *to, const float *restrict from, long size, long channels, long stride) {
  for (long n = 0; n < size; n++)
    for (long c = 0; c < channels; c++) to[n * stride + c] = from[n * CHANNELS + c];
}

GRAFT_KERNEL void graft_selective_scan(float *out, float *state, float *states, float *scratch, const float *x, const float *delta,
                                       const float *rates, const float *b, const float *c, const float *skip, long rows, long channels,
                                       long stride, long size) {
  float step[CHANNELS], input[CHANNELS], sum[CHANNELS];
  load(scratch, state, size, channels, stride);
  for (long r = 0; r < rows; r++) {
    if (states && r % CHUNK == 0) store(states + r / CHUNK * size * stride, scratch, size, channels, stride);
    const float *xr = x + r * stride, *dr = delta + r * stride;
    for (long i = 0; i < channels; i++) {
      step[i] = graft_softplus(dr[i]);
      input[i] = step[i] * xr[i];
      sum[i] = skip[i] * xr[i];
    }
    for (long n = 0; n < size; n++) {
      float *restrict h = scratch + n * CHANNELS;
      const float *restrict rate = rates + n * stride;
      float bn = b[r * size + n], cn = c[r * size + n];
      for (long i = 0; i < channels; i++) {
        float value = graft_exp(step[i] * rate[i]) * h[i] + bn * input[i];
        h[i] = value;
        sum[i] += cn * value;
      }
    }
    for (long i = 0; i < channels; i++) out[r * stride + i] = sum[i];
  }
  if (state) store(state, scratch, size, channels, stride);
}

/// The states after each row of a chunk, behind the one before it, and the decays of each row.
GRAFT_INLINE void scan_chunk(float *restrict h, float *restrict decays, const float *x, const float *delta, const float *rates, const float *b,
                             long rows, long channels, long stride, long size) {
  float step[CHANNELS], input[CHANNELS];
  for (long r = 0; r < rows; r++) {
    for (long i = 0; i < channels; i++) {
      step[i] = graft_softplus(delta[r * stride + i]);
      input[i] = step[i] * x[r * stride + i];
    }
    for (long n = 0; n < size; n++) {
      const float *before = h + (r * size + n) * CHANNELS, *rate = rates + n * stride;
      float *after = h + ((r + 1) * size + n) * CHANNELS, *decay = decays + (r * size + n) * CHANNELS, bn = b[r * size + n];
#pragma clang loop vectorize(assume_safety)
      for (long i = 0; i < channels; i++) {
        decay[i] = graft_exp(step[i] * rate[i]);
        after[i] = decay[i] * before[i] + bn * input[i];
      }
    }
  }
}

GRAFT_KERNEL void graft_selective_scan_gradient(float *dx, float *ddelta, float *db, float *dc, float *drates, float *dskip, float *dstate,
                                                float *scratch, const float *dout, const float *states, const float *x, const float *delta, const float *rates,
                                                const float *b, const float *c, const float *skip, long rows, long channels, long stride,
                                                long size) {
  float *h = scratch, *decays = h + (CHUNK + 1) * size * CHANNELS, *dh = decays + CHUNK * size * CHANNELS;
  float step[CHANNELS], input[CHANNELS], dstep[CHANNELS], dinput[CHANNELS];
  memset(dh, 0, size * CHANNELS * sizeof(float));
  for (long n = 0; n < size; n++)
    for (long i = 0; i < channels; i++) drates[n * stride + i] = 0;
  for (long i = 0; i < channels; i++) dskip[i] = 0;
  for (long start = (rows - 1) / CHUNK * CHUNK; start >= 0; start -= CHUNK) {
    long count = rows - start < CHUNK ? rows - start : CHUNK;
    load(h, states + start / CHUNK * size * stride, size, channels, stride);
    scan_chunk(h, decays, x + start * stride, delta + start * stride, rates, b + start * size, count, channels, stride, size);
    for (long at = count - 1; at >= 0; at--) {
      long r = start + at;
      const float *dr = dout + r * stride, *xr = x + r * stride;
      for (long i = 0; i < channels; i++) {
        step[i] = graft_softplus(delta[r * stride + i]);
        input[i] = step[i] * xr[i];
        dstep[i] = 0;
        dinput[i] = 0;
      }
      for (long n = 0; n < size; n++) {
        const float *before = h + (at * size + n) * CHANNELS, *after = h + ((at + 1) * size + n) * CHANNELS;
        const float *decay = decays + (at * size + n) * CHANNELS, *rate = rates + n * stride;
        float *carried = dh + n * CHANNELS, *drate = drates + n * stride;
        float bn = b[r * size + n], cn = c[r * size + n], bsum = 0, csum = 0;
#pragma clang loop vectorize(assume_safety)
        for (long i = 0; i < channels; i++) {
          float d = carried[i] + cn * dr[i], through = d * decay[i], exponent = through * before[i];
          csum += dr[i] * after[i];
          bsum += d * input[i];
          dstep[i] += exponent * rate[i];
          dinput[i] += d * bn;
          drate[i] += exponent * step[i];
          carried[i] = through;
        }
        db[r * size + n] = bsum;
        dc[r * size + n] = csum;
      }
      for (long i = 0; i < channels; i++) {
        dx[r * stride + i] = dinput[i] * step[i] + dr[i] * skip[i];
        ddelta[r * stride + i] = (dstep[i] + dinput[i] * xr[i]) * graft_sigmoid(delta[r * stride + i]);
        dskip[i] += dr[i] * xr[i];
      }
    }
  }
  if (dstate) store(dstate, dh, size, channels, stride);
}

// -- RWKV --------------------------------------------------------------------------------------------------

/// The exponent that a sequence begins with, of nothing.
#define NOTHING -1e38f

/// Numerator, denominator and the exponent that both are multiples of, [3, CHANNELS].
GRAFT_INLINE void load_mean(float *restrict to, const float *from, long channels, long stride) {
  load(to, from, 3, channels, stride);
  if (!from) for (long i = 0; i < channels; i++) to[2 * CHANNELS + i] = NOTHING;
}

/// The state behind a row.
GRAFT_INLINE void add_to_mean(float *after, const float *before, const float *k, const float *v, const float *decay, long channels) {
#pragma clang loop vectorize(assume_safety)
  for (long i = 0; i < channels; i++) {
    float faded = before[2 * CHANNELS + i] + decay[i], m = faded > k[i] ? faded : k[i];
    float old = graft_exp(faded - m), own = graft_exp(k[i] - m);
    after[i] = old * before[i] + own * v[i];
    after[CHANNELS + i] = old * before[CHANNELS + i] + own;
    after[2 * CHANNELS + i] = m;
  }
}

GRAFT_KERNEL void graft_wkv(float *out, float *state, float *states, const float *k, const float *v, const float *decay, const float *first,
                            long rows, long channels, long stride) {
  float s[3 * CHANNELS];
  load_mean(s, state, channels, stride);
  for (long r = 0; r < rows; r++) {
    if (states && r % CHUNK == 0) store(states + r / CHUNK * 3 * stride, s, 3, channels, stride);
    const float *kr = k + r * stride, *vr = v + r * stride;
    float *o = out + r * stride;
#pragma clang loop vectorize(assume_safety)
    for (long i = 0; i < channels; i++) {
      float own = first[i] + kr[i], m = s[2 * CHANNELS + i] > own ? s[2 * CHANNELS + i] : own;
      float e1 = graft_exp(s[2 * CHANNELS + i] - m), e2 = graft_exp(own - m);
      o[i] = (e1 * s[i] + e2 * vr[i]) / (e1 * s[CHANNELS + i] + e2);
    }
    add_to_mean(s, s, kr, vr, decay, channels);
  }
  if (state) store(state, s, 3, channels, stride);
}

GRAFT_KERNEL void graft_wkv_gradient(float *dk, float *dv, float *ddecay, float *dfirst, float *dstate, const float *dout, const float *states, const float *k,
                                     const float *v, const float *decay, const float *first, long rows, long channels, long stride) {
  float s[(CHUNK + 1) * 3 * CHANNELS], dn[CHANNELS], dd[CHANNELS];
  for (long i = 0; i < channels; i++) dn[i] = dd[i] = ddecay[i] = dfirst[i] = 0;
  for (long start = (rows - 1) / CHUNK * CHUNK; start >= 0; start -= CHUNK) {
    long count = rows - start < CHUNK ? rows - start : CHUNK;
    load_mean(s, states + start / CHUNK * 3 * stride, channels, stride);
    for (long at = 0; at + 1 < count; at++)
      add_to_mean(s + (at + 1) * 3 * CHANNELS, s + at * 3 * CHANNELS, k + (start + at) * stride, v + (start + at) * stride, decay, channels);
    for (long at = count - 1; at >= 0; at--) {
      const float *before = s + at * 3 * CHANNELS;
      long row = (start + at) * stride;
#pragma clang loop vectorize(assume_safety)
      for (long i = 0; i < channels; i++) {
        // The exponents cancel out of every result, so that their own derivatives do, too.
        float n = before[i], d = before[CHANNELS + i], held = before[2 * CHANNELS + i], key = k[row + i], value = v[row + i];
        float own = first[i] + key, m = held > own ? held : own, e1 = graft_exp(held - m), e2 = graft_exp(own - m);
        float inverse = 1.0f / (e1 * d + e2), slope = dout[row + i] * inverse, mean = (e1 * n + e2 * value) * inverse;
        float bonus = e2 * slope * (value - mean);
        float faded = held + decay[i], top = faded > key ? faded : key, old = graft_exp(faded - top), share = graft_exp(key - top);
        dv[row + i] = e2 * slope + share * dn[i];
        dk[row + i] = bonus + share * (value * dn[i] + dd[i]);
        dfirst[i] += bonus;
        ddecay[i] += old * (n * dn[i] + d * dd[i]);
        dn[i] = old * dn[i] + e1 * slope;
        dd[i] = old * dd[i] - e1 * slope * mean;
      }
    }
  }
  for (long i = 0; dstate && i < channels; i++) {
    dstate[i] = dn[i];
    dstate[stride + i] = dd[i];
    dstate[2 * stride + i] = s[i] * dn[i] + s[CHANNELS + i] * dd[i];
  }
}
