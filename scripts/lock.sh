#!/usr/bin/env bash
# Works out requirements/lock.txt (every transitive pin, with hashes) from the three requirement files.
set -euo pipefail
cd "$(dirname "$0")/.."
exec .deps/venv/bin/uv pip compile requirements/build.txt requirements/test.txt requirements/lint.txt \
  --generate-hashes --python-version 3.11 --no-annotate --no-header --output-file requirements/lock.txt "$@"
