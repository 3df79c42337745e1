// 18/MDP from the worker's and the client's side: our agent, which is both over one socket, in virtual time. All frames are
// written here by hand; README.md has the table.

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/core/agent_core.h"

namespace compositord::testing {
namespace {

using agent::SessionState;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;
using wire::Frames;
using Messages = std::vector<Frames>;
namespace input = agent::input;

Frames ready() { return {"MDPW02", "\x01", "compositor/wall/0"}; }
Frames heartbeat() { return {"MDPW02", "\x05"}; }
Frames disconnect() { return {"MDPW02", "\x06"}; }
Frames unknown_command(const std::string& address) {
  return {"MDPW02", "\x02", address, "", R"({"v":1,"id":"q","method":"no.such","params":{}})"};
}

agent::AgentConfig wall() {
  agent::AgentConfig config;
  config.id = msg::CompositorId("wall/0");
  return config;
}

class AgentWorker : public ::testing::Test {
 protected:
  void step(agent::Input what) {
    agent::Outputs out;
    core_.step(now_, std::move(what), out);
    for (Frames& frames : out.sends) sent_.push_back(std::move(frames));
    new_sockets_ += out.new_socket ? 1 : 0;
  }
  void from_broker(Frames frames) { step(input::Received{std::move(frames)}); }
  // Time passes, while the broker says nothing.
  void pass(Duration duration) {
    const Instant end = now_ + duration;
    while (core_.next_deadline() <= end) {
      now_ = std::max(now_, core_.next_deadline());
      step(input::Tick{});
    }
    now_ = end;
  }
  // The agent registers with its first call, whose id is 4, and is told one second and three intervals.
  void connect() {
    step(input::BusConnected{});
    EXPECT_THAT(sent(), ElementsAre(ElementsAre("MDPC02", "\x01", "bus.agent", Not(IsEmpty()), Not(IsEmpty()))));
  }
  void answer_register(const char* command = "\x03") {
    from_broker({"MDPC02", command, "bus.agent",
                 R"({"v":1,"id":4,"status":200,"result":{"epoch":1,"session":1,"heartbeat_ms":1000,"liveness":3,)"
                 R"("credit":8}})"});
  }
  void go_online() {
    connect();
    answer_register();
    EXPECT_THAT(sent(), ElementsAre(ready()));
  }
  // What the agent has sent since this was last asked.
  Messages sent() { return std::exchange(sent_, {}); }
  // How many of these are this one.
  static std::ptrdiff_t count(const Messages& messages, const Frames& frames) {
    return std::count(messages.begin(), messages.end(), frames);
  }

  agent::AgentCore core_{wall(), 7, Instant()};
  Instant now_;
  Messages sent_;
  int new_sockets_ = 0;
};

TEST_F(AgentWorker, ClientSendsREQUESTWithoutADelimiterAsADEALERSocketDoes) {
  step(input::BusConnected{});
  EXPECT_THAT(sent(), ElementsAre(ElementsAre("MDPC02", "\x01", "bus.agent", Not(IsEmpty()), Not(IsEmpty()))));
}

TEST_F(AgentWorker, OneWorkerMUSTConnectToOneBrokerUsingASingleSocket) {
  go_online();
  pass(seconds(60));  // the broker is silent: each new conversation needs its connection first
  EXPECT_EQ(new_sockets_, 1);
  EXPECT_EQ(core_.session_state(), SessionState::kConnecting);
}

TEST_F(AgentWorker, WorkerMUSTNOTSendAFurtherREADY) {
  go_online();
  for (int second = 0; second < 60; ++second) {
    from_broker(heartbeat());
    answer_register();  // a broker that repeats itself
    pass(seconds(1));
  }
  EXPECT_EQ(count(sent(), ready()), 0);
}

TEST_F(AgentWorker, ClientMUSTBePreparedForPARTIALBeforeTheFINAL) {
  connect();
  answer_register("\x02");
  EXPECT_THAT(sent(), IsEmpty());
  EXPECT_EQ(core_.session_state(), SessionState::kRegistering);
  answer_register();
  EXPECT_THAT(sent(), ElementsAre(ready()));
}

TEST_F(AgentWorker, WorkerSHOULDAssumeThatItsRegistrationSucceeded) {
  go_online();
  pass(milliseconds(2'999));
  EXPECT_EQ(core_.session_state(), SessionState::kOnline);
  from_broker(disconnect());
  EXPECT_EQ(core_.session_state(), SessionState::kBackingOff);
}

TEST_F(AgentWorker, AfterDISCONNECTItSendsNothingAndMUSTReconnectOnANewSocket) {
  go_online();
  from_broker(disconnect());
  from_broker(unknown_command("address"));
  from_broker(heartbeat());
  pass(milliseconds(49));
  EXPECT_EQ(new_sockets_, 0);  // jitter is at least half of the shortest back-off, 100 ms
  pass(milliseconds(101));
  EXPECT_EQ(new_sockets_, 1);
  pass(seconds(60));
  EXPECT_THAT(sent(), IsEmpty());
  connect();  // only then it speaks again
}

TEST_F(AgentWorker, WorkerSHALLSendExactlyOneFINALForEachREQUEST) {
  go_online();
  for (const std::string& address : {std::string("a"), std::string("\x00\xff", 2), std::string(255, 'x')}) {
    from_broker(unknown_command(address));
    EXPECT_THAT(sent(), ElementsAre(ElementsAre("MDPW02", "\x04", address, "", ::testing::HasSubstr(R"("id":"q")"))));
  }
}

TEST_F(AgentWorker, AREQUESTThatIsNoCallGetsItsFINALToo) {
  go_online();
  from_broker({"MDPW02", "\x02", "address", "", "not a call"});
  from_broker({"MDPW02", "\x02", "address", ""});
  const Messages answers = sent();
  ASSERT_EQ(answers.size(), 2U);
  for (const Frames& answer : answers) {
    ASSERT_GE(answer.size(), 5U);
    EXPECT_THAT(Frames(answer.begin(), answer.begin() + 4), ElementsAre("MDPW02", "\x04", "address", ""));
  }
}

TEST_F(AgentWorker, AREQUESTWithoutOneAddressAndAnEmptyFrameIsDropped) {
  go_online();
  const std::string call = unknown_command("address")[4].str();
  for (const Frames& frames : Messages{{"MDPW02", "\x02"},
                                       {"MDPW02", "\x02", "address"},
                                       {"MDPW02", "\x02", "address", call},
                                       {"MDPW02", "\x02", "address", "address", "", call}}) {
    from_broker(frames);
  }
  EXPECT_THAT(sent(), IsEmpty());
  EXPECT_EQ(core_.session_state(), SessionState::kOnline);
}

TEST_F(AgentWorker, WorkerMUSTSendHeartbeatsAtTheAgreedInterval) {
  go_online();
  for (int beat = 0; beat < 30; ++beat) {
    pass(milliseconds(999));
    from_broker(heartbeat());
    EXPECT_EQ(count(sent(), heartbeat()), 0);
    pass(milliseconds(1));
    EXPECT_EQ(count(sent(), heartbeat()), 1);
  }
}

TEST_F(AgentWorker, HEARTBEATGoesOutAtEachIntervalBesideOtherCommands) {
  go_online();
  pass(milliseconds(999));
  from_broker(unknown_command("address"));
  EXPECT_EQ(sent().size(), 1U);
  pass(milliseconds(1));
  EXPECT_EQ(count(sent(), heartbeat()), 1);
}

TEST_F(AgentWorker, AnyCommandOfTheBrokerActsAsAHeartbeat) {
  go_online();
  for (const Frames& sign : {heartbeat(), unknown_command("address"), Frames{"MDPC02", "\x03", "bus.agent", "{}"}}) {
    pass(milliseconds(2'999));
    from_broker(sign);
  }
  pass(milliseconds(2'999));
  EXPECT_EQ(core_.session_state(), SessionState::kOnline);
}

TEST_F(AgentWorker, WorkerMUSTConsiderASilentBrokerDisconnected) {
  go_online();
  pass(milliseconds(2'999));
  EXPECT_EQ(core_.session_state(), SessionState::kOnline);
  pass(milliseconds(1));
  EXPECT_EQ(core_.session_state(), SessionState::kBackingOff);
}

TEST_F(AgentWorker, WorkerSHOULDRestartANewConversationWithABrokerThatHasDisconnected) {
  go_online();
  pass(seconds(4));
  EXPECT_EQ(new_sockets_, 1);
  sent();
  step(input::BusConnected{});
  EXPECT_THAT(sent(), ElementsAre(ElementsAre("MDPC02", "\x01", "bus.agent", Not(IsEmpty()), Not(IsEmpty()))));
  // The second conversation's first call has the id 8.
  from_broker({"MDPC02", "\x03", "bus.agent",
               R"({"v":1,"id":8,"status":200,"result":{"epoch":2,"session":1,"heartbeat_ms":1000,"liveness":3,)"
               R"("credit":8}})"});
  const Messages greeting = sent();
  ASSERT_THAT(greeting, Not(IsEmpty()));
  EXPECT_EQ(greeting.front(), ready());
}

}  // namespace
}  // namespace compositord::testing
