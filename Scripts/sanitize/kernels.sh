# AddressSanitizer and UndefinedBehaviorSanitizer over every C kernel, ThreadSanitizer over the pool of threads.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
kernels=$(ls Sources/CKernels/*.c)

# The kernels' own tiles are one binary for every processor; each is chosen in turn.
clang -fuse-ld=lld -g -O1 -std=gnu17 -ISources/CKernels/include -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -Wno-pass-failed \
  Scripts/sanitize/kernels.c $kernels -lm -lpthread -o "$folder/kernels"
for tile in "" avx2 none; do
  GRAFT_MATRIX_TILE=$tile "$folder/kernels"
done

# The toolchain's ThreadSanitizer knows Grand Central Dispatch and asks for it.
swift=$(dirname "$(dirname "$(readlink -f "$(command -v clang)")")")/lib/swift/linux
clang -fuse-ld=lld -g -O1 -std=gnu17 -ISources/CKernels/include -fsanitize=thread Scripts/sanitize/pool.c Sources/CKernels/thread_pool.c \
  -L"$swift" -Wl,-rpath,"$swift" -ldispatch -lBlocksRuntime -lpthread -o "$folder/pool"
"$folder/pool"
