// Majordomo as its peers see it, through a real broker core: what the golden scenarios don't spell out.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/core/broker_core.h"
#include "common/wire/mdp_codec.h"

namespace compositord::broker {
namespace {

using std::chrono::milliseconds;
using wire::Dialect;
using wire::MdpVersion;
namespace mdp = wire::mdp;

constexpr Dialect k01{MdpVersion::k01, true};
constexpr Dialect k02{MdpVersion::k02, false};

// The n-th request's client address in the broker's first run.
std::string address(RequestToken n) { return address_of((RequestToken{1} << 32U) + n); }

// Named as code comments name its tests.
class Majordomo : public testing::Test {
 protected:
  Majordomo() {
    core_.step(now_, input::CalendarSet{}, out_);
    core_.load(now_, {}, out_);
  }
  template <class Message>
  void receive(const std::string& peer, const Dialect& dialect, Message message) {
    step(input::Received{wire::RoutingId(peer), serialize(dialect, std::move(message))});
  }
  void step(Input input) {
    out_.clear();
    core_.step(now_, std::move(input), out_);
    ASSERT_TRUE(core_.check_invariants());
  }
  void pass(std::int64_t ms) {
    const Instant end = now_ + milliseconds(ms);
    while (core_.next_deadline() <= end) {
      now_ = core_.next_deadline();
      step(input::Tick{});
      for (const Send& send : out_.sends) sent_.push_back(send);
    }
    now_ = end;
  }
  // The bodies that went to `peer` in the last step.
  std::vector<wire::Frames> bodies_to(const std::string& peer) const {
    std::vector<wire::Frames> bodies;
    for (const Send& send : out_.sends) {
      if (send.peer.value() != peer) continue;
      const auto parsed = wire::parse_from_broker(wire::Frames(send.frames));
      if (const auto* reply = std::get_if<mdp::ClientReply>(&parsed->message)) bodies.push_back(reply->body);
      if (const auto* request = std::get_if<mdp::WorkerRequest>(&parsed->message)) bodies.push_back(request->body);
    }
    return bodies;
  }
  using Bodies = std::vector<wire::Frames>;

  BrokerCore core_{BrokerConfig{}, 1};
  Instant now_;
  Outputs out_;
  std::vector<Send> sent_;
};

// One that takes another one's place is none more: a limit that was lowered refuses only who comes new.
TEST_F(Majordomo, LetsAnAgentReturnThoughALimitWasLoweredMeanwhile) {
  const auto admit = [&](const std::string& peer, const std::string& id) {
    receive(peer, k02,
            mdp::ClientRequest{"bus.agent", {R"({"v":1,"id":1,"method":"register","params":{"id":")" + id + R"("}})"}});
    const auto answered = msg::parse_reply(bodies_to(peer).at(0));
    return answered->header.status;
  };
  EXPECT_EQ(admit("one", "wall/1"), 200);
  EXPECT_EQ(admit("two", "wall/2"), 200);
  BrokerConfig config;
  config.limits.agents_max = 1;
  config.limits.workers_max = 1;
  step(input::Reloaded{0, input::Reloaded::Taken{config, {"limits"}, {}}});
  EXPECT_EQ(admit("one", "wall/1"), 200) << "over the same connection";
  EXPECT_EQ(admit("another", "wall/2"), 200) << "over another one";
  EXPECT_EQ(core_.counters().agents_taken_over, 1U);
  EXPECT_EQ(admit("three", "wall/3"), 429);
}

TEST_F(Majordomo, DropsAndCountsPartialsForA01Client) {
  receive("worker", k02, mdp::WorkerReady{"echo"});
  receive("client", k01, mdp::ClientRequest{"echo", {"hi"}});
  receive("worker", k02, mdp::WorkerReply{false, address(1), {"half"}});
  EXPECT_EQ(bodies_to("client"), Bodies{});
  EXPECT_EQ(core_.counters().partials_dropped, 1U);
  receive("worker", k02, mdp::WorkerReply{true, address(1), {"all"}});
  EXPECT_EQ(bodies_to("client"), Bodies{{"all"}});
}

TEST_F(Majordomo, ForwardsPartialsToA02Client) {
  receive("worker", k02, mdp::WorkerReady{"echo"});
  receive("client", k02, mdp::ClientRequest{"echo", {"hi"}});
  receive("worker", k02, mdp::WorkerReply{false, address(1), {"half"}});
  EXPECT_EQ(bodies_to("client"), Bodies{{"half"}});
  EXPECT_EQ(core_.counters().partials_dropped, 0U);
}

TEST_F(Majordomo, GivesRequestsToTheWorkerThatHasWaitedLongest) {
  receive("a", k02, mdp::WorkerReady{"echo"});
  receive("b", k02, mdp::WorkerReady{"echo"});
  receive("client", k02, mdp::ClientRequest{"echo", {"1"}});
  EXPECT_EQ(bodies_to("a"), Bodies{{"1"}});
  receive("client", k02, mdp::ClientRequest{"echo", {"2"}});
  EXPECT_EQ(bodies_to("b"), Bodies{{"2"}});
  receive("b", k02, mdp::WorkerReply{true, address(2), {}});
  receive("a", k02, mdp::WorkerReply{true, address(1), {}});
  receive("client", k02, mdp::ClientRequest{"echo", {"3"}});
  EXPECT_EQ(bodies_to("b"), Bodies{{"3"}});
}

TEST_F(Majordomo, APlainWorkerHasOneRequestAtATimeAndTheQueueKeepsItsOrder) {
  receive("worker", k02, mdp::WorkerReady{"echo"});
  for (const char* body : {"1", "2", "3"}) receive("client", k02, mdp::ClientRequest{"echo", {body}});
  EXPECT_EQ(bodies_to("worker"), Bodies{});
  receive("worker", k02, mdp::WorkerReply{true, address(1), {}});
  EXPECT_EQ(bodies_to("worker"), Bodies{{"2"}});
  receive("worker", k02, mdp::WorkerReply{true, address(2), {}});
  EXPECT_EQ(bodies_to("worker"), Bodies{{"3"}});
}

TEST_F(Majordomo, ForeignBodiesAreOpaque) {
  receive("worker", k02, mdp::WorkerReady{"echo"});
  int request = 0;
  for (const wire::Frames& body : {wire::Frames{}, {"", "", "x"}, {"\x81 no header"}, {"{ no json"}, {"{}"}}) {
    receive("client", k02, mdp::ClientRequest{"echo", body});
    EXPECT_EQ(bodies_to("worker"), Bodies{body});
    receive("worker", k02, mdp::WorkerReply{true, address(static_cast<RequestToken>(++request)), body});
    EXPECT_EQ(bodies_to("client"), Bodies{body});
  }
}

TEST_F(Majordomo, AWorkerCannotAnswerAnotherWorkersRequest) {
  receive("a", k02, mdp::WorkerReady{"echo"});
  receive("b", k02, mdp::WorkerReady{"other"});
  receive("client", k02, mdp::ClientRequest{"echo", {"hi"}});
  receive("b", k02, mdp::WorkerReply{true, address(1), {"forged"}});
  EXPECT_TRUE(out_.sends.empty());
  EXPECT_EQ(core_.counters().replies_late, 1U);
  receive("a", k02, mdp::WorkerReply{true, address(1), {"true"}});
  EXPECT_EQ(bodies_to("client"), Bodies{{"true"}});
  receive("a", k02, mdp::WorkerReply{true, address(1), {"again"}});
  EXPECT_EQ(core_.counters().replies_late, 2U);
}

TEST_F(Majordomo, SendsHeartbeatsToABusyWorkerInItsOwnDialect) {
  receive("worker", k01, mdp::WorkerReady{"echo"});
  receive("client", k02, mdp::ClientRequest{"echo", {"hi"}});
  pass(2'100);
  const auto is_heartbeat = [](const Send& send) { return send.frames == wire::Frames{"", "MDPW01", "\x04"}; };
  EXPECT_EQ(std::count_if(sent_.begin(), sent_.end(), is_heartbeat), 2);
}

TEST_F(Majordomo, ASendThatNeverReachedItsWorkerGivesTheCreditBack) {
  receive("worker", k02, mdp::WorkerReady{"echo"});
  const msg::Value header = msg::Value::map({{"v", 1}, {"id", 7}, {"method", "x"}, {"deadline_ms", 100}});
  receive("client", k02, mdp::ClientRequest{"echo", {msg::encode_msgpack(header)}});
  pass(200);  // 504; it is abandoned, and only now the loop tells that the send had failed
  step(input::SendFailed{wire::RoutingId("worker"), SendError::kFull, (RequestToken{1} << 32U) + 1});
  receive("client", k02, mdp::ClientRequest{"echo", {"next"}});
  EXPECT_EQ(bodies_to("worker"), Bodies{{"next"}});
}

TEST_F(Majordomo, AnAgentsTimesMayBeAnyNumbers) {
  constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  const auto status_of = [&](const char* method, msg::Value params) {
    msg::Call call;
    call.header.id = 1;
    call.header.method = method;
    call.params = std::move(params);
    receive("agent", k02, mdp::ClientRequest{"bus.agent", msg::serialize_call(call)});
    return msg::parse_reply(bodies_to("agent").at(0)).value().header.status;
  };
  EXPECT_EQ(status_of("register", msg::Value::map({{"id", "wall/0"}})), 200);
  for (const auto& [sent, since] :
       {std::pair{kMost, kLeast}, {kLeast, kMost}, {kLeast, kLeast}, {std::int64_t{0}, kLeast}}) {
    msg::StatusReport report;
    report.sent_at.ms = sent;
    report.process.since.ms = report.process.observed_at.ms = since;
    EXPECT_EQ(status_of("status", to_value(report)), 200);
  }
}

}  // namespace
}  // namespace compositord::broker
