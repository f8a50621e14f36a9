// Why jobs wait, for people.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "coordinator/scheduler/room.h"

namespace prefixmem::scheduler {

std::string ranks_text(int ranks);      // "2 ranks"
std::string slots_text(int slots);      // "1 slot"
std::string bytes_text(int64_t bytes);  // "1.50 GiB"
// "job-a, job-b, job-c, 5 more"
std::string some_of(std::vector<std::string> ids);

// Of a job that no worker that is here could ever hold.
std::string never_fits(const std::vector<Room>& rooms, const Job& job);

// None: one of the workers that could ever hold the job takes work.
std::optional<std::string> none_takes_work(const std::vector<Room>& rooms, const Job& job);
// The same of those that could hold it together: none where enough of them take work.
std::optional<std::string> too_few_take_work(const Pool& pool, const Job& job);

}  // namespace prefixmem::scheduler
