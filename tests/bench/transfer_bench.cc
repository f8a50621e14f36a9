// One file, as a client sends it and as a worker fetches it:
//
//   transfer_bench send|fetch HOST:PORT SHA256 FILE
#include <cstdio>
#include <filesystem>
#include <string>

#include "client/content/upload.h"
#include "worker/agent/stream/channel.h"
#include "worker/agent/transfer/content_source.h"

namespace prefixmem {
namespace {

struct Transfer {
  std::string coordinator, sha256, file;
};

Status send(const Transfer& transfer) {
  PM_ASSIGN(client::Server server, client::Server::at(transfer.coordinator, Millis(30'000), {}));
  const auto bytes = static_cast<int64_t>(std::filesystem::file_size(transfer.file));
  return client::upload(server, {{transfer.sha256, bytes, transfer.file}}).status();
}

Status fetch(const Transfer& transfer) {
  PM_ASSIGN(const auto dialler, agent::Dialler::make(transfer.coordinator, {}));
  const auto source = agent::make_grpc_content_source([&] { return dialler->current(); });
  return source->fetch(transfer.sha256, transfer.file, [](int64_t) { return Status(); }, {});
}

}  // namespace
}  // namespace prefixmem

int main(int argc, char** argv) {
  const std::string what = argc == 5 ? argv[1] : "";
  if (what != "send" && what != "fetch") {
    std::fputs("usage: transfer_bench send|fetch HOST:PORT SHA256 FILE\n", stderr);
    return 2;
  }
  const prefixmem::Transfer transfer{argv[2], argv[3], argv[4]};
  const auto done = what == "send" ? prefixmem::send(transfer) : prefixmem::fetch(transfer);
  if (!done.ok()) std::fprintf(stderr, "%s\n", done.message().c_str());
  return done.ok() ? 0 : 1;
}
