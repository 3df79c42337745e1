// Which bus it is, and buses that don't behave: each of them must cost the loop nothing.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/dbus/bus_address.h"
#include "agent/dbus/session_bus.h"
#include "agent/process/file_descriptor.h"
#include "agent/process/peer.h"
#include "agent/systemd/unit_on_bus.h"
#include "common/base/clock.h"
#include "tests/support/temp_dir.h"

namespace compositord::agent::dbus {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

std::string environment(std::initializer_list<std::string_view> variables) {
  std::string text;
  for (const std::string_view v : variables) text += std::string(v) + '\0';
  return text;
}

TEST(BusAddress, IsTheFirstUnixSocketOfTheList) {
  const auto address = parse_bus_address("tcp:host=example,port=1;unix:path=/run/bus,guid=00ff;unix:path=/other");
  ASSERT_TRUE(address);
  EXPECT_EQ(address->text, "unix:path=/run/bus,guid=00ff");
  EXPECT_EQ(address->socket_path, "/run/bus");
  EXPECT_EQ(parse_bus_address("unix:abstract=/tmp/dbus-x")->socket_path, "@/tmp/dbus-x");
  EXPECT_EQ(parse_bus_address("unix:path=/tmp/a%20b")->socket_path, "/tmp/a b");
}

TEST(BusAddress, RunsNoProgramAndLeavesTheMachineForNobody) {
  for (const char* text : {"unixexec:path=/bin/sh,argv1=-c,argv2=id", "tcp:host=localhost,port=1", "autolaunch:", "",
                           "unix:path=relative", "unix:path=/tmp/%zz", "unix:path=/tmp/%0", "unix:path=/tmp/%00x",
                           "unix:abstract=", "unix:tmpdir=/tmp", "nonsense", ";;;"}) {
    const auto address = parse_bus_address(text);
    ASSERT_FALSE(address) << text;
    EXPECT_EQ(address.error().status, Status::kUnsupported);
  }
}

TEST(BusAddress, ComesFromTheVariableElseFromTheRuntimeDirectory) {
  EXPECT_EQ(bus_address_in(environment({"A=1", "XDG_RUNTIME_DIR=/run/user/7", "DBUS_SESSION_BUS_ADDRESS=unix:path=/x"}))
                ->text,
            "unix:path=/x");
  EXPECT_EQ(bus_address_in(environment({"XDG_RUNTIME_DIR=/run/user/7"}))->socket_path, "/run/user/7/bus");
  EXPECT_EQ(bus_address_in(environment({"MY_DBUS_SESSION_BUS_ADDRESS=unix:path=/x"})).error().status,
            Status::kNotFound);
  EXPECT_FALSE(bus_address_in(environment({"XDG_RUNTIME_DIR=/run/a;unixexec:path=x"})));
  EXPECT_FALSE(bus_address_in(""));
}

TEST(BusAddress, OfTheSystemIsWhereItsVariableSaysElseWhereItAlwaysIs) {
  EXPECT_EQ(system_bus_address_in(environment({"DBUS_SYSTEM_BUS_ADDRESS=unix:path=/x"}))->socket_path, "/x");
  EXPECT_EQ(system_bus_address_in("")->socket_path, "/run/dbus/system_bus_socket");
  EXPECT_FALSE(system_bus_address_in(environment({"DBUS_SYSTEM_BUS_ADDRESS=unixexec:path=/bin/sh"})));
}

TEST(UnitName, IsReadFromItsObjectsPath) {
  EXPECT_EQ(systemd::unit_name("/org/freedesktop/systemd1/unit/weston_40tty1_2eservice"), "weston@tty1.service");
  EXPECT_EQ(systemd::unit_name("/org/freedesktop/systemd1/unit/a_5fb_2escope"), "a_b.scope");
  EXPECT_EQ(systemd::unit_name("odd_2"), "odd_2");
  EXPECT_EQ(systemd::unit_name("line_0abreak"), "line\\x0abreak") << "for the log";
  EXPECT_EQ(systemd::unit_name(""), "");
}

TEST(BusAddress, OfAProcessThatIsNotWhoWeThinkComesFromOurOwnEnvironment) {
  auto peer = identify_process(::getpid());
  ASSERT_TRUE(peer);
  peer->start_time_ticks += 1;  // an earlier process with this pid
  EXPECT_EQ(find_session_bus(*peer, environment({"DBUS_SESSION_BUS_ADDRESS=unix:path=/ours"}))->text,
            "unix:path=/ours");
}

// A socket that a test answers on by hand. $DBUS_SESSION_BUS_ADDRESS of the test says where: a Peer without a pid has no environment.
class HandMadeBus : public ::testing::Test {
 protected:
  HandMadeBus() : path_(dir_.path().string() + "/bus") {
    ::setenv("DBUS_SESSION_BUS_ADDRESS", ("unix:path=" + path_).c_str(), 1);
  }
  void listen() {
    listener_ = FileDescriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path_.c_str(), sizeof address.sun_path - 1);
    ASSERT_EQ(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    ASSERT_EQ(::listen(listener_.get(), 8), 0);
  }
  // The next client, once it has sent something; it is told `answer`.
  FileDescriptor serve(std::string_view answer) {
    pollfd waiting{listener_.get(), POLLIN, 0};
    EXPECT_EQ(::poll(&waiting, 1, 5000), 1);
    FileDescriptor client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    std::array<char, 512> said{};
    EXPECT_GT(::recv(client.get(), said.data(), said.size(), 0), 0);
    EXPECT_EQ(::send(client.get(), answer.data(), answer.size(), MSG_NOSIGNAL), static_cast<ssize_t>(answer.size()));
    return client;
  }
  // What a loop would do; the longest service() counts.
  bool run_until(const std::function<bool()>& done, milliseconds timeout = seconds(5)) {
    const Instant end = monotonic_now() + timeout;
    while (!done()) {
      const Instant before = monotonic_now();
      if (before >= end) return false;
      bus_.service(before, out_);
      longest_ = std::max(longest_, monotonic_now() - before);
      std::vector<pollfd> fds;
      bus_.poll_fds(fds);
      const Duration wait =
          std::clamp<Duration>(std::min(end, bus_.next_deadline()) - monotonic_now(), Duration(), seconds(1));
      ::poll(fds.data(), fds.size(), done() ? 0 : static_cast<int>(to_ms(wait)) + 1);
    }
    return true;
  }
  bool is_down(std::string_view why) { return bus_.trouble().find(why) != std::string::npos; }

  test::TempDir dir_;
  std::string path_;
  FileDescriptor listener_;
  SessionBus bus_{Peer{}, {}};
  DriverOutputs out_;
  Duration longest_{};
};

TEST_F(HandMadeBus, ThatIsNotThereIsLookedForAgain) {
  ASSERT_TRUE(run_until([&] { return is_down("No such file"); })) << bus_.trouble();
  EXPECT_THAT(bus_.trouble(), HasSubstr(path_));
  EXPECT_LE(bus_.next_deadline(), monotonic_now() + SessionBus::kRetryFirst);
  listen();
  ASSERT_TRUE(run_until([&] { return bus_.is_connecting(); }));
  serve("REJECTED EXTERNAL\r\n");
  ASSERT_TRUE(run_until([&] { return is_down("refuses our user"); })) << bus_.trouble();
}

TEST_F(HandMadeBus, ThatIsNoneIsToldFromABus) {
  listen();
  ASSERT_TRUE(run_until([&] { return bus_.is_connecting(); }));
  serve("HTTP/1.1 400 Bad Request\r\n");
  ASSERT_TRUE(run_until([&] { return is_down("does not answer as a D-Bus server does"); })) << bus_.trouble();
}

TEST_F(HandMadeBus, ThatTalksWithoutEndIsNotListenedTo) {
  listen();
  ASSERT_TRUE(run_until([&] { return bus_.is_connecting(); }));
  serve(std::string(4096, 'x'));
  ASSERT_TRUE(run_until([&] { return is_down("does not answer as a D-Bus server does"); })) << bus_.trouble();
}

TEST_F(HandMadeBus, ThatNeverAnswersCostsAThreadTwoSecondsAndTheLoopNothing) {
  listen();
  ASSERT_TRUE(run_until([&] { return is_down("does not answer"); })) << bus_.trouble();
  EXPECT_LT(longest_, milliseconds(100));
}

TEST_F(HandMadeBus, ThatFreezesAfterItsGreetingDoesNotHoldTheLoop) {
  listen();
  ASSERT_TRUE(run_until([&] { return bus_.is_connecting(); }));
  serve("OK 0123456789abcdef0123456789abcdef\r\n");
  const FileDescriptor held = serve("");  // sdbus-c++ itself, which now waits for the rest of the handshake
  ASSERT_TRUE(run_until([&] { return is_down("does not answer"); })) << bus_.trouble();
  EXPECT_LT(longest_, milliseconds(100));
  EXPECT_FALSE(bus_.is_up());
  const auto refused = bus_.call({"a.b", "/", "a.b", "C", {}}, monotonic_now() + seconds(1), [](auto) {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().status, Status::kNotConnected);
  // And the destructor, with the thread still at work, doesn't wait for it either: this test ends.
}

}  // namespace
}  // namespace compositord::agent::dbus
