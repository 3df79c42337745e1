// The bus: our ROUTER, and libzmq's sockets or bare ones at the other end.

#include "common/net/router.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/running_router.h"
#include "tests/support/temp_dir.h"
#include "tests/support/zmtp_bytes.h"

namespace compositord::net {
namespace {

using testing::HasSubstr;
using Kind = RouterEvent::Kind;
using test::BareClient;
using test::Client;
using test::RunningRouter;

std::string text(const wire::Frames& frames) {
  std::string all;
  for (const wire::Frame& frame : frames) all += frame.str() + "|";
  return all;
}

// Over both transports of the bus: what agent death in under 0.1 s rests on.
class RouterOver : public testing::TestWithParam<std::string> {
 protected:
  test::TempDir dir_;
  RunningRouter router_{GetParam() == "ipc" ? "ipc://" + (dir_.path() / "bus").string() : "tcp://127.0.0.1:*"};
};

TEST_P(RouterOver, TellsOfMessagesAndThenOfTheEnd) {
  wire::RoutingId peer;
  {
    Client client(router_.endpoint());
    client.send(router_, {"hello", "", "bus"});
    RouterEvent event = router_.next();
    ASSERT_EQ(event.kind, Kind::kMessage);
    EXPECT_EQ(text(event.frames), "hello||bus|");
    peer = event.peer;
    EXPECT_EQ(router_.send(peer, {"hello", "", "client"}), SendOutcome::kSent);
    EXPECT_EQ(text(client.receive(router_)), "hello||client|");
    client.send(router_, {"last words"});
  }
  RouterEvent event = router_.next();
  EXPECT_EQ(text(event.frames), "last words|");
  EXPECT_EQ(event.peer, peer);
  event = router_.next();
  EXPECT_EQ(event.kind, Kind::kClosed);
  EXPECT_EQ(event.peer, peer);
  EXPECT_EQ(router_.send(peer, {"are you there?"}), SendOutcome::kUnreachable);
}

INSTANTIATE_TEST_SUITE_P(Transports, RouterOver, testing::Values("tcp", "ipc"),
                         [](const auto& transport) { return transport.param; });

// Each size is on one side of a border: of what a Frame has in itself, of a long frame, of what is kept and not copied, of one
// read, of what the kernel takes at once.
TEST(Router, PassesFramesOfEverySizeOnUnchanged) {
  RunningRouter router;
  Client client(router.endpoint());
  wire::Frames frames;
  for (const std::size_t size : {0U, 1U, 39U, 40U, 255U, 256U, 16'383U, 16'384U, 131'072U, 8U << 20U}) {
    frames.emplace_back(std::string(size, static_cast<char>('a' + frames.size())));
  }
  for (int i = 0; i < 3; ++i) {
    client.send(router, frames);
    RouterEvent event = router.next();
    ASSERT_TRUE(event.frames == frames);
    ASSERT_EQ(router->send(event.peer, std::move(event.frames)), SendOutcome::kSent);
    ASSERT_TRUE(client.receive(router) == frames);
  }
}

TEST(Router, ReadsAnOverlongMessageToItsEndAndThenTheNextOne) {
  RunningRouter router("tcp://127.0.0.1:*", {4, 1'024, 2'048});
  Client client(router.endpoint());
  client.send(router, {"1", "2", "3", "4", "5"});  // one frame more than the limit
  client.send(router, {std::string(1'000, 'a'), std::string(1'000, 'b'), std::string(1'000, 'c')});
  client.send(router, {"next"});
  const wire::RoutingId peer = [&] {
    const RouterEvent event = router.next();
    EXPECT_EQ(event.kind, Kind::kTooLarge);
    EXPECT_TRUE(event.frames.empty());
    return event.peer;
  }();
  EXPECT_EQ(router.next().kind, Kind::kTooLarge);
  const RouterEvent good = router.next();
  ASSERT_EQ(good.kind, Kind::kMessage);
  EXPECT_EQ(text(good.frames), "next|");
  EXPECT_EQ(good.peer, peer);
}

TEST(Router, AFrameThatIsTooLargeEndsTheConnection) {
  RunningRouter router("tcp://127.0.0.1:*", {4, 1'024, 2'048});
  Client client(router.endpoint());
  client.send(router, {"hello"});
  const wire::RoutingId peer = router.next().peer;
  client.send(router, {std::string(1'025, 'x')});
  RouterEvent event = router.next();
  EXPECT_EQ(event.kind, Kind::kRefused);
  EXPECT_THAT(event.text, testing::MatchesRegex("127\\.0\\.0\\.1:[0-9]+ sent a frame of 1025 bytes, more than 1024"));
  event = router.next();
  EXPECT_EQ(event.kind, Kind::kClosed);
  EXPECT_EQ(event.peer, peer);
}

TEST(Router, TellsThatAPeerIsUnknown) {
  RunningRouter router;
  EXPECT_EQ(router.send(wire::RoutingId("nobody"), {"hello"}), SendOutcome::kUnreachable);
}

// By messages or by bytes; what was taken arrives whole and in order when the peer reads at last.
TEST(Router, KeepsNoMoreThanItsLimitsForAPeerThatDoesNotRead) {
  const std::string body(10'000, 'x');
  for (const QueueLimits& limits :
       {QueueLimits{50, 1U << 30U, 1U << 30U, 0}, QueueLimits{1'000'000, 500'000, 1U << 30U, 0},
        QueueLimits{1'000'000, 1U << 30U, 500'000, 100'000}}) {
    RunningRouter router("tcp://127.0.0.1:*", {}, limits);
    BareClient client(router.endpoint());
    client.write(test::hello_3() + test::frame(0, "hello"));
    const wire::RoutingId peer = router.next().peer;
    int sent = 0;
    while (sent < 100'000 && router.send(peer, {std::to_string(sent), body}) == SendOutcome::kSent) ++sent;
    EXPECT_LT(sent, 100'000) << "the kernel takes some MB, and then it is our queue that is full";
    std::string expected;
    for (int i = 0; i < sent; ++i) expected += test::frame(1, std::to_string(i)) + test::frame(0, body);
    std::string all;
    EXPECT_TRUE(router.eventually([&] {
      return (all += client.read().value_or("")).ends_with(test::frame(0, body)) && all.size() >= expected.size();
    }));
    EXPECT_TRUE(all.substr(all.size() - expected.size()) == expected);
    EXPECT_EQ(router.send(peer, {"more"}), SendOutcome::kSent) << "it has read, and is served as before";
  }
}

// However many peers do not read: what waits for all of them, and what is incomplete of all that they send, is bounded.
TEST(Router, KeepsABoundedAmountForAllPeersTogether) {
  constexpr std::size_t kMax = 4U << 20U;
  RunningRouter router("tcp://127.0.0.1:*", {}, QueueLimits{1'000, 64U << 20U, kMax, 1U << 20U});
  const std::string body(5U << 20U, 'x');  // more than the kernel takes of a peer that does not read
  const std::string part = test::frame(1, std::string(700'000, 'x'));
  std::vector<std::unique_ptr<BareClient>> clients;
  int dropped = 0;
  int refused = 0;
  for (int i = 0; i < 30; ++i) {
    clients.push_back(std::make_unique<BareClient>(router.endpoint()));
    clients.back()->write(test::hello_3() + test::frame(0, "hello"));
    RouterEvent event = router.next();
    for (; event.kind != Kind::kMessage; event = router.next()) refused += event.kind == Kind::kRefused ? 1 : 0;
    for (int k = 0; k < 2; ++k) dropped += router.send(event.peer, {body}) == SendOutcome::kFull ? 1 : 0;
    for (std::string_view rest = part; !rest.empty(); router.work({})) {
      const std::size_t written = clients.back()->write_some(rest);
      if (written == 0) break;  // it was cut off, or will be told so
      rest.remove_prefix(written);
    }
    EXPECT_LE(router->load().send_bytes, 2 * kMax);
    EXPECT_LE(router->load().incoming_bytes, 2 * kMax);
  }
  EXPECT_GT(dropped, 20);
  while (router.has_event()) refused += router.next().kind == Kind::kRefused ? 1 : 0;
  EXPECT_GT(refused, 5);
  clients.clear();
  EXPECT_TRUE(router.eventually([&] { return router->load().connections == 0; }));
  EXPECT_EQ(router->load().send_bytes, 0U);
  EXPECT_EQ(router->load().incoming_bytes, 0U);
}

TEST(Router, WhoIsServedIsServedWhileTheQueuesOfOthersAreFull) {
  RunningRouter router("tcp://127.0.0.1:*", {}, QueueLimits{1'000'000, 1U << 30U, 500'000, 100'000});
  BareClient slow(router.endpoint());
  slow.write(test::hello_3() + test::frame(0, "slow"));
  const wire::RoutingId slow_peer = router.next().peer;
  while (router.send(slow_peer, {std::string(10'000, 'x')}) == SendOutcome::kSent) {
  }
  Client client(router.endpoint());
  client.send(router, {"hello"});
  const wire::RoutingId peer = router.next().peer;
  EXPECT_EQ(router.send(peer, {std::string(50'000, 'y')}), SendOutcome::kSent);
  EXPECT_EQ(client.receive(router).at(0).size(), 50'000U);
}

// All of a flood is read sooner or later, and between two pieces of it everybody else is.
TEST(Router, ServesOthersBesideAPeerThatNeverStops) {
  RunningRouter router;
  BareClient flooder(router.endpoint());
  flooder.write(test::hello_3());
  std::string flood;
  for (int i = 0; i < 500'000; ++i) flood += test::frame(0, "");
  std::string_view rest = flood;
  const auto work = [&] {
    if (rest.empty()) rest = flood;
    rest.remove_prefix(flooder.write_some(rest));
    return router.work_a_little();
  };
  for (int i = 0; i < 500; ++i) work();
  BareClient honest(router.endpoint());
  honest.write(test::hello_3("DEALER", "honest") + test::frame(0, "hello"));
  std::size_t before = 0;
  bool served = false;
  while (!served && before < 1'000'000) {
    for (const RouterEvent& event : work()) served |= event.peer == wire::RoutingId("honest") || (++before, false);
  }
  EXPECT_TRUE(served);
  EXPECT_LT(before, 50'000U) << "some pieces of 16 KiB: to accept it, to shake hands, to hear it";
}

TEST(Router, CutsOffWhoKeepsTooMuchOfAnIncompleteMessage) {
  RunningRouter router("tcp://127.0.0.1:*", {}, QueueLimits{1'000, 1U << 30U, 300'000, 100'000});
  const std::string part = test::frame(1, std::string(90'000, 'x'));
  BareClient modest(router.endpoint());
  modest.write(test::hello_3() + part);
  BareClient hog(router.endpoint());
  hog.write(test::hello_3());
  for (int i = 0; i < 3; ++i) {
    for (std::string_view rest = part; !rest.empty(); router.work({})) rest.remove_prefix(hog.write_some(rest));
  }
  const RouterEvent event = router.next();
  EXPECT_EQ(event.kind, Kind::kRefused);
  EXPECT_THAT(event.text, HasSubstr("bytes of a message that is not complete, and all peers together"));
  EXPECT_TRUE(hog.wait_closed(router));
  modest.write(test::frame(0, "the end"));
  EXPECT_EQ(router.next().kind, Kind::kClosed);
  EXPECT_EQ(router.next().frames.size(), 2U);
}

TEST(Router, GivesNobodyTheRoutingIdOfALivePeer) {
  RunningRouter router;
  auto first = std::make_unique<BareClient>(router.endpoint());
  first->write(test::hello_3("DEALER", "same") + test::frame(0, "first"));
  EXPECT_EQ(router.next().peer, wire::RoutingId("same"));
  {
    BareClient second(router.endpoint());
    second.write(test::hello_3("DEALER", "same") + test::frame(0, "second"));
    const RouterEvent refused = router.next();
    EXPECT_EQ(refused.kind, Kind::kRefused);
    EXPECT_THAT(refused.text, testing::MatchesRegex("127.0.0.1:[0-9]+ wants the routing id of 127.0.0.1:[0-9]+"));
    EXPECT_TRUE(second.wait_closed(router));
  }
  EXPECT_EQ(router.send(wire::RoutingId("same"), {"to the first"}), SendOutcome::kSent);
  EXPECT_TRUE(first->read_until(router, "to the first"));
  first.reset();
  EXPECT_EQ(router.next().kind, Kind::kClosed);
  BareClient third(router.endpoint());
  third.write(test::hello_3("DEALER", "same") + test::frame(0, "third"));
  EXPECT_EQ(text(router.next().frames), "third|");
}

// Its last bytes are there, and getpeername(2) knows nobody any more.
TEST(Router, NamesAPeerThatWasGoneBeforeItWasAccepted) {
  RunningRouter router;
  {
    BareClient client(router.endpoint());
    client.write("GET / HTTP/1.1\r\n\r\n");
    const linger at_once{1, 0};  // close() is a reset
    ASSERT_EQ(setsockopt(client.fd(), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
  }
  const RouterEvent event = router.next();
  EXPECT_EQ(event.kind, Kind::kRefused);
  EXPECT_THAT(event.text, testing::MatchesRegex("127.0.0.1:[0-9]+ speaks no ZMTP.*"));
}

// One that closes and one that comes get the same descriptor: the new one is told of as a new one.
TEST(Router, TellsConnectionsApartThatHaveOneDescriptorAfterTheOther) {
  RunningRouter router;
  std::vector<wire::RoutingId> seen;
  for (int i = 0; i < 50; ++i) {
    {
      BareClient client(router.endpoint());
      client.write(test::hello_3() + test::frame(0, std::to_string(i)));
    }
    const RouterEvent message = router.next();
    ASSERT_EQ(text(message.frames), std::to_string(i) + "|") << "what was sent before the close is told before it";
    const RouterEvent closed = router.next();
    ASSERT_EQ(closed.kind, Kind::kClosed);
    ASSERT_EQ(closed.peer, message.peer);
    ASSERT_THAT(seen, testing::Not(testing::Contains(message.peer)));
    seen.push_back(message.peer);
  }
}

TEST(Router, AnswersPeersOfOldVersionsInTheirFrames) {
  RunningRouter router;
  BareClient v2(router.endpoint());
  v2.write(test::hello_2("two") + test::frame(0, "hello"));
  EXPECT_EQ(router.next().peer, wire::RoutingId("two"));
  EXPECT_EQ(router.send(wire::RoutingId("two"), {"a", "b"}), SendOutcome::kSent);
  EXPECT_TRUE(v2.read_until(router, "\x03\x06" + test::zeros(2) + test::frame(1, "a") + test::frame(0, "b")));
  BareClient v1(router.endpoint());
  v1.write(test::hello_1("one") + test::frame_1(false, "hello"));
  EXPECT_EQ(router.next().peer, wire::RoutingId("one"));
  EXPECT_EQ(router.send(wire::RoutingId("one"), {"a", "b"}), SendOutcome::kSent);
  EXPECT_TRUE(v1.read_until(
      router, std::string(wire::zmtp_signature()) + test::frame_1(true, "a") + test::frame_1(false, "b")));
}

TEST(Router, AnswersAPing) {
  RunningRouter router;
  BareClient client(router.endpoint());
  client.write(test::hello_3() + test::command("PING", test::zeros(2) + "ctx"));
  std::string all;
  EXPECT_TRUE(
      router.eventually([&] { return (all += client.read().value_or("")).ends_with(test::command("PONG", "ctx")); }));
}

// A flood of questions whose answers nobody reads fills no memory.
TEST(Router, KeepsFewAnswersForAPeerThatReadsNone) {
  RunningRouter router;
  BareClient client(router.endpoint());
  std::string pings;
  for (int i = 0; i < 1'000; ++i) pings += test::command("PING", test::zeros(2) + "0123456789abcdef");
  client.write(test::hello_3());
  for (int i = 0; i < 2'000; ++i) {
    for (std::string_view rest = pings; !rest.empty(); router.work({})) rest.remove_prefix(client.write_some(rest));
  }
  client.write(test::frame(0, "hello"));
  RouterEvent event = router.next();
  EXPECT_EQ(text(event.frames), "hello|") << "46 MB were read";
  EXPECT_LT(router->load().send_bytes, 200'000U);
}

TEST(Router, EndsHandshakesThatNeverEnd) {
  RunningRouter router;
  BareClient silent(router.endpoint());
  BareClient slow(router.endpoint());
  slow.write(test::greeting_3());
  BareClient done(router.endpoint());
  done.write(test::hello_3() + test::frame(0, "hello"));
  EXPECT_EQ(router.next().kind, Kind::kMessage);
  const Instant accepted = router.now();
  router->look_after_connections(accepted + std::chrono::seconds(30));
  router.work({});
  EXPECT_FALSE(router.has_event());
  router->look_after_connections(accepted + std::chrono::seconds(31));
  for (int i = 0; i < 2; ++i) {
    const RouterEvent event = router.next();
    EXPECT_EQ(event.kind, Kind::kRefused);
    EXPECT_THAT(event.text, HasSubstr("did not finish its handshake"));
  }
  EXPECT_TRUE(silent.wait_closed(router));
  EXPECT_TRUE(slow.wait_closed(router));
  EXPECT_TRUE(done.read().has_value());
}

TEST(Router, WritesItsLastWordsBeforeItEnds) {
  auto router = std::make_unique<RunningRouter>();
  BareClient client(router->endpoint());
  client.write(test::hello_3() + test::frame(0, "hello"));
  const wire::RoutingId peer = router->next().peer;
  client.write(test::frame(0, "which nobody reads"));
  EXPECT_EQ((*router)->send(peer, {"DISCONNECT"}), SendOutcome::kSent);  // not flushed
  router.reset();
  std::string all;
  for (std::optional<std::string> bytes = ""; bytes; bytes = client.read()) all += *bytes;
  EXPECT_TRUE(all.ends_with(test::frame(0, "DISCONNECT")));
}

TEST(Router, EndsAPeersConnectionBehindWhatWasSentToIt) {
  RunningRouter router;
  BareClient client(router.endpoint());
  client.write(test::hello_3() + test::frame(0, "hello"));
  const wire::RoutingId peer = router.next().peer;
  const std::string words = test::frame(0, std::string(8U << 20U, 'x'));  // more than the kernel takes at once
  EXPECT_EQ(router->send(peer, {words}), SendOutcome::kSent);
  router->close_peer(peer);
  router->close_peer(wire::RoutingId("nobody"));
  EXPECT_EQ(router->send(peer, {"too late"}), SendOutcome::kUnreachable);
  router.work({});
  client.write(test::frame(0, "meanwhile"));
  EXPECT_EQ(text(router.next().frames), "meanwhile|");
  std::string all;
  EXPECT_TRUE(router.eventually([&] {
    const std::optional<std::string> bytes = client.read();
    all += bytes.value_or("");
    return !bytes;
  }));
  EXPECT_TRUE(all.ends_with(test::frame(0, words)));
  const RouterEvent closed = router.next();
  EXPECT_EQ(closed.kind, Kind::kClosed);
  EXPECT_EQ(closed.peer, peer);
  EXPECT_EQ(router->load().send_bytes, 0U);
}

// Longer words, to peers that read.
TEST(Router, TakesALittleTimeForThem) {
  auto router = std::make_unique<RunningRouter>();
  BareClient client(router->endpoint());
  client.write(test::hello_3() + test::frame(0, "hello"));
  const wire::RoutingId peer = router->next().peer;
  const std::string words = test::frame(0, std::string(8U << 20U, 'x'));
  EXPECT_EQ((*router)->send(peer, {words}), SendOutcome::kSent);
  std::string all;
  std::thread reader([&] { all = client.read_to_the_end(); });
  router.reset();
  reader.join();
  EXPECT_TRUE(all.ends_with(test::frame(0, words)));
}

}  // namespace
}  // namespace compositord::net
