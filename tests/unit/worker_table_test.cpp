#include "broker/core/worker_table.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <set>
#include <vector>

#include "common/base/random.h"

namespace compositord::broker {
namespace {

std::vector<std::uint64_t> all(const TokenSet& tokens) { return {tokens.begin(), tokens.end()}; }

TEST(TokenSet, KeepsTokensOldestFirstHoweverTheyCame) {
  TokenSet tokens;
  for (const std::uint64_t token : {5U, 2U, 9U, 2U, 5U}) tokens.insert(token);
  EXPECT_EQ(all(tokens), (std::vector<std::uint64_t>{2, 5, 9}));
  EXPECT_EQ(*tokens.rbegin(), 9U);
}

TEST(TokenSet, ErasesWhatIsThereAndNothingElse) {
  TokenSet tokens;
  for (const std::uint64_t token : {1U, 2U, 3U}) tokens.insert(token);
  tokens.erase(2);
  tokens.erase(2);
  tokens.erase(7);
  EXPECT_EQ(all(tokens), (std::vector<std::uint64_t>{1, 3}));
  tokens.clear();
  EXPECT_TRUE(tokens.empty());
}

TEST(TokenSet, IsASetOverManyRandomSteps) {
  constexpr std::uint64_t kSeed = 17;
  Random random(kSeed);
  TokenSet tokens;
  std::set<std::uint64_t> model;
  for (int step = 0; step < 5'000; ++step) {
    const std::uint64_t token = random.below(100);
    if (random.below(2) == 0) {
      tokens.insert(token);
      model.insert(token);
    } else {
      tokens.erase(token);
      model.erase(token);
    }
    ASSERT_EQ(all(tokens), std::vector<std::uint64_t>(model.begin(), model.end())) << "step " << step;
  }
}

}  // namespace
}  // namespace compositord::broker
