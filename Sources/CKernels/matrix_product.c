// The matrix product of the processors whose registers we know: operands are packed into panels as wide as a register
// tile, and tiles run over them. Where the tile is unknown the caller takes the BLAS.
#include "kernels.h"
#include <stdlib.h>

/// Memory is asked for before it is read: this many terms ahead along a row, and this many rows ahead where rows are copied.
#define TERMS_AHEAD 32
#define ROWS_AHEAD 8
/// Floats in a line of the caches.
#define LINE 16

/// c[rows, columns] = alpha a[rows, k] b[k, columns] + beta addend, as one tile computes it.
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

typedef void (*tile_function)(const struct tile *tile);
typedef void (*pack_function)(float *out, long width, const float *a, long stride, long count, long k);

/// A processor's tiles, from the widest panel to the narrowest.
struct tiling {
  int rows, count;
  struct { int width; tile_function run; pack_function transpose, copy; } panels[3];
};

static const struct tiling avx512 = {
    14, 3, {{32, tile14x16x2, transpose14x16x2, copy14x16x2}, {16, tile14x16x1, transpose14x16x1, copy14x16x1}, {8, tile14x8x1, transpose14x8x1, copy14x8x1}}};
static const struct tiling avx2 = {6, 2, {{16, tile6x8x2, transpose6x8x2, copy6x8x2}, {8, tile6x8x1, transpose6x8x1, copy6x8x1}}};

/// The widest tile that the processor has, unless the environment's GRAFT_MATRIX_TILE is `avx2` or `none`.
static const struct tiling *choose(void) {
  const char *set = graft_instruction_set(), *limit = getenv("GRAFT_MATRIX_TILE");
  if (!limit) limit = "";
  if (strncmp(set, "x86-64-v", 8) != 0 || strcmp(limit, "none") == 0) return 0;
  return strcmp(set, "x86-64-v4") == 0 && strcmp(limit, "avx2") != 0 ? &avx512 : &avx2;
}

static const struct tiling *tiling(void) {
  static const struct tiling *chosen;
  static int known;
  if (!known) {
    chosen = choose();
    known = 1;
  }
  return chosen;
}

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

int graft_tile_rows(void) { return tiling() ? tiling()->rows : 0; }
int graft_panel_columns(void) { return tiling() ? tiling()->panels[0].width : 0; }

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
static const struct tiling *tiling(void) { return 0; }
static int panel_index(const struct tiling *tiles, long columns) { return 0; }
static int panel_index_in_place(const struct tiling *tiles, long columns) { return 0; }
int graft_tile_rows(void) { return 0; }
int graft_panel_columns(void) { return 0; }

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

/// out[k, width] = a[count, k] transposed, and zero beyond `count`, by the panel `index`; one of the strides is 1.
static void interleave(float *out, int index, long width, const float *a, long row_stride, long column_stride, long count, long k) {
  const struct tiling *tiles = tiling();
  if (row_stride == 1) tiles->panels[index].copy(out, width, a, column_stride, count, k);
  else tiles->panels[index].transpose(out, width, a, row_stride, count, k);
}

static void widen(float *out, const void *a, int type, long offset, long n) {
  if (type == GRAFT_BFLOAT16) graft_bfloat16_to_float(out, (const uint16_t *)a + offset, n);
  else graft_float16_to_float(out, (const uint16_t *)a + offset, n);
}

/// The same of any floating-point type: rows [first, first + count) and terms [start, start + k) of the matrix.
static void pack(float *out, int index, long width, const struct graft_matrix *a, long first, long count, long start, long k) {
  if (a->type == GRAFT_FLOAT32) {
    const float *from = (const float *)a->base + first * a->row_stride + start * a->column_stride;
    interleave(out, index, width, from, a->row_stride, a->column_stride, count, k);
    return;
  }
  float wide[LARGEST_WIDTH * DEPTH];
  if (a->column_stride == 1) {
    for (long i = 0; i < count; i++) widen(wide + i * k, a->base, a->type, (first + i) * a->row_stride + start, k);
    interleave(out, index, width, wide, k, 1, count, k);
  } else {
    for (long p = 0; p < k; p++) widen(wide + p * count, a->base, a->type, first + (start + p) * a->column_stride, count);
    interleave(out, index, width, wide, 1, count, count, k);
  }
}

void graft_pack_panels(float *panels, const struct graft_matrix *b, long k, long first, long columns, long from, long to) {
  const struct tiling *tiles = tiling();
  struct graft_matrix transposed = {b->base, b->type, b->column_stride, b->row_stride};
  // Memory is read in its order: whole rows, or long pieces of as many rows as a panel has columns.
  long step = b->column_stride == 1 ? ROWS_AHEAD : DEPTH;
  for (long start = from; start < to; start += step) {
    long depth = to - start < step ? to - start : step;
    for (long column = 0; column < columns;) {
      int index = panel_index(tiles, columns - column);
      long width = tiles->panels[index].width, count = columns - column < width ? columns - column : width;
      pack(panels + column * k + start * width, index, width, &transposed, first + column, count, start, depth);
      column += count;
    }
  }
}

int graft_reads_in_place(const struct graft_matrix *b, long columns) {
  const struct tiling *tiles = tiling();
  return tiles && b->type == GRAFT_FLOAT32 && b->column_stride == 1 && columns % tiles->panels[tiles->count - 1].width == 0;
}

void graft_multiply_panels(const struct graft_matrix *a, long first, long rows, const struct graft_panels *b, long from, long columns, long k,
                           float alpha, float beta, const float *addend, float *c, long c_stride) {
  const struct tiling *tiles = tiling();
  const long tile_rows = tiles->rows, group_rows = GROUPS * tile_rows;
  // Rows a multiple of 4 KiB apart fall on the same lines of the first-level cache; others are read where they are.
  int packs = a->type != GRAFT_FLOAT32 || (columns > 64 && (a->row_stride == 1 || (a->row_stride & 1023) == 0));
  int asks = a->type == GRAFT_FLOAT32 && a->column_stride == 1;
  float packed[GROUPS * LARGEST_ROWS * DEPTH + SLACK];
  struct tile tile = {.alpha = alpha, .c_stride = c_stride, .ahead_stride = a->row_stride,
                      .row_stride = packs ? 1 : a->row_stride, .column_stride = packs ? tile_rows : a->column_stride};
  for (long top = 0; top < rows; top += group_rows) {
    long height = rows - top < group_rows ? rows - top : group_rows;
    for (long start = 0; start < k; start += DEPTH) {
      tile.k = k - start < DEPTH ? k - start : DEPTH;
      tile.beta = start == 0 ? beta : 1;
      for (long row = 0; packs && row < height; row += tile_rows) {
        long count = height - row < tile_rows ? height - row : tile_rows;
        pack(packed + row * tile.k, ONE_REGISTER, tile_rows, a, first + top + row, count, start, tile.k);
      }
      // A block of panels stays in the second-level cache while the tiles of c are written from left to right.
      for (long left = 0; left < columns; left += BLOCK) {
        long right = columns - left < BLOCK ? columns : left + BLOCK;
        for (long row = 0; row < height; row += tile_rows) {
          const float *elements = (const float *)a->base + (first + top + row) * a->row_stride + start * a->column_stride;
          // What is read after this row of tiles: the rows below, the next terms of the group, or the next group.
          const float *ahead = !packs && row + tile_rows < height ? elements + tile_rows * a->row_stride
                               : start + DEPTH < k                ? elements - (packs ? 0 : row * a->row_stride) + DEPTH
                                                                  : elements + (packs ? height : tile_rows) * a->row_stride - start;
          tile.a = packs ? packed + row * tile.k : elements;
          tile.rows = height - row < tile_rows ? height - row : tile_rows;
          // Every tile asks for its share of the rows.
          long asked = tile.rows * left / columns;
          for (long column = left; column < right; column += tile.columns) {
            int index = b->row_stride ? panel_index_in_place(tiles, columns - column) : panel_index(tiles, columns - column);
            long width = tiles->panels[index].width, at = (top + row) * c_stride + column;
            tile.columns = columns - column < width ? columns - column : width;
            tile.b = b->row_stride ? b->base + (from + start) * b->row_stride + column : b->base + column * b->terms + (from + start) * width;
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
