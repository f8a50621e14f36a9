#!/usr/bin/env bash
# Builds coordinator, agent and client under a sanitizer and runs their unit tests: sanitize.sh [KIND ...], KIND
# address (with undefined) or thread; without one both, one after the other. Ends at the first finding.
# What the libraries do among themselves is not looked at: Debian builds them without the sanitizer.
set -euo pipefail
cd "$(dirname "$0")/.."
kinds=("$@")
[ ${#kinds[@]} -gt 0 ] || kinds=(address thread)

export ASAN_OPTIONS=detect_stack_use_after_return=1
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
export TSAN_OPTIONS=ignore_noninstrumented_modules=1:suppressions=$PWD/tests/thread.supp

for kind in "${kinds[@]}"; do
  case $kind in
    address) flags=address,undefined ;;
    thread) flags=thread ;;
    *) echo "sanitize: the kind is $kind; allowed: address or thread" >&2 && exit 2 ;;
  esac
  build=build-$kind
  cmake -S . -B "$build" -G Ninja "-DPREFIXMEM_SANITIZE=$flags" "-DPREFIXMEM_PARTS=agent;coordinator;client" >/dev/null
  cmake --build "$build" --parallel "${JOBS:-$(nproc)}"
  # Those of scripts ask all programs for their version, the trainer's too.
  ctest --test-dir "$build" --output-on-failure --no-tests=error -L unit -E '^scripts$' --parallel "${JOBS:-$(nproc)}"
done
