// The tiles of each processor, and the choice among them.
#include "matrix_product.h"
#include <pthread.h>
#include <stdlib.h>

#if defined(__x86_64__) && defined(__linux__)

#pragma clang attribute push(__attribute__((target("arch=x86-64-v4"))), apply_to = function)
#define ROWS 14
#define LANES 16
#define VECTORS 2
#include "matrix_tile.h"
#define LANES 16
#define VECTORS 1
#include "matrix_tile.h"
#define LANES 8
#define VECTORS 1
#include "matrix_tile.h"
#pragma clang attribute pop

#pragma clang attribute push(__attribute__((target("arch=x86-64-v4,avx512bf16"))), apply_to = function)
#define PAIRS
#define LANES 16
#define VECTORS 2
#include "matrix_tile.h"
#define PAIRS
#define LANES 16
#define VECTORS 1
#include "matrix_tile.h"
#define PAIRS
#define LANES 8
#define VECTORS 1
#include "matrix_tile.h"
#undef ROWS
#pragma clang attribute pop

#pragma clang attribute push(__attribute__((target("arch=x86-64-v3"))), apply_to = function)
#define ROWS 6
#define LANES 8
#define VECTORS 2
#include "matrix_tile.h"
#define LANES 8
#define VECTORS 1
#include "matrix_tile.h"
#undef ROWS
#pragma clang attribute pop

static const struct tiling avx512 = {
    .name = "avx512", .terms = 1, .step = 1, .rows = 14, .count = 3, .block = 512,
    .panels = {{32, tile14x16x2, {transpose14x16x2, copy14x16x2}}, {16, tile14x16x1, {transpose14x16x1, copy14x16x1}}, {8, tile14x8x1, {transpose14x8x1, copy14x8x1}}}};
static const struct tiling avx512bf16 = {
    .name = "avx512bf16", .terms = 2, .step = 1, .rows = 14, .count = 3, .block = 512,
    .panels = {{32, pair_tile14x16x2}, {16, pair_tile14x16x1}, {8, pair_tile14x8x1}}, .pairs = graft_pairs_native};
static const struct tiling avx2 = {
    .name = "avx2", .terms = 1, .step = 1, .rows = 6, .count = 2, .block = 128,
    .panels = {{16, tile6x8x2, {transpose6x8x2, copy6x8x2}}, {8, tile6x8x1, {transpose6x8x1, copy6x8x1}}}};

/// The widest tile of floats that the processor has, unless the wish is `avx2` or `none`.
static const struct tiling *choose(const char *wish) {
  const char *set = graft_instruction_set();
  if (strncmp(set, "x86-64-v", 8) != 0 || strcmp(wish, "none") == 0) return 0;
  return strcmp(set, "x86-64-v4") == 0 && strcmp(wish, "avx2") != 0 ? &avx512 : &avx2;
}

/// The tile of pairs of bfloat16 where it is the faster one: AMX wherever it is, else AVX512-BF16 on AMD's processors, which do as many
/// pairs as floats in a cycle, Intel's half as many.
static const struct tiling *choose_pairs(const char *wish, const struct tiling *floats) {
  int has_pairs = floats == &avx512 && __builtin_cpu_supports("avx512bf16");
  if (strcmp(wish, "avx512bf16") == 0) return has_pairs ? &avx512bf16 : 0;
  if (*wish && strcmp(wish, "amx") != 0) return 0;
  const struct tiling *amx = has_pairs ? graft_amx_tiling() : 0;
  return amx ? amx : has_pairs && __builtin_cpu_is("amd") ? &avx512bf16 : 0;
}

#else

static const struct tiling *choose(const char *wish) { return 0; }
static const struct tiling *choose_pairs(const char *wish, const struct tiling *floats) { return 0; }

#endif

static const struct tiling *float_tiling, *pair_tiling;

/// GRAFT_MATRIX_TILE, where it is set, asks for a tile; what the processor does not have is passed over. `amx-model` computes with the C
/// model of AMX's instruction, for tests.
static void choose_all(void) {
  const char *wish = getenv("GRAFT_MATRIX_TILE");
  if (!wish) wish = "";
  float_tiling = choose(wish);
  pair_tiling = strcmp(wish, "amx-model") == 0 ? graft_amx_model_tiling() : choose_pairs(wish, float_tiling);
}

const struct tiling *graft_tiling_of(int rounding) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, choose_all);
  return rounding == GRAFT_BFLOAT16 && pair_tiling ? pair_tiling : float_tiling;
}
