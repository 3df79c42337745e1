// Which ends of a compositor are no crash when they were asked for.

#include <gtest/gtest.h>
#include <signal.h>

#include "agent/process/known_exit.h"

namespace compositord::agent {
namespace {

TEST(KnownExit, KnowsThoseThatDoNotEndWithCodeZero) {
  EXPECT_TRUE(is_known_exit("cage", {std::nullopt, SIGABRT}));
  EXPECT_TRUE(is_known_exit("phoc", {std::nullopt, SIGTERM}));
  EXPECT_TRUE(is_known_exit("kwin_wayland", {15, std::nullopt}));
  EXPECT_TRUE(is_known_exit("kwin_x11", {15, std::nullopt}));
}

TEST(KnownExit, TakesNoOtherEndForOne) {
  EXPECT_FALSE(is_known_exit("cage", {std::nullopt, SIGSEGV}));
  EXPECT_FALSE(is_known_exit("cage", {SIGABRT, std::nullopt}));
  EXPECT_FALSE(is_known_exit("cage", {}));
  EXPECT_FALSE(is_known_exit("sway", {std::nullopt, SIGABRT}));
  EXPECT_FALSE(is_known_exit("kwin_wayland", {std::nullopt, 15}));
  EXPECT_FALSE(is_known_exit("unknown", {15, std::nullopt}));
}

TEST(KnownExit, IsPartOfTheDescription) {
  EXPECT_EQ(describe_end_of("cage", {std::nullopt, SIGABRT}),
            "killed by signal 6 (SIGABRT), as cage ends when it is asked to");
  EXPECT_EQ(describe_end_of("kwin_wayland", {15, std::nullopt}),
            "exited with code 15, as kwin_wayland ends when it is asked to");
  EXPECT_EQ(describe_end_of("sway", {std::nullopt, SIGABRT}), "killed by signal 6 (SIGABRT)");
  EXPECT_EQ(describe_end_of("phoc", {}), "ended, and the kernel did not tell how");
}

}  // namespace
}  // namespace compositord::agent
