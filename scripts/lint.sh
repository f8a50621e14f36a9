#!/usr/bin/env bash
# All style checks: lint.sh [BUILD]. BUILD (default: build) is a configured build folder for clang-tidy.
# Every check runs even when one before it fails; the last line says which failed.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
build=${1:-build}
bin=.deps/venv/bin
failed=()

check() {
  local name=$1 started=$SECONDS
  shift
  if "$@"; then
    echo "lint: $name ok ($((SECONDS - started)) s)"
  else
    failed+=("$name")
    echo "lint: $name FAILED"
  fi
}

cpp_format() { scripts/sources.sh '*.cc' '*.h' | xargs -r "$bin/clang-format" --dry-run -Werror; }
shell_style() { scripts/sources.sh '*.sh' .ci/run 'deploy/debian/*/p*' '*.sbatch' | xargs -r shellcheck --severity=warning; }
python_style() { "$bin/ruff" check --quiet && "$bin/ruff" format --check --quiet; }
proto_style() { scripts/sources.sh 'proto/prefixmem/*.proto' | xargs -r "$bin/python" scripts/lint_proto.py; }
cpp_tidy() {
  cmake --build "$build" --target prefixmem_proto >/dev/null && "$bin/python" scripts/clang_tidy.py "$build"
}
each_crate() {
  local manifest
  while IFS= read -r manifest; do
    (cd "$(dirname "$manifest")" && "$@") || return 1
  done < <(scripts/sources.sh '*Cargo.toml')
}
clippy() { CARGO_TARGET_DIR="$PWD/.deps/cache/clippy" each_crate cargo clippy --quiet --locked --all-targets -- -D warnings; }

check clang-format cpp_format
check shellcheck shell_style
check ruff python_style
check proto proto_style
check rustfmt each_crate cargo fmt --check
check clippy clippy
check clang-tidy cpp_tidy
if [ ${#failed[@]} -gt 0 ]; then
  echo "lint: failed: ${failed[*]}" >&2
  exit 1
fi
