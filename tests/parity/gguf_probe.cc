// gguf_probe FILE: reads a GGUF file as the trainer does and prints one JSON object,
//   {"tensor": sha256 of its values in fp32, row-major, …}
#include <ATen/ATen.h>

#include <iostream>
#include <nlohmann/json.hpp>

#include "common/sha256.h"
#include "worker/trainer/model/gguf_file.h"

namespace prefixmem::trainer {
namespace {

using nlohmann::json;

Status print_digests(const std::filesystem::path& path) {
  PM_ASSIGN(const GgufFile file, GgufFile::open(path));
  json digests = json::object();
  for (const auto& [name, entry] : file.tensors()) {
    PM_ASSIGN(const torch::Tensor values, file.tensor(name, at::kFloat));
    const torch::Tensor whole = values.contiguous();
    digests[name] = sha256_hex({static_cast<const char*>(whole.const_data_ptr()), whole.nbytes()});
  }
  std::cout << digests.dump() << "\n";
  return {};
}

}  // namespace
}  // namespace prefixmem::trainer

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: gguf_probe FILE\n";
    return 2;
  }
  const prefixmem::Status status = prefixmem::trainer::print_digests(argv[1]);
  if (!status.ok()) std::cerr << status.to_string() << "\n";
  return exit_code(status);
}
