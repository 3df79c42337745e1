// The wrappers of libzmq's sockets. (The bus itself: router_test.cpp.)

#include <gtest/gtest.h>
#include <zmq.h>

#include <optional>
#include <string>
#include <utility>

#include "common/base/clock.h"
#include "common/net/poller.h"
#include "common/net/zmq_socket.h"
#include "tests/support/temp_dir.h"

namespace compositord::net {
namespace {

constexpr Duration kPatience = std::chrono::seconds(20);

// Waits until `done` returns true, polling `socket` in between.
template <class Done>
bool eventually(void* socket, Done done) {
  const Instant deadline = monotonic_now() + kPatience;
  Poller poller;
  while (!done()) {
    if (monotonic_now() > deadline) return false;
    poller.clear();
    poller.add_socket(socket);
    poller.wait(std::chrono::milliseconds(10));
  }
  return true;
}

Received wait_message(ZmqSocket& socket) {
  Received received;
  eventually(socket.handle(), [&] { return (received = socket.receive()).outcome != ReceiveOutcome::kNothing; });
  return received;
}

TEST(ZmqSocket, BindSaysWhichPortTheSystemChose) {
  ZmqContext context;
  XPub xpub(context, {});
  const Result<std::string> endpoint = xpub.bind("tcp://127.0.0.1:*");
  ASSERT_TRUE(endpoint);
  EXPECT_TRUE(endpoint->starts_with("tcp://127.0.0.1:"));
  EXPECT_FALSE(endpoint->ends_with("*"));
}

TEST(ZmqSocket, BindNamesTheEndpointThatIsTaken) {
  ZmqContext context;
  XPub first(context, {});
  XPub second(context, {});
  const std::string endpoint = *first.bind("tcp://127.0.0.1:*");
  const Result<std::string> refused = second.bind(endpoint);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().status, Status::kConflict);
  EXPECT_NE(refused.error().text.find(endpoint), std::string::npos);
}

TEST(ZmqSocket, BindDoesNotStealALiveIpcSocketButReplacesAStaleOne) {
  const test::TempDir dir;
  const std::string endpoint = "ipc://" + (dir.path() / "bus").string();
  ZmqContext context;
  XPub second(context, {});
  {
    XPub first(context, {});
    ASSERT_TRUE(first.bind(endpoint));
    const Result<std::string> refused = second.bind(endpoint);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().status, Status::kConflict);
  }
  EXPECT_TRUE(eventually(second.handle(), [&] { return second.bind(endpoint).has_value(); }));
}

TEST(ZmqSocket, BindRefusesWhatIsNoEndpoint) {
  ZmqContext context;
  XPub xpub(context, {});
  const Result<std::string> refused = xpub.bind("7755");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().status, Status::kMalformed);
}

TEST(XPub, GivesEverySubscriptionAlsoTheSecondToTheSameTopic) {
  ZmqContext context;
  XPub xpub(context, {});
  const std::string endpoint = *xpub.bind("tcp://127.0.0.1:*");
  Sub first(context, {});
  Sub second(context, {});
  for (Sub* sub : {&first, &second}) {
    ASSERT_TRUE(sub->connect(endpoint));
    sub->subscribe("hello/x");
    EXPECT_EQ(wait_message(xpub).frames, wire::Frames{"\x01hello/x"});
  }
  EXPECT_EQ(xpub.publish({"hello/x", "header", "payload"}), SendOutcome::kSent);
  EXPECT_EQ(wait_message(first).frames.size(), 3U);
  EXPECT_EQ(wait_message(second).frames.size(), 3U);
}

TEST(XPub, TellsOfAFullQueueAndGivesTheMessageToAllOthers) {
  ZmqContext context;
  XPub xpub(context, {});
  const std::string endpoint = *xpub.bind("tcp://127.0.0.1:*");
  Sub healthy(context, {});
  Sub stopped(context, {});
  for (Sub* sub : {&healthy, &stopped}) {
    ASSERT_TRUE(sub->connect(endpoint));
    sub->subscribe("status/");
    wait_message(xpub);
  }
  const std::string payload(16'384, 'x');
  int published = 0;
  int full = 0;
  std::optional<int> first_lost;
  const auto publish = [&] {
    const SendOutcome outcome = xpub.publish({"status/a", std::to_string(published), payload});
    EXPECT_TRUE(outcome == SendOutcome::kSent || outcome == SendOutcome::kFull);
    if (outcome == SendOutcome::kFull && full++ == 0) first_lost = published;
    const Received received = wait_message(healthy);
    ASSERT_EQ(received.frames.size(), 3U);
    EXPECT_EQ(received.frames[1].str(), std::to_string(published)) << "each once, and none is lost";
    ++published;
  };
  while (!first_lost && published < 20'000 && !HasFatalFailure()) publish();
  ASSERT_TRUE(first_lost.has_value());
  for (int i = 0; i < 100; ++i) publish();
  EXPECT_EQ(full, 1) << "libzmq tells it once";
  // What it has is whole and without a gap, and when it has read, it is given messages again.
  for (int next = 0; next < *first_lost; ++next) {
    const Received received = wait_message(stopped);
    ASSERT_EQ(received.frames.size(), 3U);
    ASSERT_EQ(received.frames[1].str(), std::to_string(next));
  }
  Received again;
  EXPECT_TRUE(eventually(stopped.handle(), [&] {
    publish();
    return (again = stopped.receive()).outcome == ReceiveOutcome::kMessage;
  }));
  EXPECT_GT(std::stoi(again.frames.at(1).str()), *first_lost + 99);
}

}  // namespace
}  // namespace compositord::net
