# Sets up what is missing, builds, and runs. `make quickstart` is the first thing to try, `make test` runs every test.
# `make install` puts the program, its manual page, completions, recipes and data under PREFIX; `make dist` packs the same for machines
# without Swift.
# `make benchmark` measures (QUICK=1 for a few minutes; PYTHON names one with torch, transformers and peft, DATA a JSONL file with prompts and
# completions), `make guard` counts the instructions of a training step.
# `make torture`, `make sanitize` and `make mutate` take longer: kills, faults and damaged files by the thousand; checkers of memory and
# threads; small faults of the code, each of which a test must notice.

GRAFT := .build/release/graft
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

PREFIX := /usr/local
DESTDIR :=
installed = $(DESTDIR)$(PREFIX)
manual = $(installed)/share/man/man1/graft.1
bash = $(installed)/share/bash-completion/completions/graft
zsh = $(installed)/share/zsh/site-functions/_graft
fish = $(installed)/share/fish/vendor_completions.d/graft.fish

.PHONY: quickstart build test lint benchmark guard torture sanitize mutate install uninstall dist setup clean

quickstart: build
	$(GRAFT) train Recipes/quickstart.yaml --overwrite

build: setup
	swift build -c release --product graft

test: setup
	swift build -c release
	swift test -c release
	@# The matrix products of lesser processors, which the tests above never ran, and those of AMX by a model of its instruction.
	for tile in avx2 none amx-model; do GRAFT_MATRIX_TILE=$$tile swift test -c release --skip-build --filter GraftTensorsTests || exit 1; done

lint:
	swift format lint --strict --parallel --recursive Sources Tests Package.swift Scripts/fuzz

benchmark: build
	python3 Benchmarks/benchmark.py $(if $(QUICK),--quick) --python "$(PYTHON)" --data "$(DATA)" $(BENCHMARK_FLAGS)

guard: build
	@command -v valgrind >/dev/null 2>&1 || { \
	  echo "installing valgrind"; $(SUDO) apt-get update -qq && $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends valgrind; }
	GRAFT=$(GRAFT) python3 Benchmarks/guard.py

torture: build
	GRAFT=$(GRAFT) Scripts/torture/all

sanitize: setup
	Scripts/sanitize/all

mutate: setup
	python3 Scripts/mutate.py

# Takes what `make build` has built, so that root needs no compiler.
install: $(GRAFT)
	install -d $(installed)/bin $(dir $(manual) $(bash) $(zsh) $(fish)) $(installed)/share/graft $(installed)/share/doc/graft
	install -m 755 -s $(GRAFT) $(installed)/bin/graft
	$(GRAFT) manual > $(manual)
	$(GRAFT) --generate-completion-script bash > $(bash)
	$(GRAFT) --generate-completion-script zsh > $(zsh)
	$(GRAFT) --generate-completion-script fish > $(fish)
	tar -cf - --exclude=generated Recipes Data | tar -xf - -C $(installed)/share/graft
	tar -cf - README.md CHANGELOG.md SECURITY.md LICENSE Documentation | tar -xf - -C $(installed)/share/doc/graft

uninstall:
	rm -f $(installed)/bin/graft $(manual) $(bash) $(zsh) $(fish)
	rm -rf $(installed)/share/graft $(installed)/share/doc/graft

$(GRAFT):
	$(MAKE) build

dist: setup
	Scripts/dist

setup:
	@command -v swift >/dev/null 2>&1 || { echo "error: swift: not found; get Swift 6.3 from https://www.swift.org/install"; exit 1; }
	@missing=""; \
	for header in openblas:libopenblas-dev hdf5:libhdf5-dev libcrypto:libssl-dev zlib:zlib1g-dev libzstd:libzstd-dev libedit:libedit-dev; do \
	  command -v pkg-config >/dev/null 2>&1 && pkg-config --exists $${header%%:*} || missing="$$missing $${header##*:}"; \
	done; \
	command -v pkg-config >/dev/null 2>&1 || missing="$$missing pkg-config"; \
	if [ -n "$$missing" ]; then \
	  echo "installing$$missing (Debian packages)"; log=$$(mktemp); \
	  { $(SUDO) apt-get update -qq && $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends$$missing; } \
	    >$$log 2>&1 || { cat $$log; rm -f $$log; exit 1; }; \
	  rm -f $$log; \
	fi

clean:
	rm -rf .build .build-dist runs
