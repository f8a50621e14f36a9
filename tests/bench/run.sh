#!/bin/sh
# Every benchmark that has a bar, then one table and one plot: tests/bench/run.sh MODEL_FOLDER [FOLDER]
# The records, bars.md and bars.svg go to FOLDER (build/bench); fails where losses disagree.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
repository=$(cd "$here/../.." && pwd)
model=$1
out=${2:-${PREFIXMEM_BUILD:-$repository/build}/bench}
python=$repository/.deps/venv/bin/python
mkdir -p "$out"
status=0
"$python" "$here/machine.py" "$out/machine.json"
run() {
  echo "== $*"
  bench=$1
  shift
  "$python" "$here/$bench.py" --model "$model" --out "$out" "$@" || status=1
}
run sft --shape gemma
run sft --shape qwen --dtypes bf16
for bench in classification evaluation dpo sweep step transfer; do run $bench; done
"$python" "$here/summary.py" "$out" || status=1
exit $status
