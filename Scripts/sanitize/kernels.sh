# AddressSanitizer and UndefinedBehaviorSanitizer over every C kernel, ThreadSanitizer over the pool of threads.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
kernels=$(ls Sources/CKernels/*.c | grep -v 'few_rows\|pair_packing')

# The kernels' own tiles are one binary for every processor; each is chosen in turn.
# Products of few rows and the packing of pairs are unrolled so far that checks in line would take minutes to compile: they are calls,
# and only those of addresses.
for unrolled in few_rows pair_packing; do
  clang -g -O1 -std=gnu17 -ISources/CKernels/include -fsanitize=address -mllvm -asan-instrumentation-with-call-threshold=0 -Wno-pass-failed \
    -c "Sources/CKernels/$unrolled.c" -o "$folder/$unrolled.o"
done
clang -fuse-ld=lld -g -O1 -std=gnu17 -ISources/CKernels/include -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -Wno-pass-failed \
  Scripts/sanitize/kernels.c $kernels "$folder/few_rows.o" "$folder/pair_packing.o" -lm -lpthread -o "$folder/kernels"
# `amx-model` is the path of AMX with its instruction in plain C.
for tile in "" amx-model avx2 none; do
  GRAFT_MATRIX_TILE=$tile "$folder/kernels"
done

# Conversions in every instruction set that this processor has, one at a time: without the attribute that makes one binary of all.
sets="-O2"
if [ "$(uname -m)" = x86_64 ]; then
  sets="-march=x86-64"
  grep -qw avx2 /proc/cpuinfo && sets="$sets -march=x86-64-v3"
  grep -qw avx512bw /proc/cpuinfo && sets="$sets -march=x86-64-v4"
fi
for set in $sets; do
  clang -fuse-ld=lld -g -O2 "$set" '-Dtarget_clones(...)=' -std=gnu17 -ISources/CKernels/include -fsanitize=address,undefined -fno-sanitize-recover=all \
    -Wno-pass-failed Scripts/sanitize/conversions.c Sources/CKernels/conversions.c -lm -o "$folder/conversions"
  "$folder/conversions"
done

# The toolchain's ThreadSanitizer knows Grand Central Dispatch and asks for it.
swift=$(dirname "$(dirname "$(readlink -f "$(command -v clang)")")")/lib/swift/linux
clang -fuse-ld=lld -g -O1 -std=gnu17 -ISources/CKernels/include -fsanitize=thread Scripts/sanitize/pool.c Sources/CKernels/thread_pool.c \
  -L"$swift" -Wl,-rpath,"$swift" -ldispatch -lBlocksRuntime -lpthread -o "$folder/pool"
"$folder/pool"
