#!/bin/sh
# All GPU tests in one command, on a machine with a CUDA device: tests/gpu/run.sh [BUILD_FOLDER]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
repo=$(cd "$here/../.." && pwd)
build=${1:-$repo/build}
python=$repo/.deps/venv/bin/python
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

echo "== tiny model"
PYTHONPATH=$repo/tests/trainer "$python" -c \
  "import pathlib, sys, conftest; conftest.write_model(pathlib.Path(sys.argv[1]))" "$work/model"

echo "== CUDA forward, gradients and training against the CPU"
PREFIXMEM_TEST_MODEL=$work/model "$build/tests/cuda_test"

echo "== collective, one rank on the GPU"
PREFIXMEM_TEST_DEVICE=cuda "$build/tests/collective_test"

echo "== NCCL, two ranks (a host id of its own for each lets them share one GPU)"
export PREFIXMEM_TEST_DEVICE=cuda PREFIXMEM_TEST_RANKS=2
mpirun --allow-run-as-root --oversubscribe --bind-to none -n 2 \
  sh -c 'NCCL_HOSTID=rank$OMPI_COMM_WORLD_RANK exec "$0"' "$build/tests/collective_test"

echo "== a base in parts on two ranks: the bits of a whole one"
for i in 1 2 3 4 5 6; do printf '{"text": "card %s lost", "label": "%s"}\n' $i $((i % 3)); done > "$work/train.jsonl"
for parts in false true; do
  cat > "$work/$parts.yaml" <<END
name: parts
model: $work/model
method: {type: lora, r: 4, alpha: 8}
data: {train: $work/train.jsonl, format: text_label}
train: {max_steps: 6, global_batch_size: 5, micro_batch_tokens: 30, learning_rate: 0.02, dtype: bf16}
resources: {ranks: 2, device: cuda, shard_base: $parts}
END
  mpirun --allow-run-as-root --oversubscribe --bind-to none -n 2 \
    sh -c 'NCCL_HOSTID=rank$OMPI_COMM_WORLD_RANK exec "$@"' sh \
    "$build/bin/pmt-trainer" "$work/$parts.yaml" --out "$work/$parts"
done
cmp "$work/false/adapter/adapter_model.safetensors" "$work/true/adapter/adapter_model.safetensors"
echo "== all GPU tests passed"
