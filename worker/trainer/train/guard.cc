#include "worker/trainer/train/guard.h"

#include <c10/util/Exception.h>
#include <sys/resource.h>

#include <new>
#include <string>

#include "worker/trainer/collective/rounds.h"

namespace prefixmem::trainer {
namespace {

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

Status out_of_memory(const std::string& detail) {
  return resource_exhausted("out of memory (" + detail +
                            "); lower train.micro_batch_tokens or resources.ranks, set "
                            "train.activation_checkpointing auto, or use train.dtype bf16");
}

// What the exception has freed on its way is in it.
std::string with_peak(const std::string& detail) {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return detail + "; this rank had " + std::to_string(usage.ru_maxrss >> 10) +
         " MiB at its fullest";
}

Status from_torch(const c10::Error& error) {
  const std::string text = first_line(error.what_without_backtrace());
  const bool memory = text.find("can't allocate memory") != std::string::npos ||
                      text.find("not enough memory") != std::string::npos;
  return memory ? out_of_memory(with_peak(text)) : internal_error("LibTorch: " + text);
}

}  // namespace

Status torch_guarded(const std::function<Status()>& work) {
  try {
    return work();
  } catch (const CollectiveError& error) {
    return error.status;
  } catch (const c10::OutOfMemoryError& error) {
    return out_of_memory(first_line(error.what_without_backtrace()));
  } catch (const c10::Error& error) {
    return from_torch(error);
  } catch (const std::bad_alloc&) {
    return out_of_memory(with_peak("an allocation failed"));
  } catch (const std::exception& error) {
    return internal_error("trainer: " + first_line(error.what()));
  }
}

}  // namespace prefixmem::trainer
