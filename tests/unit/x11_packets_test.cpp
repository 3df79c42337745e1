// Names of X displays, and where an X server's packets end, whatever the server sends.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "agent/x11/server_facts.h"
#include "agent/x11/x_display_name.h"
#include "agent/x11/x_packets.h"

namespace compositord::agent::x11 {
namespace {

using std::string_literals::operator""s;
using ::testing::HasSubstr;

// Little-endian, as everything we run on.
std::string setup_reply(char status, unsigned words) {
  return std::string{status, 0, 11, 0, 0, 0, static_cast<char>(words & 0xffU), static_cast<char>(words >> 8U)} +
         std::string(words * 4, '\0');
}

std::string packet(unsigned char kind, std::uint32_t words) {
  std::string bytes(32, '\0');
  bytes[0] = static_cast<char>(kind);
  for (unsigned i = 0; i < 4; ++i) bytes[4 + i] = static_cast<char>((words >> (8 * i)) & 0xffU);
  return bytes;
}

TEST(XDisplayName, TakesDisplaysOfThisMachineOnly) {
  EXPECT_EQ(local_x_display(":72"), ":72");
  EXPECT_EQ(local_x_display(":72.0"), ":72");
  EXPECT_EQ(local_x_display("unix:3"), ":3");
  for (const char* name : {"", ":", "72", "localhost:10.0", "wall-3:0", ":x", ":1.", ":1.x", ":123456", "wayland-1"}) {
    EXPECT_FALSE(local_x_display(name)) << name;
  }
  EXPECT_EQ(x_socket_path(":72"), "/tmp/.X11-unix/X72");
  EXPECT_EQ(x_display_of_socket("X72"), ":72");
}

TEST(PacketCutter, WaitsForEveryMissingByte) {
  const std::string bytes = setup_reply(1, 3) + packet(1, 2) + std::string(8, 'x') + packet(28, 99) + packet(0, 7);
  PacketCutter cutter;
  std::vector<std::size_t> sizes;
  for (const char byte : bytes) {
    cutter.append(std::string(1, byte));
    const auto next = cutter.next();
    ASSERT_TRUE(next);
    if (*next) sizes.push_back((*next)->size());
  }
  // Events and errors are never longer than 32 bytes, whatever stands where a reply has its length.
  EXPECT_THAT(sizes, ::testing::ElementsAre(20U, 40U, 32U, 32U));
}

TEST(PacketCutter, KnowsGenericEventsAlsoWhenTheyWereSent) {
  PacketCutter cutter;
  cutter.append(setup_reply(1, 0));
  ASSERT_TRUE(*cutter.next());
  cutter.append(packet(35 | 0x80U, 1) + "abcd");
  EXPECT_EQ((*cutter.next())->size(), 36U);
}

TEST(PacketCutter, RefusesALengthBeforeItWaitsForIt) {
  PacketCutter cutter;
  cutter.append(setup_reply(1, 0));
  ASSERT_TRUE(*cutter.next());
  for (const std::uint32_t words : {16'377U, 0xffff'ffffU}) {
    PacketCutter copy = cutter;
    copy.append(packet(1, words));
    const auto refused = copy.next();
    ASSERT_FALSE(refused) << words;
    EXPECT_EQ(refused.error().status, Status::kTooLarge);
  }
  PacketCutter first;
  first.append(setup_reply(1, 65'535).substr(0, 8));
  EXPECT_FALSE(first.next());
}

TEST(PacketCutter, TellsWhyTheServerRefusesUs) {
  std::string refusal = setup_reply(0, 4);
  refusal[1] = 11;  // the reason's length
  refusal.replace(8, 11, "go\x1b[31m away"s.substr(0, 11));
  PacketCutter cutter;
  cutter.append(refusal);
  const auto refused = cutter.next();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().status, Status::kForbidden);
  EXPECT_THAT(refused.error().text, HasSubstr("XAUTHORITY"));
  EXPECT_EQ(refused.error().text.find('\x1b'), std::string::npos);
}

TEST(XSetupRequest, PadsTheCookie) {
  const std::string bytes = x_setup_request({"MIT-MAGIC-COOKIE-1", std::string(16, 'c')});
  EXPECT_EQ(bytes.substr(0, 12), "l\0\x0b\0\0\0\x12\0\x10\0\0\0"s);
  EXPECT_EQ(bytes.size(), 12U + 20U + 16U);
}

TEST(ServerFacts, ReadReleasesAsTheXOrgFoundationCountsThem) {
  EXPECT_EQ(server_version("The X.Org Foundation", 12'101'007), "21.1.7");
  EXPECT_EQ(server_version("The X.Org Foundation", 12'014'000), "1.20.14");
  EXPECT_EQ(server_version("Somebody", 42), "42");
}

}  // namespace
}  // namespace compositord::agent::x11
