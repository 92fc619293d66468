// Packing of a product's operands: elements of any floating-point type, rounded as the product asks for, in the order of its tiles.
#include "matrix_product.h"

static long least(long a, long b) { return a < b ? a : b; }

long graft_panel_depth(int rounding, long k) {
  const struct tiling *tiles = graft_tiling_of(rounding);
  long terms = tiles ? tiles->terms : 1;
  return (k + terms - 1) / terms;
}

/// Consecutive elements as floats, rounded as the matrix asks for.
static void read_floats(float *out, const struct graft_matrix *a, long offset, long n) {
  if (a->type == GRAFT_FLOAT32) {
    graft_round(out, (const float *)a->base + offset, a->rounding, n);
    return;
  }
  if (a->type == GRAFT_BFLOAT16) graft_bfloat16_to_float(out, (const uint16_t *)a->base + offset, n);
  else graft_float16_to_float(out, (const uint16_t *)a->base + offset, n);
  // A stored subnormal of bfloat16 counts as zero too.
  if (a->rounding == GRAFT_BFLOAT16 || (a->rounding == GRAFT_FLOAT16 && a->type == GRAFT_BFLOAT16)) graft_round(out, out, a->rounding, n);
}

/// A panel by a packing of floats or of bfloat16 elements.
static void pack_elements(float *out, const struct packing *packing, int of_first, long width, const void *base, int is_half, long row_stride,
                          long column_stride, long first, long count, long start, long k) {
  const void *from = (const char *)base + (first * row_stride + start * column_stride) * (is_half ? sizeof(uint16_t) : sizeof(float));
  if (row_stride == 1) (of_first ? packing->copy_first : packing->copy)(out, width, from, column_stride, count, k);
  else (of_first ? packing->transpose_first : packing->transpose)(out, width, from, row_stride, count, k);
}

/// The same by way of floats in the first-level cache: where tiles read floats, rounded there.
static void pack_widened(float *out, const struct packing *packing, int of_first, long width, const struct graft_matrix *a, long first, long count,
                         long start, long k) {
  float wide[LARGEST_WIDTH * 2 * DEPTH];
  if (a->column_stride == 1) {
    for (long i = 0; i < count; i++) read_floats(wide + i * k, a, (first + i) * a->row_stride + start, k);
    pack_elements(out, packing, of_first, width, wide, 0, k, 1, 0, count, 0, k);
  } else {
    for (long p = 0; p < k; p++) read_floats(wide + p * count, a, first + (start + p) * a->column_stride, count);
    pack_elements(out, packing, of_first, width, wide, 0, 1, count, 0, count, 0, k);
  }
}

static void pack(float *out, const struct tiling *tiles, int index, int of_first, long width, const struct graft_matrix *a, long first, long count,
                 long start, long k) {
  int is_paired = tiles->terms == 2, is_half = is_paired && a->type == GRAFT_BFLOAT16;
  const struct packing *packing = is_paired ? &tiles->pairs[is_half] : &tiles->panels[index].floats;
  if (is_half || (a->type == GRAFT_FLOAT32 && (is_paired || a->rounding == GRAFT_FLOAT32)))
    pack_elements(out, packing, of_first, width, a->base, is_half, a->row_stride, a->column_stride, first, count, start, k);
  else pack_widened(out, packing, of_first, width, a, first, count, start, k);
}

void graft_pack_rows(float *out, const struct tiling *tiles, const struct graft_matrix *a, long first, long count, long start, long k) {
  // The panel as wide as one register holds the rows of a tile of floats.
  pack(out, tiles, 1, tiles->step > 1, tiles->rows, a, first, count, start, k);
}

void graft_pack_panels(float *panels, const struct graft_matrix *b, long k, long first, long columns, long from, long to) {
  const struct tiling *tiles = graft_tiling_of(b->rounding);
  const long panel_depth = graft_panel_depth(b->rounding, k);
  struct graft_matrix transposed = {b->base, b->type, b->rounding, b->column_stride, b->row_stride};
  // Memory is read in its order: whole rows, or long pieces of as many rows as a panel has columns.
  long step = b->column_stride == 1 ? ROWS_AHEAD : DEPTH * tiles->terms;
  for (long start = from; start < to; start += step) {
    long depth = least(step, to - start);
    for (long column = 0; column < columns;) {
      int index = graft_panel_index(tiles, columns - column);
      long width = tiles->panels[index].width, count = least(width, columns - column);
      pack(panels + column * panel_depth + start / tiles->terms * width, tiles, index, 0, width, &transposed, first + column, count, start, depth);
      column += count;
    }
  }
}
