// `identify` on real compositors and X servers. The witness is a screenshot by somebody else's hand: it differs while the card is
// shown, and is as before afterwards.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <xcb/xcb.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "agent/identify/identify_card.h"
#include "agent/x11/identify_windows.h"
#include "agent/x11/x11_driver.h"
#include "common/base/clock.h"
#include "tests/support/compositor_process.h"
#include "tests/support/driver_loop.h"
#include "tests/support/support_facts.h"
#include "tests/support/x_display.h"

namespace compositord {
namespace {

using agent::driver_event::CommandFinished;
using agent::driver_event::Described;
using agent::driver_event::Gone;
using msg::Value;
using std::chrono::milliseconds;
using std::chrono::seconds;
using test::as_text;
using test::CompositorProcess;
using test::DriverLoop;
using test::field;
using test::output_of;
using test::RuntimeDir;
using ::testing::HasSubstr;

Value params(int for_s) { return Value::map({{"id", "wall-3/main"}, {"seconds", for_s}, {"text", "Where?"}}); }

Value names(const std::vector<std::string>& outputs) {
  Value list = Value::array();
  for (const std::string& output : outputs) list.push(output);
  return list;
}

// Looks again and again, while the driver goes on.
bool wait_for_picture(DriverLoop& loop, const std::function<bool()>& seen) {
  const Instant end = monotonic_now() + seconds(20);
  while (!seen()) {
    if (monotonic_now() >= end) return false;
    loop.run_until([] { return false; }, milliseconds(10));
  }
  return true;
}

// --- wlroots ---

class OnWlroots : public ::testing::TestWithParam<std::string> {
 protected:
  OnWlroots()
      : compositor_(GetParam() == "sway" ? CompositorProcess::sway(dir_, 2) : CompositorProcess::phoc(dir_, 2)),
        loop_({dir_.path(), {}, {}}) {}
  void SetUp() override {
    compositor_.start();
    ASSERT_TRUE(loop_.wait_for_described()) << loop_.log_text();
  }
  std::string picture_of(const std::string& output, const std::string& file = "-") const {
    const std::string display = GetParam() == "sway" ? "wayland-1" : "wayland-0";
    return output_of("env XDG_RUNTIME_DIR=" + dir_.path() + " WAYLAND_DISPLAY=" + display + " grim -t " +
                     (file == "-" ? "ppm" : "png") + " -o " + output + " " + file);
  }
  RuntimeDir dir_;
  CompositorProcess compositor_;
  DriverLoop loop_;
};

INSTANTIATE_TEST_SUITE_P(Identify, OnWlroots, ::testing::Values("sway", "phoc"), [](const auto& p) { return p.param; });

TEST_P(OnWlroots, EachOutputShowsWhichItIsForAWhile) {
  EXPECT_TRUE(loop_.support_of("identify").supported);
  const std::string first = picture_of("HEADLESS-1");
  const std::string second = picture_of("HEADLESS-2");
  ASSERT_GT(first.size(), 1000U) << "grim saw nothing";
  const CommandFinished finished = loop_.run("identify", params(1));
  ASSERT_EQ(finished.status, Status::kDone) << as_text(finished);
  EXPECT_EQ(field(finished.result, "outputs"), names({"HEADLESS-1", "HEADLESS-2"}));
  EXPECT_EQ(field(finished.result, "seconds"), Value(1));
  // It was told as shown, so it is there at the first look.
  const std::string first_shown = picture_of("HEADLESS-1");
  EXPECT_NE(first_shown, first);
  EXPECT_NE(picture_of("HEADLESS-2"), second);
  EXPECT_NE(first_shown, picture_of("HEADLESS-2")) << "they say the same";
  EXPECT_TRUE(wait_for_picture(loop_, [&] { return picture_of("HEADLESS-1") == first; })) << "it is never taken away";
  EXPECT_TRUE(wait_for_picture(loop_, [&] { return picture_of("HEADLESS-2") == second; }));
  test::record_command(loop_, "identify", finished);
  EXPECT_EQ(loop_.count<Gone>(), 0U);
}

TEST_P(OnWlroots, ANewOneReplacesWhatIsShown) {
  const std::string before = picture_of("HEADLESS-1");
  ASSERT_EQ(loop_.run("identify", params(60)).status, Status::kDone);
  const CommandFinished finished = loop_.run("identify", params(1));
  ASSERT_EQ(finished.status, Status::kDone) << as_text(finished);
  EXPECT_TRUE(wait_for_picture(loop_, [&] { return picture_of("HEADLESS-1") == before; })) << "the first one stays";
}

TEST_P(OnWlroots, TheEndOfTheDriverTakesItAway) {
  const std::string before = picture_of("HEADLESS-1");
  ASSERT_EQ(loop_.run("identify", params(60)).status, Status::kDone);
  ASSERT_NE(picture_of("HEADLESS-1"), before);
  loop_.driver.reset();
  const Instant end = monotonic_now() + seconds(20);
  while (picture_of("HEADLESS-1") != before) ASSERT_LT(monotonic_now(), end);
}

TEST_P(OnWlroots, AFrozenCompositorEndsItInTime) {
  compositor_.signal(SIGSTOP);
  const CommandFinished finished = loop_.run("identify", params(1), milliseconds(300));
  compositor_.signal(SIGCONT);
  EXPECT_EQ(finished.status, Status::kDeadline) << as_text(finished);
  EXPECT_EQ(field(finished.result, "outputs"), names({}));
  EXPECT_TRUE(loop_.probe(seconds(5))) << "the watching was hurt";
}

TEST_P(OnWlroots, AScaledOutputGetsASharpPicture) {
  ASSERT_EQ(loop_.run("output.scale", Value::map({{"output", "HEADLESS-1"}, {"scale", 2}})).status, Status::kDone);
  const std::string before = picture_of("HEADLESS-1");
  const CommandFinished finished = loop_.run("identify", params(1));
  EXPECT_EQ(finished.status, Status::kDone) << as_text(finished);
  EXPECT_NE(picture_of("HEADLESS-1"), before);
}

TEST_P(OnWlroots, ParametersThatMakeNoSenseAreRefused) {
  for (const auto& [key, value] : std::vector<std::pair<std::string, Value>>{{"seconds", 0},
                                                                             {"seconds", 61},
                                                                             {"seconds", 1.5},
                                                                             {"text", "two\nlines"},
                                                                             {"text", std::string(129, 'x')},
                                                                             {"colour", "red"}}) {
    const CommandFinished finished = loop_.run("identify", Value::map({{"id", "a/b"}, {key, value}}));
    EXPECT_EQ(finished.status, Status::kMalformed) << as_text(finished);
    EXPECT_THAT(finished.error, HasSubstr(key));
  }
}

TEST(Identify, WhereNothingCanBeShownItSaysWhy) {
  const RuntimeDir dir;
  CompositorProcess weston = CompositorProcess::weston(dir);
  DriverLoop loop({dir.path(), {}, {}});
  weston.start();
  ASSERT_TRUE(loop.wait_for_described()) << loop.log_text();
  const msg::CommandSupport support = loop.support_of("identify");
  EXPECT_FALSE(support.supported);
  EXPECT_THAT(support.reason, HasSubstr("weston offers no zwlr_layer_shell_v1"));
  const CommandFinished finished = loop.run("identify", params(1));
  EXPECT_EQ(finished.status, Status::kUnsupported);
  EXPECT_EQ(finished.error, support.reason);
}

// --- KWin, whose screenshots need a GPU: what it draws is known by its frames alone ---

TEST(Identify, KwinDrawsItOnEachOutput) {
  const RuntimeDir dir;
  CompositorProcess bus = CompositorProcess::session_bus(dir);
  CompositorProcess kwin = CompositorProcess::kwin(dir, 2);
  DriverLoop loop({dir.path(), {}, {}});
  bus.start();
  ASSERT_TRUE(bus.wait_until_listening("bus"));
  kwin.start();
  ASSERT_TRUE(loop.wait_for_described()) << loop.log_text();
  const CommandFinished finished = loop.run("identify", params(1));
  EXPECT_EQ(finished.status, Status::kDone) << as_text(finished);
  EXPECT_EQ(field(finished.result, "outputs"), names({"Virtual-0", "Virtual-1"}));
  test::record_command(loop, "identify", finished);
}

// --- X ---

class OnX : public ::testing::Test {
 protected:
  OnX() : display_(dir_), loop_({{}, display_.socket_path(), {}}, agent::x11::make_x11_driver) {}
  void start(CompositorProcess server) {
    server_ = std::make_unique<CompositorProcess>(std::move(server));
    server_->start();
    ASSERT_TRUE(loop_.wait_for_described()) << loop_.log_text();
    xcb_.reset(xcb_connect(display_.name().c_str(), nullptr));
    ASSERT_EQ(xcb_connection_has_error(xcb_.get()), 0);
    root_ = xcb_setup_roots_iterator(xcb_get_setup(xcb_.get())).data->root;
  }
  std::string picture() const {
    const auto cookie = xcb_get_image(xcb_.get(), XCB_IMAGE_FORMAT_Z_PIXMAP, root_, 0, 0, 1024, 700, ~0U);
    const agent::x11::XOwned<xcb_get_image_reply_t> image(xcb_get_image_reply(xcb_.get(), cookie, nullptr));
    if (image == nullptr) return {};
    return {reinterpret_cast<const char*>(xcb_get_image_data(image.get())),
            static_cast<std::size_t>(xcb_get_image_data_length(image.get()))};
  }
  std::size_t visible_windows() const {
    const agent::x11::XOwned<xcb_query_tree_reply_t> tree(
        xcb_query_tree_reply(xcb_.get(), xcb_query_tree(xcb_.get(), root_), nullptr));
    std::size_t count = 0;
    for (int i = 0; tree != nullptr && i < xcb_query_tree_children_length(tree.get()); ++i) {
      const auto cookie = xcb_get_window_attributes(xcb_.get(), xcb_query_tree_children(tree.get())[i]);
      const agent::x11::XOwned<xcb_get_window_attributes_reply_t> window(
          xcb_get_window_attributes_reply(xcb_.get(), cookie, nullptr));
      count += window != nullptr && window->map_state == XCB_MAP_STATE_VIEWABLE ? 1U : 0U;
    }
    return count;
  }
  // What a click there would go to.
  xcb_window_t window_at(std::int16_t x, std::int16_t y) const {
    xcb_warp_pointer(xcb_.get(), XCB_NONE, root_, 0, 0, 0, 0, x, y);
    const auto cookie = xcb_query_pointer(xcb_.get(), root_);
    const agent::x11::XOwned<xcb_query_pointer_reply_t> reply(xcb_query_pointer_reply(xcb_.get(), cookie, nullptr));
    return reply == nullptr ? ~0U : reply->child;
  }
  struct Disconnect {
    void operator()(xcb_connection_t* xcb) const noexcept { xcb_disconnect(xcb); }
  };
  RuntimeDir dir_;
  test::XDisplay display_;
  std::unique_ptr<CompositorProcess> server_;
  DriverLoop loop_;
  std::unique_ptr<xcb_connection_t, Disconnect> xcb_;
  xcb_window_t root_ = XCB_NONE;
};

TEST_F(OnX, TheScreenShowsWhichItIsForAWhile) {
  start(display_.xvfb());
  EXPECT_TRUE(loop_.support_of("identify").supported);
  const std::string before = picture();
  ASSERT_FALSE(before.empty());
  const CommandFinished finished = loop_.run("identify", params(1));
  ASSERT_EQ(finished.status, Status::kDone) << as_text(finished);
  EXPECT_EQ(field(finished.result, "outputs"), names({"screen"}));
  EXPECT_NE(picture(), before);
  EXPECT_EQ(window_at(640, 512), static_cast<xcb_window_t>(XCB_NONE)) << "it takes the clicks";
  EXPECT_TRUE(wait_for_picture(loop_, [&] { return picture() == before; })) << "it is never taken away";
  test::record_command(loop_, "identify", finished);
}

TEST_F(OnX, EachOutputOfARealServerShowsItsOwn) {
  start(display_.xorg());
  const Value mode = Value::map({{"output", "DUMMY1"}, {"width_px", 800}, {"height_px", 600}});
  ASSERT_EQ(loop_.run("output.mode", mode).status, Status::kDone);
  ASSERT_TRUE(loop_.run_until([&] { return loop_.last<Described>()->manifest.outputs.size() == 2; }));
  const CommandFinished finished = loop_.run("identify", params(1));
  EXPECT_EQ(finished.status, Status::kDone) << as_text(finished);
  EXPECT_EQ(field(finished.result, "outputs"), names({"DUMMY0", "DUMMY1"}));
  EXPECT_EQ(visible_windows(), 2U);
  EXPECT_TRUE(wait_for_picture(loop_, [&] { return visible_windows() == 0; })) << "they are never taken away";
  test::record_command(loop_, "identify", finished);
}

TEST_F(OnX, AFrozenServerEndsItInTime) {
  start(display_.xvfb());
  server_->signal(SIGSTOP);
  const CommandFinished finished = loop_.run("identify", params(1), milliseconds(300));
  server_->signal(SIGCONT);
  EXPECT_EQ(finished.status, Status::kDeadline) << as_text(finished);
  const std::string before = picture();
  EXPECT_TRUE(wait_for_picture(loop_, [&] { return picture() == before; }));
  EXPECT_EQ(loop_.run("identify", params(1)).status, Status::kDone) << "and it goes on";
}

// --- the picture ---

TEST(IdentifyCard, FitsEveryScreen) {
  agent::IdentifyRequest request{"a-very-long-host-name-indeed/and-a-long-display", 5, std::string(128, 'W')};
  for (const auto& [width, height] : {std::pair{64U, 48U}, {320U, 200U}, {1280U, 720U}, {16384U, 16384U}, {1U, 1U}}) {
    for (const int scale : {1, 2, 3}) {
      msg::Output output;
      output.name = "HEADLESS-1";
      output.current_mode = msg::Mode{width, height, 59951, false};
      const auto image = agent::draw_identify_card(request, output, scale);
      ASSERT_TRUE(image) << image.error().text;
      EXPECT_LE(image->width_px, std::max<int>(static_cast<int>(width), scale));
      EXPECT_LE(image->height_px, std::max<int>(static_cast<int>(height), scale));
      EXPECT_EQ(image->width_px % scale, 0);
      EXPECT_EQ(image->height_px % scale, 0);
      EXPECT_EQ(image->pixels.size(),
                static_cast<std::size_t>(image->width_px) * static_cast<std::size_t>(image->height_px));
      EXPECT_LE(agent::x11::to_bitmap(*image).size(), 64U << 10U);
    }
  }
}

TEST(IdentifyCard, SaysTheMode) {
  msg::Output output;
  EXPECT_EQ(agent::mode_line(output), "off");
  output.current_mode = msg::Mode{1920, 1080, 59951, false};
  EXPECT_EQ(agent::mode_line(output), "1920x1080 59.95 Hz");
  output.current_mode = msg::Mode{800, 600, 0, false};
  EXPECT_EQ(agent::mode_line(output), "800x600");
}

TEST(IdentifyCard, ABitmapHasOneBitForEachPixelInTheServersOrder) {
  agent::CardImage image{9, 2, std::vector<std::uint32_t>(18, 0xff000000U)};
  image.pixels[0] = image.pixels[8] = image.pixels[9 + 1] = 0xffffffffU;
  EXPECT_EQ(agent::x11::to_bitmap(image), std::string("\x01\x01\0\0\x02\0\0\0", 8));
}

}  // namespace
}  // namespace compositord
