#include "coordinator/first_token.h"

#include <fmt/format.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/files.h"
#include "common/proto/role.h"
#include "common/sha256.h"
#include "coordinator/auth/token.h"
#include "coordinator/store/store.h"

namespace prefixmem {

Status make_first_token(const TokenOptions& options) {
  PM_ASSIGN(const v1::Token token, auth::new_token(options.request, real_clock().wall()));
  PM_ASSIGN(const auto store, store::Store::open_database(options.data_dir));
  const std::string secret = auth::new_secret();
  store::Transaction transaction(*store);
  transaction.put_token({sha256_hex(secret), token});
  PM_TRY(transaction.commit());
  PM_TRY(write_all(STDERR_FILENO,
                   fmt::format("pmt-coordinator: this is the only sight of token {} ({}, {})\n",
                               token.id(), token.name(), role_name(token.role())),
                   "stderr"));
  return write_all(STDOUT_FILENO, secret + "\n", "stdout");
}

}  // namespace prefixmem
