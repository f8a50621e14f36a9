// What a ListJobs request asks the store for.
#pragma once

#include <string>

#include "coordinator/store/reader.h"

namespace prefixmem::rpc {

struct ListQuery {
  store::JobFilter filter;
  int limit = 0;
};

// INVALID_ARGUMENT naming the field, its value and what is allowed. Pure.
// Which page of a list.
struct PageQuery {
  int64_t before_seq = 0;
  int limit = 0;
};

// INVALID_ARGUMENT where the size or the token is none of ours.
Result<PageQuery> page_of(int page_size, const std::string& page_token);

Result<ListQuery> query_of(const v1::ListJobsRequest& request);
std::string page_token(int64_t next_seq);  // empty for 0

}  // namespace prefixmem::rpc
