#include "common/proto/spec_proto.h"

#include "common/proto/message_tree.h"
#include "common/spec/spec_tree.h"

namespace prefixmem {

v1::JobSpec job_spec_to_proto(const JobSpec& spec) {
  v1::JobSpec message;
  spec::fill_message(spec::write_tree(spec), message);
  return message;
}

Result<JobSpec> job_spec_from_proto(const v1::JobSpec& message) {
  if (message.ByteSizeLong() > spec::kMaxBytes) {
    return invalid_argument("the spec is " + std::to_string(message.ByteSizeLong()) +
                            " bytes long; allowed: at most " + std::to_string(spec::kMaxBytes));
  }
  PM_ASSIGN(const spec::Tree tree, spec::tree_of(message));
  return spec::read_valid(tree);
}

}  // namespace prefixmem
