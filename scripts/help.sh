#!/usr/bin/env bash
# Lists what `make` can do.
cat <<'TEXT'
make demo [MODEL=DIR]  set up, build, train a small sweep on this machine and print its table
make test              set up, lint, build, run every test
make test-upgrade      the upgrade from the commit before (REF=HEAD^) to this one and back, under a job
make build             set up and build; the programs land in build/bin/
make setup             install what is missing (system packages; everything else under .deps/)
make bundle            packages, all that they need and checksums in one file, for hosts without network
make bench [MODEL=DIR] benchmarks against Hugging Face PEFT
make chaos             harm a service that trains for MINUTES (30) and check that nothing is lost
make fuzz              fuzz each reader of foreign bytes for FUZZ_SECONDS (60); installs clang for it
make sanitize          unit tests of coordinator and agent under sanitizers (KIND=address or thread)
make lint              clang-format, clang-tidy, rustfmt, clippy, ruff, proto and shell style
make format            format every source file in place
make clean             remove the build folders
make clean-all         remove the build folders and .deps/
TEXT
