// Sockets between processes of one machine, through which they hand each other file descriptors. Linux only.

#ifndef PATHLAB_LOCAL_SOCKET_H_
#define PATHLAB_LOCAL_SOCKET_H_

#include <sys/socket.h>
#include <sys/un.h>
#include <string>

namespace pathlab {

// Why the last call of the system failed.
std::string Reason();

// A name that no file system has, and that is free again when its process ends. Gives the address's length.
socklen_t AddressOf(const std::string &name, sockaddr_un *address);

int NewSocket();

// Whether the peer is a program of this user: only those are let in.
bool IsOwn(int peer);

// How long a read from the peer waits.
void SetPatience(int peer, double seconds);

bool SendDescriptor(int peer, int descriptor);

// -1 if none came.
int ReceiveDescriptor(int peer);

}  // namespace pathlab

#endif  // PATHLAB_LOCAL_SOCKET_H_
