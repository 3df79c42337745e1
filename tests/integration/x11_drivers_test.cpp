// The X11 driver against real servers, compositing managers and window managers.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <chrono>
#include <optional>
#include <string>

#include "agent/x11/x11_driver.h"
#include "common/base/clock.h"
#include "tests/support/driver_loop.h"
#include "tests/support/x_display.h"

namespace compositord {
namespace {

using agent::driver_event::CauseSeen;
using agent::driver_event::CommandFinished;
using agent::driver_event::Described;
using agent::driver_event::Gone;
using agent::driver_event::OutputsChanged;
using agent::driver_event::ProbeAnswered;
using msg::Value;
using std::chrono::milliseconds;
using std::chrono::seconds;
using test::CompositorProcess;
using test::DriverLoop;
using test::output_of;
using test::RuntimeDir;
using test::XDisplay;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::Pair;

const msg::Part* find_part(const msg::Manifest& manifest, const std::string& role) {
  if (!manifest.parts) return nullptr;
  for (const msg::Part& part : *manifest.parts) {
    if (part.role == role) return &part;
  }
  return nullptr;
}

std::string as_text(const msg::Manifest& manifest) { return msg::encode_json(msg::to_value(manifest), 1); }

class OnXvfb : public ::testing::Test {
 protected:
  OnXvfb()
      : display_(dir_),
        server_(display_.xvfb()),
        loop_(agent::DisplaySettings{{}, display_.socket_path(), {}}, agent::x11::make_x11_driver) {}

  const msg::Manifest* manifest() const {
    const Described* described = loop_.last<Described>();
    return described == nullptr ? nullptr : &described->manifest;
  }
  bool wait_for_name(const std::string& name) {
    return loop_.run_until([&] { return manifest() != nullptr && manifest()->name == name; });
  }

  RuntimeDir dir_;
  XDisplay display_;
  CompositorProcess server_;
  DriverLoop loop_;
};

// --- the bare server ---

TEST_F(OnXvfb, ABareServerIsDescribed) {
  server_.start();
  ASSERT_TRUE(loop_.wait_for_described()) << loop_.log_text();
  EXPECT_EQ(manifest()->name, "Xvfb");
  EXPECT_EQ(manifest()->version, "21.1.7");
  EXPECT_EQ(manifest()->version_source, "setup");
  EXPECT_EQ(manifest()->kind, msg::DisplayKind::kX11);
  EXPECT_EQ(manifest()->display, display_.name());
  EXPECT_EQ(manifest()->driver, "x11");
  EXPECT_EQ(manifest()->pid, static_cast<std::uint64_t>(server_.pid()));
  EXPECT_EQ(manifest()->executable, "/usr/bin/Xvfb");
  EXPECT_THAT(manifest()->protocols, Contains(Field(&msg::Protocol::name, "RANDR")));
  ASSERT_EQ(manifest()->outputs.size(), 1U) << as_text(*manifest());
  const msg::Output& output = manifest()->outputs.front();
  EXPECT_EQ(output.name, "screen");
  ASSERT_TRUE(output.current_mode);
  EXPECT_EQ(output.current_mode->width_px, 1280U);
  EXPECT_EQ(output.current_mode->height_px, 1024U);
  const msg::Part* server = find_part(*manifest(), "server");
  ASSERT_NE(server, nullptr);
  EXPECT_EQ(server->vendor, "The X.Org Foundation");
  EXPECT_EQ(manifest()->parts->size(), 1U);
  ASSERT_TRUE(loop_.run_until([&] { return loop_.count<OutputsChanged>() > 0; }));
  EXPECT_THAT(loop_.last<OutputsChanged>()->outputs, Contains(Pair("screen", msg::OutputState::kOn)));
}

TEST_F(OnXvfb, AServerThatIsStoppedBeforeItAnswersHoldsNobody) {
  server_.start();
  ASSERT_TRUE(server_.wait_until_listening(display_.socket_path()));
  server_.signal(SIGSTOP);
  int status = 0;
  ASSERT_EQ(::waitpid(server_.pid(), &status, WUNTRACED), server_.pid());
  // It accepts, as any stopped process does whose socket has a backlog, and never answers the setup.
  ASSERT_TRUE(loop_.run_until([&] { return loop_.driver != nullptr; }));
  const std::size_t before = loop_.services;
  EXPECT_FALSE(loop_.run_until([&] { return loop_.count<Described>() > 0; }, milliseconds(500)));
  EXPECT_LT(loop_.services - before, 20U) << "the driver spins while the server is stopped";
  loop_.driver->look_at_process(loop_.out);
  EXPECT_TRUE(loop_.last<CauseSeen>()->stopped);
  server_.signal(SIGCONT);
  EXPECT_TRUE(loop_.run_until([&] { return loop_.count<Described>() > 0; })) << loop_.log_text();
}

TEST_F(OnXvfb, ABareServerAnswersProbesUnlessItIsStopped) {
  server_.start();
  ASSERT_TRUE(loop_.wait_for_described()) << loop_.log_text();
  EXPECT_TRUE(loop_.probe(seconds(5)));
  server_.signal(SIGSTOP);
  int status = 0;
  ASSERT_EQ(::waitpid(server_.pid(), &status, WUNTRACED), server_.pid());
  const std::size_t before = loop_.services;
  EXPECT_FALSE(loop_.probe(milliseconds(700)));
  EXPECT_LT(loop_.services - before, 50U) << "the driver spins while the server is stopped";
  loop_.driver->look_at_process(loop_.out);
  EXPECT_EQ(loop_.last<CauseSeen>()->cause, "stopped");
  server_.signal(SIGCONT);
  EXPECT_TRUE(loop_.run_until([&] { return loop_.count<ProbeAnswered>() == 2; }));
  EXPECT_TRUE(loop_.probe(seconds(5)));
}

TEST_F(OnXvfb, ABareServerIsGoneWithItsSignalAndSeenAgain) {
  server_.start();
  ASSERT_TRUE(loop_.wait_for_described()) << loop_.log_text();
  const Instant killed_at = monotonic_now();
  server_.signal(SIGKILL);
  ASSERT_TRUE(loop_.run_until([&] { return loop_.count<Gone>() > 0; }));
  EXPECT_LT(to_ms(monotonic_now() - killed_at), 200);
  EXPECT_EQ(loop_.last<Gone>()->end.signal, 9);
  EXPECT_EQ(loop_.last<Gone>()->text, "killed by signal 9 (SIGKILL)");
  server_.reap();
  ASSERT_TRUE(loop_.run_until([&] { return loop_.logged("display.stale"); })) << loop_.log_text();
  server_.start();
  ASSERT_TRUE(loop_.wait_for_described()) << loop_.log_text();
  EXPECT_EQ(manifest()->pid, static_cast<std::uint64_t>(server_.pid()));
}

TEST_F(OnXvfb, ABareServerIsGoneWithItsExitCode) {
  server_.start();
  ASSERT_TRUE(loop_.wait_for_described()) << loop_.log_text();
  server_.signal(SIGTERM);
  ASSERT_TRUE(server_.reap());
  ASSERT_TRUE(loop_.run_until([&] { return loop_.count<Gone>() > 0; }));
  EXPECT_EQ(loop_.last<Gone>()->end.code, 0);
}

// --- compositing managers and window managers ---

struct Kind {
  std::string name;
  std::vector<std::string> arguments;
  std::string version;
  std::string version_source;
  std::string role;
  std::optional<int> code_of_stop;  // none: it dies by the signal
};

class EveryXCompositor : public OnXvfb, public ::testing::WithParamInterface<Kind> {
 protected:
  EveryXCompositor() : compositor_(display_.client(GetParam().arguments)) {}
  void SetUp() override {
    server_.start();
    ASSERT_TRUE(server_.wait_until_listening(display_.socket_path()));
    compositor_.start();
    ASSERT_TRUE(wait_for_name(GetParam().name)) << loop_.log_text();
  }
  void stop() {
    compositor_.signal(SIGSTOP);
    int status = 0;
    ASSERT_EQ(::waitpid(compositor_.pid(), &status, WUNTRACED), compositor_.pid());
  }
  CompositorProcess compositor_;
};

INSTANTIATE_TEST_SUITE_P(
    X11, EveryXCompositor,
    ::testing::Values(Kind{"xcompmgr", {"/usr/bin/xcompmgr"}, "", "", "compositing_manager", std::nullopt},
                      Kind{"picom",
                           {"/usr/bin/picom", "--backend", "xrender", "--config", "/dev/null"},
                           "9.1",
                           "property",
                           "compositing_manager",
                           std::nullopt},
                      Kind{"compiz",
                           {"/usr/bin/compiz", "--replace", "move", "resize", "place", "decoration"},
                           "0.8.18",
                           "executable",
                           "compositing_manager",
                           0},
                      Kind{"openbox", {"/usr/bin/openbox"}, "3.6.1", "executable", "window_manager", 0}),
    [](const auto& kind) { return kind.param.name; });

TEST_P(EveryXCompositor, IsDescribed) {
  ASSERT_TRUE(loop_.run_until([&] { return manifest()->version == GetParam().version; })) << as_text(*manifest());
  EXPECT_EQ(manifest()->version_source, GetParam().version_source);
  EXPECT_EQ(manifest()->pid, static_cast<std::uint64_t>(compositor_.pid()));
  EXPECT_EQ(manifest()->executable, "/usr/bin/" + GetParam().name);
  const msg::Part* part = find_part(*manifest(), GetParam().role);
  ASSERT_NE(part, nullptr) << as_text(*manifest());
  EXPECT_EQ(part->pid, static_cast<std::uint64_t>(compositor_.pid()));
  ASSERT_NE(find_part(*manifest(), "server"), nullptr);
  EXPECT_EQ(find_part(*manifest(), "server")->pid, static_cast<std::uint64_t>(server_.pid()));
  EXPECT_EQ(find_part(*manifest(), "server")->name, "Xvfb");
}

TEST_P(EveryXCompositor, AnswersProbesUnlessItIsStopped) {
  EXPECT_TRUE(loop_.probe(seconds(5)));
  stop();
  const std::size_t before = loop_.services;
  const std::size_t answers = loop_.count<ProbeAnswered>();
  EXPECT_FALSE(loop_.probe(milliseconds(700)));
  EXPECT_LT(loop_.services - before, 50U) << "the driver spins while the compositor is stopped";
  loop_.driver->look_at_process(loop_.out);
  EXPECT_TRUE(loop_.last<CauseSeen>()->stopped);
  compositor_.signal(SIGCONT);
  EXPECT_TRUE(loop_.run_until([&] { return loop_.count<ProbeAnswered>() == answers + 1; }));
  EXPECT_TRUE(loop_.probe(seconds(5)));
}

TEST_P(EveryXCompositor, IsGoneWithTheSignalThatKilledItAndSeenAgain) {
  const Instant killed_at = monotonic_now();
  compositor_.signal(SIGKILL);
  ASSERT_TRUE(loop_.run_until([&] { return loop_.count<Gone>() > 0; }));
  EXPECT_LT(to_ms(monotonic_now() - killed_at), 200);
  EXPECT_EQ(loop_.last<Gone>()->end.signal, 9);
  EXPECT_EQ(loop_.last<Gone>()->text, "killed by signal 9 (SIGKILL)");
  compositor_.reap();
  ASSERT_TRUE(wait_for_name("Xvfb")) << loop_.log_text();
  compositor_.start();
  ASSERT_TRUE(wait_for_name(GetParam().name)) << loop_.log_text();
  EXPECT_EQ(manifest()->pid, static_cast<std::uint64_t>(compositor_.pid()));
  EXPECT_EQ(loop_.count<Gone>(), 1U);
}

TEST_P(EveryXCompositor, IsGoneAfterACleanStop) {
  compositor_.signal(SIGTERM);
  ASSERT_TRUE(loop_.run_until([&] { return loop_.count<Gone>() > 0; }));
  EXPECT_EQ(loop_.last<Gone>()->end.code, GetParam().code_of_stop) << loop_.last<Gone>()->text;
  if (!GetParam().code_of_stop) {
    EXPECT_EQ(loop_.last<Gone>()->end.signal, SIGTERM);
  }
}

TEST_P(EveryXCompositor, GoesWithItsServer) {
  server_.signal(SIGKILL);
  ASSERT_TRUE(loop_.run_until([&] { return loop_.count<Gone>() > 0; }));
  EXPECT_EQ(loop_.last<Gone>()->end.signal, 9);
  EXPECT_EQ(loop_.last<Gone>()->text, "its X server was lost: killed by signal 9 (SIGKILL)");
}

}  // namespace
}  // namespace compositord
