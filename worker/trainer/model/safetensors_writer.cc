#include "worker/trainer/model/safetensors_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "common/files.h"
#include "common/id.h"

namespace prefixmem::trainer {

namespace fs = std::filesystem;

namespace {

// Where `value` stands as a whole JSON string; quotes inside of one would be escaped.
size_t find_value(std::string_view json, std::string_view value) {
  size_t at = json.find(value);
  while (at != std::string_view::npos && (json[at - 1] != '"' || json[at - 2] != ':')) {
    at = json.find(value, at + 1);
  }
  return at;
}

}  // namespace

Result<SafetensorsWriter> SafetensorsWriter::create(
    const fs::path& file, const std::vector<TensorShape>& tensors,
    const std::map<std::string, std::string>& metadata) {
  const fs::path temporary = file.string() + new_id("") + ".tmp";
  Fd fd(open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!fd.valid()) return from_errno("creating " + file.string(), errno);
  SafetensorsWriter writer(file, temporary, std::move(fd),
                           safetensors_header_bytes(tensors, metadata));
  for (const TensorShape& tensor : tensors) writer.expected_ += tensor.bytes();
  PM_TRY(write_all(writer.fd_.get(), writer.header_, file.string()));
  return writer;
}

SafetensorsWriter::SafetensorsWriter(fs::path file, fs::path temporary, Fd fd, std::string header)
    : file_(std::move(file)),
      temporary_(std::move(temporary)),
      fd_(std::move(fd)),
      header_(std::move(header)) {}

SafetensorsWriter::~SafetensorsWriter() {
  if (fd_.valid()) unlink(temporary_.c_str());
}

Status SafetensorsWriter::append(const torch::Tensor& values) {
  const torch::Tensor host = values.detach().cpu().contiguous();
  const std::string_view bytes(static_cast<const char*>(host.const_data_ptr()), host.nbytes());
  digest_.update(bytes);
  written_ += static_cast<int64_t>(bytes.size());
  return write_all(fd_.get(), bytes, file_.string());
}

Result<SafetensorsWriter::Written> SafetensorsWriter::finish() {
  if (written_ != expected_) {
    return internal_error("writing " + file_.string() + ": " + std::to_string(written_) +
                          " bytes of data where its header has " + std::to_string(expected_));
  }
  Written written{static_cast<int64_t>(header_.size()) + written_, {}};
  if (const size_t at = find_value(header_, kDigest); at != std::string::npos) {
    written.digest = digest_.finish_hex();
    header_.replace(at, kDigest.size(), written.digest);
    if (lseek(fd_.get(), 0, SEEK_SET) != 0) {
      return from_errno("seeking in " + file_.string(), errno);
    }
    PM_TRY(write_all(fd_.get(), header_, file_.string()));
  }
  PM_TRY(publish_file(temporary_, file_));
  fd_ = Fd();
  return written;
}

}  // namespace prefixmem::trainer
