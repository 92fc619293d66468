// Runs every kernel at lengths around those of vectors, panels and blocks, on buffers that end where the data ends,
// so that AddressSanitizer sees a read or write of one element too many. Products are checked against plain loops.
#include "CKernels.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const long lengths[] = {1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100, 127, 128, 129, 257, 1000};
#define COUNT(values) ((long)(sizeof values / sizeof *values))

static void *taken[4096];
static int taken_count;

static void *memory(size_t size) { return taken[taken_count++] = malloc(size ? size : 1); }

static void release(void) {
  while (taken_count) free(taken[--taken_count]);
}

/// n floats in (-2, 2), the same in every run.
static float *floats(long n) {
  static uint32_t state = 1;
  float *out = memory((size_t)n * sizeof *out);
  for (long i = 0; i < n; i++) out[i] = (float)((state = state * 1664525u + 1013904223u) >> 8) * 0x1p-22f - 2;
  return out;
}

static float *positives(long n) {
  float *out = floats(n);
  for (long i = 0; i < n; i++) out[i] = fabsf(out[i]) + 0.1f;
  return out;
}

static uint16_t *halves(long n, int type) {
  uint16_t *out = memory((size_t)n * sizeof *out);
  if (type == GRAFT_BFLOAT16) graft_float_to_bfloat16(out, floats(n), n);
  else graft_float_to_float16(out, floats(n), n);
  return out;
}

static void elementwise(long n) {
  float *a = floats(n), *b = floats(n), *out = floats(n), *out2 = floats(n);
  graft_add(out, a, b, n);
  graft_subtract(out, a, b, n);
  graft_multiply(out, a, b, n);
  graft_accumulate(out, a, n);
  graft_accumulate_scaled(out, a, 0.5f, n);
  graft_scale(out, a, 2, n);
  graft_fill(out, 1, n);
  graft_sum(a, n);
  graft_sum_of_squares(a, n);
  graft_dot(a, b, n);
  graft_first_nonfinite(a, n);
  for (int kind = GRAFT_IDENTITY; kind <= GRAFT_NEGATIVE_EXPONENTIAL; kind++) {
    graft_activate(kind, out, a, n);
    graft_activate_gradient(kind, out, a, b, n);
    graft_gated(kind, out, a, b, 1, n, n, n);
    graft_gated_gradient(kind, out, out2, a, b, floats(n), 1, n, n, n);
  }
  graft_uniform(out, 1, 3, n);
  graft_normal(out, 1, 3, n);
  graft_dropout(out, a, 0.5f, 1, 3, n);
  graft_float_to_bfloat16_by_chance(halves(n, GRAFT_BFLOAT16), a, 1, 3, n);
  graft_adamw(out, positives(n), positives(n), a, 1, 1e-3f, 1, 0.9f, 0.999f, 1e-8f, 0.01f, n);
  for (int type = GRAFT_BFLOAT16; type <= GRAFT_FLOAT16; type++) {
    uint16_t *narrow = halves(n, type);
    if (type == GRAFT_BFLOAT16) graft_bfloat16_to_float(out, narrow, n);
    else graft_float16_to_float(out, narrow, n);
  }
  graft_softmax_gradient_row(floats(n), positives(n), 0.1f, 1, n);
  graft_largest(a, n);
  graft_log_sum_exp(a, n);
  graft_smoothed_cross_entropy_row(floats(n), n - 1, 0.5f, 0.1f, positives(n), n);
  graft_smoothed_cross_entropy_row(floats(n), 0, 0.5f, 0.1f, NULL, n);
  graft_cross_entropy_row(floats(n), n - 1, 1, n);
  for (long first = 0; first < n; first += n / 3 + 1)
    for (long last = first + 1; last <= n; last += n / 3 + 1) {
      float largest = -INFINITY, sum = 0;
      graft_softmax_row(floats(n), &largest, &sum, 1, first, last, n);
      graft_softmax_row(floats(n), &largest, &sum, 0.5f, first, last, n);
      graft_probabilities_row(floats(n), largest + logf(sum), 1, first, last, n);
    }
  release();
}

static void rows(long count, long columns) {
  long n = count * columns;
  float *a = floats(n), *b = floats(n), *out = floats(n), *row = floats(columns), *mean = floats(count), *rstd = floats(count);
  graft_add_row(out, a, row, count, columns);
  graft_multiply_row(out, a, row, count, columns);
  graft_column_sums(row, a, count, columns);
  graft_column_dots(row, a, b, count, columns);
  graft_accumulate_transposed(floats(columns * (count + 3)), count + 3, floats(count * (columns + 5)), columns + 5, count, columns);
  for (int type = GRAFT_FLOAT32; type <= GRAFT_FLOAT16; type++)
    graft_round_rows(out, floats(count * (columns + 5)), columns + 5, type, count, columns);
  graft_log_softmax(out, a, n);
  float *weight = floats(columns), *bias = floats(columns), *dweight = floats(columns), *dbias = floats(columns);
  graft_rms_norm(out, rstd, a, weight, 0, 1e-6f, count, columns);
  graft_layer_norm(out, mean, rstd, a, weight, bias, 1e-6f, count, columns);
  for (int add = 0; add < 2; add++) {
    graft_rms_norm_gradient(out, dweight, a, b, weight, rstd, 0, add, count, columns);
    graft_rms_norm_gradient(out, NULL, a, b, weight, rstd, 1, add, count, columns);
    graft_layer_norm_gradient(out, dweight, dbias, a, b, weight, mean, rstd, add, count, columns);
  }
  int32_t *places = memory((size_t)count * sizeof *places);
  for (long i = 0; i < count; i++) places[i] = (int32_t)((i * 7) % count);
  graft_gather_rows(out, a, places, count, columns);
  if (columns > 2)  // gates and values side by side
    graft_gated(GRAFT_SILU, floats(count * (columns / 2)), a, a + columns / 2, count, columns / 2, columns, columns);
  for (long pairs = 1; 2 * pairs <= columns; pairs += pairs < 4 ? 1 : columns / 5 + 1)
    for (int interleaved = 0; interleaved < 2; interleaved++)
      graft_rotate(out, a, floats(count * pairs), floats(count * pairs), interleaved, 1, count, 1, columns, columns - 2 * pairs, pairs, columns, columns);
  release();
}

/// Rows of a mixture of experts, each of which two experts share.
static void mixture(long count, long columns) {
  float *out = floats(count * columns), *y = floats(2 * count * columns), *weights = floats(2 * count), *dout = floats(count * columns);
  int32_t *places = memory((size_t)(2 * count) * sizeof *places), *largest = memory((size_t)(count * columns) * sizeof *largest);
  for (long i = 0; i < 2 * count; i++) places[i] = (int32_t)(2 * count - 1 - i);
  for (int add = 0; add < 2; add++) graft_combine_rows(out, y, add ? weights : NULL, places, add, 2, count, columns);
  graft_combine_rows_gradient(floats(2 * count * columns), floats(2 * count), dout, y, weights, places, 2, count, columns);
  graft_softmax_rows(out, dout, count, columns);
  graft_softmax_rows_gradient(dout, floats(count * columns), out, count, columns);
  graft_top_k(largest, dout, (columns + 1) / 2, count, columns);
  graft_clamped_gate(floats(count * columns), y, 1.7f, 1, count, columns);
  graft_clamped_gate_gradient(floats(2 * count * columns), dout, y, 1.7f, 1, count, columns);
  graft_softcap(out, dout, 1, count * columns);
  graft_softcap(out, NULL, 1, count * columns);
  release();
}

/// Recurrences over two sequences, one of `rows` rows and one of a single row before it, over a part of the channels.
static void recurrences(long rows, long channels) {
  const long kernel = 4, size = 3, all = rows + 1, stride = channels + 5, chunks = (rows + GRAFT_SCAN_CHUNK - 1) / GRAFT_SCAN_CHUNK;
  int32_t *places = memory((size_t)all * sizeof *places), *sequences = memory((size_t)all * sizeof *sequences);
  for (long i = 0; i < all; i++) {
    places[i] = (int32_t)(i == 0 ? 0 : i - 1);
    sequences[i] = i > 0;
  }
  float *x = floats(all * channels), *out = floats(all * channels), *weights = floats(kernel * channels), *bias = floats(channels);
  float *initial = floats(2 * (kernel - 1) * channels);
  graft_causal_convolution(out, x, weights, bias, initial, places, sequences, kernel, 0, all, channels);
  graft_causal_convolution(out, x, weights, NULL, NULL, places, sequences, kernel, all - 1, 1, channels);
  graft_causal_convolution_input_gradient(floats(all * channels), out, weights, places, 1, kernel, 0, all, all, channels);
  graft_causal_convolution_weight_gradient(weights, bias, out, x, initial, places, sequences, kernel, 0, all, channels);
  graft_causal_convolution_weight_gradient(weights, NULL, out, x, NULL, places, sequences, kernel, 0, all, channels);
  release();

  long part = channels < GRAFT_SCAN_CHANNELS ? channels : GRAFT_SCAN_CHANNELS, first = stride - part;
  float *rates = floats(size * stride), *b = floats(rows * size), *c = floats(rows * size), *skip = floats(part), *states = floats(chunks * size * stride);
  float *wide = floats(rows * stride), *delta = floats(rows * stride), *result = floats(rows * stride);
  graft_scan_rates(rates, floats(size * stride), stride, size);
  graft_selective_scan(result + first, floats(size * stride) + first, states + first, floats(size * GRAFT_SCAN_CHANNELS), wide + first, delta + first,
                       rates + first, b, c, skip, rows, part, stride, size);
  graft_selective_scan_gradient(floats(rows * stride) + first, floats(rows * stride) + first, floats(rows * size), floats(rows * size),
                                floats(size * stride) + first, floats(part), floats(size * stride) + first,
                                floats((2 * GRAFT_SCAN_CHUNK + 2) * size * GRAFT_SCAN_CHANNELS), result + first, states + first, wide + first, delta + first, rates + first, b, c, skip, rows, part, stride, size);
  release();

  float *keys = floats(rows * stride), *values = floats(rows * stride), *decay = floats(part), *bonus = floats(part), *kept = floats(chunks * 3 * stride);
  float *written = floats(rows * stride), *state = floats(3 * stride);
  graft_wkv(written + first, state + first, kept + first, keys + first, values + first, decay, bonus, rows, part, stride);
  graft_wkv(written + first, NULL, kept + first, keys + first, values + first, decay, bonus, rows, part, stride);
  graft_wkv_gradient(floats(rows * stride) + first, floats(rows * stride) + first, floats(part), floats(part), floats(3 * stride) + first,
                     written + first, kept + first, keys + first, values + first, decay, bonus, rows, part, stride);
  release();
}

/// The parts of a structured scan over the last head and the last block of one sequence.
static void structured_scan(long rows, long columns) {
  const long heads = 3, size = 5, start = (rows - 1) / GRAFT_SCAN_BLOCK * GRAFT_SCAN_BLOCK, count = rows - start, stride = heads * columns;
  const long head = heads - 1, row = start * heads + head, at = start * stride + head * columns;
  float *delta = floats(rows * heads), *bias = floats(heads), *rates = floats(heads), *steps = floats(rows * heads), *sums = floats(rows * heads);
  graft_structured_steps(steps, sums, delta, bias, rates, 0.001f, 0.7f, rows, heads);
  float *into = floats(count), *from = floats(count), *products = floats(count * count), *mask = floats(count * count);
  float *x = floats(rows * stride), *out = floats(rows * stride), *b = floats(rows * size), *c = floats(rows * size);
  graft_structured_weights(into, from, steps + row, sums + row, count, heads);
  graft_structured_mask(mask, products, steps + row, sums + row, count, heads);
  graft_scale_rows(floats(count * columns), x + at, into, count, columns, columns, stride);
  graft_structured_output(out + at, x + at, from, 0.5f, count, columns, stride);
  graft_structured_rows(out + head * columns, floats(size * columns), x + head * columns, b, c, steps + head, sums + head, 0.5f, rows, columns, stride,
                        heads, size, size);
  float *dsums = floats(count), *dsteps = floats(count), *dweights = floats(count);
  graft_structured_mask_gradient(mask, floats(count * count), dsums, dsteps, products, steps + row, sums + row, count, heads);
  graft_structured_input_gradient(floats(rows * stride) + at, dweights, floats(count * columns), x + at, out + at, into, 0.5f, count, columns, stride);
  graft_structured_output_gradient(floats(count * size), dsums, floats(count * size), c, count, size, size);
  graft_structured_step_gradient(floats(rows * heads) + row, delta + row, bias[head], rates[head], 0.001f, 0.7f, steps + row, into, dsums, dsteps,
                                 dweights, 0.1f, count, heads);
  release();
}

/// RWKV-7's recurrence over the last head of one sequence, and its bonus.
static void delta_rule(long rows, long size) {
  const long heads = 2, stride = heads * size, area = size * size, chunks = (rows + GRAFT_SCAN_CHUNK - 1) / GRAFT_SCAN_CHUNK;
  float *in[6], *gradients[6], *out = floats(rows * stride), *states = floats(chunks * area);
  for (int i = 0; i < 6; i++) {
    in[i] = floats(rows * stride);
    gradients[i] = floats(rows * stride) + size;
  }
  graft_delta_rule(out + size, floats(area), states, in[0] + size, in[1] + size, in[2] + size, in[3] + size, in[4] + size, in[5] + size, rows, size,
                   stride, area);
  graft_delta_rule(out + size, floats(area), NULL, in[0] + size, in[1] + size, in[2] + size, in[3] + size, in[4] + size, in[5] + size, rows, size,
                   stride, area);
  graft_delta_rule_gradient(gradients[0], gradients[1], gradients[2], gradients[3], gradients[4], gradients[5], floats(area),
                            floats((GRAFT_SCAN_CHUNK + 1) * area + GRAFT_SCAN_CHUNK * size), out + size, states, in[0] + size, in[1] + size,
                            in[2] + size, in[3] + size, in[4] + size, in[5] + size, rows, size, stride, area);
  float *bonus = floats(stride);
  graft_key_bonus(out, in[0], in[1], in[2], in[3], bonus, rows, heads, size);
  graft_key_bonus_gradient(in[4], in[5], floats(rows * stride), bonus, out, in[1], in[2], in[3], floats(stride), rows, heads, size);
  release();
}

/// The recurrence of RWKV-5 and 6 over the last head of one sequence.
static void matrix_key_value(long rows, long size) {
  const long heads = 2, stride = heads * size, area = size * size, chunks = (rows + GRAFT_SCAN_CHUNK - 1) / GRAFT_SCAN_CHUNK;
  float *in[4], *gradients[4], *out = floats(rows * stride), *states = floats(chunks * area);
  for (int i = 0; i < 4; i++) {
    in[i] = floats(rows * stride) + size;
    gradients[i] = floats(rows * stride) + size;
  }
  graft_matrix_key_value(out + size, floats(area), states, in[0], in[1], in[2], in[3], rows, size, stride, area);
  graft_matrix_key_value(out + size, floats(area), NULL, in[0], in[1], in[2], in[3], rows, size, stride, area);
  graft_matrix_key_value_gradient(gradients[0], gradients[1], gradients[2], gradients[3], floats(area), floats(GRAFT_SCAN_CHUNK * area), out + size,
                                  states, in[0], in[1], in[2], in[3], rows, size, stride, area);
  release();
}

static float element(const struct graft_matrix *m, long row, long column) {
  long place = row * m->row_stride + column * m->column_stride;
  float out;
  if (m->type == GRAFT_FLOAT32) out = ((const float *)m->base)[place];
  else if (m->type == GRAFT_BFLOAT16) graft_bfloat16_to_float(&out, (const uint16_t *)m->base + place, 1);
  else graft_float16_to_float(&out, (const uint16_t *)m->base + place, 1);
  return out;
}

static struct graft_matrix matrix(long rows, long columns, int type, int transposed) {
  const void *base = type == GRAFT_FLOAT32 ? (const void *)floats(rows * columns) : halves(rows * columns, type);
  return (struct graft_matrix){.base = base, .type = type, .row_stride = transposed ? 1 : columns, .column_stride = transposed ? rows : 1};
}

/// An element as a product whose operands are rounded to a type reads it.
static double operand(const struct graft_matrix *m, long row, long column, int rounding) {
  float out = element(m, row, column);
  graft_round(&out, &out, rounding, 1);
  return out;
}

static void product(long m, long n, long k, int type_a, int type_b, int transposed_a, int transposed_b, int rounding) {
  struct graft_matrix a = matrix(m, k, type_a, transposed_a), b = matrix(k, n, type_b, transposed_b);
  int step = graft_panel_columns();
  long depth = graft_panel_depth(rounding, k);
  b.rounding = rounding;
  float *panels = memory((size_t)(depth * ((n + step - 1) / step * step)) * sizeof *panels), *c = floats(m * n), *addend = floats(m * n);
  graft_pack_panels(panels, &b, k, 0, n, 0, k);
  for (int in_place = 0; in_place <= graft_reads_in_place(&b, n); in_place++) {
    struct graft_panels second = in_place ? (struct graft_panels){.base = b.base, .row_stride = b.row_stride}
                                           : (struct graft_panels){.base = panels, .depth = depth, .rounding = rounding};
    graft_multiply_panels(&a, 0, m, &second, 0, n, k, 0.5f, 2, addend, c, n);
    for (long i = 0; i < m; i += m / 3 + 1)
      for (long j = 0; j < n; j += n / 3 + 1) {
        double sum = 0;
        for (long p = 0; p < k; p++) sum += operand(&a, i, p, rounding) * operand(&b, p, j, rounding);
        double expected = 0.5 * sum + 2.0 * addend[i * n + j];
        if (fabs(c[i * n + j] - expected) > 1e-3 * (1 + fabs(expected))) {
          printf("a product [%ld, %ld, %ld] of types %d and %d is %g at [%ld, %ld], not %g\n", m, n, k, type_a, type_b, c[i * n + j], i, j, expected);
          exit(1);
        }
      }
  }
  release();
}

/// Rows by rows, of which the last reads the matrix to its end.
static void few_rows(long m, long n, long k, int type, int transposed) {
  struct graft_matrix b = matrix(k, n, type, transposed);
  float *a = floats(m * k), *c = floats(m * n), *addend = floats(m * n);
  struct graft_matrix rows = {.base = a, .type = GRAFT_FLOAT32, .row_stride = k, .column_stride = 1};
  long half = n / 2;
  graft_multiply_few_rows(a, m, k, &b, 0, half, k, 0.5f, 2, addend, c, n);
  graft_multiply_few_rows(a, m, k, &b, half, n - half, k, 0.5f, 2, addend + half, c + half, n);
  for (long i = 0; i < m; i++)
    for (long j = 0; j < n; j += n / 5 + 1) {
      double sum = 0;
      for (long p = 0; p < k; p++) sum += (double)element(&rows, i, p) * element(&b, p, j);
      double expected = 0.5 * sum + 2.0 * addend[i * n + j];
      if (fabs(c[i * n + j] - expected) > 1e-3 * (1 + fabs(expected))) {
        printf("a product of few rows [%ld, %ld, %ld] of type %d is %g at [%ld, %ld], not %g\n", m, n, k, type, c[i * n + j], i, j, expected);
        exit(1);
      }
    }
  release();
}

/// Codes of n elements in blocks of a length that need not divide n, decoded from every place in turn.
static void quantized(long n, long length) {
  float code[16], *bounds = floats(15);
  uint8_t *order = memory(16), *codes = memory((size_t)(n + 1) / 2);
  for (int i = 0; i < 16; i++) code[i] = (float)i / 8 - 1, order[i] = (uint8_t)i;
  for (int i = 0; i < 15; i++) bounds[i] = (code[i] + code[i + 1]) / 2;
  float *x = floats(n);
  for (long i = 0; i < n; i++) x[i] /= 2;
  graft_encode_4bit(codes, x, bounds, order, n);
  long blocks = (n + length - 1) / length;
  uint8_t *nested = memory((size_t)blocks);
  for (long i = 0; i < blocks; i++) nested[i] = (uint8_t)(i * 37 % 256);
  struct graft_block_factors plain = {positives(blocks), NULL, NULL, 1, 0}, both = {positives((blocks + 2) / 3), nested, positives(256), 3, 0.5f};
  for (long first = 0; first < n; first += 1 + first / 8) {
    float *out = floats(n - first);
    for (int is_nested = 0; is_nested < 2; is_nested++) {
      const struct graft_block_factors *factors = is_nested ? &both : &plain;
      graft_decode_4bit(out, codes, code, factors, length, first, n - first);
      for (long i = first; i < n; i++) {
        long block = i / length;
        float factor = is_nested ? both.code[nested[block]] * both.values[block / 3] + 0.5f : plain.values[block];
        float expected = code[i & 1 ? codes[i / 2] & 15 : codes[i / 2] >> 4] * factor;
        if (fabsf(out[i - first] - expected) > 1e-6f * fabsf(expected)) printf("a code of 4 bits is wrong: %ld of %ld\n", i, n), exit(1);
      }
    }
  }
  int8_t *bytes = memory((size_t)n);
  graft_encode_8bit(bytes, x, 127, n);
  float *out = floats(n);
  graft_decode_8bit(out, bytes, 1, n);
  for (long i = 0; i < n; i++)
    if (fabsf(out[i] - x[i]) > 0.5f / 126) printf("a code of 8 bits is wrong: %ld of %ld\n", i, n), exit(1);
  release();
}

int main(void) {
  static const long heights[] = {1, 2, 6, 13, 14, 15, 16, 17, 33, 129}, widths[] = {1, 7, 8, 9, 16, 24, 31, 32, 33, 40, 56, 65, 513}, terms[] = {1, 2, 15, 64, 255, 256, 300};
  static const long few[] = {1, 2, 7, 33}, spans[] = {1, 31, 33, 64, 65, 130}, heads[] = {1, 7, 16, 33, 64};
  for (long i = 0; i < COUNT(lengths); i++) {
    elementwise(lengths[i]);
    quantized(lengths[i], 64);
    quantized(lengths[i], 32);
    for (long j = 0; j < COUNT(few); j++) {
      rows(few[j], lengths[i]);
      mixture(few[j], lengths[i]);
      recurrences(few[j], lengths[i]);
    }
  }
  for (long i = 0; i < COUNT(spans); i++)
    for (long j = 0; j < COUNT(heads); j++) {
      structured_scan(spans[i], heads[j]);
      delta_rule(spans[i], heads[j]);
      matrix_key_value(spans[i], heads[j]);
    }
  long products = 0;
  for (long i = 0; graft_panel_columns() && i < COUNT(heights) * COUNT(widths) * COUNT(terms); i++) {
    long m = heights[i % COUNT(heights)], n = widths[i / COUNT(heights) % COUNT(widths)], k = terms[i / COUNT(heights) / COUNT(widths)];
    for (int type = GRAFT_FLOAT32; type <= GRAFT_FLOAT16; type++)
      for (int transposed = 0; transposed < 4; transposed++)
        for (int rounding = GRAFT_FLOAT32; rounding <= GRAFT_FLOAT16; rounding++) {
          if (!graft_tile_rows(rounding)) continue;
          product(m, n, k, type, GRAFT_FLOAT32, transposed & 1, transposed >> 1, rounding);
          product(m, n, k, GRAFT_FLOAT32, type, transposed & 1, transposed >> 1, rounding);
          products += 2;
        }
  }
  for (long i = 0; i < 8 * COUNT(widths) * COUNT(terms); i++)
    for (int type = GRAFT_FLOAT32; type <= GRAFT_FLOAT16; type++)
      for (int transposed = 0; transposed < 2; transposed++, products++)
        few_rows(i % 8 + 1, widths[i / 8 % COUNT(widths)], terms[i / 8 / COUNT(widths)], type, transposed);
  printf("kernels: clean, with %ld products by the tiles %s, %s and %s\n", products, graft_matrix_tile(GRAFT_FLOAT32),
         graft_matrix_tile(GRAFT_BFLOAT16), graft_matrix_tile(GRAFT_FLOAT16));
  return 0;
}
