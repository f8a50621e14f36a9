// Content of the coordinator's store.
#pragma once

#include "common/backoff.h"
#include "common/content/content_name.h"
#include "worker/agent/inputs/origin.h"
#include "worker/agent/transfer/content_source.h"

namespace prefixmem::agent {

// <sha256>, of a folder <sha256>.folder.
std::string content_key(const ContentName& name);

class ContentOrigin : public Origin {
 public:
  // `source` outlives it.
  ContentOrigin(ContentName name, ContentSource& source, BackoffPolicy backoff)
      : name_(std::move(name)), source_(source), backoff_(backoff) {}

  std::string key() const override { return content_key(name_); }
  std::string name() const override { return name_.name; }
  std::string text() const override { return to_string(name_); }
  // As long as the coordinator is away. NOT_FOUND where it does not have the content, DATA_LOSS
  // where what comes is something else.
  Result<std::filesystem::path> bring(const std::filesystem::path& work, const Reserve& reserve,
                                      const std::stop_token& stop) const override;

 private:
  const ContentName name_;
  ContentSource& source_;
  const BackoffPolicy backoff_;
};

}  // namespace prefixmem::agent
