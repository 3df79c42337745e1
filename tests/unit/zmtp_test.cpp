// ZMTP as bytes, from the accepting side: every version, in pieces of every size, and what is no ZMTP.

#include "common/wire/zmtp.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "tests/support/zmtp_bytes.h"

namespace compositord::wire {
namespace {

using Event = ZmtpReader::Event;
using test::command;
using test::frame;
using test::frame_1;
using test::greeting_3;
using test::hello_1;
using test::hello_2;
using test::hello_3;
using test::property;
using test::zeros;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

constexpr MessageLimits kSmall{4, 300, 600};

// A peer's bytes, and all that comes of them.
struct Reading {
  explicit Reading(const MessageLimits& limits = {}) : reader(limits) {}
  // In pieces of `size` bytes.
  Reading& take(std::string_view bytes, std::size_t size = std::string_view::npos) {
    while (!bytes.empty()) {
      std::string piece(bytes.substr(0, size));  // elsewhere each time, so that nothing can be kept of it
      bytes.remove_prefix(piece.size());
      std::string_view rest = piece;
      for (Event event = reader.read(rest, answer); event != Event::kNothing; event = reader.read(rest, answer)) {
        events.push_back(event);
        if (event == Event::kMessage) messages.push_back(reader.take_message());
        if (event == Event::kRefused) return *this;
      }
      EXPECT_TRUE(rest.empty());
    }
    return *this;
  }
  ZmtpReader reader;
  std::string answer;
  std::vector<Event> events;
  std::vector<Frames> messages;
};

std::string why_refused(std::string_view bytes) {
  Reading reading(kSmall);
  reading.take(bytes);
  EXPECT_FALSE(reading.events.empty());
  if (reading.events.empty() || reading.events.back() != Event::kRefused) return "it is not refused";
  return reading.reader.why_refused();
}

struct Version {
  std::string name;
  std::string hello;   // with the identity "me"
  std::string answer;  // beside the signature
  std::string welcome;
  ZmtpFraming framing;
};

std::vector<Version> versions() {
  const std::string rest = "\x01NULL" + zeros(16 + 1 + 31);
  const std::string ready = command("READY", property("Socket-Type", "ROUTER") + property("Identity", ""));
  return {{"3.1", hello_3("DEALER", "me"), "\x03" + rest, ready, ZmtpFraming::k2},
          {"3.0", greeting_3("NULL", 0) + test::ready_3("REQ", "me"), "\x03" + rest, ready, ZmtpFraming::k2},
          {"2.0", hello_2("me"), "\x03\x06", zeros(2), ZmtpFraming::k2},
          {"1.0", hello_1("me"), "", "", ZmtpFraming::k1}};
}

TEST(Zmtp, TheSignatureIsAFrameToVersion1) { EXPECT_EQ(zmtp_signature(), "\xff" + zeros(7) + "\x01\x7f"); }

TEST(Zmtp, ShakesHandsInEveryVersion) {
  for (const Version& version : versions()) {
    for (std::size_t size = 1; size <= version.hello.size(); ++size) {
      Reading reading;
      reading.take(version.hello, size);
      EXPECT_THAT(reading.events, ElementsAre(Event::kReady)) << version.name << " in pieces of " << size;
      EXPECT_EQ(reading.reader.identity(), "me") << version.name;
      EXPECT_EQ(reading.answer, version.answer) << version.name;
      EXPECT_EQ(reading.reader.welcome(), version.welcome) << version.name;
      EXPECT_EQ(reading.reader.framing(), version.framing) << version.name;
    }
  }
}

// What we write reads as it was, in pieces of every size and at every border between short and long.
TEST(Zmtp, PassesFramesOfEverySizeInPiecesOfEverySize) {
  Frames message;
  for (const std::size_t size : {0U, 1U, 39U, 40U, 253U, 254U, 255U, 256U, 70'000U}) {
    message.emplace_back(std::string(size, static_cast<char>('a' + message.size())));
  }
  for (const Version& version : versions()) {
    std::string bytes;
    for (std::size_t i = 0; i < message.size(); ++i) {
      append_frame_header(version.framing, message[i].size(), i + 1 < message.size(), bytes);
      bytes += message[i].view();
    }
    for (const std::size_t size : {1U, 2U, 3U, 7U, 64U, 255U, 4'096U, 1'000'000U}) {
      Reading reading;
      reading.take(version.hello).take(bytes + bytes, size);
      EXPECT_THAT(reading.messages, ElementsAre(message, message)) << version.name << " in pieces of " << size;
    }
  }
}

TEST(Zmtp, WritesFramesAsTheTextsSay) {
  const auto header = [](ZmtpFraming framing, std::size_t size, bool more) {
    std::string bytes;
    append_frame_header(framing, size, more, bytes);
    return bytes;
  };
  EXPECT_EQ(header(ZmtpFraming::k2, 0, false), zeros(2));
  EXPECT_EQ(header(ZmtpFraming::k2, 255, true), "\x01\xff");
  EXPECT_EQ(header(ZmtpFraming::k2, 256, true), "\x03" + zeros(6) + "\x01" + zeros(1));
  EXPECT_EQ(header(ZmtpFraming::k1, 0, false), "\x01" + zeros(1));
  EXPECT_EQ(header(ZmtpFraming::k1, 253, true), "\xfe\x01");
  EXPECT_EQ(header(ZmtpFraming::k1, 254, true), "\xff" + zeros(7) + "\xff\x01");
}

TEST(Zmtp, AnswersAPingWithItsContextAlsoWithinAMessage) {
  Reading reading;
  reading.take(hello_3());
  reading.answer.clear();
  reading.take(frame(1, "first") + command("PING", zeros(2) + "context that is longer than 16") + frame(0, "second"));
  EXPECT_EQ(reading.answer, command("PONG", "context that is "));
  EXPECT_THAT(reading.messages, ElementsAre(Frames{"first", "second"}));
  reading.answer.clear();
  reading.take(command("PONG", "") + command("SUBSCRIBE", "x") + command("PING", "") + frame(4, "") +
               frame(4, "\x09short"));
  EXPECT_THAT(reading.answer, IsEmpty()) << "no other command is a ROUTER's, nor one that is cut short";
  reading.take(frame(0, "still there"));
  EXPECT_EQ(reading.messages.size(), 2U);
}

TEST(Zmtp, TakesReadyWithPropertiesInAnyOrderAndCase) {
  Reading reading;
  reading.take(greeting_3() + command("READY", property("X-Colour", "blue") + property("IDENTITY", "me") +
                                                   property("socket-type", "ROUTER")));
  EXPECT_THAT(reading.events, ElementsAre(Event::kReady));
  EXPECT_EQ(reading.reader.identity(), "me");
}

TEST(Zmtp, ReadsWhatBreaksALimitToItsEnd) {
  const std::string body(200, 'x');
  const std::string many = frame(1, "1") + frame(1, "2") + frame(1, "3") + frame(1, "4") + frame(0, "5");
  const std::string large = frame(1, body) + frame(1, body) + frame(1, body) + frame(0, body);
  for (const std::size_t size : {1U, 7U, 100'000U}) {
    Reading reading(kSmall);
    reading.take(hello_3()).take(many + frame(0, "next") + large + frame(0, "last"), size);
    EXPECT_THAT(reading.events,
                ElementsAre(Event::kReady, Event::kTooLarge, Event::kMessage, Event::kTooLarge, Event::kMessage));
    EXPECT_THAT(reading.messages, ElementsAre(Frames{"next"}, Frames{"last"}));
  }
}

TEST(Zmtp, RefusesAFrameThatIsTooLargeByItsHeader) {
  const std::string huge = "\x02\x7f" + zeros(7);  // 2^62 bytes and more, of which none has come
  EXPECT_THAT(why_refused(hello_3() + frame(1, "") + huge),
              HasSubstr("sent a frame of 9151314442816847872 bytes, more than 300"));
  EXPECT_THAT(why_refused(hello_1() + "\xff" + std::string(8, '\xff') + zeros(1)), HasSubstr("more than 300"));
  EXPECT_THAT(why_refused(hello_3() + frame(4, std::string(301, 'c'))), HasSubstr("more than 300"));
  EXPECT_THAT(why_refused(hello_3(std::string(100, 'A'))), HasSubstr("a strange socket"));
}

TEST(Zmtp, KeepsNoLongCommandAndNothingOfAMessageThatBrokeALimit) {
  Reading reading;
  reading.take(hello_3() + frame(1, "a part of a message"));
  EXPECT_EQ(reading.reader.bytes_kept(), 19U);
  const std::string whole = command("SUBSCRIBE", std::string(1U << 20U, 'x'));
  reading.take(std::string_view(whole).substr(0, 1'000'000), 4'096);
  EXPECT_EQ(reading.reader.bytes_kept(), 19U);
  reading.take(std::string_view(whole).substr(1'000'000)).take(frame(0, "the rest"));
  EXPECT_THAT(reading.messages, ElementsAre(Frames{"a part of a message", "the rest"}));
  EXPECT_EQ(reading.reader.bytes_kept(), 0U);
  Reading small(kSmall);
  small.take(hello_3() + frame(1, std::string(300, 'x')) + frame(1, std::string(300, 'x')));
  EXPECT_EQ(small.reader.bytes_kept(), 600U);
  small.take(frame(1, std::string(300, 'x')).substr(0, 200));
  EXPECT_EQ(small.reader.bytes_kept(), 0U);
}

TEST(Zmtp, SaysWhatAPeerIsThatIsNoneOfTheBus) {
  for (const std::string_view no_zmtp :
       {std::string_view("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), std::string_view("\x16\x03\x01\x02\x00\x01", 6),
        std::string_view("\0", 1), std::string_view("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe", 10)}) {
    EXPECT_THAT(why_refused(std::string(no_zmtp) + "more of it"), StartsWith("speaks no ZMTP"));
  }
  EXPECT_THAT(why_refused(hello_3("SUB")), HasSubstr("is a SUB socket, and this endpoint is the bus: subscribers"));
  EXPECT_THAT(why_refused(hello_2("", test::kSub)), HasSubstr("is a SUB socket"));
  EXPECT_THAT(why_refused(hello_2("", '\x63')), HasSubstr("is a strange socket"));
  EXPECT_THAT(why_refused(hello_3("PUSH")), HasSubstr("is a PUSH socket, and the bus takes DEALER, REQ and ROUTER"));
  EXPECT_THAT(why_refused(hello_3("\x1b[31m")), HasSubstr("is a strange socket"));
  EXPECT_THAT(why_refused(greeting_3("CURVE")), HasSubstr("asks for the security mechanism CURVE"));
  EXPECT_THAT(why_refused(greeting_3("\x1b[31m")), HasSubstr("asks for the security mechanism ?"));
  EXPECT_THAT(why_refused("\xff" + zeros(8) + "\x7f" + zeros(1)), HasSubstr("a version of ZMTP between 1.0 and 2.0"));
}

TEST(Zmtp, RefusesHandshakesThatBreakTheRules) {
  EXPECT_THAT(why_refused(greeting_3() + frame(0, "a message")), HasSubstr("before its handshake was done"));
  EXPECT_THAT(why_refused(greeting_3() + command("HELLO", "")), HasSubstr("another command than READY"));
  EXPECT_THAT(why_refused(greeting_3() + command("ERROR", "\x03why")), HasSubstr("refused the connection"));
  EXPECT_THAT(why_refused(greeting_3() + command("READY", "\x05Iden")), HasSubstr("can't be read"));
  EXPECT_THAT(why_refused(greeting_3() + command("READY", "\x08Identity\xff\xff\xff\xffme")),
              HasSubstr("can't be read"));
  EXPECT_THAT(why_refused(hello_3("DEALER", std::string_view("\0mine", 5))), HasSubstr("begins with a zero byte"));
  EXPECT_THAT(why_refused(hello_2(std::string(256, 'i'))), HasSubstr("sent a frame of 256 bytes, more than 255"));
  EXPECT_THAT(why_refused(greeting_3() + command("READY", property("Identity", std::string(256, 'i')))),
              HasSubstr("a routing id of 256 bytes"));
  EXPECT_THAT(why_refused(greeting_3() + command("READY", std::string(10'000, 'x'))), HasSubstr("more than 8192"));
  EXPECT_THAT(why_refused(hello_3() + frame(8, "reserved")), HasSubstr("sent what is no frame of ZMTP"));
  EXPECT_THAT(why_refused(hello_3() + frame(5, "a command is no part")), HasSubstr("no frame of ZMTP"));
  EXPECT_THAT(why_refused(hello_2() + frame(4, "2.0 has no commands")), HasSubstr("no frame of ZMTP"));
  EXPECT_THAT(why_refused(hello_1() + zeros(2)), HasSubstr("no frame of ZMTP"));
}

TEST(Zmtp, TellsTheReasonToPeersThatUnderstandIt) {
  Reading newer;
  newer.take(hello_3("SUB"));
  const std::string why = newer.reader.why_refused();
  EXPECT_THAT(newer.answer, EndsWith(command("ERROR", static_cast<char>(why.size()) + why)));
  Reading older;
  older.take(hello_2("", test::kSub));
  EXPECT_THAT(older.answer, EndsWith("\x06"));
}

TEST(Zmtp, ReadsNothingAfterARefusal) {
  Reading reading;
  reading.take("GET / HTTP/1.1").take(hello_3() + frame(0, "let me in"));
  EXPECT_THAT(reading.events, ElementsAre(Event::kRefused, Event::kRefused));
  EXPECT_THAT(reading.messages, IsEmpty());
}

}  // namespace
}  // namespace compositord::wire
