// `windows` on real compositors and window managers, with real windows.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "agent/driver.h"
#include "common/base/clock.h"
#include "tests/support/compositor_process.h"
#include "tests/support/driver_loop.h"
#include "tests/support/on_xvfb.h"
#include "tests/support/support_facts.h"

namespace compositord {
namespace {

using agent::driver_event::CommandFinished;
using agent::driver_event::Described;
using msg::Value;
using std::chrono::milliseconds;
using std::chrono::seconds;
using test::as_text;
using test::CompositorProcess;
using test::DriverLoop;
using test::OnXvfb;
using test::RuntimeDir;

Value texts(const std::vector<std::string>& list) {
  Value value = Value::array();
  for (const std::string& text : list) value.push(text);
  return value;
}

Value member(const Value& map, std::string_view key) {
  const Value* found = map.find(key);
  return found == nullptr ? Value("missing") : *found;
}

// Asks again until the answer is as wanted; programs take a while to show their windows.
CommandFinished ask_until(DriverLoop& loop, const std::function<bool(const Value&)>& wanted) {
  const Instant end = monotonic_now() + seconds(15);
  while (true) {
    CommandFinished answer = loop.run("windows", Value());
    if (answer.status != Status::kDone || wanted(answer.result) || monotonic_now() >= end) return answer;
    loop.run_until([] { return false; }, milliseconds(20));
  }
}

// Windows that still move are not shown anywhere yet.
bool has_windows_on_outputs(const Value& result, std::int64_t count) {
  if (!(member(result, "count") == Value(count))) return false;
  for (const Value& window : *result.find("windows")->if_array()) {
    if (window.find("outputs")->if_array()->empty()) return false;
  }
  return true;
}

// --- wlroots ---

class WindowsOnWlroots : public ::testing::TestWithParam<std::string> {
 protected:
  WindowsOnWlroots()
      : compositor_(GetParam() == "sway" ? CompositorProcess::sway(dir_) : CompositorProcess::phoc(dir_)),
        loop_({dir_.path(), {}, {}}) {}
  void SetUp() override {
    compositor_.start();
    ASSERT_TRUE(loop_.wait_for_described()) << loop_.log_text();
  }
  CompositorProcess client(std::vector<std::string> arguments) const {
    return {dir_,
            std::move(arguments),
            {std::string("WAYLAND_DISPLAY=") + (GetParam() == "sway" ? "wayland-1" : "wayland-0")}};
  }
  RuntimeDir dir_;
  CompositorProcess compositor_;
  DriverLoop loop_;
};

INSTANTIATE_TEST_SUITE_P(Wayland, WindowsOnWlroots, ::testing::Values("sway", "phoc"),
                         [](const auto& kind) { return kind.param; });

TEST_P(WindowsOnWlroots, AreListedAsTheyComeAndGo) {
  const auto none = loop_.run("windows", Value());
  ASSERT_EQ(none.status, Status::kDone) << as_text(none);
  EXPECT_EQ(msg::encode_json(none.result), R"({"count":0,"windows":[]})");
  CompositorProcess flower = client({"/usr/bin/weston-flower"});
  flower.start();
  const auto one = ask_until(loop_, [](const Value& result) { return has_windows_on_outputs(result, 1); });
  ASSERT_EQ(member(one.result, "count"), Value(1)) << as_text(one);
  const Value& window = one.result.find("windows")->if_array()->front();
  EXPECT_EQ(member(window, "app_id"), Value("org.freedesktop.weston.flower"));
  EXPECT_EQ(member(window, "title"), Value("Flower"));
  EXPECT_EQ(member(window, "outputs"), texts({"HEADLESS-1"}));
  // phoc, without a seat, activates nothing.
  const std::string state = GetParam() == "sway" ? "activated" : "maximized";
  EXPECT_EQ(member(window, "states"), texts({state}));
  test::record_command(loop_, "windows", one);

  CompositorProcess smoke = client({"/usr/bin/weston-smoke"});
  smoke.start();
  const auto two = ask_until(loop_, [](const Value& result) { return has_windows_on_outputs(result, 2); });
  EXPECT_EQ(member(two.result, "count"), Value(2)) << as_text(two);
  smoke.signal(SIGKILL);
  flower.signal(SIGKILL);
  const auto gone = ask_until(loop_, [](const Value& result) { return member(result, "count") == Value(0); });
  EXPECT_EQ(member(gone.result, "count"), Value(0)) << as_text(gone);
}

TEST_P(WindowsOnWlroots, EndByTheirDeadlineWhenTheCompositorIsStopped) {
  compositor_.signal(SIGSTOP);
  int status = 0;
  ASSERT_EQ(::waitpid(compositor_.pid(), &status, WUNTRACED), compositor_.pid());
  const auto late = loop_.run("windows", Value(), milliseconds(300));
  EXPECT_EQ(late.status, Status::kDeadline) << as_text(late);
  const Instant now = monotonic_now();
  loop_.out = {};
  for (std::uint64_t id = 100; id < 105; ++id) {
    loop_.driver->execute(id, "windows", Value(), now, now + seconds(20), loop_.out);
  }
  ASSERT_EQ(loop_.count<CommandFinished>(), 1U) << "the fifth is one too many";
  EXPECT_EQ(loop_.last<CommandFinished>()->status, Status::kLimit);
  compositor_.signal(SIGKILL);
  ASSERT_TRUE(loop_.run_until([&] { return loop_.count<CommandFinished>() == 5; }));
  EXPECT_EQ(loop_.last<CommandFinished>()->status, Status::kGone) << as_text(*loop_.last<CommandFinished>());
}

TEST_P(WindowsOnWlroots, AreAskedForWithoutParameters) {
  const auto refused = loop_.run("windows", Value::map({{"output", "HEADLESS-1"}}));
  EXPECT_EQ(refused.status, Status::kMalformed) << as_text(refused);
}

// --- X ---

class XWindows : public OnXvfb {
 protected:
  void SetUp() override {
    server_.start();
    ASSERT_TRUE(server_.wait_until_listening(display_.socket_path()));
  }
};

TEST_F(XWindows, AreWhatTheWindowManagerLists) {
  CompositorProcess manager = display_.client({"/usr/bin/openbox"});
  manager.start();
  ASSERT_TRUE(wait_for_name("openbox")) << loop_.log_text();
  const auto none = loop_.run("windows", Value());
  ASSERT_EQ(none.status, Status::kDone) << as_text(none);
  EXPECT_EQ(msg::encode_json(none.result), R"({"count":0,"windows":[]})");
  CompositorProcess xterm = display_.client(
      {"/usr/bin/xterm", "-geometry", "40x10+10+10", "-title", "A title", "-e", "/usr/bin/sleep", "60"});
  xterm.start();
  const auto one = ask_until(loop_, [](const Value& result) {
    return has_windows_on_outputs(result, 1) &&
           !result.find("windows")->if_array()->front().find("states")->if_array()->empty();
  });
  ASSERT_EQ(member(one.result, "count"), Value(1)) << as_text(one);
  const Value& window = one.result.find("windows")->if_array()->front();
  EXPECT_EQ(member(window, "app_id"), Value("XTerm"));
  EXPECT_EQ(member(window, "title"), Value("A title"));
  EXPECT_EQ(member(window, "outputs"), texts({"screen"}));
  EXPECT_EQ(member(window, "states"), texts({"activated"}));
  test::record_command(loop_, "windows", one);
  xterm.signal(SIGKILL);
  const auto gone = ask_until(loop_, [](const Value& result) { return member(result, "count") == Value(0); });
  EXPECT_EQ(member(gone.result, "count"), Value(0)) << as_text(gone);
}

TEST_F(XWindows, EndByTheirDeadlineWhenTheServerIsStopped) {
  CompositorProcess manager = display_.client({"/usr/bin/openbox"});
  manager.start();
  ASSERT_TRUE(wait_for_name("openbox")) << loop_.log_text();
  server_.signal(SIGSTOP);
  int status = 0;
  ASSERT_EQ(::waitpid(server_.pid(), &status, WUNTRACED), server_.pid());
  const auto late = loop_.run("windows", Value(), milliseconds(300));
  EXPECT_EQ(late.status, Status::kDeadline) << as_text(late);
  server_.signal(SIGCONT);
  const auto done = loop_.run("windows", Value());
  EXPECT_EQ(done.status, Status::kDone) << "the late answer is nobody's: " << as_text(done);
}

}  // namespace
}  // namespace compositord
