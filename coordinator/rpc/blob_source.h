// A stored file in chunks, for a stream.
#pragma once

#include <memory>
#include <optional>
#include <utility>

#include "coordinator/rpc/pull_stream.h"
#include "coordinator/store/blobs.h"

namespace prefixmem::rpc {

// Sends `first` where there is one, then messages with `chunk` set.
template <class Message>
class BlobSource final : public Source<Message> {
 public:
  explicit BlobSource(std::unique_ptr<store::BlobReader> reader,
                      std::optional<Message> first = std::nullopt)
      : reader_(std::move(reader)), first_(std::move(first)) {}

  Result<Pulled<Message>> pull() override {
    if (first_) return Pulled<Message>{.message = std::exchange(first_, std::nullopt)};
    PM_ASSIGN(std::string chunk, reader_->read(kChunkBytes));
    if (chunk.empty()) return Pulled<Message>{.end = Status()};
    Pulled<Message> pulled{.message = Message()};
    pulled.message->set_chunk(std::move(chunk));
    return pulled;
  }

 private:
  static constexpr size_t kChunkBytes = size_t{1} << 20;

  const std::unique_ptr<store::BlobReader> reader_;
  std::optional<Message> first_;
};

}  // namespace prefixmem::rpc
