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
echo "== all GPU tests passed"
