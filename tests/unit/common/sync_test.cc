#include <gtest/gtest.h>

#include <thread>

#include "common/thread_annotations.h"

namespace prefixmem {
namespace {

TEST(CondVar, HandsOver) {
  Mutex mutex;
  CondVar changed;
  int turn = 0;
  std::thread other([&] {
    const MutexLock lock(mutex);
    while (turn != 1) changed.wait(mutex);
    turn = 2;
    changed.notify_all();
  });
  {
    const MutexLock lock(mutex);
    turn = 1;
    changed.notify_all();
    while (turn != 2) changed.wait_for(mutex, std::chrono::milliseconds(10));
  }
  other.join();
  EXPECT_EQ(turn, 2);
}

TEST(CondVar, SaysThatTheTimeIsUpAndHoldsTheMutexAgain) {
  Mutex mutex;
  CondVar never;
  {
    const MutexLock lock(mutex);
    while (never.wait_until(mutex, std::chrono::steady_clock::now())) {
    }
  }
  const MutexLock again(mutex);
}

}  // namespace
}  // namespace prefixmem
