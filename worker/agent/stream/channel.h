// The connection's lower end.
#pragma once

#include <memory>
#include <string>

#include "common/status.h"
#include "common/thread_annotations.h"
#include "common/tls/files.h"

namespace grpc {
class Channel;
class ChannelCredentials;
}  // namespace grpc

namespace prefixmem::agent {

// Dials "host:port" with a new channel each time. gRPC would dial again by itself on the old one,
// but then only while some thread polls, or every 5 s, and by timers that wait for a wall clock
// (1.51, by Abseil's CondVar): once that is set back, they do not come before it is where it was.
class Dialler {
 public:
  // What tls::check says of the files.
  static Result<std::unique_ptr<Dialler>> make(std::string coordinator,
                                               const tls::ClientFiles& files);

  // Current from now on; calls on the one before go on. The first call on it waits for the
  // connection, those after a failure fail fast; notices within half a minute that the other end is
  // gone for good.
  std::shared_ptr<grpc::Channel> dial();

  // Thread-safe.
  std::shared_ptr<grpc::Channel> current() const;

 private:
  Dialler(std::string coordinator, std::shared_ptr<grpc::ChannelCredentials> credentials);

  const std::string coordinator_;
  const std::shared_ptr<grpc::ChannelCredentials> credentials_;
  mutable Mutex mutex_;
  std::shared_ptr<grpc::Channel> current_ PM_GUARDED_BY(mutex_);
};

}  // namespace prefixmem::agent
