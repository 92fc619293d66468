// Our products of matrices beside oneDNN's on one thread, over the shapes of GPT-2's linear layers with 1,024 rows: `Benchmarks/yardstick.sh`.
//
// Both read the same float32 rows; the second operand is a weight in float32 or bfloat16. Ours packs it in every product; oneDNN is measured with the
// weight as it lies and with one that it laid out for itself beforehand. Rounds alternate; a figure is the median of the rounds.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <oneapi/dnnl/dnnl.hpp>
#include <random>
#include <vector>

extern "C" {
#include "CKernels.h"
}

using dnnl::memory;

namespace {

constexpr int kRounds = 15;
constexpr long kRows = 1024;

struct Shape {
  long columns, terms;
};

double seconds(const std::function<void()> &body) {
  auto start = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + values.size() / 2, values.end());
  return values[values.size() / 2];
}

/// c = a b by our tiles, which b is packed for first.
void multiply_ours(const graft_matrix &a, const graft_matrix &b, Shape shape, float *panels, float *c) {
  graft_pack_panels(panels, &b, shape.terms, 0, shape.columns, 0, shape.terms);
  graft_panels second = {panels, graft_panel_depth(b.rounding, shape.terms), 0, b.rounding};
  graft_multiply_panels(&a, 0, kRows, &second, 0, shape.columns, shape.terms, 1, 0, nullptr, c, shape.columns);
}

/// A product of oneDNN, with the weight in its own layout where `is_laid_out`.
struct Theirs {
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
  memory first, second, product;
  dnnl::matmul primitive;

  Theirs(Shape shape, memory::data_type type, bool is_laid_out, void *a, void *b, void *c) {
    memory::dims rows{kRows, shape.terms}, weight{shape.terms, shape.columns}, out{kRows, shape.columns};
    auto plain = memory::format_tag::ab;
    memory::desc first_desc(rows, type, plain), plain_weight(weight, type, plain), out_desc(out, memory::data_type::f32, plain);
    memory::desc weight_desc(weight, type, is_laid_out ? memory::format_tag::any : plain);
    dnnl::matmul::primitive_desc description({first_desc, weight_desc, out_desc}, engine);
    primitive = dnnl::matmul(description);
    first = memory(first_desc, engine, a);
    product = memory(out_desc, engine, c);
    second = memory(plain_weight, engine, b);
    if (description.weights_desc() != plain_weight) {
      memory laid_out(description.weights_desc(), engine);
      dnnl::reorder(second, laid_out).execute(stream, second, laid_out);
      stream.wait();
      second = laid_out;
    }
  }

  void multiply() {
    primitive.execute(stream, {{DNNL_ARG_SRC, first}, {DNNL_ARG_WEIGHTS, second}, {DNNL_ARG_DST, product}});
    stream.wait();
  }
};

float *random_floats(long count) {
  static std::mt19937 generator(1);
  std::uniform_real_distribution<float> values(-1, 1);
  auto *out = static_cast<float *>(std::aligned_alloc(64, (count * sizeof(float) + 127) / 64 * 64));
  for (long i = 0; i < count; i++) out[i] = values(generator);
  return out;
}

uint16_t *rounded(const float *values, long count) {
  auto *out = static_cast<uint16_t *>(std::aligned_alloc(64, (count * sizeof(uint16_t) + 127) / 64 * 64));
  graft_float_to_bfloat16(out, values, count);
  return out;
}

void compare(Shape shape, bool is_bfloat16) {
  float *a = random_floats(kRows * shape.terms), *b = random_floats(shape.terms * shape.columns);
  float *ours = random_floats(kRows * shape.columns), *theirs = random_floats(kRows * shape.columns);
  float *panels = random_floats((shape.columns + 64) * (shape.terms + 8));
  uint16_t *narrow_a = rounded(a, kRows * shape.terms), *narrow_b = rounded(b, shape.terms * shape.columns);
  int rounding = is_bfloat16 ? GRAFT_BFLOAT16 : GRAFT_FLOAT32;
  graft_matrix first = {a, GRAFT_FLOAT32, rounding, shape.terms, 1};
  graft_matrix second = {is_bfloat16 ? (void *)narrow_b : b, rounding, rounding, shape.columns, 1};
  auto type = is_bfloat16 ? memory::data_type::bf16 : memory::data_type::f32;
  void *their_a = is_bfloat16 ? (void *)narrow_a : a, *their_b = is_bfloat16 ? (void *)narrow_b : b;
  Theirs plain(shape, type, false, their_a, their_b, theirs), laid_out(shape, type, true, their_a, their_b, theirs);

  multiply_ours(first, second, shape, panels, ours);
  plain.multiply();
  double error = 0, largest = 0;
  for (long i = 0; i < kRows * shape.columns; i++) {
    error = std::max(error, (double)std::fabs(ours[i] - theirs[i]));
    largest = std::max(largest, (double)std::fabs(theirs[i]));
  }
  if (!(error < 1e-4 * largest)) {
    std::fprintf(stderr, "error: the products differ by %g of %g\n", error, largest);
    std::exit(1);
  }

  std::vector<double> our_rates, plain_ratios, laid_out_ratios;
  double operations = 2.0 * kRows * shape.columns * shape.terms;
  for (int round = 0; round < kRounds; round++) {
    double own = seconds([&] { multiply_ours(first, second, shape, panels, ours); });
    our_rates.push_back(operations / own / 1e9);
    plain_ratios.push_back(seconds([&] { plain.multiply(); }) / own);
    laid_out_ratios.push_back(seconds([&] { laid_out.multiply(); }) / own);
  }
  std::printf("| %s | %ld x %ld | %.0f | %.2f | %.2f |\n", is_bfloat16 ? "bf16" : "fp32", shape.terms, shape.columns, median(our_rates),
              median(plain_ratios), median(laid_out_ratios));
  for (void *p : {(void *)a, (void *)b, (void *)ours, (void *)theirs, (void *)panels, (void *)narrow_a, (void *)narrow_b}) std::free(p);
}

}  // namespace

int main() {
  std::printf("tile %s, in 16 bits %s; oneDNN %d.%d\n\n", graft_matrix_tile(GRAFT_FLOAT32), graft_matrix_tile(GRAFT_BFLOAT16), dnnl_version()->major,
              dnnl_version()->minor);
  std::printf("| operands | terms x columns | our GFLOP/s | times oneDNN | times oneDNN, laid out beforehand |\n| --- | --- | --- | --- | --- |\n");
  for (bool is_bfloat16 : {false, true})
    for (Shape shape : {Shape{2304, 768}, Shape{768, 768}, Shape{3072, 768}, Shape{768, 3072}}) compare(shape, is_bfloat16);
}
