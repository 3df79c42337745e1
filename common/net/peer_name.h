#pragma once
// Addresses, for people and for endpoints.

#include <string>

struct sockaddr_storage;

namespace compositord::net {

// "127.0.0.1:41234", "[::1]:41234".
std::string text_of(const sockaddr_storage& address);

// Who is at the other end of a connection: as above, "pid 4711" of a Unix socket; "gone" when it is closed.
std::string peer_name(int fd);

}  // namespace compositord::net
