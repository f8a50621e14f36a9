#!/usr/bin/env bash
# Fuzzes each target for FUZZ_SECONDS (60), one after the other: run.sh [TARGET ...]. Inputs that were
# found lie in build-fuzz/corpus/TARGET and serve the next run; one that breaks a target stops all and is
# left in build-fuzz/failures/.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${FUZZ_SECONDS:-60}
build="build-fuzz"

cmake -S . -B $build -G Ninja -DPREFIXMEM_FUZZ=ON \
  -DCMAKE_C_COMPILER=clang-16 -DCMAKE_CXX_COMPILER=clang++-16 >/dev/null
cmake --build $build --parallel "${JOBS:-$(nproc)}"

targets=("$@")
if [ ${#targets[@]} = 0 ]; then
  for seeds in tests/fuzz/seeds/*/; do targets+=("$(basename "$seeds")"); done
fi
for target in "${targets[@]}"; do
  mkdir -p $build/corpus/"$target" $build/failures
  echo "fuzz: $target for $seconds s"
  log=$build/$target.log status=0
  $build/bin/"$target"_fuzz -max_total_time="$seconds" -timeout=30 -rss_limit_mb=3072 -max_len=16384 \
    -print_final_stats=1 -artifact_prefix=$build/failures/"$target"- \
    $build/corpus/"$target" tests/fuzz/seeds/"$target" >"$log" 2>&1 || status=$?
  grep -E '^(==|SUMMARY|fuzz:|stat::|Done|artifact)|ERROR|#[0-9]+ .* in ' "$log" || true
  [ "$status" = 0 ] || { echo "fuzz: $target broke with status $status; see $log" >&2; exit 1; }
done
