#include "coordinator/store/s3/client.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <set>

#include "common/sha256.h"
#include "coordinator/store/s3/xml.h"

namespace prefixmem::store::s3 {
namespace {

constexpr int64_t kMostParts = 10000;  // of S3
constexpr size_t kSmallBytes = size_t{1} << 20;
constexpr int64_t kRefusalBytes = int64_t{64} << 10;  // what S3 says of a failure is shorter
constexpr size_t kBlockBytes = size_t{1} << 20;

Result<int64_t> number(const std::string& text, const std::string& what) {
  int64_t value = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && rest == text.data() + text.size() && value >= 0) return value;
  return data_loss(fmt::format("{} is \"{}\"; allowed: a number", what, text));
}

Result<std::string> digest_of(const FilePart& part) {
  Sha256 digest;
  std::string block(kBlockBytes, '\0');
  for (int64_t done = 0; done < part.bytes;) {
    const auto most =
        static_cast<size_t>(std::min(part.bytes - done, static_cast<int64_t>(block.size())));
    const ssize_t got = ::pread(part.fd, block.data(), most, part.offset + done);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return from_errno("reading a file to be sent", got < 0 ? errno : EIO);
    digest.update(block.data(), static_cast<size_t>(got));
    done += got;
  }
  return digest.finish_hex();
}

}  // namespace

Result<std::string> Client::get(const std::string& key) {
  PM_ASSIGN(Answer answer, transport_.send({.key = key, .most = kSmallBytes}));
  return std::move(answer.body);
}

Result<std::string> Client::get(const std::string& key, int64_t offset, int64_t bytes) {
  if (bytes == 0) return std::string();
  const Request request{.key = key,
                        .range = fmt::format("{}-{}", offset, offset + bytes - 1),
                        .most = static_cast<size_t>(std::max(bytes, kRefusalBytes))};
  PM_ASSIGN(Answer answer, transport_.send(request));
  if (static_cast<int64_t>(answer.body.size()) == bytes) return std::move(answer.body);
  return data_loss(fmt::format("s3://{}/{}: of the {} bytes from {} on, {} came", options().bucket,
                               key, bytes, offset, answer.body.size()));
}

Result<int64_t> Client::size(const std::string& key) {
  PM_ASSIGN(const Answer answer, transport_.send({.method = "HEAD", .key = key}));
  return answer.bytes;
}

Status Client::put(const std::string& key, const std::string& body) {
  return transport_.send({.method = "PUT", .key = key, .body = body}).status();
}

Status Client::put_file(const std::string& key, int fd, int64_t bytes, const std::string& sha256) {
  if (bytes > options().part_bytes) return put_parts(key, fd, bytes);
  return transport_.send({.method = "PUT", .key = key, .file = {fd, 0, bytes}, .sha256 = sha256})
      .status();
}

Status Client::put_parts(const std::string& key, int fd, int64_t bytes) {
  PM_ASSIGN(const Answer begun,
            transport_.send({.method = "POST", .key = key, .query = {{"uploads", ""}}}));
  const std::string upload = text_of(begun.body, "UploadId");
  const auto parts = send_parts(key, upload, fd, bytes);
  Status status = parts.ok() ? complete(key, upload, *parts, bytes) : parts.status();
  if (status.ok()) return {};
  if (const Status aborted = abort(key, upload); !aborted.ok()) {
    spdlog::warn("parts stay until the next start: {}", aborted.message());
  }
  return status;
}

// What completes the upload.
Result<std::string> Client::send_parts(const std::string& key, const std::string& upload, int fd,
                                       int64_t bytes) {
  const int64_t part_bytes = std::max(options().part_bytes, (bytes + kMostParts - 1) / kMostParts);
  std::string parts;
  int number = 1;
  for (int64_t offset = 0; offset < bytes; offset += part_bytes, ++number) {
    const FilePart part{fd, offset, std::min(part_bytes, bytes - offset)};
    PM_ASSIGN(const std::string sha256, digest_of(part));
    PM_ASSIGN(
        const Answer answer,
        transport_.send({.method = "PUT",
                         .key = key,
                         .query = {{"partNumber", std::to_string(number)}, {"uploadId", upload}},
                         .file = part,
                         .sha256 = sha256}));
    parts +=
        fmt::format("<Part><PartNumber>{}</PartNumber><ETag>{}</ETag></Part>", number, answer.etag);
  }
  return "<CompleteMultipartUpload>" + parts + "</CompleteMultipartUpload>";
}

// S3 may answer 200 and then say in the body that it failed; and where the answer to one that has
// been completed was lost, the next finds no upload: the object tells.
Status Client::complete(const std::string& key, const std::string& upload, const std::string& parts,
                        int64_t bytes) {
  const auto answer = transport_.send(
      {.method = "POST", .key = key, .query = {{"uploadId", upload}}, .body = parts});
  if (answer.ok() && elements(answer->body, "Error").empty()) return {};
  if (answer.status().code() == Code::kNotFound) {
    const auto there = size(key);
    if (there.ok() && *there == bytes) return {};
  }
  if (!answer.ok()) return answer.status();
  return unavailable(fmt::format("s3://{}/{}: putting its parts together failed: {} {}",
                                 options().bucket, key, text_of(answer->body, "Code"),
                                 text_of(answer->body, "Message")));
}

Status Client::abort(const std::string& key, const std::string& upload) {
  const Status status =
      transport_.send({.method = "DELETE", .key = key, .query = {{"uploadId", upload}}}).status();
  return status.code() == Code::kNotFound ? Status() : status;
}

Status Client::remove(const std::string& key) {
  const Status status = transport_.send({.method = "DELETE", .key = key}).status();
  return status.code() == Code::kNotFound ? Status() : status;
}

Result<std::map<std::string, int64_t>> Client::list(const std::string& prefix) {
  std::map<std::string, int64_t> listed;
  Request request{.query = {{"list-type", "2"}, {"prefix", prefix}}};
  for (;;) {
    auto answer = transport_.send(request);
    if (answer.status().code() == Code::kNotFound) {
      return failed_precondition(answer.status().message());
    }
    PM_ASSIGN(const Answer page, std::move(answer));
    for (const std::string_view object : elements(page.body, "Contents")) {
      const std::string key = text_of(object, "Key");
      PM_ASSIGN(const int64_t size, number(text_of(object, "Size"), "the size of " + key));
      listed[key] = size;
    }
    if (text_of(page.body, "IsTruncated") != "true") return listed;
    request.query["continuation-token"] = text_of(page.body, "NextContinuationToken");
  }
}

// From the front again and again, since what is dropped is listed no more.
Result<int> Client::abort_uploads(const std::string& prefix) {
  std::set<std::string> aborted;
  for (;;) {
    const auto answer = transport_.send({.query = {{"prefix", prefix}, {"uploads", ""}}});
    if (answer.status().code() == Code::kNotFound) break;  // of some stores: there are none
    PM_TRY(answer.status());
    bool any = false;
    for (const std::string_view upload : elements(answer->body, "Upload")) {
      const std::string id = text_of(upload, "UploadId");
      if (!aborted.insert(id).second) continue;
      PM_TRY(abort(text_of(upload, "Key"), id));
      any = true;
    }
    if (!any || text_of(answer->body, "IsTruncated") != "true") break;
  }
  return static_cast<int>(aborted.size());
}

}  // namespace prefixmem::store::s3
