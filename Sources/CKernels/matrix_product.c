// The matrix product of the processors whose registers we know: operands are packed into panels as wide as a register
// tile, and tiles run over them. Where the tile is unknown the caller takes the BLAS.
#include "kernels.h"

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

typedef void (*tile_function)(int rows, long columns, long k, float alpha, const float *a, long row_stride, long column_stride, const float *b,
                              float beta, float *c, long c_stride);

/// A processor's tiles, from the widest panel to the narrowest.
struct tiling {
  int rows, count;
  struct { int width; tile_function run; } panels[3];
};

static const struct tiling avx512 = {14, 3, {{32, tile14x16x2}, {16, tile14x16x1}, {8, tile14x8x1}}};
static const struct tiling avx2 = {6, 2, {{16, tile6x8x2}, {8, tile6x8x1}}};

static const struct tiling *tiling(void) {
  static const struct tiling *chosen;
  static int known;
  if (!known) {
    const char *set = graft_instruction_set();
    chosen = strcmp(set, "x86-64-v4") == 0 ? &avx512 : strcmp(set, "x86-64-v3") == 0 ? &avx2 : 0;
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

int graft_tile_rows(void) { return tiling() ? tiling()->rows : 0; }
int graft_panel_columns(void) { return tiling() ? tiling()->panels[0].width : 0; }

#else

struct tiling { int rows, count; struct { int width; void (*run)(int, long, long, float, const float *, long, long, const float *, float, float *, long); } panels[1]; };
static const struct tiling *tiling(void) { return 0; }
static int panel_index(const struct tiling *tiles, long columns) { return 0; }
int graft_tile_rows(void) { return 0; }
int graft_panel_columns(void) { return 0; }

#endif

/// Products are summed over this many terms at a time: what a panel holds stays in the first-level cache.
#define DEPTH 256
/// Columns of panels that are used together.
#define BLOCK 512
/// How far a row is read before the next one: what is written meanwhile stays in the first-level cache.
#define RUN 128
/// Rows of tiles that are packed together.
#define GROUPS 8
#define LARGEST_ROWS 14
#define LARGEST_WIDTH 32

typedef float vector4 __attribute__((vector_size(16), aligned(4)));

/// out[4, 4] = a[4, 4] transposed.
GRAFT_INLINE void transpose4(float *out, long out_stride, const float *a, long a_stride) {
  vector4 r0 = *(const vector4 *)a, r1 = *(const vector4 *)(a + a_stride), r2 = *(const vector4 *)(a + 2 * a_stride),
          r3 = *(const vector4 *)(a + 3 * a_stride);
  vector4 low01 = __builtin_shufflevector(r0, r1, 0, 4, 1, 5), high01 = __builtin_shufflevector(r0, r1, 2, 6, 3, 7);
  vector4 low23 = __builtin_shufflevector(r2, r3, 0, 4, 1, 5), high23 = __builtin_shufflevector(r2, r3, 2, 6, 3, 7);
  *(vector4 *)out = __builtin_shufflevector(low01, low23, 0, 1, 4, 5);
  *(vector4 *)(out + out_stride) = __builtin_shufflevector(low01, low23, 2, 3, 6, 7);
  *(vector4 *)(out + 2 * out_stride) = __builtin_shufflevector(high01, high23, 0, 1, 4, 5);
  *(vector4 *)(out + 3 * out_stride) = __builtin_shufflevector(high01, high23, 2, 3, 6, 7);
}

/// out[k, width] = a[count, k] transposed, and zero beyond `count`; one of the strides is 1.
static void interleave(float *out, const float *a, long row_stride, long column_stride, long count, long k, long width) {
  if (row_stride == 1) {
    // The common counts as constants, for which the copy is a few registers.
    if (count == 32) for (long p = 0; p < k; p++) memcpy(out + p * width, a + p * column_stride, 32 * sizeof(float));
    else if (count == 16) for (long p = 0; p < k; p++) memcpy(out + p * width, a + p * column_stride, 16 * sizeof(float));
    else for (long p = 0; p < k; p++) memcpy(out + p * width, a + p * column_stride, count * sizeof(float));
  } else {
    long squares = count < 4 ? 0 : k & ~3l;
    for (long start = 0; start < squares; start += RUN) {
      long end = start + RUN < squares ? start + RUN : squares;
      for (long i = 0; i < count; i += 4) {
        // The last square of rows reaches back where the count is not a multiple of four.
        long row = i + 4 <= count ? i : count - 4;
        for (long p = start; p < end; p += 4) transpose4(out + p * width + row, width, a + row * row_stride + p, row_stride);
      }
    }
    for (long p = squares; p < k; p++)
      for (long i = 0; i < count; i++) out[p * width + i] = a[i * row_stride + p];
  }
  for (long p = 0; count < width && p < k; p++)
    for (long i = count; i < width; i++) out[p * width + i] = 0;
}

static void widen(float *out, const void *a, int type, long offset, long n) {
  if (type == GRAFT_BFLOAT16) graft_bfloat16_to_float(out, (const uint16_t *)a + offset, n);
  else graft_float16_to_float(out, (const uint16_t *)a + offset, n);
}

/// The same of any floating-point type: rows [first, first + count) and terms [start, start + k) of the matrix.
static void pack(float *out, const struct graft_matrix *a, long first, long count, long start, long k, long width) {
  if (a->type == GRAFT_FLOAT32) {
    interleave(out, (const float *)a->base + first * a->row_stride + start * a->column_stride, a->row_stride, a->column_stride, count, k, width);
    return;
  }
  float wide[LARGEST_WIDTH * DEPTH];
  if (a->column_stride == 1) {
    for (long i = 0; i < count; i++) widen(wide + i * k, a->base, a->type, (first + i) * a->row_stride + start, k);
    interleave(out, wide, k, 1, count, k, width);
  } else {
    for (long p = 0; p < k; p++) widen(wide + p * count, a->base, a->type, first + (start + p) * a->column_stride, count);
    interleave(out, wide, 1, count, count, k, width);
  }
}

void graft_pack_panels(float *panels, const struct graft_matrix *b, long k, long first, long columns, long from, long to) {
  const struct tiling *tiles = tiling();
  struct graft_matrix transposed = {b->base, b->type, b->column_stride, b->row_stride};
  // Memory is read in its order: whole rows, or long pieces of as many rows as a panel has columns.
  long step = b->column_stride == 1 ? 4 : DEPTH;
  for (long start = from; start < to; start += step) {
    long depth = to - start < step ? to - start : step;
    for (long column = 0; column < columns;) {
      long width = tiles->panels[panel_index(tiles, columns - column)].width, count = columns - column < width ? columns - column : width;
      pack(panels + column * k + start * width, &transposed, first + column, count, start, depth, width);
      column += count;
    }
  }
}

void graft_multiply_panels(const struct graft_matrix *a, long first, long rows, const float *panels, long columns, long k, float alpha, float beta,
                           float *c, long c_stride) {
  const struct tiling *tiles = tiling();
  // Rows a multiple of 4 KiB apart fall on the same lines of the first-level cache; otherwise a narrow product reads them where they are.
  int packs = a->type != GRAFT_FLOAT32 || (columns > 64 && (columns > 512 || a->row_stride == 1 || (a->row_stride & 1023) == 0));
  float packed[GROUPS * LARGEST_ROWS * DEPTH];
  for (long top = 0; top < rows; top += GROUPS * tiles->rows) {
    long height = rows - top < GROUPS * tiles->rows ? rows - top : GROUPS * tiles->rows;
    for (long start = 0; start < k; start += DEPTH) {
      long depth = k - start < DEPTH ? k - start : DEPTH;
      for (long row = 0; packs && row < height; row += tiles->rows) {
        long count = height - row < tiles->rows ? height - row : tiles->rows;
        pack(packed + row * depth, a, first + top + row, count, start, depth, tiles->rows);
      }
      // A block of panels stays in the second-level cache while the tiles of c are written from left to right.
      for (long left = 0; left < columns; left += BLOCK) {
        long right = columns - left < BLOCK ? columns : left + BLOCK;
        for (long row = 0; row < height; row += tiles->rows) {
          long tile_rows = height - row < tiles->rows ? height - row : tiles->rows;
          const float *block = packs ? packed + row * depth
                                     : (const float *)a->base + (first + top + row) * a->row_stride + start * a->column_stride;
          for (long column = left; column < right;) {
            int index = panel_index(tiles, columns - column);
            long width = tiles->panels[index].width, count = columns - column < width ? columns - column : width;
            tiles->panels[index].run((int)tile_rows, count, depth, alpha, block, packs ? 1 : a->row_stride, packs ? tiles->rows : a->column_stride,
                                     panels + column * k + start * width, start == 0 ? beta : 1, c + (top + row) * c_stride + column, c_stride);
            column += count;
          }
        }
      }
    }
  }
}
