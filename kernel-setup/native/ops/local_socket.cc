#ifdef __linux__

#include "local_socket.h"

#include <unistd.h>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include "op.h"

namespace pathlab {

std::string Reason() { return std::strerror(errno); }

socklen_t AddressOf(const std::string &name, sockaddr_un *address) {
  const std::string path = "pathlab-exchange/" + name;
  Require(path.size() + 1 < sizeof(address->sun_path), "the name of a group of processes is too long: " + name);
  *address = {};
  address->sun_family = AF_UNIX;
  std::memcpy(address->sun_path + 1, path.data(), path.size());
  return static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + path.size());
}

int NewSocket() {
  const int made = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  Require(made >= 0, "no socket between processes could be made: " + Reason());
  return made;
}

bool IsOwn(int peer) {
  ucred found{};
  socklen_t length = sizeof(found);
  return getsockopt(peer, SOL_SOCKET, SO_PEERCRED, &found, &length) == 0 && found.uid == geteuid();
}

void SetPatience(int peer, double seconds) {
  const timeval patience{static_cast<time_t>(seconds), static_cast<suseconds_t>(1e6 * (seconds - static_cast<int64_t>(seconds)))};
  setsockopt(peer, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
}

namespace {

// A message of one byte that carries a file descriptor.
struct DescriptorMessage {
  DescriptorMessage() {
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = sizeof(control);
  }
  char content = 0;
  iovec part{&content, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr header{};
};

}  // namespace

bool SendDescriptor(int peer, int descriptor) {
  DescriptorMessage message;
  cmsghdr *control = CMSG_FIRSTHDR(&message.header);
  control->cmsg_level = SOL_SOCKET;
  control->cmsg_type = SCM_RIGHTS;
  control->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(control), &descriptor, sizeof(int));
  return sendmsg(peer, &message.header, MSG_NOSIGNAL) == 1;
}

int ReceiveDescriptor(int peer) {
  DescriptorMessage message;
  if (recvmsg(peer, &message.header, MSG_CMSG_CLOEXEC) != 1) return -1;
  const cmsghdr *control = CMSG_FIRSTHDR(&message.header);
  if (!control || control->cmsg_type != SCM_RIGHTS) return -1;
  int descriptor = -1;
  std::memcpy(&descriptor, CMSG_DATA(control), sizeof(int));
  return descriptor;
}

}  // namespace pathlab

#endif  // __linux__
