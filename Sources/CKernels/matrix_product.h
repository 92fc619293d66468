// What the parts of the matrix product share: the tile, the tilings of a processor, and the packing of their panels.
#ifndef GRAFT_MATRIX_PRODUCT_H
#define GRAFT_MATRIX_PRODUCT_H

#include "kernels.h"

/// Products are summed over this many units at a time: what a panel holds stays in the first-level cache.
#define DEPTH 256
/// The most rows of a tile, and the most columns of a panel.
#define LARGEST_ROWS 32
#define LARGEST_WIDTH 32
/// Memory is asked for before it is read: this many terms ahead along a row, and this many rows ahead where rows are copied.
#define TERMS_AHEAD 32
#define ROWS_AHEAD 8
/// Floats in a line of the caches.
#define LINE 16

typedef float floats16 __attribute__((vector_size(64), aligned(4)));
typedef uint32_t words16 __attribute__((vector_size(64), aligned(4)));
typedef uint16_t halves16 __attribute__((vector_size(32), aligned(2)));
typedef uint16_t halves32 __attribute__((vector_size(64), aligned(2)));

/// c[rows, columns] = alpha a[rows, k] b[k, columns] + beta addend, as one tile computes it. A unit, of which there are k, is a float,
/// or a pair of bfloat16 terms.
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

/// Panels of units from a matrix of floats or of bfloat16 elements, which lie `stride` apart where they are not consecutive.
/// Units beyond `count` are zero, and so is the second term of a last pair.
typedef void (*pack_function)(void *out, long width, const void *a, long stride, long count, long k);

/// The packing of a format of elements: of rows of consecutive terms, of terms of consecutive rows, and of the first operand of both
/// kinds where a tile reads it in an order of its own.
struct packing {
  pack_function transpose, copy, transpose_first, copy_first;
};

/// The packing of floats and of stored bfloat16 in pairs: with the processor's own rounding, where it has AVX512-BF16, and without.
extern const struct packing graft_pairs_native[2], graft_pairs_portable[2];

/// A processor's tiles, from the widest panel to the narrowest.
struct tiling {
  const char *name;
  /// The terms of a unit, and the units that the first operand is filled up to a multiple of.
  int terms, step;
  int rows, count;
  /// The columns of panels that are used together: the second-level cache holds them, half a megabyte of it on the processors that have
  /// AVX2 alone.
  int block;
  struct {
    int width;
    void (*run)(const struct tile *tile);
    struct packing floats;
  } panels[3];
  /// Of units of two terms, for panels of every width: one of the two below.
  const struct packing *pairs;
  /// A thread's preparation before its first tile, and its end after the last one; null for nothing.
  void (*enter)(void), (*leave)(void);
};

/// The tiling for operands that are rounded to a type, GRAFT_FLOAT32 for none; null where the BLAS does better.
const struct tiling *graft_tiling_of(int rounding);

/// The tiling of AMX, null where it is not, and that of the plain C model of its instruction.
const struct tiling *graft_amx_tiling(void);
const struct tiling *graft_amx_model_tiling(void);

/// The panel that begins a row of so many columns: the narrowest that holds them, or the widest.
GRAFT_INLINE int graft_panel_index(const struct tiling *tiles, long columns) {
  int index = tiles->count - 1;
  while (index > 0 && tiles->panels[index].width < columns) index--;
  return index;
}

/// The rows of a tile of the first operand.
void graft_pack_rows(float *out, const struct tiling *tiles, const struct graft_matrix *a, long first, long count, long start, long k);

#endif
