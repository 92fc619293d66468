# AddressSanitizer over the tests of the targets that handle memory of their own: the engine, the readers, tokenizers, JSON.
set -euo pipefail
scratch=.build-sanitize
# Leaks of libraries at the end of the process are not of interest; libhdf5 reads its own uninitialised padding.
export ASAN_OPTIONS=detect_leaks=0
swift build -c release --build-tests --sanitize address --scratch-path $scratch
swift test -c release --skip-build --sanitize address --scratch-path $scratch \
  --filter "${GRAFT_SANITIZE_FILTER:-GraftTensorsTests|GraftCheckpointsTests|GraftJSONTests|GraftTokenizersTests|GraftRegularExpressionsTests|GraftTemplatesTests|GraftOptimizersTests|GraftLayersTests|GraftModelsTests|GraftAdaptersTests}"
