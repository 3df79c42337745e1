// The X11 driver against real servers, compositing managers and window managers.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "agent/x11/x11_driver.h"
#include "common/base/clock.h"
#include "tests/support/driver_loop.h"
#include "tests/support/on_xvfb.h"
#include "tests/support/support_facts.h"
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
using test::as_text;
using test::CompositorProcess;
using test::DriverLoop;
using test::find_part;
using test::OnXvfb;
using test::output_of;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::Pair;

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
  test::record_seen(loop_, "up");
}

TEST_F(OnXvfb, InputDevicesComeAndGo) {
  server_.start();
  ASSERT_TRUE(loop_.wait_for_described()) << loop_.log_text();
  const auto has = [&](const std::string& name, const std::string& kind) {
    return ::testing::Matches(Contains(msg::InputDevice{name, kind}))(manifest()->inputs);
  };
  EXPECT_TRUE(has("Virtual core pointer", "pointer")) << as_text(*manifest());
  EXPECT_TRUE(has("Xvfb mouse", "slave-pointer")) << as_text(*manifest());
  EXPECT_TRUE(has("Xvfb keyboard", "slave-keyboard")) << as_text(*manifest());
  const std::size_t before = manifest()->inputs.size();
  const std::string xinput = "env DISPLAY=" + display_.name() + " xinput --";
  output_of(xinput + "create-master acme");
  EXPECT_TRUE(loop_.run_until([&] { return has("acme pointer", "pointer") && has("acme keyboard", "keyboard"); }))
      << as_text(*manifest());
  output_of(xinput + "float 'Xvfb mouse'");
  EXPECT_TRUE(loop_.run_until([&] { return has("Xvfb mouse", "floating"); })) << as_text(*manifest());
  output_of(xinput + "reattach 'Xvfb mouse' 'Virtual core pointer'");
  output_of(xinput + "remove-master 'acme pointer'");
  EXPECT_TRUE(loop_.run_until([&] {
    return manifest()->inputs.size() == before && has("Xvfb mouse", "slave-pointer");
  })) << as_text(*manifest());
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

class BareXServer : public OnXvfb, public ::testing::WithParamInterface<const char*> {
 protected:
  CompositorProcess xserver_ = GetParam() == std::string("Xorg") ? display_.xorg() : display_.xvfb();
};

INSTANTIATE_TEST_SUITE_P(X11, BareXServer, ::testing::Values("Xvfb", "Xorg"),
                         [](const auto& server) { return std::string(server.param); });

TEST_P(BareXServer, AnswersProbesUnlessItIsStopped) {
  xserver_.start();
  ASSERT_TRUE(loop_.wait_for_described()) << loop_.log_text();
  EXPECT_TRUE(loop_.probe(seconds(5)));
  xserver_.signal(SIGSTOP);
  int status = 0;
  ASSERT_EQ(::waitpid(xserver_.pid(), &status, WUNTRACED), xserver_.pid());
  const std::size_t before = loop_.services;
  EXPECT_FALSE(loop_.probe(milliseconds(700)));
  EXPECT_LT(loop_.services - before, 50U) << "the driver spins while the server is stopped";
  loop_.driver->look_at_process(loop_.out);
  EXPECT_EQ(loop_.last<CauseSeen>()->cause, "stopped");
  xserver_.signal(SIGCONT);
  EXPECT_TRUE(loop_.run_until([&] { return loop_.count<ProbeAnswered>() == 2; }));
  EXPECT_TRUE(loop_.probe(seconds(5)));
  test::record_seen(loop_, "frozen");
}

TEST_P(BareXServer, IsGoneWithItsSignalAndSeenAgain) {
  xserver_.start();
  ASSERT_TRUE(loop_.wait_for_described()) << loop_.log_text();
  xserver_.signal(SIGKILL);
  ASSERT_TRUE(loop_.run_until([&] { return loop_.count<Gone>() > 0; }));
  EXPECT_EQ(loop_.last<Gone>()->end.signal, 9);
  EXPECT_EQ(loop_.last<Gone>()->text, "killed by signal 9 (SIGKILL)");
  test::record_seen(loop_, "killed");
  xserver_.reap();
  ASSERT_TRUE(loop_.run_until([&] { return loop_.logged("display.stale"); })) << loop_.log_text();
  xserver_.start();
  ASSERT_TRUE(loop_.wait_for_described()) << loop_.log_text();
  EXPECT_EQ(manifest()->pid, static_cast<std::uint64_t>(xserver_.pid()));
  test::record_seen(loop_, "back");
}

TEST_P(BareXServer, IsGoneWithItsExitCode) {
  xserver_.start();
  ASSERT_TRUE(loop_.wait_for_described()) << loop_.log_text();
  xserver_.signal(SIGTERM);
  ASSERT_TRUE(xserver_.reap());
  ASSERT_TRUE(loop_.run_until([&] { return loop_.count<Gone>() > 0; }));
  EXPECT_EQ(loop_.last<Gone>()->end.code, 0);
  test::record_seen(loop_, "ended");
}

// --- compositing managers and window managers ---

struct Kind {
  std::string name;
  std::vector<std::string> arguments;
  std::string version;
  std::string version_source;
  std::string role;
  std::optional<int> code_of_stop;  // none: it dies by the signal
  bool manages_windows = false;
};

class EveryXCompositor : public OnXvfb, public ::testing::WithParamInterface<Kind> {
 protected:
  EveryXCompositor() : compositor_(display_.client(GetParam().arguments)) {}
  void SetUp() override {
    server_.start();
    ASSERT_TRUE(server_.wait_until_listening(display_.socket_path()));
    compositor_.start();
    ASSERT_TRUE(wait_for_name(GetParam().name)) << loop_.log_text();
    // Whoever does both takes one role after the other.
    ASSERT_TRUE(loop_.run_until([&] {
      return !GetParam().manages_windows || find_part(*manifest(), "window_manager") != nullptr;
    })) << as_text(*manifest());
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
    ::testing::Values(
        Kind{"xcompmgr", {"/usr/bin/xcompmgr"}, "", "", "compositing_manager", std::nullopt},
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
             0,
             true},
        Kind{"kwin_x11", {"/usr/bin/kwin_x11", "--replace"}, "5.27.5", "executable", "compositing_manager", 15, true},
        Kind{"openbox", {"/usr/bin/openbox"}, "3.6.1", "executable", "window_manager", 0, true}),
    [](const auto& kind) { return kind.param.name; });

TEST_P(EveryXCompositor, IsDescribed) {
  // KWin manages windows before it composites.
  ASSERT_TRUE(loop_.run_until([&] {
    return manifest()->version == GetParam().version && find_part(*manifest(), GetParam().role) != nullptr;
  })) << as_text(*manifest());
  EXPECT_EQ(manifest()->version_source, GetParam().version_source);
  EXPECT_EQ(manifest()->pid, static_cast<std::uint64_t>(compositor_.pid()));
  EXPECT_EQ(manifest()->executable, "/usr/bin/" + GetParam().name);
  const msg::Part* part = find_part(*manifest(), GetParam().role);
  ASSERT_NE(part, nullptr) << as_text(*manifest());
  EXPECT_EQ(part->pid, static_cast<std::uint64_t>(compositor_.pid()));
  ASSERT_NE(find_part(*manifest(), "server"), nullptr);
  EXPECT_EQ(find_part(*manifest(), "server")->pid, static_cast<std::uint64_t>(server_.pid()));
  EXPECT_EQ(find_part(*manifest(), "server")->name, "Xvfb");
  test::record_seen(loop_, "up");
}

TEST_P(EveryXCompositor, RefusesWhatItCanNotDoWithTheManifestsReason) {
  test::expect_and_record_refusals(loop_, "screen");
}

TEST_P(EveryXCompositor, LeavesTheServersOutputsToTheAgent) {
  const Value screen = Value::map({{"output", "screen"}});
  for (const auto& [method, params] :
       {std::pair{"output.mode", Value::map({{"output", "screen"}, {"width_px", 800}, {"height_px", 600}})},
        {"output.position", Value::map({{"output", "screen"}, {"x", 100}, {"y", 50}})},
        {"output.disable", screen},
        {"output.enable", screen}}) {
    const auto done = loop_.run(method, params);
    EXPECT_EQ(done.status, Status::kDone) << method << ": " << as_text(done);
    test::record_command(loop_, method, done);
  }
  EXPECT_THAT(output_of("xrandr -d " + display_.name() + " 2>&1"), HasSubstr("screen connected 800x600+100+50"));
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
  test::record_seen(loop_, "frozen");
}

TEST_P(EveryXCompositor, IsGoneWithTheSignalThatKilledItAndSeenAgain) {
  compositor_.signal(SIGKILL);
  ASSERT_TRUE(loop_.run_until([&] { return loop_.count<Gone>() > 0; }));
  EXPECT_EQ(loop_.last<Gone>()->end.signal, 9);
  EXPECT_EQ(loop_.last<Gone>()->text, "killed by signal 9 (SIGKILL)");
  test::record_seen(loop_, "killed");
  compositor_.reap();
  ASSERT_TRUE(wait_for_name("Xvfb")) << loop_.log_text();
  compositor_.start();
  ASSERT_TRUE(wait_for_name(GetParam().name)) << loop_.log_text();
  EXPECT_EQ(manifest()->pid, static_cast<std::uint64_t>(compositor_.pid()));
  EXPECT_EQ(loop_.count<Gone>(), 1U);
  test::record_seen(loop_, "back");
}

TEST_P(EveryXCompositor, IsGoneAfterACleanStop) {
  compositor_.signal(SIGTERM);
  ASSERT_TRUE(loop_.run_until([&] { return loop_.count<Gone>() > 0; })) << loop_.log_text();
  EXPECT_EQ(loop_.last<Gone>()->end.code, GetParam().code_of_stop) << loop_.last<Gone>()->text;
  EXPECT_EQ(loop_.last<Gone>()->as_when_asked, GetParam().code_of_stop != 0) << "code 0 needs no excuse";
  if (!GetParam().code_of_stop) {
    EXPECT_EQ(loop_.last<Gone>()->end.signal, SIGTERM);
    EXPECT_EQ(loop_.last<Gone>()->text,
              "killed by signal 15 (SIGTERM), as " + GetParam().name + " ends when it is asked to");
  }
  test::record_seen(loop_, "ended");
}

TEST_P(EveryXCompositor, GoesWithItsServer) {
  server_.signal(SIGKILL);
  ASSERT_TRUE(loop_.run_until([&] { return loop_.count<Gone>() > 0; }));
  EXPECT_EQ(loop_.last<Gone>()->end.signal, 9);
  EXPECT_EQ(loop_.last<Gone>()->text, "its X server was lost: killed by signal 9 (SIGKILL)");
}

// --- the probes themselves: /proc alone would notice that a process is stopped, but not that it hangs ---

class ProbeOnXvfb : public OnXvfb {
 protected:
  // A connection of its own, ready for a probe.
  void connect(CompositorProcess& client, const std::string& name) {
    server_.start();
    ASSERT_TRUE(server_.wait_until_listening(display_.socket_path()));
    client.start();
    ASSERT_TRUE(wait_for_name(name)) << loop_.log_text();
    auto socket = agent::connect_unix(display_.socket_path());
    ASSERT_TRUE(socket);
    connection_.emplace(std::move(*socket), agent::x11::x_setup_request({}));
    turn([&] { return connection_->is_set_up(); });
    agent::x11::ask_atoms(*connection_, atoms_);
    bool known = false;
    connection_->expect(xcb_get_input_focus(connection_->xcb()), [&](const void*) { known = true; });
    ASSERT_TRUE(turn([&] { return known; }));
  }
  // Whether `done` came true before the end.
  bool turn(const std::function<bool()>& done, agent::x11::ClientProbe* probe = nullptr,
            milliseconds timeout = seconds(5)) {
    const Instant end = monotonic_now() + timeout;
    while (!done()) {
      const Instant now = monotonic_now();
      if (now >= end || !connection_->flush()) return false;
      std::vector<pollfd> fds;
      connection_->poll_fds(fds);
      const Instant next = std::min(end, probe == nullptr ? kNever : probe->next_deadline());
      ::poll(fds.data(), fds.size(), static_cast<int>(std::max<std::int64_t>(to_ms(next - now), 0)) + 1);
      std::vector<agent::x11::XOwned<xcb_generic_event_t>> events;
      if (!connection_->service(events)) return false;
      for (const auto& event : events) {
        if (probe != nullptr) probe->on_event(*event);
      }
    }
    return true;
  }
  bool answers(agent::x11::ClientProbe& probe, milliseconds timeout) {
    probe.start(monotonic_now());
    return turn([&] { return probe.service(monotonic_now()); }, &probe, timeout);
  }
  // Asks until the client itself answers twice in a row. A client has its role before it listens or composites, and picom
  // redirects all windows for a moment only to see that nobody else does: of that one answer in a row may come.
  void wait_until_client_answers(agent::x11::ClientProbe& probe, const std::function<bool()>& is_the_clients) {
    const Instant end = monotonic_now() + seconds(20);
    for (int in_a_row = 0; in_a_row < 2;) {
      ASSERT_LT(monotonic_now(), end) << "the client never answered";
      const bool is_answered = answers(probe, milliseconds(700));
      if (!is_answered) probe.cancel();
      in_a_row = is_answered && is_the_clients() ? in_a_row + 1 : 0;
    }
  }
  void expect_silence_while_stopped(agent::x11::ClientProbe& probe, const CompositorProcess& client) {
    client.signal(SIGSTOP);
    int status = 0;
    ASSERT_EQ(::waitpid(client.pid(), &status, WUNTRACED), client.pid());
    // What it sent before it was stopped may still be on its way through the server, and be taken for an answer: the painting
    // of our window, and of its end.
    int on_their_way = 0;
    while (on_their_way < 3 && answers(probe, milliseconds(700))) ++on_their_way;
    ASSERT_LT(on_their_way, 3) << "who answers?";
    client.signal(SIGCONT);
    EXPECT_TRUE(turn([&] { return probe.service(monotonic_now()); }, &probe)) << "the answer comes late";
  }
  std::optional<agent::x11::XConnection> connection_;
  agent::x11::XAtoms atoms_;
};

class PaintProbeOnXvfb : public ProbeOnXvfb, public ::testing::WithParamInterface<Kind> {};

INSTANTIATE_TEST_SUITE_P(
    X11, PaintProbeOnXvfb,
    ::testing::Values(Kind{"xcompmgr", {"/usr/bin/xcompmgr"}, "", "", "", {}},
                      Kind{
                          "picom", {"/usr/bin/picom", "--backend", "xrender", "--config", "/dev/null"}, "", "", "", {}},
                      Kind{"compiz", {"/usr/bin/compiz", "--replace", "place"}, "", "", "", {}},
                      Kind{"kwin_x11", {"/usr/bin/kwin_x11", "--replace"}, "", "", "", {}}),
    [](const auto& kind) { return kind.param.name; });

TEST_P(PaintProbeOnXvfb, IsAnsweredByPaintingAlone) {
  CompositorProcess client = display_.client(GetParam().arguments);
  connect(client, GetParam().name);
  agent::x11::PaintProbe probe(*connection_);
  ASSERT_NO_FATAL_FAILURE(wait_until_client_answers(probe, [&] { return probe.was_composited(); }));
  expect_silence_while_stopped(probe, client);
}

TEST_F(ProbeOnXvfb, FrameExtentsAreAnsweredByTheWindowManagerAlone) {
  CompositorProcess client = display_.client({"/usr/bin/openbox"});
  connect(client, "openbox");
  agent::x11::FrameExtentsProbe probe(*connection_, atoms_);
  ASSERT_NO_FATAL_FAILURE(wait_until_client_answers(probe, [] { return true; }));
  expect_silence_while_stopped(probe, client);
}

}  // namespace
}  // namespace compositord
