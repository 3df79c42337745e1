// The commands of the X11 driver against real servers.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <chrono>
#include <string>

#include "tests/support/compositor_process.h"
#include "tests/support/driver_loop.h"
#include "tests/support/on_xvfb.h"
#include "tests/support/support_facts.h"

namespace compositord {
namespace {

using agent::driver_event::OutputsChanged;
using msg::Value;
using std::chrono::milliseconds;
using test::as_text;
using test::CompositorProcess;
using test::field;
using test::OnXvfb;
using test::output_of;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::Pair;

Value size_of(const std::string& output, int width_px, int height_px) {
  return Value::map({{"output", output}, {"width_px", width_px}, {"height_px", height_px}});
}

class XCommands : public OnXvfb {
 protected:
  void start(CompositorProcess& server) {
    server.start();
    ASSERT_TRUE(loop_.wait_for_described()) << loop_.log_text();
  }
  // The witness that isn't our code.
  std::string xrandr() const { return output_of("xrandr -d " + display_.name() + " 2>&1"); }
  bool output_becomes(const std::string& name, msg::OutputState state) {
    return loop_.run_until([&] {
      const auto* states = loop_.last<OutputsChanged>();
      return states != nullptr && ::testing::Value(states->outputs, Contains(Pair(name, state)));
    });
  }
};

TEST_F(XCommands, AreAnnouncedOrRefusedWithAReason) {
  start(server_);
  for (const char* name : {"output.enable", "output.disable", "output.mode", "output.position"}) {
    EXPECT_THAT(manifest()->commands,
                Contains(AllOf(Field(&msg::CommandSupport::name, name), Field(&msg::CommandSupport::supported, true))));
  }
  for (const char* name : {"output.scale", "output.transform", "output.power"}) {
    const auto refused = loop_.run(name, Value::map({{"output", "screen"}}));
    EXPECT_EQ(refused.status, Status::kUnsupported) << as_text(refused);
    EXPECT_THAT(manifest()->commands,
                Contains(AllOf(Field(&msg::CommandSupport::name, name), Field(&msg::CommandSupport::supported, false),
                               Field(&msg::CommandSupport::reason, refused.error))));
  }
  EXPECT_EQ(loop_.run("output.paint", Value::map()).status, Status::kNotFound);
  test::expect_and_record_refusals(loop_, "screen");
}

TEST_F(XCommands, SetANewModeAndAPosition) {
  start(server_);
  const auto done = loop_.run("output.mode", size_of("screen", 800, 600));
  EXPECT_EQ(done.status, Status::kDone) << as_text(done);
  EXPECT_EQ(field(*done.result.find("before"), "current_mode", "width_px"), Value(1280));
  EXPECT_EQ(field(*done.result.find("after"), "current_mode", "width_px"), Value(800));
  EXPECT_THAT(xrandr(), HasSubstr("screen connected 800x600+0+0"));
  const auto moved = loop_.run("output.position", Value::map({{"output", "screen"}, {"x", 100}, {"y", 50}}));
  EXPECT_EQ(moved.status, Status::kDone) << as_text(moved);
  EXPECT_THAT(xrandr(), HasSubstr("screen connected 800x600+100+50"));
  EXPECT_TRUE(loop_.run_until([&] {
    return manifest()->outputs.size() == 1 && manifest()->outputs.front().x == 100 &&
           manifest()->outputs.front().current_mode->width_px == 800;
  }));
  test::record_command(loop_, "output.mode", done);
  test::record_command(loop_, "output.position", moved);
}

TEST_F(XCommands, RefuseAModeBeyondTheServersLimit) {
  start(server_);
  const auto refused = loop_.run("output.mode", size_of("screen", 4000, 3000));
  EXPECT_EQ(refused.status, Status::kUnsupported) << as_text(refused);
  EXPECT_THAT(refused.error, HasSubstr("1280x1024"));
  EXPECT_THAT(xrandr(), HasSubstr("screen connected 1280x1024+0+0"));
  EXPECT_EQ(loop_.run("output.mode", size_of("screen", 99999, 3000)).status, Status::kMalformed);
}

TEST_F(XCommands, DisableAndEnable) {
  start(server_);
  const auto off = loop_.run("output.disable", Value::map({{"output", "screen"}}));
  EXPECT_EQ(off.status, Status::kDone) << as_text(off);
  EXPECT_THAT(xrandr(), HasSubstr("screen connected\n")) << "without a size";
  EXPECT_TRUE(output_becomes("screen", msg::OutputState::kOff));
  const auto on = loop_.run("output.enable", Value::map({{"output", "screen"}}));
  EXPECT_EQ(on.status, Status::kDone) << as_text(on);
  EXPECT_THAT(xrandr(), HasSubstr("screen connected 1280x1024+0+0"));
  EXPECT_TRUE(output_becomes("screen", msg::OutputState::kOn));
  test::record_command(loop_, "output.disable", off);
  test::record_command(loop_, "output.enable", on);
}

TEST_F(XCommands, NameTheOutputsThatAreThere) {
  start(server_);
  const auto refused = loop_.run("output.disable", Value::map({{"output", "NOPE-1"}}));
  EXPECT_EQ(refused.status, Status::kNotFound) << as_text(refused);
  EXPECT_THAT(refused.error, AllOf(HasSubstr("NOPE-1"), HasSubstr("has screen")));
  const auto unknown = loop_.run("output.disable", Value::map({{"output", "screen"}, {"force", true}}));
  EXPECT_EQ(unknown.status, Status::kMalformed) << as_text(unknown);
}

TEST_F(XCommands, EndByTheirDeadlineWhenTheServerIsStopped) {
  start(server_);
  server_.signal(SIGSTOP);
  int status = 0;
  ASSERT_EQ(::waitpid(server_.pid(), &status, WUNTRACED), server_.pid());
  const auto late = loop_.run("output.disable", Value::map({{"output", "screen"}}), milliseconds(300));
  EXPECT_EQ(late.status, Status::kDeadline) << as_text(late);
  server_.signal(SIGCONT);
  const auto done = loop_.run("output.mode", size_of("screen", 640, 480));
  EXPECT_EQ(done.status, Status::kDone) << as_text(done);
  EXPECT_THAT(xrandr(), HasSubstr("screen connected 640x480+0+0")) << "the late command changed nothing";
}

TEST_F(XCommands, ChangeSeveralOutputsOfARealServer) {
  CompositorProcess xorg = display_.xorg();
  start(xorg);
  Value wide = size_of("DUMMY0", 1024, 768);
  wide.set("x", Value(0));
  wide.set("y", Value(600));
  Value added = size_of("DUMMY1", 800, 600);
  added.set("x", Value(0));
  added.set("y", Value(0));
  const auto done = loop_.run("output.configure", test::configure({wide, added}));
  EXPECT_EQ(done.status, Status::kDone) << as_text(done);
  EXPECT_THAT(xrandr(), AllOf(HasSubstr("DUMMY0 connected primary 1024x768+0+600"),
                              HasSubstr("DUMMY1 connected 800x600+0+0"), HasSubstr("current 1024 x 1368")));
  test::record_command(loop_, "output.configure", done);
  const auto scaled =
      loop_.run("output.configure", test::configure({Value::map({{"output", "DUMMY0"}, {"scale", 2}})}));
  EXPECT_EQ(scaled.status, Status::kUnsupported) << as_text(scaled);
  EXPECT_THAT(scaled.error, HasSubstr("scale"));
  Value huge = size_of("DUMMY1", 16000, 16000);
  const auto stopped =
      loop_.run("output.configure", test::configure({Value::map({{"output", "DUMMY0"}, {"x", 10}, {"y", 0}}), huge}));
  EXPECT_NE(stopped.status, Status::kDone) << as_text(stopped);
  EXPECT_THAT(stopped.error, HasSubstr("all outputs are as they were before")) << as_text(stopped);
  EXPECT_EQ(*stopped.result.find("after"), *stopped.result.find("before")) << as_text(stopped);
  EXPECT_THAT(xrandr(), AllOf(HasSubstr("DUMMY0 connected primary 1024x768+0+600"),
                              HasSubstr("DUMMY1 connected 800x600+0+0"), HasSubstr("current 1024 x 1368")));
  const auto gone = loop_.run(
      "output.configure",
      test::configure({Value::map({{"output", "DUMMY1"}, {"enabled", false}}), size_of("DUMMY0", 16000, 16000)}));
  EXPECT_NE(gone.status, Status::kDone) << as_text(gone);
  EXPECT_THAT(xrandr(), HasSubstr("DUMMY1 connected 800x600+0+0")) << "switched on again: " << as_text(gone);
  const auto off =
      loop_.run("output.configure", test::configure({Value::map({{"output", "DUMMY1"}, {"enabled", false}})}));
  EXPECT_EQ(off.status, Status::kDone) << as_text(off);
}

TEST_F(XCommands, TurnAnOutputWhereTheServersDriverCan) {
  test::XDisplay host(dir_);
  CompositorProcess around = host.xvfb();
  around.start();
  ASSERT_TRUE(around.wait_until_listening(host.socket_path()));
  CompositorProcess xephyr = display_.xephyr(host);
  start(xephyr);
  EXPECT_EQ(manifest()->name, "Xephyr");
  test::record_seen(loop_, "up");
  // This server knows what it can do when somebody has asked it to look, which xrandr does and the driver never: on real
  // hardware that can take a second.
  xrandr();
  ASSERT_TRUE(loop_.run_until([&] {
    return ::testing::Value(manifest()->commands, Contains(AllOf(Field(&msg::CommandSupport::name, "output.transform"),
                                                                 Field(&msg::CommandSupport::supported, true))));
  }));
  // xrandr names a turn by where the top goes, and prints nothing for none.
  for (const auto& [transform, seen] :
       {std::pair{"90", "600x800+0+0 left ("}, std::pair{"180", "800x600+0+0 inverted ("},
        std::pair{"flipped-270", "600x800+0+0 right X axis ("}, std::pair{"270", "600x800+0+0 right ("}}) {
    const auto turned = loop_.run("output.transform", Value::map({{"output", "default"}, {"transform", transform}}));
    EXPECT_EQ(turned.status, Status::kDone) << as_text(turned);
    EXPECT_EQ(field(*turned.result.find("after"), "transform"), Value(transform)) << as_text(turned);
    EXPECT_THAT(xrandr(), HasSubstr(std::string("default connected ") + seen));
    test::record_command(loop_, "output.transform", turned);
  }
  // Of two wishes the second can't be: what the first turned is turned back.
  const auto failed = loop_.run(
      "output.configure",
      test::configure(
          {Value::map({{"output", "default"}, {"transform", "normal"}, {"width_px", 4000}, {"height_px", 3000}})}));
  EXPECT_EQ(failed.status, Status::kUnsupported) << as_text(failed);
  EXPECT_THAT(xrandr(), HasSubstr("default connected 600x800+0+0 right ("));
  // A portrait is one still when it is switched on again.
  const auto off = loop_.run("output.disable", Value::map({{"output", "default"}}));
  EXPECT_EQ(off.status, Status::kDone) << as_text(off);
  const auto on = loop_.run("output.enable", Value::map({{"output", "default"}}));
  EXPECT_EQ(on.status, Status::kDone) << as_text(on);
  EXPECT_THAT(xrandr(), HasSubstr("default connected 600x800+0+0 right ("));
}

TEST_F(XCommands, SayHowAnOutputCanBeTurned) {
  start(server_);
  const auto refused =
      loop_.run("output.configure", test::configure({Value::map({{"output", "screen"}, {"transform", "90"}})}));
  EXPECT_EQ(refused.status, Status::kUnsupported) << as_text(refused);
  EXPECT_THAT(refused.error, HasSubstr("can turn it normal")) << as_text(refused);
}

TEST_F(XCommands, DriveTheOutputsOfARealServer) {
  CompositorProcess xorg = display_.xorg();
  start(xorg);
  EXPECT_EQ(manifest()->name, "Xorg");
  ASSERT_EQ(manifest()->outputs.size(), 1U) << as_text(*manifest());
  EXPECT_GT(manifest()->outputs.front().modes.size(), 1U) << as_text(*manifest());

  const auto mode = loop_.run("output.mode", size_of("DUMMY0", 1024, 768));
  EXPECT_EQ(mode.status, Status::kDone) << as_text(mode);
  EXPECT_THAT(xrandr(), HasSubstr("DUMMY0 connected primary 1024x768+0+0"));

  // An output that is not connected is there as soon as it has a mode.
  const auto added = loop_.run("output.mode", size_of("DUMMY1", 800, 600));
  EXPECT_EQ(added.status, Status::kDone) << as_text(added);
  EXPECT_THAT(xrandr(), HasSubstr("DUMMY1 connected 800x600+1024+0"));
  EXPECT_THAT(xrandr(), HasSubstr("current 1824 x 768"));
  EXPECT_TRUE(output_becomes("DUMMY1", msg::OutputState::kOn));

  const auto moved = loop_.run("output.position", Value::map({{"output", "DUMMY1"}, {"x", 0}, {"y", 768}}));
  EXPECT_EQ(moved.status, Status::kDone) << as_text(moved);
  EXPECT_THAT(xrandr(), AllOf(HasSubstr("DUMMY1 connected 800x600+0+768"), HasSubstr("current 1024 x 1368")));

  const auto off = loop_.run("output.disable", Value::map({{"output", "DUMMY1"}}));
  EXPECT_EQ(off.status, Status::kDone) << as_text(off);
  EXPECT_THAT(xrandr(), HasSubstr("current 1024 x 768"));
  const auto on = loop_.run("output.enable", Value::map({{"output", "DUMMY1"}}));
  EXPECT_EQ(on.status, Status::kDone) << as_text(on);
  EXPECT_THAT(xrandr(), HasSubstr("DUMMY1 connected 800x600+0+768")) << "it is where it was";

  test::record_seen(loop_, "up");
  test::record_command(loop_, "output.mode", mode);
  test::record_command(loop_, "output.position", moved);
  test::record_command(loop_, "output.disable", off);
  test::record_command(loop_, "output.enable", on);
  test::expect_and_record_refusals(loop_, "DUMMY0");
}

}  // namespace
}  // namespace compositord
