#include "client/commands/spec_file.h"

#include <istream>
#include <iterator>

#include "client/submission/submission.h"
#include "common/files.h"
#include "common/spec/tree.h"

namespace prefixmem::client {
namespace {

Result<std::string> read_text(const std::string& file, Session& session) {
  if (file == "-") return std::string(std::istreambuf_iterator<char>(session.env.in), {});
  return read_file(session.env.working_folder / file, spec::kMaxBytes);
}

Result<std::string> prepare(const SpecFile& spec, Session& session) {
  const std::filesystem::path& here = session.env.working_folder;
  const auto folder = spec.file == "-" ? here : (here / spec.file).parent_path();
  PM_ASSIGN(const std::string text, read_text(spec.file, session));
  return prepare_submission(text, folder, spec.settings, here, spec.places.finder(session));
}

}  // namespace

void add_spec_options(CLI::App& command, SpecFile& spec) {
  command
      .add_option("--set", spec.settings,
                  "PATH=VALUE: a value of the spec, e.g. train.seed=1; may be repeated")
      ->allow_extra_args(false);
  add_benchmark_options(command, spec.places);
}

Result<std::string> read_spec(const SpecFile& spec, Session& session) {
  auto text = prepare(spec, session);
  if (text.ok()) return text;
  return text.status().with_context(spec.file == "-" ? "standard input" : spec.file);
}

}  // namespace prefixmem::client
