// The matrix product of the processors whose registers we know: operands are packed into panels as wide as a register
// tile, and tiles run over them. Where the tile is unknown the caller takes the BLAS.
#include "kernels.h"
#include <stdlib.h>

/// Memory is asked for before it is read: this many terms ahead along a row, and this many rows ahead where rows are copied.
#define TERMS_AHEAD 32
#define ROWS_AHEAD 8
/// Floats in a line of the caches.
#define LINE 16

/// c[rows, columns] = alpha a[rows, k] b[k, columns] + beta addend, as one tile computes it; a term is a float or a pair of bfloat16 terms.
struct tile {
  long rows, columns, k;
  const float *a;
  long row_stride, column_stride;
  const float *b;
  long b_stride;
  float alpha, beta;
  const float *addend;
  float *c;
  /// Of the addend too.
  long c_stride;
  /// Rows of k elements that are read later, and that the second-level cache is asked for meanwhile.
  const float *ahead;
  long ahead_stride, ahead_rows;
};

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

/// out = a rounded to bfloat16, with zero for subnormals, as the products of pairs read them.
static void round_to_pairs(uint16_t *out, const float *a, long n) {
  typedef float floats __attribute__((vector_size(64), aligned(4)));
  typedef __bf16 halves __attribute__((vector_size(32), aligned(2)));
  long i = 0;
  for (; i + 16 <= n; i += 16) *(halves *)(out + i) = __builtin_ia32_cvtneps2bf16_512_mask(*(const floats *)(a + i), (halves){0}, 0xffff);
  if (i < n) graft_float_to_bfloat16(out + i, a + i, n - i);
}
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

typedef void (*tile_function)(const struct tile *tile);
typedef void (*pack_function)(float *out, long width, const float *a, long stride, long count, long k);

/// A processor's tiles, from the widest panel to the narrowest.
struct tiling {
  const char *name;
  int rows, count;
  struct { int width; tile_function run; pack_function transpose, copy; } panels[3];
};

static const struct tiling avx512 = {
    "avx512", 14, 3, {{32, tile14x16x2, transpose14x16x2, copy14x16x2}, {16, tile14x16x1, transpose14x16x1, copy14x16x1}, {8, tile14x8x1, transpose14x8x1, copy14x8x1}}};
/// Its panels are as wide as those of avx512, and its packing moves pairs as that moves floats.
static const struct tiling avx512bf16 = {
    "avx512bf16", 14, 3,
    {{32, pair_tile14x16x2, transpose14x16x2, copy14x16x2}, {16, pair_tile14x16x1, transpose14x16x1, copy14x16x1}, {8, pair_tile14x8x1, transpose14x8x1, copy14x8x1}}};
static const struct tiling avx2 = {"avx2", 6, 2, {{16, tile6x8x2, transpose6x8x2, copy6x8x2}, {8, tile6x8x1, transpose6x8x1, copy6x8x1}}};

/// The widest tile of floats that the processor has, unless the environment's GRAFT_MATRIX_TILE is `avx2` or `none`.
static const struct tiling *choose(void) {
  const char *set = graft_instruction_set(), *limit = getenv("GRAFT_MATRIX_TILE");
  if (!limit) limit = "";
  if (strncmp(set, "x86-64-v", 8) != 0 || strcmp(limit, "none") == 0) return 0;
  return strcmp(set, "x86-64-v4") == 0 && strcmp(limit, "avx2") != 0 ? &avx512 : &avx2;
}

/// The tile of pairs of bfloat16 where it is the faster one: AMD's processors do as many pairs as floats in a cycle, Intel's half as
/// many. GRAFT_MATRIX_TILE asks for it (`avx512bf16`) or rules it out.
static const struct tiling *choose_pairs(const struct tiling *floats) {
  const char *wish = getenv("GRAFT_MATRIX_TILE");
  if (floats != &avx512 || !__builtin_cpu_supports("avx512bf16")) return 0;
  if (!wish || !*wish) return __builtin_cpu_is("amd") ? &avx512bf16 : 0;
  return strcmp(wish, "avx512bf16") == 0 ? &avx512bf16 : 0;
}

/// The tile for operands that are rounded to a type, GRAFT_FLOAT32 for none.
static const struct tiling *tiling_of(int rounding) {
  static const struct tiling *floats, *pairs;
  static int known;
  if (!known) {
    floats = choose();
    pairs = choose_pairs(floats);
    known = 1;
  }
  return rounding == GRAFT_BFLOAT16 && pairs ? pairs : floats;
}

static int is_of_pairs(int rounding) { return tiling_of(rounding) == &avx512bf16; }

/// The narrowest panel that holds the columns that are left, or the widest.
static int panel_index(const struct tiling *tiles, long columns) {
  int index = tiles->count - 1;
  while (index > 0 && tiles->panels[index].width < columns) index--;
  return index;
}

/// The widest panel that reads nothing beyond the columns that are left, of which there are a multiple of the narrowest's.
static int panel_index_in_place(const struct tiling *tiles, long columns) {
  int index = 0;
  while (tiles->panels[index].width > columns) index++;
  return index;
}

int graft_tile_rows(void) { return tiling_of(GRAFT_FLOAT32) ? tiling_of(GRAFT_FLOAT32)->rows : 0; }
int graft_panel_columns(void) { return tiling_of(GRAFT_FLOAT32) ? tiling_of(GRAFT_FLOAT32)->panels[0].width : 0; }
const char *graft_matrix_tile(int rounding) { return tiling_of(rounding) ? tiling_of(rounding)->name : "none"; }

#else

struct tiling {
  int rows, count;
  struct {
    int width;
    void (*run)(const struct tile *);
    void (*transpose)(float *, long, const float *, long, long, long);
    void (*copy)(float *, long, const float *, long, long, long);
  } panels[2];
};
static const struct tiling *tiling_of(int rounding) { return 0; }
static int is_of_pairs(int rounding) { return 0; }
static void round_to_pairs(uint16_t *out, const float *a, long n) {}
static int panel_index(const struct tiling *tiles, long columns) { return 0; }
static int panel_index_in_place(const struct tiling *tiles, long columns) { return 0; }
int graft_tile_rows(void) { return 0; }
int graft_panel_columns(void) { return 0; }
const char *graft_matrix_tile(int rounding) { return "none"; }

#endif

/// Products are summed over this many terms at a time: what a panel holds stays in the first-level cache.
#define DEPTH 256
/// Columns of panels that are used together.
#define BLOCK 512
/// Rows of tiles that are packed together.
#define GROUPS 8
#define LARGEST_ROWS 14
/// What the last row of a transposition writes too much.
#define SLACK 16
/// The panel as wide as one register, which holds the rows of a tile.
#define ONE_REGISTER 1
#define LARGEST_WIDTH 32

/// The terms of a float's width in a panel.
static long terms_per_unit(int rounding) { return is_of_pairs(rounding) ? 2 : 1; }

long graft_panel_depth(int rounding, long k) { return (k + terms_per_unit(rounding) - 1) / terms_per_unit(rounding); }

/// out[k, width] = a[count, k] transposed, and zero beyond `count`, by the panel `index`; one of the strides is 1.
static void interleave(float *out, const struct tiling *tiles, int index, long width, const float *a, long row_stride, long column_stride,
                       long count, long k) {
  if (row_stride == 1) tiles->panels[index].copy(out, width, a, column_stride, count, k);
  else tiles->panels[index].transpose(out, width, a, row_stride, count, k);
}

/// Consecutive elements as floats, rounded as the matrix asks for.
static void read_floats(float *out, const struct graft_matrix *a, long offset, long n) {
  if (a->type == GRAFT_FLOAT32) {
    graft_round(out, (const float *)a->base + offset, a->rounding, n);
    return;
  }
  if (a->type == GRAFT_BFLOAT16) graft_bfloat16_to_float(out, (const uint16_t *)a->base + offset, n);
  else graft_float16_to_float(out, (const uint16_t *)a->base + offset, n);
  if (a->rounding != GRAFT_FLOAT32 && a->rounding != a->type) graft_round(out, out, a->rounding, n);
}

/// Consecutive elements, at most 2 * DEPTH of them, as bfloat16.
static void read_halves(uint16_t *out, const struct graft_matrix *a, long offset, long n) {
  if (a->type == GRAFT_BFLOAT16) {
    memcpy(out, (const uint16_t *)a->base + offset, (size_t)n * sizeof(uint16_t));
  } else if (a->type == GRAFT_FLOAT32) {
    round_to_pairs(out, (const float *)a->base + offset, n);
  } else {
    float wide[2 * DEPTH];
    graft_float16_to_float(wide, (const uint16_t *)a->base + offset, n);
    round_to_pairs(out, wide, n);
  }
}

/// Pairs of terms, of which the last is filled up with zero: panels[(k + 1) / 2, width].
static void pack_pairs(float *out, const struct tiling *tiles, int index, long width, const struct graft_matrix *a, long first, long count,
                       long start, long k) {
  uint32_t wide[LARGEST_WIDTH * DEPTH];
  long pairs = (k + 1) / 2;
  if (a->column_stride == 1) {
    for (long i = 0; i < count; i++) {
      uint16_t *row = (uint16_t *)(wide + i * pairs);
      row[2 * pairs - 1] = 0;
      read_halves(row, a, (first + i) * a->row_stride + start, k);
    }
    interleave(out, tiles, index, width, (const float *)wide, pairs, 1, count, pairs);
  } else {
    for (long p = 0; p < pairs; p++) {
      uint16_t low[LARGEST_WIDTH], high[LARGEST_WIDTH] = {0};
      read_halves(low, a, first + (start + 2 * p) * a->column_stride, count);
      if (2 * p + 1 < k) read_halves(high, a, first + (start + 2 * p + 1) * a->column_stride, count);
      for (long i = 0; i < count; i++) wide[p * count + i] = low[i] | (uint32_t)high[i] << 16;
    }
    interleave(out, tiles, index, width, (const float *)wide, 1, count, count, pairs);
  }
}

/// A panel of any floating-point type: rows [first, first + count) and terms [start, start + k) of the matrix, at most DEPTH units of them.
static void pack(float *out, const struct tiling *tiles, int index, long width, const struct graft_matrix *a, long first, long count,
                 long start, long k) {
  if (is_of_pairs(a->rounding)) {
    pack_pairs(out, tiles, index, width, a, first, count, start, k);
    return;
  }
  if (a->type == GRAFT_FLOAT32 && a->rounding == GRAFT_FLOAT32) {
    const float *from = (const float *)a->base + first * a->row_stride + start * a->column_stride;
    interleave(out, tiles, index, width, from, a->row_stride, a->column_stride, count, k);
    return;
  }
  float wide[LARGEST_WIDTH * DEPTH];
  if (a->column_stride == 1) {
    for (long i = 0; i < count; i++) read_floats(wide + i * k, a, (first + i) * a->row_stride + start, k);
    interleave(out, tiles, index, width, wide, k, 1, count, k);
  } else {
    for (long p = 0; p < k; p++) read_floats(wide + p * count, a, first + (start + p) * a->column_stride, count);
    interleave(out, tiles, index, width, wide, 1, count, count, k);
  }
}

void graft_pack_panels(float *panels, const struct graft_matrix *b, long k, long first, long columns, long from, long to) {
  const struct tiling *tiles = tiling_of(b->rounding);
  const long per_unit = terms_per_unit(b->rounding), panel_depth = graft_panel_depth(b->rounding, k);
  struct graft_matrix transposed = {b->base, b->type, b->rounding, b->column_stride, b->row_stride};
  // Memory is read in its order: whole rows, or long pieces of as many rows as a panel has columns.
  long step = b->column_stride == 1 ? ROWS_AHEAD : DEPTH * per_unit;
  for (long start = from; start < to; start += step) {
    long depth = to - start < step ? to - start : step;
    for (long column = 0; column < columns;) {
      int index = panel_index(tiles, columns - column);
      long width = tiles->panels[index].width, count = columns - column < width ? columns - column : width;
      pack(panels + column * panel_depth + start / per_unit * width, tiles, index, width, &transposed, first + column, count, start, depth);
      column += count;
    }
  }
}

int graft_reads_in_place(const struct graft_matrix *b, long columns) {
  const struct tiling *tiles = tiling_of(GRAFT_FLOAT32);
  return tiles && b->type == GRAFT_FLOAT32 && b->rounding == GRAFT_FLOAT32 && b->column_stride == 1 && columns % tiles->panels[tiles->count - 1].width == 0;
}

void graft_multiply_panels(const struct graft_matrix *matrix, long first, long rows, const struct graft_panels *b, long from, long columns, long k,
                           float alpha, float beta, const float *addend, float *c, long c_stride) {
  const struct tiling *tiles = tiling_of(b->rounding);
  const struct graft_matrix rounded = {matrix->base, matrix->type, b->rounding, matrix->row_stride, matrix->column_stride}, *a = &rounded;
  const long per_unit = terms_per_unit(b->rounding), depth = DEPTH * per_unit;
  const long tile_rows = tiles->rows, group_rows = GROUPS * tile_rows;
  // Rows a multiple of 4 KiB apart fall on the same lines of the first-level cache; others are read where they are.
  int packs = a->type != GRAFT_FLOAT32 || b->rounding != GRAFT_FLOAT32 || (columns > 64 && (a->row_stride == 1 || (a->row_stride & 1023) == 0));
  int asks = a->type == GRAFT_FLOAT32 && a->column_stride == 1;
  float packed[GROUPS * LARGEST_ROWS * DEPTH + SLACK];
  struct tile tile = {.alpha = alpha, .c_stride = c_stride, .ahead_stride = a->row_stride,
                      .row_stride = packs ? 1 : a->row_stride, .column_stride = packs ? tile_rows : a->column_stride};
  for (long top = 0; top < rows; top += group_rows) {
    long height = rows - top < group_rows ? rows - top : group_rows;
    for (long start = 0; start < k; start += depth) {
      long terms = k - start < depth ? k - start : depth;
      tile.k = (terms + per_unit - 1) / per_unit;
      tile.beta = start == 0 ? beta : 1;
      for (long row = 0; packs && row < height; row += tile_rows) {
        long count = height - row < tile_rows ? height - row : tile_rows;
        pack(packed + row * tile.k, tiles, ONE_REGISTER, tile_rows, a, first + top + row, count, start, terms);
      }
      // A block of panels stays in the second-level cache while the tiles of c are written from left to right.
      for (long left = 0; left < columns; left += BLOCK) {
        long right = columns - left < BLOCK ? columns : left + BLOCK;
        for (long row = 0; row < height; row += tile_rows) {
          const float *elements = (const float *)a->base + (first + top + row) * a->row_stride + start * a->column_stride;
          // What is read after this row of tiles: the rows below, the next terms of the group, or the next group.
          const float *ahead = !packs && row + tile_rows < height ? elements + tile_rows * a->row_stride
                               : start + depth < k                ? elements - (packs ? 0 : row * a->row_stride) + depth
                                                                  : elements + (packs ? height : tile_rows) * a->row_stride - start;
          tile.a = packs ? packed + row * tile.k : elements;
          tile.rows = height - row < tile_rows ? height - row : tile_rows;
          // Every tile asks for its share of the rows.
          long asked = tile.rows * left / columns;
          for (long column = left; column < right; column += tile.columns) {
            int index = b->row_stride ? panel_index_in_place(tiles, columns - column) : panel_index(tiles, columns - column);
            long width = tiles->panels[index].width, at = (top + row) * c_stride + column;
            tile.columns = columns - column < width ? columns - column : width;
            tile.b = b->row_stride ? b->base + (from + start) * b->row_stride + column : b->base + column * b->depth + (from + start) / per_unit * width;
            tile.b_stride = b->row_stride ? b->row_stride : width;
            tile.addend = (start == 0 ? addend : c) + at;
            tile.c = c + at;
            tile.ahead = ahead + asked * a->row_stride;
            tile.ahead_rows = asks ? tile.rows * (column + tile.columns) / columns - asked : 0;
            asked += tile.ahead_rows;
            tiles->panels[index].run(&tile);
          }
        }
      }
    }
  }
}
