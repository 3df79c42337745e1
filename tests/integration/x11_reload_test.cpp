// reload on X: picom and openbox read their configuration again, and a picom that would end of it is not told.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>
#include <string>
#include <vector>

#include "agent/process/process_stat.h"
#include "agent/x11/x_reload.h"
#include "tests/support/compositor_process.h"
#include "tests/support/driver_loop.h"
#include "tests/support/on_xvfb.h"
#include "tests/support/support_facts.h"

namespace compositord {
namespace {

using agent::driver_event::Gone;
using msg::Value;
using std::chrono::seconds;
using test::as_text;
using test::CompositorProcess;
using test::field;
using test::find_part;
using test::OnXvfb;
using test::output_of;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(PicomComplaints, AreItsOwnLinesWithoutTimesAndPlaces) {
  EXPECT_EQ(
      agent::x11::picom_complaints_in("[ 11/21/26 20:26:11.444 parse_backend ERROR ] Invalid backend argument: xxx\n"
                                      "[ 11/21/26 20:26:11.444 a INFO ] nothing\n"
                                      "[ 11/21/26 20:26:11.444 main FATAL ERROR ] Failed to create new session."),
      "Invalid backend argument: xxx; Failed to create new session.");
  EXPECT_EQ(agent::x11::picom_complaints_in(""), "");
}

TEST(PicomCheck, WritesNothingAndStaysInFront) {
  EXPECT_THAT(agent::x11::picom_check_arguments({"picom", "-b", "--backend", "xrender", "--log-file", "/a", "--daemon",
                                                 "--write-pid-path=/b", "--config", "/c"}),
              ElementsAre("--backend", "xrender", "--config", "/c", "--diagnostics"));
}

TEST(SignalHandler, IsReadFromTheKernelsMask) {
  EXPECT_TRUE(agent::has_handler("Name:\tx\nSigIgn:\t0000000000000000\nSigCgt:\t0000000000010202\n", SIGUSR1));
  EXPECT_FALSE(agent::has_handler("Name:\tx\nSigCgt:\t0000000000010002\n", SIGUSR1));
  EXPECT_FALSE(agent::has_handler("SigCgt:\t", SIGUSR1));
  EXPECT_FALSE(agent::has_handler("", SIGUSR1));
}

class XReloads : public OnXvfb {
 protected:
  void SetUp() override {
    server_.start();
    ASSERT_TRUE(server_.wait_until_listening(display_.socket_path()));
  }
  std::string path(const std::string& file) const { return dir_.path() + "/" + file; }
  void write(const std::string& file, const std::string& text) const { std::ofstream(path(file)) << text; }
  CompositorProcess picom() const {
    return display_.client({"/usr/bin/picom", "--backend", "xrender", "--config", path("picom.conf")});
  }
  void write_openbox(const std::string& theme) const {
    write("rc.xml", "<?xml version=\"1.0\"?>\n<openbox_config xmlns=\"http://openbox.org/3.4/rc\"><theme><name>" +
                        theme + "</name></theme></openbox_config>\n");
  }
  CompositorProcess openbox() const { return display_.client({"/usr/bin/openbox", "--config-file", path("rc.xml")}); }
  // It has its name before it, and for a moment no handler while it begins anew: then a reload is refused, with "try again".
  bool wait_until_it_listens(const CompositorProcess& compositor) {
    return loop_.run_until([&] { return agent::has_handler(compositor.pid(), SIGUSR1); });
  }
  bool wait_for_part(const std::string& role, const std::string& name) {
    return loop_.run_until([&] {
      const msg::Part* part = manifest() == nullptr ? nullptr : find_part(*manifest(), role);
      return part != nullptr && part->name == name;
    });
  }
  std::string root_property(const std::string& name) const {
    return output_of("xprop -display " + display_.name() + " -root " + name + " 2>&1");
  }
};

TEST_F(XReloads, PicomBeginsAnewAndIsNoOther) {
  write("picom.conf", "shadow = false;\n");
  CompositorProcess compositor = picom();
  compositor.start();
  ASSERT_TRUE(wait_for_name("picom")) << loop_.log_text();
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(wait_until_it_listens(compositor));
    const auto done = loop_.run("reload", Value(), seconds(10));
    ASSERT_EQ(done.status, Status::kDone) << as_text(done);
    EXPECT_EQ(field(done.result, "checked"), Value(true));
    EXPECT_EQ(field(done.result, "done"), Value("picom got SIGUSR1, and has begun to composite anew"));
    test::record_command(loop_, "reload", done);
  }
  EXPECT_EQ(manifest()->pid, static_cast<std::uint64_t>(compositor.pid()));
  EXPECT_EQ(manifest()->name, "picom");
  EXPECT_EQ(loop_.count<Gone>(), 0U);
}

TEST_F(XReloads, PicomIsNotToldToReadWhatItWouldEndOf) {
  write("picom.conf", "shadow = false;\n");
  CompositorProcess compositor = picom();
  compositor.start();
  ASSERT_TRUE(wait_for_name("picom")) << loop_.log_text();
  write("picom.conf", "shadow = \"\n");
  const auto refused = loop_.run("reload", Value(), seconds(10));
  EXPECT_EQ(refused.status, Status::kFailed) << as_text(refused);
  EXPECT_THAT(refused.error, AllOf(HasSubstr("picom was not reloaded, because it finds its configuration bad: "),
                                   HasSubstr("picom.conf"), HasSubstr("syntax error")));
  EXPECT_EQ(::kill(compositor.pid(), 0), 0);
  EXPECT_TRUE(loop_.probe(seconds(5)));
  EXPECT_EQ(loop_.count<Gone>(), 0U);
  EXPECT_EQ(loop_.run("reload", Value::map({{"force", true}})).status, Status::kMalformed);
}

TEST_F(XReloads, OpenboxReadsItsConfigurationAgain) {
  write_openbox("Clearlooks");
  CompositorProcess manager = openbox();
  manager.start();
  ASSERT_TRUE(wait_for_name("openbox")) << loop_.log_text();
  // It is named before it has begun, on a busy machine by far: it is told all the same.
  write_openbox("Onyx");
  const auto done = loop_.run("reload", Value(), seconds(10));
  ASSERT_EQ(done.status, Status::kDone) << as_text(done);
  EXPECT_EQ(field(done.result, "checked"), Value(false));
  EXPECT_THAT(root_property("_OB_THEME"), HasSubstr("Onyx"));
  EXPECT_EQ(manifest()->pid, static_cast<std::uint64_t>(manager.pid()));
  test::record_command(loop_, "reload", done);
}

TEST_F(XReloads, BothAreTold) {
  write("picom.conf", "shadow = false;\n");
  write_openbox("Clearlooks");
  CompositorProcess manager = openbox();
  manager.start();
  CompositorProcess compositor = picom();
  compositor.start();
  ASSERT_TRUE(wait_for_part("window_manager", "openbox")) << loop_.log_text();
  ASSERT_TRUE(wait_for_part("compositing_manager", "picom")) << loop_.log_text();
  ASSERT_TRUE(wait_until_it_listens(compositor));
  const auto done = loop_.run("reload", Value(), seconds(10));
  ASSERT_EQ(done.status, Status::kDone) << as_text(done);
  EXPECT_THAT(field(done.result, "done").if_string() == nullptr ? "" : *field(done.result, "done").if_string(),
              AllOf(HasSubstr("picom got"), HasSubstr("openbox got")));
  EXPECT_EQ(field(done.result, "checked"), Value(false)) << "openbox's was not";
}

TEST_F(XReloads, FailWhenNothingShowsThatItWasDone) {
  write_openbox("Clearlooks");
  CompositorProcess manager = openbox();
  manager.start();
  ASSERT_TRUE(wait_for_name("openbox")) << loop_.log_text();
  ASSERT_TRUE(loop_.run_until([&] { return root_property("_OB_THEME").find("Clearlooks") != std::string::npos; }));
  manager.signal(SIGSTOP);
  const auto late = loop_.run("reload", Value(), seconds(30));
  EXPECT_EQ(late.status, Status::kFailed) << as_text(late);
  EXPECT_EQ(late.error, "openbox was told to read its configuration again, and does not show that it has");
  manager.signal(SIGCONT);
}

}  // namespace
}  // namespace compositord
