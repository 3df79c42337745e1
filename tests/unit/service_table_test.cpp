#include "broker/core/service_table.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/random.h"

namespace compositord::broker {
namespace {

constexpr std::size_t kAll = 1'000;

std::vector<std::string> names(const ServiceTable& table, std::string_view prefix, std::size_t count = kAll) {
  std::vector<std::string> names;
  for (const Service* service : table.with_prefix(prefix, count)) names.push_back(service->name);
  return names;
}

void open_all(ServiceTable& table, const std::vector<std::string>& names) {
  for (const std::string& name : names) ASSERT_NE(table.open(name), nullptr);
}

using Names = std::vector<std::string>;

TEST(ServiceTable, ListsByNameWhatBeginsWithAPrefix) {
  ServiceTable table{Limits{}};
  open_all(table, {"b", "ab", "a", "aa", "ac", "aab"});
  EXPECT_EQ(names(table, ""), (Names{"a", "aa", "aab", "ab", "ac", "b"}));
  EXPECT_EQ(names(table, "a"), (Names{"a", "aa", "aab", "ab", "ac"}));
  EXPECT_EQ(names(table, "aa"), (Names{"aa", "aab"}));
  EXPECT_EQ(names(table, "aaa"), Names{});
  EXPECT_EQ(names(table, "c"), Names{});
  EXPECT_EQ(names(table, "a", 3), (Names{"a", "aa", "aab"}));
  EXPECT_EQ(names(table, "a", 0), Names{});
  EXPECT_EQ(table.with_prefix("aab", kAll), std::vector<const Service*>{table.find("aab")}) << "itself, no copy";
}

// Names are bytes of peers: those above 0x7f come last, and 0xff has nothing behind it.
TEST(ServiceTable, OrdersNamesByTheirBytes) {
  const std::string nul("a\0b", 3);
  ServiceTable table{Limits{}};
  open_all(table, {"\xff\xff", "\xff", "z", "\x80", nul, "a"});
  EXPECT_EQ(names(table, ""), (Names{"a", nul, "z", "\x80", "\xff", "\xff\xff"}));
  EXPECT_EQ(names(table, "\xff"), (Names{"\xff", "\xff\xff"}));
  EXPECT_EQ(names(table, std::string_view(nul).substr(0, 2)), Names{nul});
}

TEST(ServiceTable, ListsWhatIsOpenOverManyRandomSteps) {
  constexpr std::uint64_t kSeed = 23;
  Random random(kSeed);
  ServiceTable table{Limits{}};
  std::set<std::string> model;
  for (int step = 0; step < 3'000; ++step) {
    const std::string name(1 + random.below(4), static_cast<char>('a' + random.below(3)));
    if (random.below(2) == 0) {
      ASSERT_NE(table.open(name), nullptr);
      model.insert(name);
    } else if (const Service* service = table.find(name)) {
      table.close_if_empty(*service);
      model.erase(name);
    }
    const std::string prefix = name.substr(0, random.below(3));
    Names expected(model.begin(), model.end());
    std::erase_if(expected, [&](const std::string& one) { return !one.starts_with(prefix); });
    ASSERT_EQ(names(table, prefix), expected) << "seed " << kSeed << ", step " << step;
    ASSERT_TRUE(table.check_invariants()) << "seed " << kSeed << ", step " << step;
  }
}

}  // namespace
}  // namespace compositord::broker
