// 8/MMI, sentence by sentence. All frames are written here by hand; README.md has the table.

#include <chrono>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/conformance/raw_bus.h"

namespace compositord::testing {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class Mmi : public ::testing::Test {
 protected:
  // The broker's answer in 0.2, whose frames must be the header and these.
  void expect_answer(const std::string& service, const Frames& body, const Frames& answer) {
    Frames request{"MDPC02", "\x01", service};
    request.insert(request.end(), body.begin(), body.end());
    bus_.from("client", request);
    Frames reply{"MDPC02", "\x03", service};
    reply.insert(reply.end(), answer.begin(), answer.end());
    EXPECT_THAT(bus_.to("client"), ElementsAre(reply));
  }
  // The same in 0.1, and only the code is looked at.
  void expect_code_01(const std::string& service, const std::string& asked, const std::string& code) {
    bus_.from("old client", {"", "MDPC01", service, asked});
    EXPECT_THAT(bus_.to("old client"), ElementsAre(Frames{"", "MDPC01", service, code}));
  }

  RawBus bus_;
};

TEST_F(Mmi, BrokerMUSTHandleServicesThatStartWithMmiInternally) {
  for (const char* service : {"mmi.", "mmi.service", "mmi.anything"}) {
    bus_.from("worker", {"MDPW02", "\x01", service});
    bus_.to("worker");
    bus_.from("client", {"MDPC02", "\x01", service, "x"});
    EXPECT_THAT(bus_.to("worker"), IsEmpty()) << service;
    EXPECT_EQ(bus_.to("client").size(), 1U) << service;
  }
}

TEST_F(Mmi, OnlyThePrefixIsReserved) {
  for (const char* service : {"mmi", "MMI.service", "my.mmi.service"}) {
    bus_.from(service, {"MDPW02", "\x01", service});
    EXPECT_THAT(bus_.to(service), IsEmpty()) << service;
    bus_.from("client", {"MDPC02", "\x01", service, "x"});
    EXPECT_EQ(bus_.to(service).size(), 1U) << service;
  }
}

TEST_F(Mmi, BrokerMUSTDisconnectWorkersThatRegisterInThisNamespace) {
  for (const char* service : {"mmi.", "mmi.service", "mmi.anything"}) {
    bus_.from("new", {"MDPW02", "\x01", service});
    EXPECT_THAT(bus_.to("new"), ElementsAre(Frames{"MDPW02", "\x06"})) << service;
    bus_.from("old", {"", "MDPW01", "\x01", service});
    EXPECT_THAT(bus_.to("old"), ElementsAre(Frames{"", "MDPW01", "\x05"})) << service;
  }
}

TEST_F(Mmi, BrokerMUSTImplementMmiService) {
  expect_answer("mmi.service", {"echo"}, {"404"});
  bus_.from("worker", {"MDPW02", "\x01", "echo"});
  expect_answer("mmi.service", {"echo"}, {"200"});
  expect_code_01("mmi.service", "echo", "200");
  expect_code_01("mmi.service", "ech", "404");
}

TEST_F(Mmi, MmiServiceResponds404WhenTheLastWorkerHasGone) {
  for (const char* worker : {"a", "b"}) bus_.from(worker, {"MDPW02", "\x01", "echo"});
  bus_.from("a", {"MDPW02", "\x06"});
  expect_answer("mmi.service", {"echo"}, {"200"});
  bus_.pass(seconds(3));  // b was silent for its liveness
  expect_answer("mmi.service", {"echo"}, {"404"});
}

TEST_F(Mmi, MmiServiceResponds404ForRequestsThatWaitWithoutAWorker) {
  bus_.from("early", {"MDPC02", "\x01", "echo", "x"});
  expect_answer("mmi.service", {"echo"}, {"404"});
}

TEST_F(Mmi, MmiServiceCountsABusyWorker) {
  bus_.from("worker", {"MDPW02", "\x01", "echo"});
  bus_.from("busy client", {"MDPC02", "\x01", "echo", "x"});
  expect_answer("mmi.service", {"echo"}, {"200"});
}

TEST_F(Mmi, MmiServiceKnowsTheBrokersOwnServices) {
  expect_answer("mmi.service", {"bus.manifest"}, {"200"});
  expect_answer("mmi.service", {"bus.nothing"}, {"404"});
}

TEST_F(Mmi, MmiServiceWithoutANameResponds400) {
  expect_answer("mmi.service", {}, {"400"});
  expect_answer("mmi.service", {""}, {"400"});
}

TEST_F(Mmi, UnimplementedServicesMUSTResultIn501) {
  for (const char* service : {"mmi.", "mmi.anything", "mmi.servic", "mmi.service2", "mmi.Service"}) {
    expect_answer(service, {"echo"}, {"501"});
    expect_code_01(service, "echo", "501");
  }
}

}  // namespace
}  // namespace compositord::testing
