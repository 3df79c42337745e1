#pragma once
// How many programs are connected to a listening Unix socket, as the kernel's table of sockets tells, without asking anybody.
// Source: proc(5), "/proc/net/unix"; net/unix/af_unix.c, unix_seq_show().
//
// What it can't see: a program in another network namespace than ours (a container), whose connections stand in that one's
// table; and one that was given its connection instead of connecting by itself (weston's shell, Xwayland): such a socket has
// no name. Two listeners of one name, as containers may have them, are taken for one.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "agent/driver_event.h"

namespace compositord::agent {

// Reads the table in pieces of any size:
//
//   Num               RefCount Protocol Flags    Type St Inode Path
//   0000000000000000: 00000002 00000000 00010000 0001 01 17022 /run/user/1000/wayland-1    listens
//   0000000000000000: 00000003 00000000 00000000 0001 03 31201 /run/user/1000/wayland-1    was accepted there
//   0000000000000000: 00000002 00000000 00000000 0001 02     0 /run/user/1000/wayland-1    waits to be accepted
//   0000000000000000: 00000003 00000000 00000000 0001 03 31200                             the client's end of any
//
// A row that is none is left out.
class SocketTally {
 public:
  // A name has at most 108 bytes; what is longer than this is no row.
  static constexpr std::size_t kRowBytesMax = 256;

  // `name`: as bind(2) got it; an abstract one begins with NUL.
  explicit SocketTally(std::string name);
  void take(std::string_view piece);

  bool listens() const noexcept { return listens_; }
  std::uint64_t accepted() const noexcept { return accepted_; }
  std::uint64_t waiting() const noexcept { return waiting_; }

 private:
  void take_row(std::string_view row);

  std::string name_;  // as the table writes it
  std::string row_;   // what has come of it
  bool too_long_ = false;
  bool listens_ = false;
  std::uint64_t accepted_ = 0;
  std::uint64_t waiting_ = 0;
};

// The clients of the socket that `connection`, one of ours, is connected to; all of ours are left out. Never waits, and reads
// at most 1 MiB, some 10 000 sockets. ClientsSeen without a number: it can't be told. None at all: somebody waits to be
// accepted, perhaps we, and the number is what it was.
std::optional<driver_event::ClientsSeen> look_at_clients(int connection);

}  // namespace compositord::agent
