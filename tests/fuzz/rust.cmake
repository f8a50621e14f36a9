# The Rust library built for libFuzzer: its own code counts edges, its C parts (the regular
# expressions of tokenizers, zstd) are under AddressSanitizer as well. rustc's own sanitizers would
# need a nightly compiler.
execute_process(COMMAND rustc -vV OUTPUT_VARIABLE rustc_says COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCH "host: ([^\n]+)" ignored "${rustc_says}")
set(PREFIXMEM_CARGO_TARGET ${CMAKE_MATCH_1})
string(REPLACE "-" "_" triple ${PREFIXMEM_CARGO_TARGET})

string(JOIN " " rust_flags
  -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4
  -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table
  -Cllvm-args=-sanitizer-coverage-trace-compares -Cdebug-assertions=on)
# The target is named so that the flags keep away from what cargo runs while it builds.
set(PREFIXMEM_CARGO_ENV
  CARGO_BUILD_TARGET=${PREFIXMEM_CARGO_TARGET}
  "RUSTFLAGS=${rust_flags}"
  CC_${triple}=${CMAKE_C_COMPILER}
  "CFLAGS_${triple}=-fsanitize=address,fuzzer-no-link -fno-omit-frame-pointer")
