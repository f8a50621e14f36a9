// Feeds a target without libFuzzer: replay SEEDS COUNT runs every file of the folder SEEDS, then
// COUNT damaged forms of them, the same ones each time. Where the target dies, its input is left
// in the file "fuzz-failure" of the current folder.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "common/files.h"
#include "tests/fuzz/mutate.h"
#include "tests/fuzz/outcome.h"

// AddressSanitizer's. The options: otherwise abort() would not come to the callback.
// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming)
extern "C" void __sanitizer_set_death_callback(void (*callback)());
extern "C" const char* __asan_default_options() { return "handle_abort=1"; }
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)

namespace {

namespace fs = std::filesystem;

const std::string* running = nullptr;

void keep_input() {
  if (running == nullptr) return;
  std::FILE* const file = std::fopen("fuzz-failure", "wb");
  if (file == nullptr) return;
  std::fwrite(running->data(), 1, running->size(), file);
  std::fclose(file);
  std::fprintf(stderr, "fuzz: the input is in fuzz-failure\n");
}

std::vector<std::string> read_seeds(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  std::vector<std::string> seeds;
  for (const auto& file : files) {
    auto bytes = prefixmem::read_file(file);
    prefixmem::fuzz::require(bytes.ok(), bytes.status().message());
    seeds.push_back(std::move(*bytes));
  }
  return seeds;
}

void run(const std::string& input) {
  const std::vector<uint8_t> exact(input.begin(), input.end());
  running = &input;
  LLVMFuzzerTestOneInput(exact.data(), exact.size());
  running = nullptr;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: %s SEEDS COUNT\n", argv[0]);
    return 2;
  }
  __sanitizer_set_death_callback(keep_input);
  const auto seeds = read_seeds(argv[1]);
  const long count = std::strtol(argv[2], nullptr, 10);
  prefixmem::fuzz::require(!seeds.empty() && count > 0, "nothing to run");
  for (const std::string& seed : seeds) run(seed);
  prefixmem::fuzz::Mutator mutator(1);
  for (long i = 0; i < count; ++i) run(mutator.next(seeds));
  std::printf("%zu seeds and %ld damaged forms of them\n", seeds.size(), count);
  return 0;
}
