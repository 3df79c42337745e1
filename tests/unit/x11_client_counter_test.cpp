// The X server's list of its clients, whatever it claims.

#include <gtest/gtest.h>
#include <xcb/res.h>

#include <cstring>
#include <vector>

#include "agent/x11/client_counter.h"

namespace compositord::agent::x11 {
namespace {

constexpr std::uint32_t kOwn = 0x600000;

// `claimed`: what it says that it holds.
std::vector<char> reply(const std::vector<std::uint32_t>& bases, std::uint32_t claimed) {
  xcb_res_query_clients_reply_t head{};
  head.response_type = 1;
  head.length = static_cast<std::uint32_t>(2 * bases.size());
  head.num_clients = claimed;
  std::vector<char> bytes(sizeof head + bases.size() * sizeof(xcb_res_client_t));
  std::memcpy(bytes.data(), &head, sizeof head);
  for (std::size_t i = 0; i < bases.size(); ++i) {
    const xcb_res_client_t client{bases[i], 0x1fffff};
    std::memcpy(bytes.data() + sizeof head + i * sizeof client, &client, sizeof client);
  }
  return bytes;
}

std::optional<std::uint64_t> count(const std::vector<std::uint32_t>& bases, std::uint32_t claimed) {
  return count_others(reply(bases, claimed).data(), kOwn);
}

TEST(XClientCount, LeavesOutTheServerAndUs) {
  EXPECT_EQ(count({0, kOwn}, 2), 0U);
  EXPECT_EQ(count({0, 0x200000, kOwn, 0x800000}, 4), 2U);
  EXPECT_EQ(count({}, 0), 0U);
}

TEST(XClientCount, IsUnknownWithoutAReply) { EXPECT_FALSE(count_others(nullptr, kOwn)); }

TEST(XClientCount, BelievesNoMoreThanTheReplyHolds) {
  EXPECT_EQ(count({0, 0x200000, kOwn}, 0xffffffffU), 1U);
  EXPECT_EQ(count({0, 0x200000, 0x400000}, 2), 1U);
}

}  // namespace
}  // namespace compositord::agent::x11
