// Makes this process throw at a place that logs.
#pragma once

#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>

namespace prefixmem::agent {

// Stands in for the log while it lives, and throws once, where somebody logs a line with `text`.
// Nobody may log while it comes and goes.
class ThrowingLog {
 public:
  explicit ThrowingLog(std::string text) : usual_(spdlog::default_logger()) {
    auto logger = std::make_shared<spdlog::logger>("", std::make_shared<Sink>(std::move(text)));
    // spdlog catches what a sink throws, and hands it here.
    logger->set_error_handler([](const std::string& said) { throw std::runtime_error(said); });
    spdlog::set_default_logger(std::move(logger));
  }
  ~ThrowingLog() { spdlog::set_default_logger(usual_); }
  ThrowingLog(const ThrowingLog&) = delete;
  ThrowingLog& operator=(const ThrowingLog&) = delete;

 private:
  class Sink final : public spdlog::sinks::base_sink<std::mutex> {
   public:
    explicit Sink(std::string text) : text_(std::move(text)) {}

   private:
    void sink_it_(const spdlog::details::log_msg& line) override {
      const std::string said(line.payload.data(), line.payload.size());
      if (thrown_ || said.find(text_) == std::string::npos) return;
      thrown_ = true;
      throw std::runtime_error(said);
    }
    void flush_() override {}

    const std::string text_;
    bool thrown_ = false;  // under the mutex of base_sink
  };

  const std::shared_ptr<spdlog::logger> usual_;
};

}  // namespace prefixmem::agent
