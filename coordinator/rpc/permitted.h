// A stream that asks, before each message, whether its caller's token still counts, and that counts
// as one of his as long as it lasts.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "common/sha256.h"
#include "coordinator/auth/token_book.h"
#include "coordinator/rpc/caller.h"
#include "coordinator/rpc/context.h"
#include "coordinator/rpc/pull_stream.h"

namespace prefixmem::rpc {

template <class Message>
class Permitted final : public Source<Message> {
 public:
  // With `tokens` null, users are not asked who they are.
  Permitted(const auth::TokenBook* tokens, const CallMetadata& metadata,
            std::shared_ptr<const void> place, std::unique_ptr<Source<Message>> source)
      : tokens_(tokens),
        digest_(sha256_hex(bearer_of(metadata))),
        place_(std::move(place)),
        source_(std::move(source)) {}

  Result<Pulled<Message>> pull() override {
    if (tokens_ != nullptr) PM_TRY(tokens_->check(digest_));
    return source_->pull();
  }

 private:
  const auth::TokenBook* const tokens_;
  const std::string digest_;
  const std::shared_ptr<const void> place_;
  const std::unique_ptr<Source<Message>> source_;
};

// A stream of what `open` gives, a Result of a Source, which is not asked where its caller makes
// too many calls or has too many streams: RESOURCE_EXHAUSTED.
template <class Message, class Open>
Result<std::shared_ptr<PullStream<Message>>> permitted(const ServiceContext& context,
                                                       const grpc::CallbackServerContext& call,
                                                       const Open& open) {
  const std::string caller = caller_name(call, context.tokens);
  PM_TRY(context.limits.admit(caller));
  PM_ASSIGN(auto place, context.limits.open_stream(caller));
  PM_ASSIGN(std::unique_ptr<Source<Message>> source, open());
  return PullStream<Message>::make(std::make_unique<Permitted<Message>>(
      context.tokens, call.client_metadata(), std::move(place), std::move(source)));
}

}  // namespace prefixmem::rpc
