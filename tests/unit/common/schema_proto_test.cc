// One schema, two spellings: each key of YAML is a field of the proto and the reverse.
#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "common/spec/keys.h"
#include "prefixmem/v1/job.pb.h"

namespace prefixmem {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

// "method.r (lora)" → what kind of value.
using Keys = std::map<std::string, std::string>;

std::string kind_of(const FieldDescriptor& field) {
  const bool values = field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE &&
                      field.message_type() == v1::SweepValues::descriptor();
  if (field.is_map()) return "map";
  if (field.is_repeated() || values) return "list";
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
      return "text";
    case FieldDescriptor::CPPTYPE_INT64:
      return "whole number";
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return "number";
    case FieldDescriptor::CPPTYPE_BOOL:
      return "bool";
    default:
      return "section";
  }
}

std::string kind_of(const spec::KeyInfo& key) {
  if (key.section) return "section";
  if (key.allowed.starts_with("a map")) return "map";
  if (key.allowed.starts_with("a list")) return "list";
  if (key.allowed.starts_with("a whole number")) return "whole number";
  if (key.allowed.starts_with("a number")) return "number";
  return key.allowed == "true or false" ? "bool" : "text";
}

// The values of a map of unions; null for any other field.
const Descriptor* union_in(const FieldDescriptor& field) {
  if (!field.is_map()) return nullptr;
  const Descriptor* value = field.message_type()->map_value()->message_type();
  return value != nullptr && value->real_oneof_decl_count() > 0 ? value : nullptr;
}

void add_fields(const Descriptor& message, const std::string& prefix, const std::string& type,
                Keys& keys) {
  for (int i = 0; i < message.field_count(); ++i) {
    const FieldDescriptor& field = *message.field(i);
    if (field.real_containing_oneof() != nullptr) {
      add_fields(*field.message_type(), prefix, " (" + field.name() + ")", keys);
      continue;
    }
    const std::string kind = kind_of(field);
    keys[prefix + field.name() + type] = kind;
    EXPECT_TRUE(kind == "map" || kind == "list" || field.has_presence())
        << field.full_name() << " must be optional, so that an absent one takes its default";
    if (kind == "section") add_fields(*field.message_type(), prefix + field.name() + ".", "", keys);
    if (const Descriptor* value = union_in(field); value != nullptr) {
      add_fields(*value, prefix + field.name() + ".<key>.", "", keys);
    }
  }
}

TEST(Schema, YamlAndProtoHaveTheSameKeys) {
  Keys of_proto, of_yaml;
  add_fields(*v1::JobSpec::descriptor(), "", "", of_proto);
  for (const spec::KeyInfo& key : spec::schema_keys()) {
    of_yaml[key.path + (key.union_type.empty() ? "" : " (" + key.union_type + ")")] = kind_of(key);
  }
  EXPECT_EQ(of_yaml, of_proto);
}

TEST(Schema, UnionsHaveTheSameTypes) {
  for (const auto& [key, message] :
       std::map<std::string, const Descriptor*>{{"method", v1::MethodSpec::descriptor()},
                                                {"objective", v1::ObjectiveSpec::descriptor()},
                                                {"sweep.search", v1::SearchSpec::descriptor()}}) {
    std::string types;
    for (int i = 0; i < message->field_count(); ++i) {
      types += (types.empty() ? "" : ", ") + message->field(i)->name();
    }
    for (const spec::KeyInfo& info : spec::schema_keys()) {
      if (info.path == key) {
        EXPECT_EQ(info.allowed, types);
      }
    }
  }
}

}  // namespace
}  // namespace prefixmem
