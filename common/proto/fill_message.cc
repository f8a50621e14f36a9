#include <google/protobuf/descriptor.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>

#include "common/proto/message_tree.h"
#include "prefixmem/v1/job.pb.h"

namespace prefixmem::spec {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

[[noreturn]] void mismatch(const Message& message, const std::string& key) {
  std::fprintf(stderr, "the schema's key %s does not fit message %s\n", key.c_str(),
               message.GetDescriptor()->full_name().c_str());
  std::abort();
}

const FieldDescriptor& field_of(const Message& message, const std::string& key) {
  const auto* field = message.GetDescriptor()->FindFieldByName(key);
  if (field == nullptr) mismatch(message, key);
  return *field;
}

template <class T>
T number_of(const Tree& tree, const Message& message) {
  T value{};
  const char* end = tree.scalar.data() + tree.scalar.size();
  const auto result = std::from_chars(tree.scalar.data(), end, value);
  if (result.ec != std::errc() || result.ptr != end) mismatch(message, tree.scalar);
  return value;
}

void fill_field(const Tree& tree, const FieldDescriptor& field, Message& message);

void fill_map(const Tree& tree, const FieldDescriptor& field, Message& message) {
  for (const auto& [key, value] : tree.entries) {
    Message& entry = *message.GetReflection()->AddMessage(&message, &field);
    fill_field(Tree::text(key), *field.message_type()->map_key(), entry);
    fill_field(value, *field.message_type()->map_value(), entry);
  }
}

void fill_list(const Tree& tree, const FieldDescriptor& field, Message& message) {
  const auto& reflection = *message.GetReflection();
  for (const Tree& item : tree.items) {
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      fill_message(item, *reflection.AddMessage(&message, &field));
    } else if (field.cpp_type() == FieldDescriptor::CPPTYPE_INT64) {
      reflection.AddInt64(&message, &field, number_of<int64_t>(item, message));
    } else {
      reflection.AddString(&message, &field, item.scalar);
    }
  }
}

void fill_field(const Tree& tree, const FieldDescriptor& field, Message& message) {
  const auto& reflection = *message.GetReflection();
  if (field.is_map()) return fill_map(tree, field, message);
  if (field.is_repeated()) return fill_list(tree, field, message);
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return fill_message(tree, *reflection.MutableMessage(&message, &field));
    case FieldDescriptor::CPPTYPE_STRING:
      return reflection.SetString(&message, &field, tree.scalar);
    case FieldDescriptor::CPPTYPE_INT64:
      return reflection.SetInt64(&message, &field, number_of<int64_t>(tree, message));
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return reflection.SetDouble(&message, &field, number_of<double>(tree, message));
    case FieldDescriptor::CPPTYPE_BOOL:
      return reflection.SetBool(&message, &field, tree.scalar == "true");
    default:
      mismatch(message, field.name());
  }
}

}  // namespace

void fill_message(const Tree& tree, Message& message) {
  if (auto* values = dynamic_cast<v1::SweepValues*>(&message)) {
    for (const Tree& item : tree.items) values->add_values(print_flow(item));
    return;
  }
  if (auto* trial = dynamic_cast<v1::SweepTrial*>(&message)) {
    for (const auto& [path, item] : tree.entries) {
      (*trial->mutable_overrides())[path] = print_flow(item);
    }
    return;
  }
  Message* body = &message;
  if (message.GetDescriptor()->real_oneof_decl_count() > 0) {
    const FieldDescriptor& alternative = field_of(message, tree.find("type")->scalar);
    body = message.GetReflection()->MutableMessage(&message, &alternative);
  }
  for (const auto& [key, value] : tree.entries) {
    if (body != &message && key == "type") continue;
    fill_field(value, field_of(*body, key), *body);
  }
}

}  // namespace prefixmem::spec
