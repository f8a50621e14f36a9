// Threads inside an operation.
#pragma once

#include <cstdint>
#include <functional>

namespace prefixmem::trainer {

// body(first, last) over parts of [begin, end) of at least `grain`, in LibTorch's threads. It
// stands for at::parallel_for, which is inline and one thread's loop in sources compiled without
// OpenMP.
void parallel_for(int64_t begin, int64_t end, int64_t grain,
                  const std::function<void(int64_t, int64_t)>& body);

// body(task) for each of [0, count), by whichever of LibTorch's threads is free: for tasks that
// take long, on cores that need not be equally fast. A thread ends with at_end().
void parallel_tasks(int64_t count, const std::function<void(int64_t)>& body,
                    const std::function<void()>& at_end);

}  // namespace prefixmem::trainer
