#!/usr/bin/env bash
# Our products of matrices beside oneDNN's (Debian: libdnnl-dev) on one thread, as a table.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for source in Sources/CKernels/*.c; do
  clang -O2 -std=gnu17 -ISources/CKernels/include -c "$source" -o "$folder/$(basename "$source").o"
done
clang++ -O2 -std=c++17 -ISources/CKernels/include Benchmarks/yardstick.cpp "$folder"/*.o -ldnnl -lm -lpthread -o "$folder/yardstick"
OMP_NUM_THREADS=1 "$folder/yardstick"
