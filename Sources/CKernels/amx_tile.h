// A tile of 32 rows and up to 32 columns by products of tiles of 16 rows of 64 bytes, as AMX multiplies them (Intel, "Architecture
// Instruction Set Extensions", TDPBF16PS). Included once for the instruction and once for its model in plain C, with AMX(name) and the
// operations on tile registers defined: ZERO(tile), LOAD(tile, base, stride), STORE(tile, base, stride) with strides in bytes, and
// MULTIPLY(sum, first, second).
//
// Registers 0 to 3 are the sums, 4 and 5 the two halves of the rows, 6 and 7 those of the columns.

#define INLINE __attribute__((always_inline)) static inline
#define ROW_BYTES 64
#define SIDE 16

INLINE void AMX(zero_sums)(int is_tall, int is_wide) {
  ZERO(0);
  if (is_wide) ZERO(1);
  if (is_tall) ZERO(2);
  if (is_tall && is_wide) ZERO(3);
}

/// The sums of a tile: two halves of rows by two of columns, from memory.
INLINE void AMX(load_sums)(int is_tall, int is_wide, const float *from, long stride) {
  LOAD(0, from, stride * 4);
  if (is_wide) LOAD(1, from + SIDE, stride * 4);
  if (is_tall) LOAD(2, from + SIDE * stride, stride * 4);
  if (is_tall && is_wide) LOAD(3, from + SIDE * stride + SIDE, stride * 4);
}

INLINE void AMX(store_sums)(int is_tall, int is_wide, float *to, long stride) {
  STORE(0, to, stride * 4);
  if (is_wide) STORE(1, to + SIDE, stride * 4);
  if (is_tall) STORE(2, to + SIDE * stride, stride * 4);
  if (is_tall && is_wide) STORE(3, to + SIDE * stride + SIDE, stride * 4);
}

/// The sums += 32 terms of rows and of a panel.
INLINE void AMX(add_terms)(int is_tall, int is_wide, const float *a, const float *b, long b_stride) {
  LOAD(6, b, b_stride * 4);
  LOAD(4, a, ROW_BYTES);
  MULTIPLY(0, 4, 6);
  if (is_tall) {
    LOAD(5, a + SIDE * SIDE, ROW_BYTES);
    MULTIPLY(2, 5, 6);
  }
  if (is_wide) {
    LOAD(7, b + SIDE, b_stride * 4);
    MULTIPLY(1, 4, 7);
    if (is_tall) MULTIPLY(3, 5, 7);
  }
}

/// The sums += all terms.
INLINE void AMX(add_all)(int is_tall, int is_wide, const struct tile *tile) {
  const float *a = tile->a, *b = tile->b;
  long width = tile->b_stride, k = 0;
  for (; k + SIDE <= tile->k; k += SIDE) {
    // The result is asked for meanwhile, four lines at a time.
    for (long i = k / SIDE * 2; i < k / SIDE * 2 + 2 && i < tile->rows; i++) {
      __builtin_prefetch(tile->c + i * tile->c_stride, 1);
      if (is_wide) __builtin_prefetch(tile->c + i * tile->c_stride + SIDE, 1);
    }
    AMX(add_terms)(is_tall, is_wide, a, b, width);
    a += LARGEST_ROWS * SIDE;
    b += SIDE * width;
  }
  if (k == tile->k) return;
  // A panel ends where its terms do; the last of them are filled up with zeros.
  _Alignas(64) float rest[SIDE * LARGEST_WIDTH] = {0};
  memcpy(rest, b, (size_t)((tile->k - k) * width) * sizeof(float));
  AMX(add_terms)(is_tall, is_wide, a, rest, width);
}

/// Sums go on from the addend where it counts as it is, in the order of the instruction whether or not the tile is whole.
INLINE void AMX(sized_tile)(int is_tall, int is_wide, const struct tile *tile) {
  int goes_on = tile->alpha == 1 && tile->beta == 1, is_plain = tile->alpha == 1 && (tile->beta == 1 || tile->beta == 0);
  int is_whole = tile->rows == (is_tall ? 2 * SIDE : SIDE) && tile->columns == (is_wide ? 2 * SIDE : SIDE);
  _Alignas(64) float part[LARGEST_ROWS * LARGEST_WIDTH];
  if (!goes_on) {
    AMX(zero_sums)(is_tall, is_wide);
  } else if (is_whole) {
    AMX(load_sums)(is_tall, is_wide, tile->addend, tile->c_stride);
  } else {
    memset(part, 0, sizeof part);
    for (long i = 0; i < tile->rows; i++)
      memcpy(part + i * LARGEST_WIDTH, tile->addend + i * tile->c_stride, (size_t)tile->columns * sizeof(float));
    AMX(load_sums)(is_tall, is_wide, part, LARGEST_WIDTH);
  }
  AMX(add_all)(is_tall, is_wide, tile);
  if (is_plain && is_whole) {
    AMX(store_sums)(is_tall, is_wide, tile->c, tile->c_stride);
    return;
  }
  AMX(store_sums)(is_tall, is_wide, part, LARGEST_WIDTH);
  for (long i = 0; i < tile->rows; i++) {
    const float *sums = part + i * LARGEST_WIDTH, *addend = tile->addend + i * tile->c_stride;
    float *c = tile->c + i * tile->c_stride;
    if (is_plain) memcpy(c, sums, (size_t)tile->columns * sizeof(float));
    else for (long j = 0; j < tile->columns; j++) c[j] = tile->beta == 0 ? tile->alpha * sums[j] : tile->alpha * sums[j] + tile->beta * addend[j];
  }
}

__attribute__((noinline)) static void AMX(wide_tile)(const struct tile *tile) {
  if (tile->rows > SIDE) AMX(sized_tile)(1, 1, tile);
  else AMX(sized_tile)(0, 1, tile);
}

__attribute__((noinline)) static void AMX(narrow_tile)(const struct tile *tile) {
  if (tile->rows > SIDE) AMX(sized_tile)(1, 0, tile);
  else AMX(sized_tile)(0, 0, tile);
}

#undef INLINE
#undef AMX
#undef ZERO
#undef LOAD
#undef STORE
#undef MULTIPLY
#undef SIDE
#undef ROW_BYTES
