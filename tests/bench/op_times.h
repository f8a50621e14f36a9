// Time by operation, from LibTorch's own records of what it runs.
#pragma once

#include <ATen/record_function.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

namespace prefixmem::trainer {

using BenchClock = std::chrono::steady_clock;

template <class Body>
double seconds_of(const Body& body) {
  const auto start = BenchClock::now();
  body();
  return std::chrono::duration<double>(BenchClock::now() - start).count();
}

// Counts while it lives, on the thread that made it; one at a time. An operation's time is its own,
// without that of the operations that it calls. The forward passes of functions of our own are not
// recorded, only what they call.
class OpTimes {
 public:
  OpTimes() {
    totals().clear();
    handle_ = at::addThreadLocalCallback(
        at::RecordFunctionCallback(enter, leave)
            .scopes({at::RecordScope::FUNCTION, at::RecordScope::BACKWARD_FUNCTION}));
  }
  ~OpTimes() { at::removeCallback(handle_); }
  OpTimes(const OpTimes&) = delete;
  OpTimes& operator=(const OpTimes&) = delete;

  // The operations that take most of `seconds`, with their share of it.
  void print(double seconds) const {
    std::vector<std::pair<double, std::string>> rows;
    for (const auto& [name, total] : totals()) rows.emplace_back(total, name);
    std::sort(rows.rbegin(), rows.rend());
    double rest = seconds;
    for (size_t i = 0; i < rows.size(); ++i) {
      if (i < 24)
        std::printf("%6.2f %%  %s\n", 100 * rows[i].first / seconds, rows[i].second.c_str());
      rest -= rows[i].first;
    }
    std::printf("%6.2f %%  outside of operations\n", 100 * rest / seconds);
  }

 private:
  struct Frame : at::ObserverContext {
    BenchClock::time_point start;
    double inner = 0;
    Frame* outer = nullptr;
  };
  static std::map<std::string, double>& totals() {
    static std::map<std::string, double> all;
    return all;
  }
  static Frame*& innermost() {
    static thread_local Frame* frame = nullptr;
    return frame;
  }

  static std::unique_ptr<at::ObserverContext> enter(const at::RecordFunction&) {
    auto frame = std::make_unique<Frame>();
    frame->outer = innermost();
    innermost() = frame.get();
    frame->start = BenchClock::now();
    return frame;
  }

  static void leave(const at::RecordFunction& record, at::ObserverContext* context) {
    auto* const frame = static_cast<Frame*>(context);
    const double took = std::chrono::duration<double>(BenchClock::now() - frame->start).count();
    totals()[record.name()] += took - frame->inner;
    innermost() = frame->outer;
    if (frame->outer != nullptr) frame->outer->inner += took;
  }

  at::CallbackHandle handle_;
};

}  // namespace prefixmem::trainer
