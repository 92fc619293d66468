// The matrix product of the processors whose registers we know: operands are packed into panels as wide as a tile, and tiles run over
// them. Where the tile is unknown the caller takes the BLAS.
//
// The scheme is that of Goto and van de Geijn, "Anatomy of high-performance matrix multiplication" (2008).
#include "matrix_product.h"

/// Rows that are packed together, in whole tiles.
#define GROUP_ROWS 128
/// Floats that the last row of a transposition writes too much.
#define SLACK 16

static long least(long a, long b) { return a < b ? a : b; }

/// The widest panel that reads nothing beyond the columns that are left, of which there are a multiple of the narrowest's.
static int panel_index_in_place(const struct tiling *tiles, long columns) {
  int index = 0;
  while (tiles->panels[index].width > columns) index++;
  return index;
}

int graft_tile_rows(int rounding) { return graft_tiling_of(rounding) ? graft_tiling_of(rounding)->rows : 0; }

int graft_panel_columns(void) {
  int columns = 0;
  for (int rounding = GRAFT_FLOAT32; rounding <= GRAFT_FLOAT16; rounding++) {
    const struct tiling *tiles = graft_tiling_of(rounding);
    if (tiles && tiles->panels[0].width > columns) columns = tiles->panels[0].width;
  }
  return columns;
}

const char *graft_matrix_tile(int rounding) { return graft_tiling_of(rounding) ? graft_tiling_of(rounding)->name : "none"; }

int graft_reads_in_place(const struct graft_matrix *b, long columns) {
  const struct tiling *tiles = graft_tiling_of(GRAFT_FLOAT32);
  return tiles && b->type == GRAFT_FLOAT32 && b->rounding == GRAFT_FLOAT32 && b->column_stride == 1 && columns % tiles->panels[tiles->count - 1].width == 0;
}

/// A product as the loops over its blocks see it.
struct product {
  const struct tiling *tiles;
  const struct graft_matrix *a;
  const struct graft_panels *b;
  long first, from, rows, columns, k;
  float alpha, beta;
  const float *addend;
  float *c;
  long c_stride;
  /// True where rows of the first operand are packed, and where they are asked for before.
  int packs, asks;
};

/// The tiles of a row of tiles, of the columns [left, right).
static void multiply_row(const struct product *p, struct tile *tile, long row, long start, long left, long right, const float *ahead) {
  const struct graft_panels *b = p->b;
  // Every tile asks for its share of the rows.
  long asked = tile->rows * left / p->columns;
  for (long column = left; column < right; column += tile->columns) {
    int index = b->row_stride ? panel_index_in_place(p->tiles, p->columns - column) : graft_panel_index(p->tiles, p->columns - column);
    long width = p->tiles->panels[index].width, at = row * p->c_stride + column;
    tile->columns = least(width, p->columns - column);
    tile->b = b->row_stride ? b->base + (p->from + start) * b->row_stride + column : b->base + column * b->depth + (p->from + start) / p->tiles->terms * width;
    tile->b_stride = b->row_stride ? b->row_stride : width;
    tile->addend = (start == 0 ? p->addend : p->c) + at;
    tile->c = p->c + at;
    tile->ahead = ahead + asked * p->a->row_stride;
    tile->ahead_rows = p->asks ? tile->rows * (column + tile->columns) / p->columns - asked : 0;
    asked += tile->ahead_rows;
    p->tiles->panels[index].run(tile);
  }
}

/// The rows [top, top + height), of the terms from `start` on.
static void multiply_group(const struct product *p, struct tile *tile, float *packed, long top, long height, long start) {
  const struct graft_matrix *a = p->a;
  const long tile_rows = p->tiles->rows, step = p->tiles->step, depth = DEPTH * p->tiles->terms;
  long terms = least(depth, p->k - start);
  tile->k = (terms + p->tiles->terms - 1) / p->tiles->terms;
  tile->beta = start == 0 ? p->beta : 1;
  long packed_depth = (tile->k + step - 1) / step * step;
  for (long row = 0; p->packs && row < height; row += tile_rows)
    graft_pack_rows(packed + row * packed_depth, p->tiles, a, p->first + top + row, least(tile_rows, height - row), start, terms);
  // A block of panels stays in the second-level cache while the tiles of c are written from left to right.
  for (long left = 0; left < p->columns; left += p->tiles->block) {
    for (long row = 0; row < height; row += tile_rows) {
      const float *elements = (const float *)a->base + (p->first + top + row) * a->row_stride + start * a->column_stride;
      // What is read after this row of tiles: the rows below, the next terms of the group, or the next group.
      const float *ahead = !p->packs && row + tile_rows < height ? elements + tile_rows * a->row_stride
                           : start + depth < p->k                ? elements - (p->packs ? 0 : row * a->row_stride) + depth
                                                                 : elements + (p->packs ? height : tile_rows) * a->row_stride - start;
      tile->a = p->packs ? packed + row * packed_depth : elements;
      tile->rows = least(tile_rows, height - row);
      multiply_row(p, tile, top + row, start, left, least(p->columns, left + p->tiles->block), ahead);
    }
  }
}

void graft_multiply_panels(const struct graft_matrix *matrix, long first, long rows, const struct graft_panels *b, long from, long columns, long k,
                           float alpha, float beta, const float *addend, float *c, long c_stride) {
  const struct tiling *tiles = graft_tiling_of(b->rounding);
  const struct graft_matrix a = {matrix->base, matrix->type, b->rounding, matrix->row_stride, matrix->column_stride};
  struct product p = {tiles, &a, b, first, from, rows, columns, k, alpha, beta, addend, c, c_stride};
  // Rows a multiple of 4 KiB apart fall on the same lines of the first-level cache; others are read where they are.
  p.packs = a.type != GRAFT_FLOAT32 || a.rounding != GRAFT_FLOAT32 || (columns > 64 && (a.row_stride == 1 || (a.row_stride & 1023) == 0));
  p.asks = a.type == GRAFT_FLOAT32 && a.column_stride == 1;
  _Alignas(64) float packed[GROUP_ROWS * DEPTH + SLACK];
  struct tile tile = {.alpha = alpha, .c_stride = c_stride, .ahead_stride = a.row_stride,
                      .row_stride = p.packs ? 1 : a.row_stride, .column_stride = p.packs ? tiles->rows : a.column_stride};
  long group_rows = GROUP_ROWS / tiles->rows * tiles->rows, depth = DEPTH * tiles->terms;
  if (tiles->enter) tiles->enter();
  for (long top = 0; top < rows; top += group_rows)
    for (long start = 0; start < k; start += depth) multiply_group(&p, &tile, packed, top, least(group_rows, rows - top), start);
  if (tiles->leave) tiles->leave();
}
