#include "coordinator/core/content_files.h"

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>

#include <vector>

#include "common/content/content_name.h"
#include "common/spec/paths.h"
#include "common/spec/spec_tree.h"

namespace prefixmem {
namespace {

Status missing(const std::string& named, const std::string& what) {
  return failed_precondition(
      fmt::format("{}: {} is not in the store; upload it first, as pmt submit does for local files",
                  named, what));
}

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

void collect_of_field(const Message& message, const FieldDescriptor& field,
                      std::set<std::string>& names) {
  const auto& reflection = *message.GetReflection();
  const int count = field.is_repeated() ? reflection.FieldSize(message, &field) : 1;
  for (int i = 0; i < count; ++i) {
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      collect_content_names(field.is_repeated() ? reflection.GetRepeatedMessage(message, &field, i)
                                                : reflection.GetMessage(message, &field),
                            names);
    } else if (field.cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
      std::string kept;
      const std::string& text =
          field.is_repeated() ? reflection.GetRepeatedStringReference(message, &field, i, &kept)
                              : reflection.GetStringReference(message, &field, &kept);
      // Most texts are no such name, and to refuse one takes a sentence.
      if (names_content(text) && parse_content_name(text).ok()) names.insert(text);
    }
  }
}

}  // namespace

Result<std::string> read_blob(const store::Blobs& blobs, const std::string& sha256, size_t most) {
  PM_ASSIGN(const auto reader, blobs.read(sha256));
  std::string text;
  while (text.size() <= most) {
    PM_ASSIGN(const std::string part, reader->read(size_t{1} << 20));
    if (part.empty()) break;
    text += part;
  }
  return text;
}

Result<FolderList> read_folder_list(const store::Blobs& blobs, const std::string& sha256) {
  PM_ASSIGN(const std::string text, read_blob(blobs, sha256, kMaxFolderListBytes));
  return parse_folder_list(text);
}

void collect_content_names(const Message& message, std::set<std::string>& names) {
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) collect_of_field(message, *field, names);
}

Status collect_content_names(const JobSpec& spec, std::set<std::string>& names) {
  spec::Tree tree = spec::write_tree(spec);
  return spec::each_path(tree, [&](std::string_view, spec::Tree& value) {
    if (parse_content_name(value.scalar).ok()) names.insert(value.scalar);
    return Status();
  });
}

Result<FolderList> content_files(store::Reader& reader, const store::Blobs& blobs,
                                 const std::string& text) {
  PM_ASSIGN(const ContentName name, parse_content_name(text));
  PM_ASSIGN(const auto bytes, reader.content_bytes(name.sha256));
  if (!bytes) return missing(name.name, "sha256 " + name.sha256);
  if (!name.folder) return FolderList{{name.name, *bytes, name.sha256}};
  auto files = read_folder_list(blobs, name.sha256);
  if (!files.ok()) return files.status().with_context(text);
  for (const FolderFile& file : *files) {
    PM_ASSIGN(const auto there, reader.content_bytes(file.sha256));
    if (there && *there == file.bytes) continue;
    return missing(name.name, fmt::format("its file {} of {} bytes with sha256 {}", file.path,
                                          file.bytes, file.sha256));
  }
  return files;
}

}  // namespace prefixmem
