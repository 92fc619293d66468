# Sets up what is missing, builds, and runs. `make quickstart` is the first thing to try, `make test` runs every test.
# `make torture`, `make sanitize` and `make mutate` take longer: kills, faults and damaged files by the thousand; checkers of memory and
# threads; small faults of the code, each of which a test must notice.

GRAFT := .build/release/graft
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

.PHONY: quickstart build test lint torture sanitize mutate setup clean

quickstart: build
	$(GRAFT) train Recipes/quickstart.yaml --overwrite

build: setup
	swift build -c release --product graft

test: setup
	swift build -c release
	swift test -c release
	@# The matrix products of lesser processors, which the tests above never ran.
	for tile in avx2 none; do GRAFT_MATRIX_TILE=$$tile swift test -c release --skip-build --filter GraftTensorsTests || exit 1; done

lint:
	swift format lint --strict --parallel --recursive Sources Tests Package.swift Scripts/fuzz

torture: build
	GRAFT=$(GRAFT) Scripts/torture/all

sanitize: setup
	Scripts/sanitize/all

mutate: setup
	python3 Scripts/mutate.py

setup:
	@missing=""; \
	for header in openblas:libopenblas-dev hdf5:libhdf5-dev libcrypto:libssl-dev zlib:zlib1g-dev; do \
	  command -v pkg-config >/dev/null 2>&1 && pkg-config --exists $${header%%:*} || missing="$$missing $${header##*:}"; \
	done; \
	command -v pkg-config >/dev/null 2>&1 || missing="$$missing pkg-config"; \
	if [ -n "$$missing" ]; then \
	  echo "installing$$missing (Debian packages)"; \
	  $(SUDO) apt-get update -qq && $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends$$missing; \
	fi

clean:
	rm -rf .build runs
