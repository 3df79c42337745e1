// 18/MDP, sentence by sentence, from the broker's side. Each test is named after the sentence it shows; README.md has the
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
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;

Frames ready(const std::string& service = "echo") { return {"MDPW02", "\x01", service}; }
Frames heartbeat() { return {"MDPW02", "\x05"}; }
Frames disconnect() { return {"MDPW02", "\x06"}; }
Frames request(const std::string& body) { return {"MDPC02", "\x01", "echo", body}; }
Frames partial_of(const std::string& address, const std::string& body) { return {"MDPW02", "\x03", address, "", body}; }
Frames final_of(const std::string& address, const std::string& body) { return {"MDPW02", "\x04", address, "", body}; }
Frames client_partial(const std::string& body) { return {"MDPC02", "\x02", "echo", body}; }
Frames client_final(const std::string& body) { return {"MDPC02", "\x03", "echo", body}; }

class Mdp02 : public ::testing::Test {
 protected:
  // The worker has got this one request and nothing else; returns its client address.
  std::string take_request(const std::string& worker, const std::string& body) {
    const Messages got = bus_.to(worker);
    EXPECT_THAT(got, ElementsAre(ElementsAre("MDPW02", "\x02", Not(IsEmpty()), "", body)));
    return got.size() == 1 && got[0].size() > 2 ? got[0][2].str() : "";
  }
  // Two workers a and b of "echo", in this order.
  void two_workers() {
    bus_.from("a", ready());
    bus_.from("b", ready());
  }

  RawBus bus_;
};

// ---- Overall Topology

TEST_F(Mdp02, BrokerSHOULDServeClientsOnAFairBasis) {
  bus_.from("worker", ready());
  bus_.from("greedy", request("1"));
  bus_.from("greedy", request("2"));
  bus_.from("modest", request("3"));
  bus_.from("greedy", request("4"));
  for (const char* body : {"1", "2", "3", "4"}) bus_.from("worker", final_of(take_request("worker", body), body));
  EXPECT_THAT(bus_.to("modest"), ElementsAre(client_final("3")));
  EXPECT_THAT(bus_.to("greedy"), ElementsAre(client_final("1"), client_final("2"), client_final("4")));
}

TEST_F(Mdp02, BrokerMAYDeliverToTheLeastRecentlyUsedWorker) {
  two_workers();
  bus_.from("client", request("1"));
  const std::string first = take_request("a", "1");
  bus_.from("client", request("2"));
  const std::string second = take_request("b", "2");
  bus_.from("b", final_of(second, ""));
  bus_.from("a", final_of(first, ""));
  bus_.from("client", request("3"));
  take_request("b", "3");  // b has been free for longer
  EXPECT_THAT(bus_.to("a"), IsEmpty());
}

TEST_F(Mdp02, WorkersHandleAtMostOneRequestAtATime) {
  bus_.from("worker", ready());
  bus_.from("client", request("1"));
  bus_.from("client", request("2"));
  const std::string address = take_request("worker", "1");
  bus_.from("worker", partial_of(address, "half"));
  EXPECT_THAT(bus_.to("worker"), IsEmpty());
  bus_.from("worker", final_of(address, "all"));
  take_request("worker", "2");
}

// ---- MDP/Client

TEST_F(Mdp02, FormsOfREQUESTAndFINAL) {
  bus_.from("worker", ready());
  bus_.from("client", {"MDPC02", "\x01", "echo", "one", "", "three"});
  const Messages got = bus_.to("worker");
  ASSERT_THAT(got, ElementsAre(ElementsAre("MDPW02", "\x02", Not(IsEmpty()), "", "one", "", "three")));
  bus_.from("worker", {"MDPW02", "\x04", got[0][2], "", "", "x"});
  EXPECT_THAT(bus_.to("client"), ElementsAre(Frames{"MDPC02", "\x03", "echo", "", "x"}));
}

TEST_F(Mdp02, RequestsAndRepliesWithoutABodyAreTaken) {
  bus_.from("worker", ready());
  bus_.from("client", {"MDPC02", "\x01", "echo"});
  const Messages got = bus_.to("worker");
  ASSERT_THAT(got, ElementsAre(ElementsAre("MDPW02", "\x02", Not(IsEmpty()), "")));
  bus_.from("worker", {"MDPW02", "\x04", got[0][2], ""});
  EXPECT_THAT(bus_.to("client"), ElementsAre(Frames{"MDPC02", "\x03", "echo"}));
}

TEST_F(Mdp02, ServiceNamesMatchByteByByteWhateverTheyHold) {
  const std::string name("\x00\xff\n", 3);
  bus_.from("worker", ready(name));
  bus_.from("client", {"MDPC02", "\x01", name.substr(0, 2), "no"});
  EXPECT_EQ(bus_.unread(), 0U);
  bus_.from("client", {"MDPC02", "\x01", name, "yes"});
  take_request("worker", "yes");
}

TEST_F(Mdp02, ClientsMUSTUseADEALERSocketAndAREQSocketIsAnsweredInKind) {
  bus_.from("worker", ready());
  bus_.from("client", {"", "MDPC02", "\x01", "echo", "hi"});
  bus_.from("worker", partial_of(take_request("worker", "hi"), "half"));
  EXPECT_THAT(bus_.to("client"), ElementsAre(Frames{"", "MDPC02", "\x02", "echo", "half"}));
}

TEST_F(Mdp02, ClientMUSTBePreparedForZeroOrMorePARTIAL) {
  bus_.from("worker", ready());
  bus_.from("client", request("none"));
  bus_.from("worker", final_of(take_request("worker", "none"), "end"));
  EXPECT_THAT(bus_.to("client"), ElementsAre(client_final("end")));
  bus_.from("client", request("many"));
  const std::string address = take_request("worker", "many");
  for (int part = 0; part < 100; ++part) {
    bus_.from("worker", partial_of(address, std::to_string(part)));
    EXPECT_THAT(bus_.to("client"), ElementsAre(client_partial(std::to_string(part))));
  }
  bus_.from("worker", final_of(address, "end"));
  EXPECT_THAT(bus_.to("client"), ElementsAre(client_final("end")));
}

TEST_F(Mdp02, AfterFINALBrokerSHALLNotSendFurtherCommandsToTheClient) {
  bus_.from("worker", ready());
  bus_.from("client", request("hi"));
  const std::string address = take_request("worker", "hi");
  bus_.from("worker", final_of(address, "end"));
  EXPECT_THAT(bus_.to("client"), ElementsAre(client_final("end")));
  bus_.from("worker", partial_of(address, "more"));
  bus_.from("worker", final_of(address, "end again"));
  bus_.pass(seconds(60));
  EXPECT_THAT(bus_.to("client"), IsEmpty());
}

TEST_F(Mdp02, ClientsMAYRecoverByAskingAgainOnANewSocket) {
  two_workers();
  bus_.from("old socket", request("hi"));
  bus_.from("new socket", request("hi"));
  bus_.from("a", final_of(take_request("a", "hi"), "late"));
  bus_.from("b", final_of(take_request("b", "hi"), "again"));
  EXPECT_THAT(bus_.to("new socket"), ElementsAre(client_final("again")));
}

TEST_F(Mdp02, BrokerSHOULDQueueRequestsForWhichNoServiceIsRegistered) {
  bus_.from("client", request("1"));
  bus_.from("client", request("2"));
  bus_.pass(seconds(29));
  EXPECT_EQ(bus_.unread(), 0U);
  bus_.from("worker", ready());
  bus_.from("worker", final_of(take_request("worker", "1"), ""));
  take_request("worker", "2");
}

TEST_F(Mdp02, BrokerSHOULDExpireQueuedRequestsAfterAConfigurableTime) {
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

TEST_F(Mdp02, AWorkerThatUsesTwoSocketsIsTwoWorkers) {
  two_workers();
  bus_.from("client", request("1"));
  const std::string address = take_request("a", "1");
  bus_.from("b", final_of(address, "from the other socket"));
  EXPECT_THAT(bus_.to("client"), IsEmpty());
  bus_.from("a", final_of(address, "right"));
  EXPECT_THAT(bus_.to("client"), ElementsAre(client_final("right")));
}

TEST_F(Mdp02, ManyWorkersMAYHandleTheSameService) {
  for (const char* worker : {"1", "2", "3"}) bus_.from(worker, ready());
  for (const char* body : {"1", "2", "3"}) bus_.from("client", request(body));
  for (const char* both : {"1", "2", "3"}) take_request(both, both);
}

TEST_F(Mdp02, AWorkerMUSTNOTSendAFurtherREADYOrItIsDisconnected) {
  for (const char* service : {"echo", "other"}) {
    bus_.from("worker", ready());
    bus_.from("worker", ready(service));
    EXPECT_THAT(bus_.to("worker"), ElementsAre(disconnect())) << service;
  }
}

TEST_F(Mdp02, ThereIsNoResponseToREADY) {
  bus_.from("worker", ready());
  EXPECT_EQ(bus_.unread(), 0U);
}

TEST_F(Mdp02, AREADYWithMoreOrFewerFramesIsNone) {
  bus_.from("worker", {"MDPW02", "\x01"});
  bus_.from("worker", {"MDPW02", "\x01", "echo", "more"});
  EXPECT_EQ(bus_.counters().messages_malformed, 2U);
  bus_.from("client", request("hi"));
  EXPECT_EQ(bus_.unread(), 0U);
}

TEST_F(Mdp02, AWorkerMAYSendDISCONNECTBeforeREADY) {
  bus_.from("worker", disconnect());
  EXPECT_EQ(bus_.unread(), 0U);
  bus_.from("worker", ready());
  bus_.from("client", request("hi"));
  take_request("worker", "hi");
}

TEST_F(Mdp02, BrokerMUSTSendNoFurtherCommandsToAWorkerThatSentDISCONNECT) {
  bus_.from("worker", ready());
  bus_.from("client", request("1"));
  bus_.from("client", request("2"));
  take_request("worker", "1");
  bus_.from("worker", disconnect());
  bus_.from("client", request("3"));
  bus_.pass(seconds(60));
  EXPECT_THAT(bus_.to("worker"), IsEmpty());
}

TEST_F(Mdp02, BrokerMAYSendDISCONNECTOnlyToAWorkerThatHasSentACommand) {
  bus_.from("client", request("hi"));  // a client, which has no liveness
  bus_.pass(seconds(60));
  EXPECT_EQ(bus_.unread(), 0U);
}

TEST_F(Mdp02, BrokerMUSTAnswerAnUnexpectedCommandWithDISCONNECT) {
  for (const Frames& command : {heartbeat(), partial_of("address", "x"), final_of("address", "x")}) {
    bus_.from("stranger", command);
    EXPECT_THAT(bus_.to("stranger"), ElementsAre(disconnect()));
  }
  EXPECT_EQ(bus_.counters().commands_unexpected, 3U);
}

TEST_F(Mdp02, AfterThatDISCONNECTBrokerMUSTSendNoFurtherCommandsToThatWorker) {
  bus_.from("worker", ready());
  bus_.from("worker", ready());
  EXPECT_THAT(bus_.to("worker"), ElementsAre(disconnect()));
  bus_.from("client", request("hi"));
  bus_.pass(seconds(60));
  EXPECT_THAT(bus_.to("worker"), IsEmpty());
}

TEST_F(Mdp02, AReplyToNoRequestOfThatWorkerIsDroppedAndCounted) {
  bus_.from("worker", ready());
  bus_.from("worker", final_of("address", "x"));
  EXPECT_EQ(bus_.unread(), 0U);
  EXPECT_EQ(bus_.counters().replies_late, 1U);
}

TEST_F(Mdp02, BrokerSHOULDDropInvalidMessages) {
  const Messages invalid{{},
                         {""},
                         {"", ""},
                         {"MDPX02", "\x01", "echo", "x"},
                         {"MDPC02"},
                         {"MDPC02", "\x01"},
                         {"MDPC02", "\x01", ""},
                         {"MDPC02", "\x02", "echo", "x"},
                         {"MDPC02", std::string("\x01\x01"), "echo", "x"},
                         {"MDPW02"},
                         {"MDPW02", ""},
                         {"MDPW02", "\x02", "address", "", "x"},
                         {"MDPW02", "\x07"}};
  for (const Frames& frames : invalid) bus_.from("peer", frames);
  EXPECT_EQ(bus_.unread(), 0U);
  EXPECT_EQ(bus_.counters().messages_malformed, invalid.size());
}

TEST_F(Mdp02, APeerOfInvalidMessagesIsStillServed) {
  bus_.from("worker", ready());
  bus_.from("worker", {"MDPW02", "\x07"});
  bus_.from("client", {"MDPC02"});
  bus_.from("client", request("hi"));
  bus_.from("worker", final_of(take_request("worker", "hi"), "yes"));
  EXPECT_THAT(bus_.to("client"), ElementsAre(client_final("yes")));
}

TEST_F(Mdp02, AWorkerThatStaysOnItsSocketAfterDISCONNECTIsAStranger) {
  bus_.from("worker", ready());
  bus_.from("worker", ready());
  bus_.from("worker", heartbeat());
  EXPECT_THAT(bus_.to("worker"), ElementsAre(disconnect(), disconnect()));
  bus_.from("worker", ready());
  bus_.from("client", request("hi"));
  take_request("worker", "hi");
}

// ---- Request and Reply Processing

TEST_F(Mdp02, WorkerSHALLSendExactlyOneFINALAndFurtherOnesAreDropped) {
  bus_.from("worker", ready());
  bus_.from("client", request("1"));
  const std::string first = take_request("worker", "1");
  bus_.from("worker", final_of(first, "one"));
  bus_.from("client", request("2"));
  const std::string second = take_request("worker", "2");
  EXPECT_NE(first, second);
  bus_.from("worker", final_of(first, "one again"));
  bus_.from("worker", final_of(second, "two"));
  EXPECT_THAT(bus_.to("client"), ElementsAre(client_final("one"), client_final("two")));
  EXPECT_EQ(bus_.counters().replies_late, 1U);
}

TEST_F(Mdp02, WorkerThatSendsNoFINALGetsNoFurtherRequest) {
  bus_.from("worker", ready());
  bus_.from("client", request("1"));
  bus_.from("client", request("2"));
  take_request("worker", "1");
  bus_.pass_while("worker", heartbeat(), seconds(29));
  EXPECT_THAT(bus_.to("worker"), Each(heartbeat()));
  EXPECT_THAT(bus_.to("client"), IsEmpty());
}

TEST_F(Mdp02, REQUESTSHALLContainOneClientAddressThatMUSTBeFollowedByAnEmptyFrame) {
  bus_.from("worker", ready());
  bus_.from("client", request("hi"));
  EXPECT_THAT(bus_.to("worker"), ElementsAre(ElementsAre("MDPW02", "\x02", Not(IsEmpty()), "", "hi")));
}

TEST_F(Mdp02, PARTIALAndFINALWithoutOneAddressAndAnEmptyFrameAreDropped) {
  bus_.from("worker", ready());
  bus_.from("client", request("hi"));
  const std::string address = take_request("worker", "hi");
  for (const char* command : {"\x03", "\x04"}) {
    bus_.from("worker", {"MDPW02", command});
    bus_.from("worker", {"MDPW02", command, address});
    bus_.from("worker", {"MDPW02", command, address, "no empty frame"});
    bus_.from("worker", {"MDPW02", command, "", "", "no address"});
    bus_.from("worker", {"MDPW02", command, address, address, "", "two addresses"});
  }
  EXPECT_EQ(bus_.unread(), 0U);
  EXPECT_EQ(bus_.counters().messages_malformed, 10U);
  bus_.from("worker", final_of(address, "end"));
  EXPECT_THAT(bus_.to("client"), ElementsAre(client_final("end")));
}

// ---- Heartbeating

TEST_F(Mdp02, HEARTBEATIsValidAtAnyTimeAfterREADY) {
  bus_.from("worker", ready());
  bus_.from("worker", heartbeat());
  bus_.from("worker", heartbeat());
  bus_.from("client", request("hi"));
  const std::string address = take_request("worker", "hi");
  bus_.from("worker", heartbeat());
  bus_.from("worker", final_of(address, "end"));
  bus_.from("worker", heartbeat());
  EXPECT_THAT(bus_.to("worker"), IsEmpty());
  EXPECT_THAT(bus_.to("client"), ElementsAre(client_final("end")));
}

TEST_F(Mdp02, FramesAfterHEARTBEATAndDISCONNECTAreIgnored) {
  bus_.from("worker", ready());
  bus_.from("worker", {"MDPW02", "\x05", "more"});
  bus_.from("worker", {"MDPW02", "\x06", "more"});
  bus_.pass(seconds(10));
  EXPECT_EQ(bus_.unread(), 0U);
  EXPECT_EQ(bus_.counters().messages_malformed, 0U);
}

TEST_F(Mdp02, AnyCommandExceptDISCONNECTActsAsAHeartbeat) {
  bus_.from("worker", ready());
  bus_.from("client", request("hi"));
  const std::string address = take_request("worker", "hi");
  const Messages signs{heartbeat(), partial_of(address, "x"), final_of(address, "x"), request("of its own")};
  for (const Frames& sign : signs) {
    bus_.pass(milliseconds(2'999));
    bus_.from("worker", sign);
  }
  bus_.pass(milliseconds(2'999));
  EXPECT_THAT(bus_.to("worker"), Not(Contains(disconnect())));
  bus_.pass(milliseconds(1));
  EXPECT_THAT(bus_.to("worker"), Contains(disconnect()));
}

TEST_F(Mdp02, HEARTBEATGoesOutAtEachIntervalBesideOtherCommands) {
  bus_.from("worker", ready());
  bus_.pass(milliseconds(999));
  bus_.from("client", request("hi"));
  take_request("worker", "hi");
  bus_.pass(milliseconds(1));
  EXPECT_THAT(bus_.to("worker"), ElementsAre(heartbeat()));
}

TEST_F(Mdp02, BrokerMUSTSendHeartbeatsAtRegularIntervals) {
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

TEST_F(Mdp02, BrokerMUSTConsiderAWorkerDisconnectedAfterAMultipleOfTheInterval) {
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

TEST_F(Mdp02, BrokerSHOULDStopSendingMessagesToADisconnectedWorker) {
  bus_.from("worker", ready());
  bus_.pass(seconds(3));
  EXPECT_EQ(bus_.to("worker").back(), disconnect());
  bus_.from("client", request("hi"));
  bus_.pass(seconds(60));
  EXPECT_EQ(bus_.unread(), 0U);
}

}  // namespace
}  // namespace compositord::testing
