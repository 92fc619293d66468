// Loops over contiguous float buffers, and the threads that run them.
//
// Every kernel works on the range it is given and knows nothing of tensors, shapes or threads: the caller
// splits the work. Buffers come as outputs first, then inputs, then sizes; gradients of inputs are
// overwritten, gradients of parameters are accumulated (`+=`), and the comment of each buffer is its shape.
#ifndef GRAFT_CKERNELS_H
#define GRAFT_CKERNELS_H

#include <stddef.h>
#include <stdint.h>

// -- threads ---------------------------------------------------------------------------------------------

typedef void (*graft_task)(void *context, long index);

/// Runs task(context, 0 ..< count), in any order, on the calling thread and the pool's. A call from within a task runs serially.
void graft_parallel(long count, graft_task task, void *context);
/// Sets how many threads run tasks, the caller included: as many as there are processors at first. Where there are fewer processors,
/// only that many threads are there, since more would but wait for one another. Not to be called from within a task.
void graft_set_thread_count(int count);
int graft_thread_count(void);
/// The processors that this process may use.
int graft_processor_count(void);

/// One pointer per thread, for the tape that records.
void *graft_thread_local_get(void);
void graft_thread_local_set(void *value);

/// The instruction set that the kernels run with: "x86-64-v4", "x86-64-v3", "x86-64", "arm64" or "generic".
const char *graft_instruction_set(void);

// -- memory ----------------------------------------------------------------------------------------------

/// Gives the pages of freed memory that the C library keeps back to the system, where it can be asked to.
void graft_release_freed_memory(void);

// -- matrix products -------------------------------------------------------------------------------------

enum graft_type { GRAFT_FLOAT32, GRAFT_BFLOAT16, GRAFT_FLOAT16 };

/// Elements of a type with a distance between rows and one between columns, of which one is 1.
struct graft_matrix {
  const void *base;
  int type;
  /// The type that elements are rounded to before they are multiplied; GRAFT_FLOAT32 for none.
  int rounding;
  long row_stride, column_stride;
};

/// The rows of a tile of this processor's own matrix product for operands that are rounded to a type; 0 where it has none, and the BLAS
/// does better.
int graft_tile_rows(int rounding);
/// The columns of the widest panel of all types; 0 where there are none.
int graft_panel_columns(void);
/// The tile for operands that are rounded to a type: `amx`, `avx512bf16`, `avx512`, `avx2` or `none`, or `amx-model` for tests.
const char *graft_matrix_tile(int rounding);
/// The floats of a panel of k terms in each of its columns: two terms take one where the tile reads pairs of bfloat16.
long graft_panel_depth(int rounding, long k);
/// panels = the columns [first, first + columns) of b[k, ...], packed: one panel after another, each [depth, its width], the
/// last one as narrow as the tiles allow and filled with zeros. Writes the terms [from, to) of every panel; `from` is even.
void graft_pack_panels(float *panels, const struct graft_matrix *b, long k, long first, long columns, long from, long to);
/// True where a product can read so many columns of b[k, ...] where they are, as if they were packed.
int graft_reads_in_place(const struct graft_matrix *b, long columns);

/// The second operand of a product: packed panels, or a matrix's columns where they are.
struct graft_panels {
  const float *base;
  /// `graft_panel_depth` of the terms that were packed.
  long depth;
  /// 0 where the panels are packed.
  long row_stride;
  /// The type that their elements were rounded to, and that those of the first operand are; GRAFT_FLOAT32 for none.
  int rounding;
};

/// c[rows, columns] = alpha a[first ..< first + rows, k] b[from ..< from + k, columns] + beta addend; `from` is even.
/// The addend has the stride of c, may be c, and is not read where beta is 0.
void graft_multiply_panels(const struct graft_matrix *a, long first, long rows, const struct graft_panels *b, long from, long columns, long k,
                           float alpha, float beta, const float *addend, float *c, long c_stride);
/// c[rows, columns] = alpha a[rows, k] b[k, first ..< first + columns] + beta addend, for a few rows of floats, reading b once and
/// rounding nothing. One of the strides of b is 1. The addend has the stride of c, may be c, and is not read where beta is 0. Where alpha and beta are
/// 1 and the column stride is 1, the terms of several calls are summed as those of one.
void graft_multiply_few_rows(const float *a, long rows, long a_stride, const struct graft_matrix *b, long first, long columns, long k,
                             float alpha, float beta, const float *addend, float *c, long c_stride);

// -- elementwise -----------------------------------------------------------------------------------------

void graft_add(float *out, const float *a, const float *b, long n);
void graft_subtract(float *out, const float *a, const float *b, long n);
void graft_multiply(float *out, const float *a, const float *b, long n);
void graft_accumulate(float *out, const float *a, long n);                         // out += a
void graft_accumulate_scaled(float *out, const float *a, float scale, long n);     // out += scale a
void graft_scale(float *out, const float *a, float scale, long n);
/// out[t] = factors[t] x[t], rows at the given distances; x may be out.
void graft_scale_rows(float *out, const float *x, const float *factors, long rows, long columns, long out_stride, long stride);
/// out[columns, rows] += a[rows, columns], transposed.
void graft_accumulate_transposed(float *out, long out_stride, const float *a, long a_stride, long rows, long columns);
void graft_fill(float *out, float value, long n);
/// out[rows, columns] = a[rows, columns] + row[columns]
void graft_add_row(float *out, const float *a, const float *row, long rows, long columns);
/// out[rows, columns] = a[rows, columns] * row[columns]
void graft_multiply_row(float *out, const float *a, const float *row, long rows, long columns);
/// row[columns] += sum over rows of a[rows, columns]
void graft_column_sums(float *row, const float *a, long rows, long columns);
/// row[columns] += sum over rows of a b
void graft_column_dots(float *row, const float *a, const float *b, long rows, long columns);
double graft_sum(const float *a, long n);
double graft_sum_of_squares(const float *a, long n);
double graft_dot(const float *a, const float *b, long n);
/// The index of the first value that is not finite, or -1.
long graft_first_nonfinite(const float *a, long n);

enum graft_activation {
  GRAFT_IDENTITY, GRAFT_RELU, GRAFT_GELU, GRAFT_GELU_TANH, GRAFT_SILU, GRAFT_QUICK_GELU, GRAFT_TANH, GRAFT_SIGMOID,
  GRAFT_RELU6, GRAFT_RELU_SQUARED, GRAFT_LEAKY_RELU, GRAFT_CLIPPED_GELU, GRAFT_MISH, GRAFT_LAPLACE, GRAFT_HARD_SWISH, GRAFT_ROOT_SOFTPLUS,
  GRAFT_NEGATIVE_EXPONENTIAL,
};

void graft_activate(int kind, float *out, const float *x, long n);
void graft_activate_gradient(int kind, float *dx, const float *x, const float *dout, long n);
/// out = activation(gate) * up, all [rows, columns] with their own distances between rows.
void graft_gated(int kind, float *out, const float *gate, const float *up, long rows, long columns, long gate_stride, long up_stride);
void graft_gated_gradient(int kind, float *dgate, float *dup, const float *gate, const float *up, const float *dout, long rows, long columns,
                          long gate_stride, long up_stride);

// -- norms -----------------------------------------------------------------------------------------------

/// out = x * rstd * (weight + offset); rstd[rows] is kept for the gradient. (Zhang and Sennrich 2019, eq. 4)
void graft_rms_norm(float *out, float *rstd, const float *x, const float *weight, float offset, float epsilon, long rows, long columns);
/// dx [rows, columns], added to where `add`; dweight[columns] accumulated unless null.
void graft_rms_norm_gradient(float *dx, float *dweight, const float *dout, const float *x, const float *weight, const float *rstd, float offset,
                             int add, long rows, long columns);
/// out = (x - mean) * rstd * weight + bias; mean and rstd [rows] are kept. (Ba et al. 2016, eq. 3)
void graft_layer_norm(float *out, float *mean, float *rstd, const float *x, const float *weight, const float *bias, float epsilon, long rows, long columns);
void graft_layer_norm_gradient(float *dx, float *dweight, float *dbias, const float *dout, const float *x, const float *weight, const float *mean,
                               const float *rstd, int add, long rows, long columns);

// -- positions -------------------------------------------------------------------------------------------

/// Rotates 2 * pairs components of every head from component `first` on; x and out [rows, heads, head_size], cosine and sine [rows, pairs].
/// `interleaved` pairs (2i, 2i+1), else (i, i + pairs); `direction` is 1, or -1 for the gradient. (Su et al. 2021, eq. 34)
void graft_rotate(float *out, const float *x, const float *cosine, const float *sine, int interleaved, float direction, long rows, long heads,
                  long head_size, long first, long pairs, long x_stride, long out_stride);

// -- softmax and losses ----------------------------------------------------------------------------------

/// In place: a block of a row's scores, [first, last), becomes its share of the softmax over the blocks so far; the rest of [0, columns)
/// becomes 0. Of the blocks so far, `largest` is the largest scaled score, -inf before the first, and `sum` that of exponentials after
/// subtracting it (Dao 2023, "FlashAttention-2", section 3.1). Returns the factor that the shares of earlier blocks shrink by.
/// The scale is positive.
float graft_softmax_row(float *scores, float *largest, float *sum, float scale, long first, long last, long columns);
/// In place: scores becomes exp(scale * scores - log_sum) within [first, last) and 0 elsewhere. The scale is positive.
void graft_probabilities_row(float *scores, float log_sum, float scale, long first, long last, long columns);
/// In place: x becomes limit * tanh(x / limit), and slopes, unless null, the derivatives of it.
void graft_softcap(float *x, float *slopes, float limit, long n);
/// In place on dprobabilities: p * (dp - delta) * scale.
void graft_softmax_gradient_row(float *dprobabilities, const float *probabilities, float delta, float scale, long n);
float graft_largest(const float *a, long n);
/// The logarithm of the sum of exponentials of a row.
float graft_log_sum_exp(const float *logits, long n);
/// out = logits minus the logarithm of the sum of their exponentials.
void graft_log_softmax(float *out, const float *logits, long n);
/// Returns -log softmax(logits)[target]; logits become (softmax - onehot) * scale.
float graft_cross_entropy_row(float *logits, long target, float scale, long n);
/// The same against a target of which `smoothing` is spread evenly over all classes, where class k counts weights[k] times, or once
/// where weights is null.
float graft_smoothed_cross_entropy_row(float *logits, long target, float scale, float smoothing, const float *weights, long n);

// -- tables ----------------------------------------------------------------------------------------------

void graft_gather_rows(float *out, const float *table, const int32_t *rows, long count, long columns);
/// places[rows, k] = the columns of the k largest of each row of a[rows, columns], largest first, with PyTorch's choice among equals.
void graft_top_k(int32_t *places, const float *a, long k, long rows, long columns);

// -- mixtures of experts ---------------------------------------------------------------------------------

/// out[rows, columns] = the sum over j < count of weights[r, j] y[places[r, j]], added to what is there where `add`;
/// every weight is 1 where there are none.
void graft_combine_rows(float *out, const float *y, const float *weights, const int32_t *places, int add, long count, long rows, long columns);
/// dy[places[r, j]] = weights[r, j] dout[r] and dweights[r, j] = dout[r] . y[places[r, j]], either of which may be null.
void graft_combine_rows_gradient(float *dy, float *dweights, const float *dout, const float *y, const float *weights, const int32_t *places,
                                 long count, long rows, long columns);
void graft_softmax_rows(float *out, const float *x, long rows, long columns);
void graft_softmax_rows_gradient(float *dx, const float *dout, const float *out, long rows, long columns);
/// out[rows, columns] = (up + 1) gate sigmoid(alpha gate) of x[rows, 2 columns], whose even columns are gates, at most `limit`,
/// and whose odd ones are ups, between -limit and limit (gpt-oss).
void graft_clamped_gate(float *out, const float *x, float alpha, float limit, long rows, long columns);
void graft_clamped_gate_gradient(float *dx, const float *dout, const float *x, float alpha, float limit, long rows, long columns);

// -- recurrences -----------------------------------------------------------------------------------------

// One call of a scan's kernels is for the rows of one sequence and at most this many channels beside each other.
#define GRAFT_SCAN_CHANNELS 64
// Rows between two states that are kept for the way back, which computes the others again.
#define GRAFT_SCAN_CHUNK 32

/// out[r] = bias + the sum over i < kernel of weights[i] x[r - (kernel - 1 - i)], all [columns], for `count` rows from `first` on.
/// places[r] is the row's place in its sequence; what lies before the first is initial[sequences[r], kernel - 1, columns], or zero where
/// that is null. The bias may be null.
void graft_causal_convolution(float *out, const float *x, const float *weights, const float *bias, const float *initial, const int32_t *places,
                              const int32_t *sequences, long kernel, long first, long count, long columns);
/// The input's gradient at `count` rows from `first` on, of `rows` in all; added to what is there where `add`.
void graft_causal_convolution_input_gradient(float *dx, const float *dout, const float *weights, const int32_t *places, int add, long kernel,
                                             long first, long count, long rows, long columns);
/// Adds to dweights[kernel, columns] and dbias[columns], which may be null.
void graft_causal_convolution_weight_gradient(float *dweights, float *dbias, const float *dout, const float *x, const float *initial,
                                              const int32_t *places, const int32_t *sequences, long kernel, long first, long count, long columns);

/// rates[size, channels] = -exp(logarithms[channels, size]).
void graft_scan_rates(float *rates, const float *logarithms, long channels, long size);
/// h = exp(s a) h + s x b and out = c . h + skip x, of s = softplus(delta), row after row (Gu and Dao 2023, algorithm 2).
/// x, delta and out[rows, stride] and rates, h and kept states[chunks, size, stride] are at their first channel of `channels`; b and c are
/// [rows, size]. `state`, unless null, is h before and afterwards; `states`, unless null, takes h before every chunk.
/// `scratch` has room for size * GRAFT_SCAN_CHANNELS.
void graft_selective_scan(float *out, float *state, float *states, float *scratch, const float *x, const float *delta, const float *rates,
                          const float *b, const float *c, const float *skip, long rows, long channels, long stride, long size);
/// The gradients, from the kept states. db and dc[rows, size] are those of these channels alone, drates[size, stride], dskip[channels] and,
/// unless null, dstate[size, stride] those of this sequence. `scratch` has room for (2 * GRAFT_SCAN_CHUNK + 2) * size * GRAFT_SCAN_CHANNELS.
void graft_selective_scan_gradient(float *dx, float *ddelta, float *db, float *dc, float *drates, float *dskip, float *dstate, float *scratch,
                                   const float *dout,
                                   const float *states, const float *x, const float *delta, const float *rates, const float *b, const float *c,
                                   const float *skip, long rows, long channels, long stride, long size);

/// out = (n + exp(first + k) v) / (d + exp(first + k)), then n = exp(decay) n + exp(k) v and d = exp(decay) d + exp(k), row after row; n and d
/// are kept as multiples of exp(m) of their largest exponent m (Peng et al. 2023, appendix D).
/// `state[3, stride]`, unless null, is n, d and m before and afterwards; `states[chunks, 3, stride]`, unless null, takes them before every chunk.
void graft_wkv(float *out, float *state, float *states, const float *k, const float *v, const float *decay, const float *first, long rows,
               long channels, long stride);
/// The gradients, from the kept states; ddecay, dfirst[channels] and, unless null, dstate[3, stride] are those of this sequence.
void graft_wkv_gradient(float *dk, float *dv, float *ddecay, float *dfirst, float *dstate, const float *dout, const float *states, const float *k, const float *v,
                        const float *decay, const float *first, long rows, long channels, long stride);

// Rows of a sequence that a structured scan computes together, as products.
#define GRAFT_SCAN_BLOCK 64

/// steps = softplus(delta + bias) within [least, most] and sums = the sums of steps * rates from each block's first row on, of one
/// sequence: all [rows, heads].
void graft_structured_steps(float *steps, float *sums, const float *delta, const float *bias, const float *rates, float least, float most,
                            long rows, long heads);
/// weights[t] = exp(sums[last] - sums[t]) steps[t], with which a row of a block is in the state behind it, and decays[t] = exp(sums[t]),
/// with which the state before it is in a row. `steps` and `sums`, here as in what follows, are at the head's first row of the block.
void graft_structured_weights(float *weights, float *decays, const float *steps, const float *sums, long rows, long heads);
/// out[t, j] = products[t, j] exp(sums[t] - sums[j]) steps[j] for j <= t, else 0: the weights of a block's rows in each other.
void graft_structured_mask(float *out, const float *products, const float *steps, const float *sums, long rows, long heads);
/// out[t] = decays[t] out[t] + skip x[t].
void graft_structured_output(float *out, const float *x, const float *decays, float skip, long rows, long columns, long stride);
/// s = exp(step rate) s + step b x and out = c . s + skip x, row after row of one head, with `state[size, columns]` before and afterwards.
/// b and c have `parameters` columns.
void graft_structured_rows(float *out, float *state, const float *x, const float *b, const float *c, const float *steps, const float *sums,
                           float skip, long rows, long columns, long stride, long heads, long size, long parameters);
/// From the gradient in `mask`, which becomes graft_structured_mask's result: adds to dproducts and sets dsums and dsteps[rows].
void graft_structured_mask_gradient(float *mask, float *dproducts, float *dsums, float *dsteps, const float *products, const float *steps,
                                    const float *sums, long rows, long heads);
/// Adds weights[t] through[t] + skip dout[t] to dx[t] and sets dweights[t] = x[t] . through[t]; `through` is [rows, columns].
/// Returns the sum of x . dout.
float graft_structured_input_gradient(float *dx, float *dweights, const float *through, const float *x, const float *dout, const float *weights,
                                      float skip, long rows, long columns, long stride);
/// Adds own[t, size] to dc[t] and own[t] . c[t] to dsums[t].
void graft_structured_output_gradient(float *dc, float *dsums, const float *own, const float *c, long rows, long size, long parameters);
/// The gradient of `delta` at a block's rows, from those of sums, steps and weights; `dlast` is what else the last sum has.
/// Returns that of the head's rate.
float graft_structured_step_gradient(float *ddelta, const float *delta, float bias, float rate, float least, float most, const float *steps,
                                     const float *weights, const float *dsums, const float *dsteps, const float *dweights, float dlast, long rows,
                                     long heads);

/// The most channels of a head.
#define GRAFT_LARGEST_DELTA_HEAD 256

/// S = S diag(exp(-sigmoid(w) / sqrt(e))) - S kappa (kappa rate)T + v kT and out = S r, row after row of one head of `size` channels, whose
/// rows are `stride` apart (Peng et al. 2025, eq. 15 to 17). `state[keys, values]` is S before and afterwards; `states`, unless null, takes it
/// before every chunk of GRAFT_SCAN_CHUNK rows, `state_stride` apart.
void graft_delta_rule(float *out, float *state, float *states, const float *r, const float *w, const float *k, const float *v, const float *kappa,
                      const float *rate, long rows, long size, long stride, long state_stride);
/// The gradients, from the kept states; `dstate[size, size]` takes that of the state before the first row. `scratch` has room for
/// (GRAFT_SCAN_CHUNK + 1) * size * size + GRAFT_SCAN_CHUNK * size.
void graft_delta_rule_gradient(float *dr, float *dw, float *dk, float *dv, float *dkappa, float *drate, float *dstate, float *scratch,
                               const float *dout, const float *states, const float *r, const float *w, const float *k, const float *v,
                               const float *kappa, const float *rate, long rows, long size, long stride, long state_stride);

/// out = S r and S = S diag(exp(-exp(w))) + v kT, row after row of one head of `size` channels, whose rows are `stride` apart (Peng et al. 2024,
/// "Eagle and Finch", eq. 15). `state[keys, values]` is S before and afterwards; `states`, unless null, takes it before every chunk of
/// GRAFT_SCAN_CHUNK rows, `state_stride` apart.
void graft_matrix_key_value(float *out, float *state, float *states, const float *r, const float *w, const float *k, const float *v, long rows,
                            long size, long stride, long state_stride);
/// The gradients, from the kept states; `dstate[size, size]` takes that of the state before the first row. `scratch` has room for
/// GRAFT_SCAN_CHUNK * size * size.
void graft_matrix_key_value_gradient(float *dr, float *dw, float *dk, float *dv, float *dstate, float *scratch, const float *dout,
                                     const float *states, const float *r, const float *w, const float *k, const float *v, long rows, long size,
                                     long stride, long state_stride);

/// out = x + (r . (k u)) v of every head, all [rows, heads, size] and u[heads, size].
void graft_key_bonus(float *out, const float *x, const float *r, const float *k, const float *v, const float *u, long rows, long heads, long size);
/// The gradients but that of x; adds to du[heads, size].
void graft_key_bonus_gradient(float *dr, float *dk, float *dv, float *du, const float *dout, const float *r, const float *k, const float *v,
                              const float *u, long rows, long heads, long size);

// -- randomness ------------------------------------------------------------------------------------------

/// Philox 4x32-10 (Salmon et al. 2011): n uniform values in [0, 1) of stream `key`, from position `start` on.
void graft_uniform(float *out, uint64_t key, uint64_t start, long n);
/// n standard normal values (Box and Muller) of stream `key`, from position `start` on.
void graft_normal(float *out, uint64_t key, uint64_t start, long n);
/// out = a rounded to one of its two neighbours in bfloat16, with probabilities that make the mean a: 16 bits of stream `key`, from
/// position `start` on, are added to the 16 that are cut off.
void graft_float_to_bfloat16_by_chance(uint16_t *out, const float *a, uint64_t key, uint64_t start, long n);
/// out = x / keep where uniform(key, start + i) < keep, else 0.
void graft_dropout(float *out, const float *x, float keep, uint64_t key, uint64_t start, long n);

// -- 16-bit floats ---------------------------------------------------------------------------------------

void graft_bfloat16_to_float(float *out, const uint16_t *a, long n);
void graft_float_to_bfloat16(uint16_t *out, const float *a, long n);
void graft_float16_to_float(float *out, const uint16_t *a, long n);
void graft_float_to_float16(uint16_t *out, const float *a, long n);
/// out = a as an operand of products that are rounded to a type: to the nearest number that it has, ties to even, and zero for what is
/// subnormal in bfloat16; GRAFT_FLOAT32 rounds nothing. The two may be the same.
void graft_round(float *out, const float *a, int type, long n);
/// The same for a[rows, stride], of which `columns` go to out[rows, columns].
void graft_round_rows(float *out, const float *a, long stride, int type, long rows, long columns);

// -- quantized numbers -----------------------------------------------------------------------------------

/// The factors of consecutive blocks of codes: values[blocks], or the offset and code[codes[block]] values[block / group] where the factors
/// are codes of 8 bits themselves (Dettmers et al. 2023, "QLoRA", section 3).
struct graft_block_factors {
  const float *values;
  /// Null where the values are the factors.
  const uint8_t *codes;
  /// 256 numbers.
  const float *code;
  long group;
  float offset;
};

/// out[n] = the numbers from `first` on, of code[16] times the factors of blocks of `length`; a byte has two codes, the upper half first.
void graft_decode_4bit(float *out, const uint8_t *codes, const float *code, const struct graft_block_factors *factors, long length, long first,
                       long n);
/// The codes of the numbers nearest to x[n]: order[how many of the 15 bounds lie below], of which the first comes in the upper half of a byte.
/// Behind an odd number of them stands the code of zero.
void graft_encode_4bit(uint8_t *codes, const float *x, const float *bounds, const uint8_t *order, long n);
/// out[n] = codes factor / 127.
void graft_decode_8bit(float *out, const int8_t *codes, float factor, long n);
/// codes = x scale to the nearest whole number, ties to even; none is beyond 127.
void graft_encode_8bit(int8_t *codes, const float *x, float scale, long n);

/// out[n] = table[codes] factors: codes of 8 bits, the first of which is the `first` of those whose blocks of `length` have the factors.
void graft_decode_table(float *out, const uint8_t *codes, const float *table, const float *factors, long length, long first, long n);

/// out[n] = scales (codes - zeros): codes of 2, 4 or 8 bits that begin at one bit of each word.
void graft_decode_grouped(float *out, const uint32_t *words, int shift, int bits, const float *scales, const float *zeros, long n);
/// The same of codes of 4 bits, 8 in a word in the order 0, 2, 4, 6, 1, 3, 5, 7, from the code `first` of the words on.
void graft_decode_interleaved(float *out, const uint32_t *words, const float *scales, const float *zeros, long first, long n);
/// out[n] = numbers of 4 bits, the lower half of a byte first, times powers of two that 32 share, from the number `first` on
/// (OCP Microscaling Formats 1.0, section 5).
void graft_decode_microscaled(float *out, const uint8_t *codes, const uint8_t *exponents, long first, long n);

/// ggml's blocks (`ggml-common.h`): of 32 numbers up to MXFP4, of 256 from Q2_K on.
enum graft_ggml_type {
  GRAFT_Q4_0, GRAFT_Q4_1, GRAFT_Q5_0, GRAFT_Q5_1, GRAFT_Q8_0, GRAFT_MXFP4, GRAFT_Q2_K, GRAFT_Q3_K, GRAFT_Q4_K, GRAFT_Q5_K, GRAFT_Q6_K
};

/// out = the numbers of consecutive blocks.
void graft_decode_ggml(float *out, const uint8_t *bytes, int type, long blocks);
/// bytes = the blocks nearest to x, for Q4_0, Q5_0, Q8_0 and MXFP4 as ggml rounds them, for Q4_K and Q6_K with the least squares of errors
/// among a few scales. Zero where a number or a scale is beyond the format's range.
int graft_encode_ggml(uint8_t *bytes, const float *x, int type, long blocks);

// -- optimizers ------------------------------------------------------------------------------------------

/// One AdamW step with decoupled decay (Loshchilov and Hutter 2019, algorithm 2). `step_size` is the learning rate over
/// 1 - beta1^t, `correction` is sqrt(1 - beta2^t), `decay` is learning rate times weight decay.
void graft_adamw(float *weights, float *first, float *second, const float *gradient, float gradient_scale, float step_size, float correction,
                 float beta1, float beta2, float epsilon, float decay, long n);

#endif
