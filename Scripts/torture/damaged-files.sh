# 20,000 damaged files for every reader: refused, or read as what they are.
set -euo pipefail
GRAFT_FUZZ_COUNT=${GRAFT_FUZZ_COUNT:-20000} swift test -c release --filter "FuzzTests|DamagedInputTests"
