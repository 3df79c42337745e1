// What a compositor is called, and why it can't be told anything.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/wayland/compositor_facts.h"

namespace compositord::agent {
namespace {

using ::testing::HasSubstr;

TEST(CompositorFacts, BelieveAKnownExecutableBeforeItsGlobals) {
  const std::vector<msg::Protocol> gtk{{"gtk_shell1", 5}};
  EXPECT_EQ(compositor_name("/usr/bin/gnome-shell", gtk), "gnome-shell");
  EXPECT_EQ(compositor_name("/nix/store/x/.sway-wrapped", {}), "sway");
}

TEST(CompositorFacts, BelieveFingerprintsBeforeAnUnknownExecutable) {
  EXPECT_EQ(compositor_name("/usr/bin/kwin_wayland_wrapper", {{"kde_output_management_v2", 3}}), "kwin_wayland");
  EXPECT_EQ(compositor_name("", {{"weston_desktop_shell", 1}}), "weston");
  // phoc announces GTK's global too.
  EXPECT_EQ(compositor_name("/opt/renamed", {{"gtk_shell1", 3}, {"phosh_private", 6}}), "phoc");
}

TEST(CompositorFacts, SayUnknownWhenNothingTells) {
  EXPECT_EQ(compositor_name("/usr/bin/mine", {{"wl_shm", 1}}), "mine");
  EXPECT_EQ(compositor_name("", {{"wl_shm", 1}}), "unknown");
}

TEST(CompositorFacts, GiveAReasonForEveryCommand) {
  for (const char* name : {"weston", "cage", "phoc", "mutter", "kwin_wayland", "mine"}) {
    const auto commands = unsupported_commands(name);
    ASSERT_EQ(commands.size(), 11U);
    for (const auto& command : commands) {
      EXPECT_FALSE(command.supported);
      EXPECT_THAT(command.reason, HasSubstr(name));
    }
  }
}

}  // namespace
}  // namespace compositord::agent
