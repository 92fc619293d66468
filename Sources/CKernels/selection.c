// The k largest of a row, with ties as PyTorch breaks them on a CPU: it runs the C++ library's selection over (value, place)
// pairs and compares values alone, so that which of equal values are taken follows from the algorithm. A router whose
// experts tie (rows that were copied, or are still zero) sends its tokens where it did in PyTorch only if the algorithm is the same.
//
// Quickselect with the median of three (Hoare 1961, Musser 1997), and a heap where few of many are wanted.
#include "kernels.h"

struct ranked {
  float value;
  int32_t place;
};

/// True where `a` stands before `b`: larger, or not a number.
GRAFT_INLINE int before(struct ranked a, struct ranked b) { return (a.value != a.value && b.value == b.value) || a.value > b.value; }

GRAFT_INLINE void swap(struct ranked *a, struct ranked *b) {
  struct ranked held = *a;
  *a = *b;
  *b = held;
}

static void insertion_sort(struct ranked *a, long n) {
  for (long i = 1; i < n; i++) {
    struct ranked held = a[i];
    long hole = i;
    while (hole > 0 && before(held, a[hole - 1])) {
      a[hole] = a[hole - 1];
      hole--;
    }
    a[hole] = held;
  }
}

/// Moves the median of three elements to `to`.
static void take_median(struct ranked *to, struct ranked *a, struct ranked *b, struct ranked *c) {
  if (before(*a, *b)) swap(to, before(*b, *c) ? b : before(*a, *c) ? c : a);
  else swap(to, before(*a, *c) ? a : before(*b, *c) ? c : b);
}

/// Parts a[0, n) around the median of its second, middle and last elements; returns where the later part begins.
static long part(struct ranked *a, long n) {
  take_median(a, a + 1, a + n / 2, a + n - 1);
  struct ranked *low = a + 1, *high = a + n;
  for (;;) {
    while (before(*low, *a)) low++;
    high--;
    while (before(*a, *high)) high--;
    if (low >= high) return low - a;
    swap(low, high);
    low++;
  }
}

/// Lets `held` sink from the hole at `root` to the bottom of the heap a[0, n), whose root is its last, and rise to its place.
static void settle(struct ranked *a, long root, long n, struct ranked held) {
  long hole = root, child = root;
  while (child < (n - 1) / 2) {
    child = 2 * (child + 1);
    if (before(a[child], a[child - 1])) child--;
    a[hole] = a[child];
    hole = child;
  }
  if (n % 2 == 0 && child == (n - 2) / 2) {
    child = 2 * (child + 1);
    a[hole] = a[child - 1];
    hole = child - 1;
  }
  for (long parent = (hole - 1) / 2; hole > root && before(a[parent], held); parent = (hole - 1) / 2) {
    a[hole] = a[parent];
    hole = parent;
  }
  a[hole] = held;
}

/// Makes a[0, k) a heap of the first k of a[0, n).
static void select_by_heap(struct ranked *a, long k, long n) {
  for (long root = (k - 2) / 2; k > 1 && root >= 0; root--) settle(a, root, k, a[root]);
  for (long i = k; i < n; i++) {
    if (!before(a[i], a[0])) continue;
    struct ranked held = a[i];
    a[i] = a[0];
    settle(a, 0, k, held);
  }
}

/// Moves the first k of a[0, n) to the front.
static void select(struct ranked *a, long k, long n) {
  long first = 0, last = n, nth = k - 1;
  int rounds = 2 * (63 - __builtin_clzl((unsigned long)n));
  while (last - first > 3) {
    if (rounds-- == 0) {
      select_by_heap(a + first, k - first, last - first);
      swap(a + first, a + nth);
      return;
    }
    long cut = first + part(a + first, last - first);
    if (cut <= nth) first = cut;
    else last = cut;
  }
  insertion_sort(a + first, last - first);
}

void graft_top_k(int32_t *places, const float *a, long k, long rows, long columns) {
  struct ranked row[columns];
  for (long r = 0; r < rows; r++) {
    for (long i = 0; i < columns; i++) row[i] = (struct ranked){a[r * columns + i], (int32_t)i};
    if (64 * k <= columns) select_by_heap(row, k, columns);
    else select(row, k, columns);
    // Largest first; a sort that keeps the order of equals, of what the selection left in its own.
    insertion_sort(row, k);
    for (long i = 0; i < k; i++) places[r * k + i] = row[i].place;
  }
}
