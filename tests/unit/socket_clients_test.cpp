// How many are connected to a socket: the kernel's table as text, and as it is.

#include "agent/process/socket_clients.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstring>
#include <string>

#include "agent/process/file_descriptor.h"
#include "tests/support/temp_dir.h"

namespace compositord::agent {
namespace {

using std::string_literals::operator""s;

constexpr const char* kTable =
    "Num       RefCount Protocol Flags    Type St Inode Path\n"
    "0000000000000000: 00000002 00000000 00010000 0001 01 17022 /run/user/1000/wayland-1\n"
    "0000000000000000: 00000002 00000000 00010000 0001 01 17023 /run/user/1000/wayland-10\n"
    "0000000000000000: 00000003 00000000 00000000 0001 03 31200\n"
    "ffff9d3c81a3cc00: 00000003 00000000 00000000 0001 03 31201 /run/user/1000/wayland-1\n"
    "0000000000000000: 00000003 00000000 00000000 0001 03    12 /run/user/1000/wayland-1\n"
    "0000000000000000: 00000003 00000000 00000000 0001 03 31203 /run/user/1000/wayland-10\n"
    "0000000000000000: 00000002 00000000 00000000 0001 02     0 /run/user/1000/wayland-1\n"
    "0000000000000000: 00000003 00000000 00000000 0005 03 31204 /run/user/1000/wayland-1\n"  // a sequence of packets
    "0000000000000000: 00000002 00010000 00000000 0001 01 31205 /tmp/a b\n"
    "0000000000000000: 00000002 00000000 00010000 0001 01 31206 @/tmp/.X11-unix/X0\n"
    "0000000000000000: 00000003 00000000 00000000 0001 03 31207 @/tmp/.X11-unix/X0\n"
    "0000000000000000: 00000003 00000000 00000000 0001 03 31208 /tmp/a b\n";

SocketTally tally(const std::string& name, std::string_view table = kTable, std::size_t piece = 7) {
  SocketTally tally(name);
  for (std::size_t at = 0; at < table.size(); at += piece) tally.take(table.substr(at, piece));
  return tally;
}

TEST(SocketTally, CountsTheSocketsOfOneListener) {
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, std::size_t{64}, std::size_t{10'000}}) {
    const SocketTally wayland = tally("/run/user/1000/wayland-1", kTable, piece);
    EXPECT_TRUE(wayland.listens());
    EXPECT_EQ(wayland.accepted(), 2U);
    EXPECT_EQ(wayland.waiting(), 1U);
  }
  const SocketTally abstract = tally("\0/tmp/.X11-unix/X0"s);
  EXPECT_TRUE(abstract.listens());
  EXPECT_EQ(abstract.accepted(), 1U);
}

TEST(SocketTally, ABoundSocketThatDoesNotListenIsNoListener) {
  const SocketTally with_a_blank = tally("/tmp/a b");
  EXPECT_FALSE(with_a_blank.listens());
  EXPECT_EQ(with_a_blank.accepted(), 1U);
  const SocketTally unknown = tally("/run/user/1000/wayland-2");
  EXPECT_FALSE(unknown.listens());
  EXPECT_EQ(unknown.accepted() + unknown.waiting(), 0U);
}

TEST(SocketTally, LeavesOutWhatIsNoRow) {
  const std::string row = "0: 00000003 00000000 00000000 0001 03 31201 /w\n";
  EXPECT_EQ(tally("/w", row).accepted(), 1U);
  for (std::size_t length = 0; length + 3 < row.size(); ++length) {
    EXPECT_EQ(tally("/w", row.substr(0, length) + "\n").accepted(), 0U) << length;
  }
  EXPECT_EQ(tally("/w", row.substr(0, row.size() - 1)).accepted(), 0U) << "a row ends with its line";
  EXPECT_EQ(tally("/w", "0: 3 0 0 0001 0x3 1 /w\n0: 3 0 0 0001 3z 1 /w\n0 3 0 0 0001 03 1 /w\n\n").accepted(), 0U);
  const std::string endless = std::string(std::size_t{1} << 20, 'x') + "\n" + row;
  EXPECT_EQ(tally("/w", endless, 4096).accepted(), 1U) << "what is too long is forgotten, and the next row is read";
  EXPECT_EQ(tally("", row).accepted(), 0U);
}

// A socket of this test, its connections, and the clients that a fork makes.
class Listener : public testing::Test {
 protected:
  Listener() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = (folder_.path() / "display").string();
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    address_ = address;
    listener_ = FileDescriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address_), sizeof address_), 0);
    EXPECT_EQ(::listen(listener_.get(), 8), 0);
  }
  FileDescriptor connect() const {
    FileDescriptor fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address_), sizeof address_), 0);
    return fd;
  }
  FileDescriptor accept() const { return FileDescriptor(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)); }

  test::TempDir folder_;
  sockaddr_un address_{};
  FileDescriptor listener_;
};

// A program that is connected until its end.
class Client {
 public:
  explicit Client(const sockaddr_un& address) {
    std::array<int, 2> ends{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::close(ends[0]);
      const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
      if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) ::_exit(1);
      char byte = 0;
      static_cast<void>(::read(ends[1], &byte, 1));  // until the other end is closed
      ::_exit(0);
    }
    ::close(ends[1]);
    hold_ = FileDescriptor(ends[0]);
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client() { end(); }
  void end() {
    hold_.close();
    if (pid_ > 0) ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }

 private:
  pid_t pid_ = 0;
  FileDescriptor hold_;
};

TEST_F(Listener, HasTheClientsThatItAcceptedButNotUs) {
  const FileDescriptor ours = connect();
  FileDescriptor accepted_ours = accept();
  const FileDescriptor same(::dup(ours.get()));  // one socket, though it has two descriptors
  auto seen = look_at_clients(ours.get());
  ASSERT_TRUE(seen);
  EXPECT_EQ(seen->clients, 0U);

  Client client(address_);
  FileDescriptor accepted_theirs = accept();
  const FileDescriptor side = connect();
  FileDescriptor accepted_side = accept();
  seen = look_at_clients(ours.get());
  ASSERT_TRUE(seen);
  EXPECT_EQ(seen->clients, 1U);

  client.end();
  accepted_theirs.close();
  seen = look_at_clients(ours.get());
  ASSERT_TRUE(seen);
  EXPECT_EQ(seen->clients, 0U);
}

TEST_F(Listener, TellsNothingNewWhileSomebodyWaitsToBeAccepted) {
  const FileDescriptor ours = connect();
  EXPECT_FALSE(look_at_clients(ours.get()));
  const FileDescriptor accepted = accept();
  EXPECT_TRUE(look_at_clients(ours.get()));
}

TEST_F(Listener, IsNotKnownWithoutOneOrWithoutAName) {
  const FileDescriptor ours = connect();
  const FileDescriptor accepted = accept();
  listener_.close();
  auto seen = look_at_clients(ours.get());
  ASSERT_TRUE(seen);
  EXPECT_FALSE(seen->clients) << "whoever accepted us does not listen here";
  std::array<int, 2> ends{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
  const FileDescriptor a(ends[0]);
  const FileDescriptor b(ends[1]);
  seen = look_at_clients(a.get());
  ASSERT_TRUE(seen);
  EXPECT_FALSE(seen->clients);
  EXPECT_FALSE(look_at_clients(-1)->clients);
}

}  // namespace
}  // namespace compositord::agent
