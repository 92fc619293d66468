#include "kernels.h"

#pragma clang fp contract(fast) reassociate(on)

typedef float vector8 __attribute__((vector_size(32), aligned(4)));

GRAFT_KERNEL void graft_rotate(float *out, const float *x, const float *cosine, const float *sine, int interleaved, float direction, long rows,
                               long heads, long head_size, long first, long pairs, long x_stride, long out_stride) {
  for (long r = 0; r < rows; r++) {
    const float *c = cosine + r * pairs, *s = sine + r * pairs;
    for (long h = 0; h < heads; h++) {
      const float *head = x + r * x_stride + h * head_size, *in = head + first;
      float *start = out + r * out_stride + h * head_size, *o = start + first;
      if (interleaved) {
        for (long i = 0; i < pairs; i++) {
          float a = in[2 * i], b = in[2 * i + 1];
          o[2 * i] = a * c[i] - direction * b * s[i];
          o[2 * i + 1] = b * c[i] + direction * a * s[i];
        }
      } else {
        long i = 0;
        // Left to itself the compiler takes more pairs at a time than a head has.
        for (; i + 8 <= pairs; i += 8) {
          vector8 a = *(const vector8 *)(in + i), b = *(const vector8 *)(in + i + pairs);
          vector8 along = *(const vector8 *)(c + i), across = direction * *(const vector8 *)(s + i);
          *(vector8 *)(o + i) = a * along - b * across;
          *(vector8 *)(o + i + pairs) = b * along + a * across;
        }
        for (; i < pairs; i++) {
          float a = in[i], b = in[i + pairs];
          o[i] = a * c[i] - direction * b * s[i];
          o[i + pairs] = b * c[i] + direction * a * s[i];
        }
      }
      if (start != head) {
        for (long i = 0; i < first; i++) start[i] = head[i];
        for (long i = first + 2 * pairs; i < head_size; i++) start[i] = head[i];
      }
    }
  }
}
