// Compares the conversions of 16-bit formats with the definition of rounding to nearest even, over every value of the formats and
// around every boundary between two of them; with `speed`, measures them beside a copy. Compiled once for each instruction set.
#include "CKernels.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BLOCK = 1 << 16 };
static float wide[BLOCK], rounded[BLOCK];
static uint16_t narrow[BLOCK];
static long wrong;

static float float_of(uint32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

/// The value of a bit pattern, from the definition of the format.
static double value_of(uint16_t bits, int type) {
  int fraction_bits = type == GRAFT_BFLOAT16 ? 7 : 10, exponent_bits = 15 - fraction_bits;
  int exponent = bits >> fraction_bits & ((1 << exponent_bits) - 1), bias = (1 << (exponent_bits - 1)) - 1;
  double fraction = bits & ((1 << fraction_bits) - 1), sign = bits >> 15 ? -1 : 1;
  if (exponent == (1 << exponent_bits) - 1) return fraction == 0 ? sign * INFINITY : NAN;
  if (exponent == 0) return sign * ldexp(fraction, 1 - bias - fraction_bits);
  return sign * ldexp((1 << fraction_bits) + fraction, exponent - bias - fraction_bits);
}

/// The nearest value of the format by bisection over its positive patterns; of two equally near ones the even one.
static uint16_t nearest(float x, int type) {
  uint16_t sign = signbit(x) ? 0x8000 : 0, low = 0, infinity = type == GRAFT_BFLOAT16 ? 0x7f80 : 0x7c00, high = infinity;
  double magnitude = fabs((double)x);
  if (isinf(x)) return sign | infinity;
  while (high - low > 1) {
    uint16_t middle = (uint16_t)((low + high) / 2);
    if (value_of(middle, type) <= magnitude) low = middle;
    else high = middle;
  }
  // Infinity stands where the next value would be.
  double below = value_of(low, type), above = high == infinity ? 2 * below - value_of(low - 1, type) : value_of(high, type);
  double down = magnitude - below, up = above - magnitude;
  return sign | (down < up || (down == up && low % 2 == 0) ? low : high);
}

static void report(int type, uint32_t bits, uint16_t found, uint16_t expected) {
  if (wrong++ < 10) printf("type %d: %08x becomes %04x, not %04x\n", type, bits, found, expected);
}

/// Converts the first `n` of `wide` in one call, so that vectors and their tails are met.
static void narrowed(int type, long n) {
  if (type == GRAFT_BFLOAT16) graft_float_to_bfloat16(narrow, wide, n);
  else graft_float_to_float16(narrow, wide, n);
  graft_round(rounded, wide, type, n);
  for (long i = 0; i < n; i++) {
    uint32_t bits;
    memcpy(&bits, wide + i, sizeof bits);
    double found = value_of(narrow[i], type);
    // Floats below the normal numbers count as zero before they are rounded to bfloat16, as they do for matrix units.
    int is_flushed = type == GRAFT_BFLOAT16 && fabsf(wide[i]) < 0x1p-126f && rounded[i] == 0;
    if (isnan(wide[i]) ? !isnan(found) || !isnan(rounded[i])
                       : (found != rounded[i] && !is_flushed) || signbit(wide[i]) != signbit(rounded[i]))
      report(type, bits, narrow[i], 0);
    if (isnan(wide[i])) continue;
    uint16_t expected = nearest(wide[i], type);
    if (narrow[i] != expected) report(type, bits, narrow[i], expected);
  }
}

static void every_value(int type) {
  for (long i = 0; i < BLOCK; i++) narrow[i] = (uint16_t)i;
  if (type == GRAFT_BFLOAT16) graft_bfloat16_to_float(wide, narrow, BLOCK);
  else graft_float16_to_float(wide, narrow, BLOCK);
  for (long i = 0; i < BLOCK; i++) {
    double expected = value_of((uint16_t)i, type);
    if (isnan(expected) ? !isnan(wide[i]) : wide[i] != expected || signbit(wide[i]) != i >> 15) report(type, (uint32_t)i, (uint16_t)i, 0);
  }
}

/// The lower halves of floats: at both formats' boundaries, a hair beside them, and away from them.
static const uint16_t tails[] = {
    0,      1,      0x0fff, 0x1000, 0x1001, 0x1fff, 0x2000, 0x2fff, 0x3000, 0x3001, 0x5000, 0x6fff, 0x7000,
    0x7001, 0x7fff, 0x8000, 0x8001, 0x9000, 0xa001, 0xb000, 0xcfff, 0xd000, 0xefff, 0xf000, 0xf001, 0xffff};

static void speed(int type, const char *name) {
  enum { COUNT = 1 << 24 };
  float *floats = calloc(COUNT, sizeof *floats);
  uint16_t *halves = calloc(COUNT, sizeof *halves);
  double best[3] = {0};
  for (long i = 0; i < COUNT; i++) floats[i] = (float)(i % 1000) * 0.37f;
  for (int round = 0; round < 8; round++)
    for (int kind = 0; kind < 3; kind++) {
      struct timespec start, end;
      clock_gettime(CLOCK_MONOTONIC, &start);
      if (kind == 2) memcpy(floats + COUNT / 2, floats, COUNT / 2 * sizeof *floats);
      else if (kind == 0) (type == GRAFT_BFLOAT16 ? graft_float_to_bfloat16 : graft_float_to_float16)(halves, floats, COUNT);
      else (type == GRAFT_BFLOAT16 ? graft_bfloat16_to_float : graft_float16_to_float)(floats, halves, COUNT);
      clock_gettime(CLOCK_MONOTONIC, &end);
      double seconds = (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) * 1e-9;
      double rate = (kind == 2 ? 4.0 : 6.0) * COUNT / seconds / 1e9;
      if (rate > best[kind]) best[kind] = rate;
    }
  printf("%s: narrowing %.1f, widening %.1f, copying %.1f GB/s read and written\n", name, best[0], best[1], best[2]);
  free(floats);
  free(halves);
}

int main(int count, char **arguments) {
  if (count > 1 && !strcmp(arguments[1], "speed")) {
    speed(GRAFT_BFLOAT16, "bfloat16");
    speed(GRAFT_FLOAT16, "float16");
    return 0;
  }
  for (int type = GRAFT_BFLOAT16; type <= GRAFT_FLOAT16; type++) {
    every_value(type);
    for (long block = 0; block < (long)(sizeof tails / sizeof *tails); block++) {
      // An odd length has a tail behind its vectors.
      long n = BLOCK - block % 17;
      for (long i = 0; i < n; i++) wide[i] = float_of((uint32_t)(BLOCK - 1 - i) << 16 | tails[block]);
      narrowed(type, n);
      for (long i = 0; i < BLOCK - n; i++) wide[i] = float_of((uint32_t)i << 16 | tails[block]);
      narrowed(type, BLOCK - n);
    }
  }
  if (wrong) printf("%ld conversions are wrong\n", wrong);
  return wrong != 0;
}
