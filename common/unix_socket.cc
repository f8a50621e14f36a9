#include "common/unix_socket.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace prefixmem {

Result<sockaddr_un> unix_address(const std::filesystem::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string& text = path.native();
  if (text.size() >= sizeof address.sun_path) {
    return invalid_argument("socket path " + text + " is " + std::to_string(text.size()) +
                            " bytes long; allowed: at most 107");
  }
  std::memcpy(address.sun_path, text.data(), text.size());
  return address;
}

Result<Fd> connect_unix(const std::filesystem::path& path) {
  PM_ASSIGN(const sockaddr_un address, unix_address(path));
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return from_errno("opening a socket", errno);
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return from_errno("connecting to " + path.string(), errno);
  }
  return fd;
}

}  // namespace prefixmem
