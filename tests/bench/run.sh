#!/bin/sh
# All benchmarks: tests/bench/run.sh MODEL_FOLDER [arguments of vs_peft.py]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
model=$1
shift
exec "$here/../../.deps/venv/bin/python" "$here/vs_peft.py" --model "$model" "$@"
