#!/usr/bin/env bash
# Formats every C++, Rust and Python source in place.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/sources.sh '*.cc' '*.h' | xargs -r .deps/venv/bin/clang-format -i
.deps/venv/bin/ruff check --quiet --fix
.deps/venv/bin/ruff format --quiet
while IFS= read -r manifest; do
  (cd "$(dirname "$manifest")" && cargo fmt)
done < <(scripts/sources.sh '*Cargo.toml')
