// Any message of the job spec as a spec::Tree and back, by field names.
//
// A oneof named `type` is a union: the set field's name is the key `type`, its fields are the other
// keys. SweepValues and SweepTrial hold YAML texts, which are parsed and printed here.
#pragma once

#include <google/protobuf/message.h>

#include "common/spec/tree.h"
#include "common/status.h"

namespace prefixmem::spec {

// Absent fields are absent keys. Fails only on a sweep value that is no YAML.
Result<Tree> tree_of(const google::protobuf::Message& message);

// Every key of `tree` must be a field of the right type, which write_tree's are (a test compares
// the schema with the descriptors); otherwise the program ends.
void fill_message(const Tree& tree, google::protobuf::Message& message);

}  // namespace prefixmem::spec
