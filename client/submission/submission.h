// The text that `pmt submit` sends: the user's file with --set values put in, its paths made
// absolute and its benchmarks looked up.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "client/benchmarks/bind.h"
#include "common/status.h"

namespace prefixmem::client {

// `yaml` with every relative path of model, data.train, data.validation, data.eval, eval.data.eval
// and a method's init made absolute against `folder`, in the spec and in the values of its sweep,
// and with `settings` ("path=value", the value as YAML) put in; their relative paths are made
// absolute against `working_folder`. An empty path and what has a scheme (content://…) stay as they
// are. Then benchmarks become what `find` says (bind.h). What is no spec is left for the
// coordinator to refuse; INVALID_ARGUMENT for what is no YAML and for a setting without '=';
// failures of `find`.
Result<std::string> prepare_submission(std::string_view yaml, const std::filesystem::path& folder,
                                       const std::vector<std::string>& settings,
                                       const std::filesystem::path& working_folder,
                                       const FindBenchmark& find);

}  // namespace prefixmem::client
