// Where the bus can listen: endpoints of TCP and of Unix sockets.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include <fmt/format.h>

#include "tests/support/running_router.h"
#include "tests/support/temp_dir.h"

namespace compositord::net {
namespace {

using test::Client;
using test::RunningRouter;
using testing::HasSubstr;
using Kind = RouterEvent::Kind;

TEST(RouterEndpoints, BindSaysWhichPortTheSystemChose) {
  RunningRouter router;
  EXPECT_THAT(router.endpoint(), testing::MatchesRegex("tcp://127\\.0\\.0\\.1:[1-9][0-9]*"));
  const Result<std::string> everywhere = router->bind("tcp://*:*");
  EXPECT_THAT(everywhere.value_or(""), testing::MatchesRegex("tcp://0\\.0\\.0\\.0:[1-9][0-9]*"));
  const Result<std::string> by_interface = router->bind("tcp://lo:*");
  EXPECT_THAT(by_interface.value_or(""), testing::MatchesRegex("tcp://127\\.0\\.0\\.1:[1-9][0-9]*"));
  Client client(*by_interface);
  client.send(router, {"hello"});
  EXPECT_EQ(router.next().kind, Kind::kMessage);
}

TEST(RouterEndpoints, BindsIpv6WhereTheHostHasIt) {
  RunningRouter router;
  const Result<std::string> bound = router->bind("tcp://[::1]:*");
  if (!bound) {
    EXPECT_THAT(bound.error().text, HasSubstr("bind tcp://[::1]:*: ")) << "this host has none, and is told so";
    return;
  }
  EXPECT_THAT(*bound, testing::MatchesRegex("tcp://\\[::1\\]:[1-9][0-9]*"));
  Client client(*bound);
  client.send(router, {"hello"});
  EXPECT_EQ(router.next().kind, Kind::kMessage);
}

TEST(RouterEndpoints, BindNamesTheEndpointThatIsTakenOrIsNone) {
  RunningRouter router;
  const Result<std::string> taken = router->bind(router.endpoint());
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().status, Status::kConflict);
  EXPECT_THAT(taken.error().text, HasSubstr(router.endpoint()));
  for (const std::string none : {"7755", "tcp://", "tcp://127.0.0.1", "tcp://:1", "udp://127.0.0.1:1", "ipc://"}) {
    const Result<std::string> refused = router->bind(none);
    ASSERT_FALSE(refused) << none;
    EXPECT_EQ(refused.error().status, Status::kMalformed) << none;
    EXPECT_THAT(refused.error().text, HasSubstr(none));
  }
  // getaddrinfo would take the first two modulo 65536, and an interface's name any port for 0.
  for (const char* port : {"65536", "99999", "18446744073709551617", "http", "-1", "1x"}) {
    for (const char* host : {"127.0.0.1", "lo"}) {
      const std::string endpoint = fmt::format("tcp://{}:{}", host, port);
      const Result<std::string> refused = router->bind(endpoint);
      ASSERT_FALSE(refused) << *refused;
      EXPECT_EQ(refused.error().status, Status::kMalformed);
      EXPECT_THAT(refused.error().text,
                  HasSubstr(fmt::format("bind {}: \"{}\" is no port: a number up to 65535", endpoint, port)));
    }
  }
  const Result<std::string> unknown = router->bind("tcp://no-such-host.invalid:*");
  ASSERT_FALSE(unknown);
  EXPECT_THAT(unknown.error().text, HasSubstr("no-such-host.invalid is no address, name or interface of this host"));
}

TEST(RouterEndpoints, BindDoesNotStealALiveSocketFileButReplacesAStaleOne) {
  const test::TempDir dir;
  const std::string path = (dir.path() / "bus").string();
  Epoll epoll;
  Router second(epoll, {});
  {
    RunningRouter first("ipc://" + path);
    const Result<std::string> refused = second.bind("ipc://" + path);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().status, Status::kConflict);
  }
  EXPECT_FALSE(std::filesystem::exists(path)) << "its owner removed it";
  {
    const int stale = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
    ASSERT_EQ(bind(stale, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    close(stale);
  }
  EXPECT_TRUE(second.bind("ipc://" + path));
  const std::string file = (dir.path() / "notes.txt").string();
  std::ofstream(file) << "not a socket";
  const Result<std::string> refused = second.bind("ipc://" + file);
  ASSERT_FALSE(refused);
  EXPECT_TRUE(std::filesystem::is_regular_file(file)) << "what is no socket is nobody's to remove";
}

TEST(RouterEndpoints, BindsAbstractNamesAndNamesOfItsOwn) {
  std::string made_up;
  {
    RunningRouter router("ipc://@compositord-router-test-" + std::to_string(getpid()));
    const Result<std::string> own = router->bind("ipc://*");
    ASSERT_TRUE(own);
    made_up = own->substr(6);
    for (const std::string& endpoint : {router.endpoint(), *own}) {
      {
        Client client(endpoint);
        client.send(router, {"hello"});
        EXPECT_EQ(router.next().kind, Kind::kMessage) << endpoint;
      }
      EXPECT_EQ(router.next().kind, Kind::kClosed) << endpoint;
    }
  }
  EXPECT_FALSE(std::filesystem::exists(std::filesystem::path(made_up).parent_path()));
}

}  // namespace
}  // namespace compositord::net
