// What a live page is sent: server-sent events
// (https://html.spec.whatwg.org/multipage/server-sent-events.html).
#pragma once

#include <google/protobuf/message.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/clock.h"
#include "common/status.h"
#include "common/thread_annotations.h"
#include "coordinator/core/subscriptions.h"

namespace prefixmem::web {

// "event: NAME\ndata: JSON\n\n", the message as message_json writes it.
Result<std::string> server_event(std::string_view name, const google::protobuf::Message& message);

// A message that is told only where it is another than the last time.
class Told {
 public:
  explicit Told(std::string name) : name_(std::move(name)) {}
  // Its event; empty: nothing new.
  Result<std::string> event(const google::protobuf::Message& message);

 private:
  std::string name_;
  std::string last_;
};

// What is new since the last time.
struct News {
  enum class Then { kWait, kMore, kEnd };  // for a change; ask again at once; there is no more

  std::string text = {};  // server-sent events; may be empty
  Then then = Then::kWait;
};

// Where the events of one page come from.
class Feed {
 public:
  virtual ~Feed() = default;
  // Asked by one thread at a time; may read the store.
  virtual Result<News> news() = 0;
};

// The body of one stream. One thread at a time.
class LiveStream {
 public:
  struct Pace {
    Millis least;  // between two looks at the feed
    Millis most;   // likewise, where nothing has changed
  };

  // `subscribed`: whose change is worth a look (Subscriptions). All references outlive the stream.
  LiveStream(std::unique_ptr<Feed> feed, Pace pace, Subscriptions& subscriptions,
             const std::string& subscribed, const std::atomic<bool>& closing);

  // The next piece; a comment, by which a client that has gone is noticed, where nothing is new;
  // none after the feed's end, which is told as "event: end", or once `closing` is set and all
  // subscribers were woken.
  Result<std::optional<std::string>> next();

 private:
  struct Waker {
    Mutex mutex;
    CondVar changed;
    bool woken PM_GUARDED_BY(mutex) = true;  // since the last look
  };

  void wait_for_change();

  const std::unique_ptr<Feed> feed_;
  const Pace pace_;
  const std::atomic<bool>& closing_;
  News::Then then_ = News::Then::kMore;
  std::chrono::steady_clock::time_point looked_;
  const std::shared_ptr<Waker> waker_ = std::make_shared<Waker>();
  const std::shared_ptr<const Subscriptions::Wake> subscription_;
};

}  // namespace prefixmem::web
