// Files of this host, by their content, to the coordinator.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "client/channel/server.h"
#include "common/content/content_name.h"

namespace prefixmem::client {

struct LocalContent {
  std::string sha256;
  int64_t bytes = 0;
  std::filesystem::path file;  // empty: `text` is the content
  std::string text = {};
};

// Reads the file once. NOT_FOUND, …
Result<LocalContent> content_of_file(const std::filesystem::path& file);
// Every file of the folder, then the list of them, whose digest is the folder's.
Result<std::vector<LocalContent>> content_of_folder(const std::filesystem::path& folder);

// A file or a folder under the name that a spec has for it.
struct NamedContent {
  ContentName name;
  std::vector<LocalContent> contents;  // a folder's list last
};

// INVALID_ARGUMENT where no spec can name it.
Result<NamedContent> content_of(const std::filesystem::path& path);

struct Sent {
  int files = 0;      // of this host; a folder's list is none
  int64_t bytes = 0;  // less than their sizes where the coordinator had a part
};

// "sent 3 files, 1.2 MiB".
std::string sent_text(const Sent& sent);

// Sends, in their order, those that the coordinator has not. A call that breaks is gone on with
// where it stopped, until it has brought nothing five times in a row. DATA_LOSS where a file has
// changed since it was read, RESOURCE_EXHAUSTED where the coordinator has no room.
Result<Sent> upload(Server& server, const std::vector<LocalContent>& contents);

}  // namespace prefixmem::client
