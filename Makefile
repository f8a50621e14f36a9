# The commands of the project. Each line calls CMake, ctest or a script that a person could call.
BUILD ?= build
JOBS ?= $(shell nproc)
# Entries of ctest at once: end-to-end tests wait for half of their time.
TESTS ?= $(shell echo $$(($(JOBS) + 1)))
# Threads that wait leave the cores to other entries.
PASSIVE_WAITS := OMP_WAIT_POLICY=PASSIVE
MODEL ?=
PYTHON := .deps/venv/bin/python
MODEL_FOLDER = $(or $(MODEL),"$$($(PYTHON) scripts/fetch_model.py gemma3-270m)")

ifneq ($(wildcard ../shared/data),)
  export PREFIXMEM_DATA ?= $(abspath ../shared/data)
endif
ifneq ($(wildcard ../shared),)
  export PREFIXMEM_SHARED ?= $(abspath ../shared)
endif

.PHONY: help setup configure build test test-upgrade bundle demo bench chaos fuzz sanitize lint format clean clean-all
.NOTPARALLEL:

help:
	@scripts/help.sh

setup:
	@scripts/setup.sh

configure: setup
	@cmake -S . -B $(BUILD) -G Ninja

build: configure
	cmake --build $(BUILD) --parallel $(JOBS)

lint: configure
	scripts/lint.sh $(BUILD)

test: lint build
	$(PASSIVE_WAITS) ctest --test-dir $(BUILD) --output-on-failure --no-tests=error --timeout 900 --parallel $(TESTS)

test-upgrade: build
	tests/e2e/upgrade.sh $(BUILD) $(REF)

bundle: build
	$(PYTHON) deploy/bundle/bundle.py --build $(BUILD)

demo: build
	$(PYTHON) deploy/local/demo.py --model $(MODEL_FOLDER)

bench: build
	tests/bench/run.sh $(MODEL_FOLDER)

chaos: build
	$(PYTHON) tests/chaos/chaos.py --minutes $(or $(MINUTES),30)

fuzz: setup
	scripts/setup.sh fuzz
	tests/fuzz/run.sh

sanitize: setup
	tests/sanitize.sh $(KIND)

format: setup
	scripts/format.sh

clean:
	rm -rf $(BUILD) build-fuzz build-address build-thread

clean-all: clean
	rm -rf .deps
