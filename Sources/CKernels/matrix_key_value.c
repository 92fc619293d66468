// The recurrence of RWKV-5 and 6: a matrix of a head's values by its keys that decays key by key
// (Peng et al. 2024, "Eagle and Finch: RWKV with Matrix-Valued States and Dynamic Recurrence").
#include "kernels.h"

#pragma clang fp contract(fast) reassociate(on)

#define CHUNK GRAFT_SCAN_CHUNK
#define LARGEST GRAFT_LARGEST_DELTA_HEAD

/// after[j] = before[j] exp(-exp(w[j])) + v k[j]; `before` and `after`, which may be one, are [keys, values].
GRAFT_INLINE void evolve(float *after, const float *before, const float *w, const float *k, const float *v, long size) {
  for (long j = 0; j < size; j++) {
    const float *s = before + j * size;
    float *t = after + j * size, fade = graft_exp(-graft_exp(w[j])), key = k[j];
#pragma clang loop vectorize(assume_safety)
    for (long i = 0; i < size; i++) t[i] = s[i] * fade + v[i] * key;
  }
}

GRAFT_KERNEL void graft_matrix_key_value(float *out, float *state, float *states, const float *r, const float *w, const float *k, const float *v,
                                         long rows, long size, long stride, long state_stride) {
  for (long t = 0; t < rows; t++) {
    if (states && t % CHUNK == 0) memcpy(states + t / CHUNK * state_stride, state, (size_t)(size * size) * sizeof(float));
    long at = t * stride;
    float *restrict o = out + at;
    for (long i = 0; i < size; i++) o[i] = 0;
    for (long j = 0; j < size; j++) {
      const float *restrict s = state + j * size;
      float read = r[at + j];
      for (long i = 0; i < size; i++) o[i] += s[i] * read;
    }
    evolve(state, state, w + at, k + at, v + at, size);
  }
}

GRAFT_KERNEL void graft_matrix_key_value_gradient(float *dr, float *dw, float *dk, float *dv, float *dstate, float *scratch, const float *dout,
                                                  const float *states, const float *r, const float *w, const float *k, const float *v, long rows,
                                                  long size, long stride, long state_stride) {
  float dvalue[LARGEST];
  long area = size * size;
  float *s = scratch, *ds = dstate;
  memset(ds, 0, (size_t)area * sizeof(float));
  for (long start = (rows - 1) / CHUNK * CHUNK; start >= 0; start -= CHUNK) {
    long count = rows - start < CHUNK ? rows - start : CHUNK;
    memcpy(s, states + start / CHUNK * state_stride, (size_t)area * sizeof(float));
    for (long t = 0; t < count - 1; t++) {
      long at = (start + t) * stride;
      evolve(s + (t + 1) * area, s + t * area, w + at, k + at, v + at, size);
    }
    for (long t = count - 1; t >= 0; t--) {
      long at = (start + t) * stride;
      const float *dy = dout + at, *vt = v + at;
      for (long i = 0; i < size; i++) dvalue[i] = 0;
      for (long j = 0; j < size; j++) {
        const float *before = s + t * area + j * size;
        float rate = graft_exp(w[at + j]), fade = graft_exp(-rate), read = r[at + j], key = k[at + j], sr = 0, sw = 0, sk = 0;
        float *d = ds + j * size;
#pragma clang loop vectorize(assume_safety)
        for (long i = 0; i < size; i++) {
          float g = d[i];
          sr += dy[i] * before[i];
          sw += g * before[i];
          sk += g * vt[i];
          dvalue[i] += g * key;
          d[i] = g * fade + dy[i] * read;
        }
        dr[at + j] = sr;
        // Beyond, nothing is left of a key, and the exponential no longer falls.
        dw[at + j] = rate < 87.0f ? -sw * fade * rate : 0;
        dk[at + j] = sk;
      }
      for (long i = 0; i < size; i++) dv[at + i] = dvalue[i];
    }
  }
}
