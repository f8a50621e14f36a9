#include "common/spec/spec_io.h"

#include "common/files.h"
#include "common/spec/spec_tree.h"

namespace prefixmem {

Result<JobSpec> parse_job_spec(std::string_view yaml) {
  PM_ASSIGN(const spec::Tree tree, spec::parse_tree(yaml));
  return spec::read_valid(tree);
}

Result<JobSpec> load_job_spec(const std::filesystem::path& file) {
  const auto bytes = read_file(file, spec::kMaxBytes);
  if (!bytes.ok()) return bytes.status().with_context("job spec");
  auto spec = parse_job_spec(*bytes);
  if (!spec.ok()) return spec.status().with_context(file.string());
  return spec;
}

std::string to_yaml(const JobSpec& spec) { return spec::print_tree(spec::write_tree(spec)); }

}  // namespace prefixmem
