// Products by AMX, the tile registers of Intel's processors from Sapphire Rapids on, and by a model of its instruction in plain C, by
// which packing, blocking and edges are tested on every processor.
#define _GNU_SOURCE
#include "matrix_product.h"

// -- the model -------------------------------------------------------------------------------------------

/// The eight tile registers, each of 16 rows of 64 bytes.
static _Thread_local union { float sums[16][16]; uint16_t terms[16][32]; } registers[8];

static void load_register(int tile, const void *base, long stride) {
  for (int row = 0; row < 16; row++) memcpy(registers[tile].terms[row], (const char *)base + row * stride, 64);
}

static void store_register(int tile, void *base, long stride) {
  for (int row = 0; row < 16; row++) memcpy((char *)base + row * stride, registers[tile].terms[row], 64);
}

/// With zero for a subnormal.
GRAFT_INLINE float flushed(float x) { return __builtin_fabsf(x) < 0x1p-126f ? __builtin_copysignf(0, x) : x; }

GRAFT_INLINE float wide_term(uint16_t term) {
  union { uint32_t bits; float value; } wide = {.bits = (uint32_t)term << 16};
  return flushed(wide.value);
}

/// TDPBF16PS: the first and the second terms of all pairs are summed apart, each sum by fused multiplications and additions that round
/// to nearest even; then the two are added, and their sum to what was there.
GRAFT_KERNEL static void multiply_registers(int sum, int first, int second) {
#pragma clang fp reassociate(off) contract(off)
  for (int row = 0; row < 16; row++) {
    float even[16] = {0}, odd[16] = {0};
    for (int pair = 0; pair < 16; pair++) {
      float low = wide_term(registers[first].terms[row][2 * pair]), high = wide_term(registers[first].terms[row][2 * pair + 1]);
      for (int column = 0; column < 16; column++) {
        even[column] = flushed(__builtin_fmaf(low, wide_term(registers[second].terms[pair][2 * column]), even[column]));
        odd[column] = flushed(__builtin_fmaf(high, wide_term(registers[second].terms[pair][2 * column + 1]), odd[column]));
      }
    }
    for (int column = 0; column < 16; column++) {
      float *to = &registers[sum].sums[row][column];
      *to = flushed(flushed(*to) + flushed(even[column] + odd[column]));
    }
  }
}

#define AMX(name) model_##name
#define ZERO(tile) memset(&registers[tile], 0, sizeof registers[tile])
#define LOAD(tile, base, stride) load_register(tile, base, stride)
#define STORE(tile, base, stride) store_register(tile, base, stride)
#define MULTIPLY(sum, first, second) multiply_registers(sum, first, second)
#include "amx_tile.h"

static const struct tiling model = {
    .name = "amx-model", .terms = 2, .step = 16, .rows = LARGEST_ROWS, .count = 2, .block = 512,
    .panels = {{32, model_wide_tile}, {16, model_narrow_tile}}, .pairs = graft_pairs_portable};

const struct tiling *graft_amx_model_tiling(void) { return &model; }

// -- the instruction -------------------------------------------------------------------------------------

#if defined(__x86_64__) && defined(__linux__)

#include <cpuid.h>
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

#pragma clang attribute push(__attribute__((target("arch=x86-64-v4,avx512bf16,amx-tile,amx-bf16"))), apply_to = function)
#define AMX(name) amx_##name
#define ZERO(tile) _tile_zero(tile)
#define LOAD(tile, base, stride) _tile_loadd(tile, base, stride)
#define STORE(tile, base, stride) _tile_stored(tile, base, stride)
#define MULTIPLY(sum, first, second) _tile_dpbf16ps(sum, first, second)
#include "amx_tile.h"

/// Every register has 16 rows of 64 bytes.
static void configure(void) {
  struct { uint8_t palette, start, reserved[14]; uint16_t row_bytes[16]; uint8_t rows[16]; } configuration = {.palette = 1};
  for (int tile = 0; tile < 8; tile++) {
    configuration.row_bytes[tile] = 64;
    configuration.rows[tile] = 16;
  }
  _tile_loadconfig(&configuration);
}

/// A thread that has left its tiles is switched as cheaply as any other.
static void release(void) { _tile_release(); }
#pragma clang attribute pop

static const struct tiling amx = {
    .name = "amx", .terms = 2, .step = 16, .rows = LARGEST_ROWS, .count = 2, .block = 512,
    .panels = {{32, amx_wide_tile}, {16, amx_narrow_tile}}, .pairs = graft_pairs_native,
    .enter = configure, .leave = release};

/// True where the processor has tiles and products of bfloat16, and Linux lets this process use them.
static int has_amx(void) {
  const unsigned bfloat16_products = 1u << 22, tiles = 1u << 24;
  const long request_permission = 0x1023, tile_data = 18;
  unsigned a, b, c, d;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(d & tiles) || !(d & bfloat16_products)) return 0;
  return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
}

const struct tiling *graft_amx_tiling(void) { return has_amx() ? &amx : 0; }

#else

const struct tiling *graft_amx_tiling(void) { return 0; }

#endif
