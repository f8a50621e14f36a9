#!/usr/bin/env bash
# Prints the files of this repository that match the given patterns, tracked or new, one a line.
set -euo pipefail
cd "$(dirname "$0")/.."
git ls-files --cached --others --exclude-standard -- "$@" | sort -u | while IFS= read -r file; do
  [ ! -f "$file" ] || printf '%s\n' "$file"
done
