// 7/MDP, sentence by sentence, from the broker's side. Each test is named after the sentence it shows; README.md has the
// table. All frames are written here by hand.

#include <chrono>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/conformance/raw_bus.h"

namespace compositord::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;

Frames ready(const std::string& service = "echo") { return {"", "MDPW01", "\x01", service}; }
Frames heartbeat() { return {"", "MDPW01", "\x04"}; }
Frames disconnect() { return {"", "MDPW01", "\x05"}; }
Frames request(const std::string& body) { return {"", "MDPC01", "echo", body}; }
Frames reply_of(const std::string& address, const std::string& body) {
  return {"", "MDPW01", "\x03", address, "", body};
}
Frames client_reply(const std::string& body) { return {"", "MDPC01", "echo", body}; }

class Mdp01 : public ::testing::Test {
 protected:
  // The worker has got this one request and nothing else; returns its client address.
  std::string take_request(const std::string& worker, const std::string& body) {
    const Messages got = bus_.to(worker);
    EXPECT_THAT(got, ElementsAre(ElementsAre("", "MDPW01", "\x02", Not(IsEmpty()), "", body)));
    return got.size() == 1 && got[0].size() > 3 ? got[0][3].str() : "";
  }
  // Two workers a and b of "echo", in this order.
  void two_workers() {
    bus_.from("a", ready());
    bus_.from("b", ready());
  }

  RawBus bus_;
};

// ---- Overall Topology

TEST_F(Mdp01, BrokerSHOULDServeClientsOnAFairBasis) {
  bus_.from("worker", ready());
  bus_.from("greedy", request("1"));
  bus_.from("greedy", request("2"));
  bus_.from("modest", request("3"));
  bus_.from("greedy", request("4"));
  for (const char* body : {"1", "2", "3", "4"}) bus_.from("worker", reply_of(take_request("worker", body), body));
  EXPECT_THAT(bus_.to("modest"), ElementsAre(client_reply("3")));
  EXPECT_THAT(bus_.to("greedy"), ElementsAre(client_reply("1"), client_reply("2"), client_reply("4")));
}

TEST_F(Mdp01, BrokerMAYDeliverToTheLeastRecentlyUsedWorker) {
  two_workers();
  bus_.from("client", request("1"));
  const std::string first = take_request("a", "1");
  bus_.from("client", request("2"));
  const std::string second = take_request("b", "2");
  bus_.from("b", reply_of(second, ""));
  bus_.from("a", reply_of(first, ""));
  bus_.from("client", request("3"));
  take_request("b", "3");  // b has been free for longer
  EXPECT_THAT(bus_.to("a"), IsEmpty());
}

TEST_F(Mdp01, WorkersHandleAtMostOneRequestAtATime) {
  bus_.from("worker", ready());
  bus_.from("client", request("1"));
  bus_.from("client", request("2"));
  const std::string address = take_request("worker", "1");
  EXPECT_THAT(bus_.to("worker"), IsEmpty());
  bus_.from("worker", reply_of(address, "all"));
  take_request("worker", "2");
}

// ---- MDP/Client

TEST_F(Mdp01, FormsOfREQUESTAndREPLY) {
  bus_.from("worker", ready());
  bus_.from("client", {"", "MDPC01", "echo", "one", "", "three"});
  const Messages got = bus_.to("worker");
  ASSERT_THAT(got, ElementsAre(ElementsAre("", "MDPW01", "\x02", Not(IsEmpty()), "", "one", "", "three")));
  bus_.from("worker", {"", "MDPW01", "\x03", got[0][3], "", "", "x"});
  EXPECT_THAT(bus_.to("client"), ElementsAre(Frames{"", "MDPC01", "echo", "", "x"}));
}

TEST_F(Mdp01, ClientsMUSTCreateTheEmptyFrameAndOneWithoutItIsAnsweredInKind) {
  bus_.from("worker", ready());
  bus_.from("client", {"MDPC01", "echo", "hi"});
  bus_.from("worker", reply_of(take_request("worker", "hi"), "yes"));
  EXPECT_THAT(bus_.to("client"), ElementsAre(Frames{"MDPC01", "echo", "yes"}));
}

TEST_F(Mdp01, ClientsMAYAskAsynchronously) {
  two_workers();
  bus_.from("client", request("1"));
  bus_.from("client", request("2"));
  const std::string first = take_request("a", "1");
  bus_.from("b", reply_of(take_request("b", "2"), "2"));
  bus_.from("a", reply_of(first, "1"));
  EXPECT_THAT(bus_.to("client"), ElementsAre(client_reply("2"), client_reply("1")));
}

TEST_F(Mdp01, AClientOf01GetsOneReplyWhateverAWorkerOf02Sends) {
  bus_.from("worker", {"MDPW02", "\x01", "echo"});
  bus_.from("client", request("hi"));
  const Messages got = bus_.to("worker");
  ASSERT_THAT(got, ElementsAre(ElementsAre("MDPW02", "\x02", Not(IsEmpty()), "", "hi")));
  bus_.from("worker", {"MDPW02", "\x03", got[0][2], "", "half"});
  EXPECT_THAT(bus_.to("client"), IsEmpty());
  bus_.from("worker", {"MDPW02", "\x04", got[0][2], "", "all"});
  EXPECT_THAT(bus_.to("client"), ElementsAre(client_reply("all")));
}

TEST_F(Mdp01, AClientOf02GetsAFINALFromAWorkerOf01) {
  bus_.from("worker", ready());
  bus_.from("client", {"MDPC02", "\x01", "echo", "hi"});
  bus_.from("worker", reply_of(take_request("worker", "hi"), "all"));
  EXPECT_THAT(bus_.to("client"), ElementsAre(Frames{"MDPC02", "\x03", "echo", "all"}));
}

TEST_F(Mdp01, ClientsMAYRecoverByAskingAgainOnANewSocket) {
  two_workers();
  bus_.from("old socket", request("hi"));
  bus_.from("new socket", request("hi"));
  bus_.from("a", reply_of(take_request("a", "hi"), "late"));
  bus_.from("b", reply_of(take_request("b", "hi"), "again"));
  EXPECT_THAT(bus_.to("new socket"), ElementsAre(client_reply("again")));
}

TEST_F(Mdp01, BrokerSHOULDQueueRequestsForWhichNoServiceIsRegistered) {
  bus_.from("client", request("1"));
  bus_.from("client", request("2"));
  bus_.pass(seconds(29));
  EXPECT_EQ(bus_.unread(), 0U);
  bus_.from("worker", ready());
  bus_.from("worker", reply_of(take_request("worker", "1"), ""));
  take_request("worker", "2");
}

TEST_F(Mdp01, BrokerSHOULDExpireQueuedRequestsAfterAConfigurableTime) {
  for (const Duration expiry : {Duration(milliseconds(200)), Duration(seconds(30))}) {
    RawBus bus(with_plain_expiry(expiry));
    bus.from("client", request("hi"));
    bus.pass(expiry - milliseconds(1));
    EXPECT_EQ(bus.counters().requests_expired, 0U);
    bus.pass(milliseconds(1));
    EXPECT_EQ(bus.counters().requests_expired, 1U);
    bus.from("worker", ready());
    EXPECT_EQ(bus.unread(), 0U);
  }
}

// ---- Opening and Closing a Connection

TEST_F(Mdp01, AWorkerThatUsesTwoSocketsIsTwoWorkers) {
  two_workers();
  bus_.from("client", request("1"));
  const std::string address = take_request("a", "1");
  bus_.from("b", reply_of(address, "from the other socket"));
  EXPECT_THAT(bus_.to("client"), IsEmpty());
  bus_.from("a", reply_of(address, "right"));
  EXPECT_THAT(bus_.to("client"), ElementsAre(client_reply("right")));
}

TEST_F(Mdp01, ManyWorkersMAYHandleTheSameService) {
  for (const char* worker : {"1", "2", "3"}) bus_.from(worker, ready());
  for (const char* body : {"1", "2", "3"}) bus_.from("client", request(body));
  for (const char* both : {"1", "2", "3"}) take_request(both, both);
}

TEST_F(Mdp01, AWorkerMUSTNOTSendAFurtherREADYOrItIsDisconnected) {
  for (const char* service : {"echo", "other"}) {
    bus_.from("worker", ready());
    bus_.from("worker", ready(service));
    EXPECT_THAT(bus_.to("worker"), ElementsAre(disconnect())) << service;
  }
}

TEST_F(Mdp01, ThereIsNoResponseToREADY) {
  bus_.from("worker", ready());
  EXPECT_EQ(bus_.unread(), 0U);
}

TEST_F(Mdp01, AREADYWithMoreOrFewerFramesIsNone) {
  bus_.from("worker", {"", "MDPW01", "\x01"});
  bus_.from("worker", {"", "MDPW01", "\x01", "echo", "more"});
  EXPECT_EQ(bus_.counters().messages_malformed, 2U);
  bus_.from("client", request("hi"));
  EXPECT_EQ(bus_.unread(), 0U);
}

TEST_F(Mdp01, AWorkerMAYSendDISCONNECTBeforeREADY) {
  bus_.from("worker", disconnect());
  EXPECT_EQ(bus_.unread(), 0U);
  bus_.from("worker", ready());
  bus_.from("client", request("hi"));
  take_request("worker", "hi");
}

TEST_F(Mdp01, BrokerMUSTSendNoFurtherCommandsToAWorkerThatSentDISCONNECT) {
  bus_.from("worker", ready());
  bus_.from("client", request("1"));
  bus_.from("client", request("2"));
  take_request("worker", "1");
  bus_.from("worker", disconnect());
  bus_.from("client", request("3"));
  bus_.pass(seconds(60));
  EXPECT_THAT(bus_.to("worker"), IsEmpty());
}

TEST_F(Mdp01, BrokerMAYSendDISCONNECTOnlyToAWorkerThatHasSentACommand) {
  bus_.from("client", request("hi"));  // a client, which has no liveness
  bus_.pass(seconds(60));
  EXPECT_EQ(bus_.unread(), 0U);
}

TEST_F(Mdp01, BrokerMUSTAnswerAnUnexpectedCommandWithDISCONNECT) {
  for (const Frames& command : {heartbeat(), reply_of("address", "x")}) {
    bus_.from("stranger", command);
    EXPECT_THAT(bus_.to("stranger"), ElementsAre(disconnect()));
  }
  EXPECT_EQ(bus_.counters().commands_unexpected, 2U);
}

TEST_F(Mdp01, AfterThatDISCONNECTBrokerMUSTSendNoFurtherCommandsToThatWorker) {
  bus_.from("worker", ready());
  bus_.from("worker", ready());
  EXPECT_THAT(bus_.to("worker"), ElementsAre(disconnect()));
  bus_.from("client", request("hi"));
  bus_.pass(seconds(60));
  EXPECT_THAT(bus_.to("worker"), IsEmpty());
}

TEST_F(Mdp01, AReplyToNoRequestOfThatWorkerIsDroppedAndCounted) {
  bus_.from("worker", ready());
  bus_.from("worker", reply_of("address", "x"));
  EXPECT_EQ(bus_.unread(), 0U);
  EXPECT_EQ(bus_.counters().replies_late, 1U);
}

TEST_F(Mdp01, BrokerSHOULDDropInvalidMessages) {
  const Messages invalid{{"", "MDPX01", "echo", "x"},
                         {"", "", "MDPC01", "echo", "x"},
                         {"", "MDPC01"},
                         {"", "MDPC01", ""},
                         {"", "MDPW01"},
                         {"", "MDPW01", ""},
                         {"", "MDPW01", "READY", "echo"},
                         {"", "MDPW01", "\x02", "address", "", "x"},
                         {"", "MDPW01", "\x06"}};
  for (const Frames& frames : invalid) bus_.from("peer", frames);
  EXPECT_EQ(bus_.unread(), 0U);
  EXPECT_EQ(bus_.counters().messages_malformed, invalid.size());
}

TEST_F(Mdp01, APeerOfInvalidMessagesIsStillServed) {
  bus_.from("worker", ready());
  bus_.from("worker", {"", "MDPW01", "\x06"});
  bus_.from("client", {"", "MDPC01"});
  bus_.from("client", request("hi"));
  bus_.from("worker", reply_of(take_request("worker", "hi"), "yes"));
  EXPECT_THAT(bus_.to("client"), ElementsAre(client_reply("yes")));
}

TEST_F(Mdp01, AWorkerThatStaysOnItsSocketAfterDISCONNECTIsAStranger) {
  bus_.from("worker", ready());
  bus_.from("worker", ready());
  bus_.from("worker", heartbeat());
  EXPECT_THAT(bus_.to("worker"), ElementsAre(disconnect(), disconnect()));
  bus_.from("worker", ready());
  bus_.from("client", request("hi"));
  take_request("worker", "hi");
}

// ---- Request and Reply Processing

TEST_F(Mdp01, WorkersIssueOneReplyAndFurtherOnesAreDropped) {
  bus_.from("worker", ready());
  bus_.from("client", request("1"));
  const std::string first = take_request("worker", "1");
  bus_.from("worker", reply_of(first, "one"));
  bus_.from("worker", reply_of(first, "one again"));
  bus_.from("client", request("2"));
  const std::string second = take_request("worker", "2");
  bus_.from("worker", reply_of(first, "and again"));
  bus_.from("worker", reply_of(second, "two"));
  EXPECT_THAT(bus_.to("client"), ElementsAre(client_reply("one"), client_reply("two")));
  EXPECT_EQ(bus_.counters().replies_late, 2U);
}

TEST_F(Mdp01, REQUESTMUSTContainOneClientAddressThatMUSTBeFollowedByAnEmptyFrame) {
  bus_.from("worker", ready());
  bus_.from("client", request("hi"));
  EXPECT_THAT(bus_.to("worker"), ElementsAre(ElementsAre("", "MDPW01", "\x02", Not(IsEmpty()), "", "hi")));
}

TEST_F(Mdp01, REPLYWithoutOneAddressAndAnEmptyFrameIsDropped) {
  bus_.from("worker", ready());
  bus_.from("client", request("hi"));
  const std::string address = take_request("worker", "hi");
  bus_.from("worker", {"", "MDPW01", "\x03"});
  bus_.from("worker", {"", "MDPW01", "\x03", address});
  bus_.from("worker", {"", "MDPW01", "\x03", address, "no empty frame"});
  bus_.from("worker", {"", "MDPW01", "\x03", "", "", "no address"});
  bus_.from("worker", {"", "MDPW01", "\x03", address, address, "", "two addresses"});
  EXPECT_EQ(bus_.unread(), 0U);
  EXPECT_EQ(bus_.counters().messages_malformed, 5U);
  bus_.from("worker", reply_of(address, "end"));
  EXPECT_THAT(bus_.to("client"), ElementsAre(client_reply("end")));
}

// ---- Heartbeating

TEST_F(Mdp01, HEARTBEATIsValidAtAnyTimeAfterREADY) {
  bus_.from("worker", ready());
  bus_.from("worker", heartbeat());
  bus_.from("worker", heartbeat());
  bus_.from("client", request("hi"));
  const std::string address = take_request("worker", "hi");
  bus_.from("worker", heartbeat());
  bus_.from("worker", reply_of(address, "end"));
  bus_.from("worker", heartbeat());
  EXPECT_THAT(bus_.to("worker"), IsEmpty());
  EXPECT_THAT(bus_.to("client"), ElementsAre(client_reply("end")));
}

TEST_F(Mdp01, FramesAfterHEARTBEATAndDISCONNECTAreIgnored) {
  bus_.from("worker", ready());
  bus_.from("worker", {"", "MDPW01", "\x04", "more"});
  bus_.from("worker", {"", "MDPW01", "\x05", "more"});
  bus_.pass(seconds(10));
  EXPECT_EQ(bus_.unread(), 0U);
  EXPECT_EQ(bus_.counters().messages_malformed, 0U);
}

TEST_F(Mdp01, AnyCommandExceptDISCONNECTActsAsAHeartbeat) {
  bus_.from("worker", ready());
  bus_.from("client", request("hi"));
  const std::string address = take_request("worker", "hi");
  for (const Frames& sign : {heartbeat(), reply_of(address, "x"), request("of its own")}) {
    bus_.pass(milliseconds(2'999));
    bus_.from("worker", sign);
  }
  bus_.pass(milliseconds(2'999));
  EXPECT_THAT(bus_.to("worker"), Not(Contains(disconnect())));
  bus_.pass(milliseconds(1));
  EXPECT_THAT(bus_.to("worker"), Contains(disconnect()));
}

TEST_F(Mdp01, HEARTBEATGoesOutAtEachIntervalBesideOtherCommands) {
  bus_.from("worker", ready());
  bus_.pass(milliseconds(999));
  bus_.from("client", request("hi"));
  take_request("worker", "hi");
  bus_.pass(milliseconds(1));
  EXPECT_THAT(bus_.to("worker"), ElementsAre(heartbeat()));
}

TEST_F(Mdp01, BrokerMUSTSendHeartbeatsAtRegularIntervals) {
  RawBus bus(with_heartbeat(milliseconds(200), 5));
  bus.from("worker", ready());
  for (int beat = 0; beat < 50; ++beat) {
    if (beat == 25) {  // from here on it is busy
      bus.from("client", request("hi"));
      EXPECT_EQ(bus.to("worker").size(), 1U);
    }
    bus.pass(milliseconds(199));
    bus.from("worker", heartbeat());
    EXPECT_THAT(bus.to("worker"), IsEmpty());
    bus.pass(milliseconds(1));
    EXPECT_THAT(bus.to("worker"), ElementsAre(heartbeat()));
  }
}

TEST_F(Mdp01, BrokerMUSTConsiderAWorkerDisconnectedAfterAMultipleOfTheInterval) {
  for (const int liveness : {3, 5}) {
    for (const bool busy : {false, true}) {
      RawBus bus(with_heartbeat(milliseconds(200), liveness));
      bus.from("worker", ready());
      if (busy) bus.from("client", request("hi"));
      bus.pass(milliseconds(200 * liveness - 1));
      EXPECT_EQ(bus.counters().workers_lost, 0U);
      bus.pass(milliseconds(1));
      EXPECT_EQ(bus.counters().workers_lost, 1U);
      EXPECT_EQ(bus.to("worker").back(), disconnect());
    }
  }
}

TEST_F(Mdp01, BrokerSHOULDStopSendingMessagesToADisconnectedWorker) {
  bus_.from("worker", ready());
  bus_.pass(seconds(3));
  EXPECT_EQ(bus_.to("worker").back(), disconnect());
  bus_.from("client", request("hi"));
  bus_.pass(seconds(60));
  EXPECT_EQ(bus_.unread(), 0U);
}

}  // namespace
}  // namespace compositord::testing
