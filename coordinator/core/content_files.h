// What content is made of.
#pragma once

#include <google/protobuf/message.h>

#include <set>
#include <string>

#include "common/content/folder_list.h"
#include "common/spec/job_spec.h"
#include "coordinator/store/blobs.h"
#include "coordinator/store/reader.h"

namespace prefixmem {

// Of a content://… the files of the folder, or the file itself under its name. INVALID_ARGUMENT for
// a text that is no such name and for a folder whose list is none; FAILED_PRECONDITION where some
// of it is not in the store.
Result<FolderList> content_files(store::Reader& reader, const store::Blobs& blobs,
                                 const std::string& text);

// The bytes of a blob; of one with more than `most` some more than those.
Result<std::string> read_blob(const store::Blobs& blobs, const std::string& sha256, size_t most);

// What the folder with that digest holds, whether or not it is in the store. NOT_FOUND,
// INVALID_ARGUMENT, …
Result<FolderList> read_folder_list(const store::Blobs& blobs, const std::string& sha256);

// Every content://… that a job's spec names; quick, for there may be thousands.
void collect_content_names(const google::protobuf::Message& spec, std::set<std::string>& names);
// The same of one with a sweep, whose values may name some too.
Status collect_content_names(const JobSpec& spec, std::set<std::string>& names);

}  // namespace prefixmem
