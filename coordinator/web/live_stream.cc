#include "coordinator/web/live_stream.h"

#include <fmt/format.h>

#include <utility>

#include "common/proto/message_json.h"

namespace prefixmem::web {
namespace {

std::string framed(std::string_view name, const std::string& json) {
  return fmt::format("event: {}\ndata: {}\n\n", name, json);
}

}  // namespace

Result<std::string> server_event(std::string_view name, const google::protobuf::Message& message) {
  PM_ASSIGN(const std::string json, message_json(message));
  return framed(name, json);
}

Result<std::string> Told::event(const google::protobuf::Message& message) {
  PM_ASSIGN(std::string event, server_event(name_, message));
  if (event == last_) return std::string();
  last_ = event;
  return event;
}

LiveStream::LiveStream(std::unique_ptr<Feed> feed, Pace pace, Subscriptions& subscriptions,
                       const std::string& subscribed, const std::atomic<bool>& closing)
    : feed_(std::move(feed)),
      pace_(pace),
      closing_(closing),
      subscription_(subscriptions.subscribe(subscribed, [weak = std::weak_ptr(waker_)] {
        const auto waker = weak.lock();
        if (!waker) return;
        {
          const MutexLock lock(waker->mutex);
          waker->woken = true;
        }
        waker->changed.notify_all();
      })) {}

Result<std::optional<std::string>> LiveStream::next() {
  if (then_ == News::Then::kWait) wait_for_change();
  if (closing_ || then_ == News::Then::kEnd) return std::optional<std::string>();
  {
    const MutexLock lock(waker_->mutex);
    waker_->woken = false;  // what comes from here on may be missed by the look that follows
  }
  PM_ASSIGN(News news, feed_->news());
  looked_ = std::chrono::steady_clock::now();
  then_ = news.then;
  if (then_ == News::Then::kEnd) news.text += framed("end", "{}");
  if (news.text.empty() && then_ == News::Then::kWait) news.text = ": nothing new\n\n";
  return std::optional(std::move(news.text));
}

void LiveStream::wait_for_change() {
  const MutexLock lock(waker_->mutex);
  while (!waker_->woken && !closing_) {
    if (!waker_->changed.wait_until(waker_->mutex, looked_ + pace_.most)) break;
  }
  while (!closing_ && waker_->changed.wait_until(waker_->mutex, looked_ + pace_.least)) {
  }
}

}  // namespace prefixmem::web
