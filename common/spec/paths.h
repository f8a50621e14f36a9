// The keys of a spec that name files and folders.
#pragma once

#include <functional>
#include <string_view>

#include "common/spec/tree.h"
#include "common/status.h"

namespace prefixmem::spec {

// Whether a file is named by a scheme (content://…, root://…) and not by a path.
bool has_scheme(std::string_view named);

// Of one of the keys model, data.train, data.validation, data.eval, eval.data.eval, a method's init
// and train.continue_from with its value, a scalar that is not empty and may be replaced.
using VisitPath = std::function<Status(std::string_view key, Tree& value)>;

// Visits all that a spec names, in itself and in the values of its sweep; what is no spec is left
// alone. Ends with the first failure.
Status each_path(Tree& spec, const VisitPath& visit);
// The same of what stands at one dotted path of a spec.
Status each_path_at(std::string_view path, Tree& value, const VisitPath& visit);

}  // namespace prefixmem::spec
