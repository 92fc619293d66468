// RWKV-7's recurrence: a matrix of a head's values by its keys that decays, forgets along one direction and takes in along another
// (Peng et al. 2025, "RWKV-7 Goose with Expressive Dynamic State Evolution").
#include "kernels.h"

#pragma clang fp contract(fast) reassociate(on)

#define CHUNK GRAFT_SCAN_CHUNK
#define LARGEST GRAFT_LARGEST_DELTA_HEAD
/// The logarithm of the fastest decay: -exp(-1/2).
#define FASTEST -0.60653066f

/// The decays of a row's keys, and the directions along which it forgets.
GRAFT_INLINE void read_row(float *restrict decay, float *restrict a, float *restrict b, const float *w, const float *kappa, const float *rate,
                           long size) {
  for (long j = 0; j < size; j++) {
    decay[j] = graft_exp(FASTEST * graft_sigmoid(w[j]));
    a[j] = -kappa[j];
    b[j] = kappa[j] * rate[j];
  }
}

/// after[j] = before[j] decay[j] + sa b[j] + v k[j] with sa = the sum of before[j] a[j]; `before` and `after`, which may be one, are
/// [keys, values].
GRAFT_INLINE void evolve(float *after, const float *before, float *restrict sa, const float *decay, const float *a, const float *b, const float *k,
                         const float *v, long size) {
  for (long i = 0; i < size; i++) sa[i] = 0;
  for (long j = 0; j < size; j++) {
    const float *s = before + j * size;
    for (long i = 0; i < size; i++) sa[i] += s[i] * a[j];
  }
  for (long j = 0; j < size; j++) {
    const float *s = before + j * size;
    float *t = after + j * size;
#pragma clang loop vectorize(assume_safety)
    for (long i = 0; i < size; i++) t[i] = s[i] * decay[j] + sa[i] * b[j] + v[i] * k[j];
  }
}

GRAFT_KERNEL void graft_delta_rule(float *out, float *state, float *states, const float *r, const float *w, const float *k, const float *v,
                                   const float *kappa, const float *rate, long rows, long size, long stride, long state_stride) {
  float decay[LARGEST], a[LARGEST], b[LARGEST], sa[LARGEST];
  for (long t = 0; t < rows; t++) {
    if (states && t % CHUNK == 0) memcpy(states + t / CHUNK * state_stride, state, (size_t)(size * size) * sizeof(float));
    long at = t * stride;
    float *restrict o = out + at;
    read_row(decay, a, b, w + at, kappa + at, rate + at, size);
    evolve(state, state, sa, decay, a, b, k + at, v + at, size);
    for (long i = 0; i < size; i++) o[i] = 0;
    for (long j = 0; j < size; j++) {
      const float *restrict s = state + j * size;
      float read = r[at + j];
      for (long i = 0; i < size; i++) o[i] += s[i] * read;
    }
  }
}

GRAFT_KERNEL void graft_delta_rule_gradient(float *dr, float *dw, float *dk, float *dv, float *dkappa, float *drate, float *dstate, float *scratch,
                                            const float *dout, const float *states, const float *r, const float *w, const float *k, const float *v,
                                            const float *kappa, const float *rate, long rows, long size, long stride, long state_stride) {
  float decay[LARGEST], a[LARGEST], b[LARGEST], dsa[LARGEST], dvalue[LARGEST], ddecay[LARGEST], db[LARGEST];
  long area = size * size;
  float *s = scratch, *sa = s + (CHUNK + 1) * area, *ds = dstate;
  memset(ds, 0, (size_t)area * sizeof(float));
  for (long start = (rows - 1) / CHUNK * CHUNK; start >= 0; start -= CHUNK) {
    long count = rows - start < CHUNK ? rows - start : CHUNK;
    memcpy(s, states + start / CHUNK * state_stride, (size_t)area * sizeof(float));
    for (long t = 0; t < count; t++) {
      long at = (start + t) * stride;
      read_row(decay, a, b, w + at, kappa + at, rate + at, size);
      evolve(s + (t + 1) * area, s + t * area, sa + t * size, decay, a, b, k + at, v + at, size);
    }
    for (long t = count - 1; t >= 0; t--) {
      long at = (start + t) * stride;
      const float *dy = dout + at, *vt = v + at, *own = sa + t * size;
      read_row(decay, a, b, w + at, kappa + at, rate + at, size);
      for (long i = 0; i < size; i++) dsa[i] = dvalue[i] = 0;
      for (long j = 0; j < size; j++) {
        const float *before = s + t * area + j * size, *after = before + area;
        float *d = ds + j * size, read = r[at + j], key = k[at + j], bj = b[j], sr = 0, sw = 0, sk = 0, sb = 0;
#pragma clang loop vectorize(assume_safety)
        for (long i = 0; i < size; i++) {
          float g = d[i] + dy[i] * read;
          sr += dy[i] * after[i];
          sw += g * before[i];
          sk += g * vt[i];
          sb += g * own[i];
          dsa[i] += g * bj;
          dvalue[i] += g * key;
          d[i] = g;
        }
        dr[at + j] = sr;
        ddecay[j] = sw;
        dk[at + j] = sk;
        db[j] = sb;
      }
      for (long j = 0; j < size; j++) {
        const float *before = s + t * area + j * size;
        float *d = ds + j * size, fade = decay[j], aj = a[j], sa_gradient = 0;
#pragma clang loop vectorize(assume_safety)
        for (long i = 0; i < size; i++) {
          sa_gradient += dsa[i] * before[i];
          d[i] = d[i] * fade + dsa[i] * aj;
        }
        float gate = graft_sigmoid(w[at + j]);
        dw[at + j] = ddecay[j] * fade * FASTEST * gate * (1.0f - gate);
        dkappa[at + j] = db[j] * rate[at + j] - sa_gradient;
        drate[at + j] = db[j] * kappa[at + j];
      }
      for (long i = 0; i < size; i++) dv[at + i] = dvalue[i];
    }
  }
}

// -- the bonus ---------------------------------------------------------------------------------------------

GRAFT_KERNEL void graft_key_bonus(float *out, const float *x, const float *r, const float *k, const float *v, const float *u, long rows, long heads,
                                  long size) {
  for (long t = 0; t < rows; t++) {
    for (long h = 0; h < heads; h++) {
      long at = (t * heads + h) * size;
      float sum = 0;
      for (long i = 0; i < size; i++) sum += r[at + i] * k[at + i] * u[h * size + i];
      for (long i = 0; i < size; i++) out[at + i] = x[at + i] + sum * v[at + i];
    }
  }
}

GRAFT_KERNEL void graft_key_bonus_gradient(float *dr, float *dk, float *dv, float *du, const float *dout, const float *r, const float *k,
                                           const float *v, const float *u, long rows, long heads, long size) {
  for (long t = 0; t < rows; t++) {
    for (long h = 0; h < heads; h++) {
      long at = (t * heads + h) * size;
      float sum = 0, dsum = 0;
      for (long i = 0; i < size; i++) {
        sum += r[at + i] * k[at + i] * u[h * size + i];
        dsum += dout[at + i] * v[at + i];
      }
#pragma clang loop vectorize(assume_safety)
      for (long i = 0; i < size; i++) {
        dr[at + i] = dsum * k[at + i] * u[h * size + i];
        dk[at + i] = dsum * r[at + i] * u[h * size + i];
        dv[at + i] = sum * dout[at + i];
        du[h * size + i] += dsum * r[at + i] * k[at + i];
      }
    }
  }
}
