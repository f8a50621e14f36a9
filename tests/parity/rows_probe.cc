// rows_probe FILE SPEC: the rows of a data file under the job spec, as one JSON list.
#include <iostream>
#include <nlohmann/json.hpp>

#include "common/spec/spec_io.h"
#include "worker/trainer/data/rows.h"

namespace prefixmem::trainer {
namespace {

int refuse(const Status& status) {
  std::cerr << status.to_string() << "\n";
  return exit_code(status);
}

int run(const std::filesystem::path& file, const std::filesystem::path& spec_file) {
  const auto spec = load_job_spec(spec_file);
  if (!spec.ok()) return refuse(spec.status());
  const auto rows = read_rows(file, spec->data);
  if (!rows.ok()) return refuse(rows.status());
  nlohmann::json out = nlohmann::json::array();
  for (const Row& row : *rows) {
    out.push_back({{"number", row.line},
                   {"text", row.text},
                   {"label", row.label},
                   {"messages", row.messages},
                   {"rejected", row.rejected},
                   {"chat", row.chat}});
  }
  std::cout << out.dump() << "\n";
  return 0;
}

}  // namespace
}  // namespace prefixmem::trainer

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: rows_probe FILE SPEC\n";
    return 2;
  }
  return prefixmem::trainer::run(argv[1], argv[2]);
}
