#!/usr/bin/env bash
# Alternates graft and PyTorch + PEFT on the same checkpoint: LoRA training in float32, medians of several rounds.
#
#   Benchmarks/measure.sh PYTHON PEER_SCRIPT MODEL_DIR PRESET BATCH LENGTH [ROUNDS]
#
# PYTHON has torch, transformers and peft; PEER_SCRIPT prints one JSON line with tokens_per_s and peak_rss_mb for
# `train --preset PRESET --method lora --dtype fp32`. Set MKL_SHIM to a library to preload for PyTorch at its best.
set -euo pipefail
python=$1 peer=$2 models=$3 preset=$4 batch=$5 length=$6 rounds=${7:-3}
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE
for _ in $(seq "$rounds"); do
  .build/release/graft bench --model "$models/$preset" --method lora --batch-size "$batch" --sequence-length "$length" --json |
    python3 -c 'import json, sys; d = json.load(sys.stdin); print("graft            %9.1f tok/s %6d MB" % (d["tokens_per_second"], d["peak_memory_bytes"] >> 20))'
  for shim in "" ${MKL_SHIM:+"$MKL_SHIM"}; do
    LD_PRELOAD=$shim "$python" "$peer" train --preset "$preset" --method lora --dtype fp32 --models "$models" --no-flops 2>/dev/null |
      shim=$shim python3 -c 'import json, os, sys; d = json.loads(sys.stdin.read().splitlines()[-1]); print("torch%-11s %9.1f tok/s %6d MB" % (" (shim)" if os.environ["shim"] else "", d["tokens_per_s"], d["peak_rss_mb"]))'
  done
done
