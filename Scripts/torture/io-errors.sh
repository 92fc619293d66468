# EIO at every call that reads or writes a file, of every command: an error line each.
set -euo pipefail
GRAFT_TORTURE=1 swift test -c release --filter SystemFailureTests
