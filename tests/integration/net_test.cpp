// The socket wrappers against real libzmq sockets.

#include <gtest/gtest.h>
#include <zmq.h>

#include <optional>
#include <string>
#include <utility>

#include "common/base/clock.h"
#include "common/net/connection_monitor.h"
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

struct Pair {
  ZmqContext context;
  ReceiveLimits limits{4, 1024, 2048};
  Router router{context, limits};
  Dealer dealer{context, limits};
  std::string endpoint;
  Pair() {
    endpoint = *router.bind("tcp://127.0.0.1:*");
    EXPECT_TRUE(dealer.connect(endpoint));
  }
  void send(const wire::Frames& frames) {
    EXPECT_TRUE(eventually(dealer.handle(), [&] { return dealer.send(wire::Frames(frames)) == SendOutcome::kSent; }));
  }
};

TEST(ZmqSocket, BindSaysWhichPortTheSystemChose) {
  ZmqContext context;
  Router router(context, {});
  const Result<std::string> endpoint = router.bind("tcp://127.0.0.1:*");
  ASSERT_TRUE(endpoint);
  EXPECT_TRUE(endpoint->starts_with("tcp://127.0.0.1:"));
  EXPECT_FALSE(endpoint->ends_with("*"));
}

TEST(ZmqSocket, BindNamesTheEndpointThatIsTaken) {
  ZmqContext context;
  Router first(context, {});
  Router second(context, {});
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
  Router second(context, {});
  {
    Router first(context, {});
    ASSERT_TRUE(first.bind(endpoint));
    const Result<std::string> refused = second.bind(endpoint);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().status, Status::kConflict);
  }
  EXPECT_TRUE(eventually(second.handle(), [&] { return second.bind(endpoint).has_value(); }));
}

TEST(ZmqSocket, BindRefusesWhatIsNoEndpoint) {
  ZmqContext context;
  Router router(context, {});
  const Result<std::string> refused = router.bind("7755");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().status, Status::kMalformed);
}

TEST(Router, ReadsAnOverlongMessageToItsEndAndThenTheNextOne) {
  Pair pair;
  pair.send({"1", "2", "3", "4", "5"});  // one frame more than the limit
  pair.send({"next"});
  const Received bad = wait_message(pair.router);
  EXPECT_EQ(bad.outcome, ReceiveOutcome::kTooLarge);
  EXPECT_TRUE(bad.frames.empty());
  const Received good = wait_message(pair.router);
  ASSERT_EQ(good.outcome, ReceiveOutcome::kMessage);
  EXPECT_EQ(good.frames, wire::Frames{"next"});
  EXPECT_EQ(good.peer, bad.peer) << "the tail of the first message was taken for a routing id";
}

TEST(Router, BoundsTheBytesOfAWholeMessage) {
  Pair pair;
  pair.send({std::string(1000, 'a'), std::string(1000, 'b'), std::string(1000, 'c')});
  EXPECT_EQ(wait_message(pair.router).outcome, ReceiveOutcome::kTooLarge);
}

// Each size is on one side of a border: of what libzmq keeps in a message, of what a Frame has in itself, of what is copied.
TEST(Router, PassesFramesOfEverySizeOnUnchanged) {
  ZmqContext context;
  Router router(context, {});
  Dealer dealer(context, {});
  ASSERT_TRUE(dealer.connect(*router.bind("tcp://127.0.0.1:*")));
  wire::Frames frames;
  for (const std::size_t size : {0U, 1U, 33U, 34U, 39U, 40U, 64U, 1'023U, 1'024U, 1U << 20U}) {
    frames.emplace_back(std::string(size, static_cast<char>('a' + frames.size())));
  }
  ASSERT_TRUE(eventually(dealer.handle(), [&] { return dealer.send(wire::Frames(frames)) == SendOutcome::kSent; }));
  Received received = wait_message(router);
  EXPECT_EQ(received.frames, frames);
  ASSERT_EQ(router.send(received.peer, wire::Frames(received.frames)), SendOutcome::kSent);
  EXPECT_EQ(wait_message(dealer).frames, frames) << "copies";
  ASSERT_EQ(router.send(received.peer, std::move(received.frames)), SendOutcome::kSent);
  EXPECT_EQ(wait_message(dealer).frames, frames) << "the messages themselves";
}

TEST(Router, TellsThatAPeerIsUnknown) {
  ZmqContext context;
  Router router(context, {});
  EXPECT_EQ(router.send(wire::RoutingId("nobody"), {"hello"}), SendOutcome::kUnreachable);
}

TEST(Router, TellsThatAPeerTakesNoMore) {
  Pair pair;
  pair.send({"hello"});
  const Received received = wait_message(pair.router);
  SendOutcome outcome = SendOutcome::kSent;
  for (int i = 0; i < 1'000'000 && outcome == SendOutcome::kSent; ++i) {
    outcome = pair.router.send(received.peer, {std::string(1000, 'x')});
  }
  EXPECT_EQ(outcome, SendOutcome::kFull);
}

// What agent death in under 0.1 s rests on, over both transports of the bus.
class DisconnectOf : public testing::TestWithParam<std::string> {};

TEST_P(DisconnectOf, IsToldWithTheConnectionThatMessagesNamed) {
  const test::TempDir dir;
  const std::string wanted = GetParam() == "ipc" ? "ipc://" + (dir.path() / "bus").string() : "tcp://127.0.0.1:*";
  ZmqContext context;
  Router router(context, {});
  ConnectionMonitor monitor(context, router);
  const std::string endpoint = *router.bind(wanted);
  Received received;
  {
    Dealer dealer(context, {});
    ASSERT_TRUE(dealer.connect(endpoint));
    ASSERT_TRUE(eventually(dealer.handle(), [&] { return dealer.send({"hello"}) == SendOutcome::kSent; }));
    received = wait_message(router);
    ASSERT_GE(received.connection, 0);
  }
  int disconnected = -1;
  ASSERT_TRUE(eventually(monitor.handle(), [&] {
    while (const auto event = monitor.receive()) {
      if (event->change == ConnectionChange::kDisconnected) disconnected = event->connection;
    }
    return disconnected >= 0;
  }));
  EXPECT_EQ(disconnected, received.connection);
  EXPECT_TRUE(eventually(router.handle(),
                         [&] { return router.send(received.peer, {"are you there?"}) == SendOutcome::kUnreachable; }));
}

INSTANTIATE_TEST_SUITE_P(Transports, DisconnectOf, testing::Values("tcp", "ipc"),
                         [](const auto& transport) { return transport.param; });

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
