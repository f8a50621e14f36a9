#include <google/protobuf/descriptor.h>

#include <vector>

#include "common/proto/message_tree.h"
#include "common/spec/limit.h"
#include "common/spec/utf8.h"
#include "prefixmem/v1/job.pb.h"

namespace prefixmem::spec {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// The field's only value, or element `index` of a repeated one.
class Value {
 public:
  Value(const Message& message, const FieldDescriptor& field, int index = -1)
      : message_(message), field_(field), index_(index) {}

  Result<Tree> tree() const {
    switch (field_.cpp_type()) {
      case FieldDescriptor::CPPTYPE_MESSAGE:
        return tree_of(message());
      case FieldDescriptor::CPPTYPE_STRING:
        return Tree::text(text());
      case FieldDescriptor::CPPTYPE_INT64:
        return Tree::plain(std::to_string(whole()));
      case FieldDescriptor::CPPTYPE_DOUBLE:
        return Tree::plain(number_text(reflection().GetDouble(message_, &field_)));
      case FieldDescriptor::CPPTYPE_BOOL:
        return Tree::plain(reflection().GetBool(message_, &field_) ? "true" : "false");
      default:
        return internal_error("field " + field_.full_name() + " has a type that no key has");
    }
  }

  const Message& message() const {
    return index_ < 0 ? reflection().GetMessage(message_, &field_)
                      : reflection().GetRepeatedMessage(message_, &field_, index_);
  }
  std::string text() const {
    return index_ < 0 ? reflection().GetString(message_, &field_)
                      : reflection().GetRepeatedString(message_, &field_, index_);
  }
  int64_t whole() const {
    return index_ < 0 ? reflection().GetInt64(message_, &field_)
                      : reflection().GetRepeatedInt64(message_, &field_, index_);
  }

 private:
  const google::protobuf::Reflection& reflection() const { return *message_.GetReflection(); }

  const Message& message_;
  const FieldDescriptor& field_;
  const int index_;
};

Result<Tree> tree_of_values(const v1::SweepValues& values) {
  Tree list = Tree::list();
  for (const std::string& yaml : values.values()) {
    PM_ASSIGN(Tree item, parse_tree(yaml));
    list.items.push_back(std::move(item));
  }
  return list;
}

Result<Tree> tree_of_trial(const v1::SweepTrial& trial) {
  Tree map = Tree::map();
  for (const auto& [path, yaml] : trial.overrides()) {
    PM_ASSIGN(Tree item, parse_tree(yaml));
    map.entries.push_back({path, std::move(item)});
  }
  return map;
}

Result<Tree> tree_of_map(const Message& message, const FieldDescriptor& field) {
  Tree map = Tree::map();
  const FieldDescriptor& key = *field.message_type()->map_key();
  const FieldDescriptor& value = *field.message_type()->map_value();
  for (int i = 0; i < message.GetReflection()->FieldSize(message, &field); ++i) {
    const Message& entry = Value(message, field, i).message();
    const std::string name = Value(entry, key).text();
    auto item = Value(entry, value).tree();
    if (!item.ok()) return item.status().with_context(field.name() + "." + shortened(name, 80));
    map.entries.push_back({name, std::move(item).value()});
  }
  return map;
}

Result<Tree> tree_of_list(const Message& message, const FieldDescriptor& field) {
  Tree list = Tree::list();
  for (int i = 0; i < message.GetReflection()->FieldSize(message, &field); ++i) {
    auto item = Value(message, field, i).tree();
    if (!item.ok()) {
      return item.status().with_context(field.name() + "[" + std::to_string(i) + "]");
    }
    list.items.push_back(std::move(item).value());
  }
  return list;
}

Result<Tree> tree_of_union(const Message& message, const FieldDescriptor& set_field) {
  Tree map = Tree::map();
  map.set("type", Tree::text(set_field.name()));
  PM_ASSIGN(Tree body, Value(message, set_field).tree());
  for (auto& [key, value] : body.entries) map.set(key, std::move(value));
  return map;
}

}  // namespace

Result<Tree> tree_of(const Message& message) {
  if (const auto* values = dynamic_cast<const v1::SweepValues*>(&message)) {
    return tree_of_values(*values);
  }
  if (const auto* trial = dynamic_cast<const v1::SweepTrial*>(&message)) {
    return tree_of_trial(*trial);
  }
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  Tree map = Tree::map();
  for (const FieldDescriptor* field : fields) {
    if (field->real_containing_oneof() != nullptr) return tree_of_union(message, *field);
    auto value = field->is_map()        ? tree_of_map(message, *field)
                 : field->is_repeated() ? tree_of_list(message, *field)
                                        : Value(message, *field).tree();
    if (!value.ok()) return value.status();
    map.set(field->name(), std::move(value).value());
  }
  return map;
}

}  // namespace prefixmem::spec
