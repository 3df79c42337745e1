// What the kernel tells of connectors and cards: a folder like /sys/class/drm, its uevents, and what becomes of a driver's words.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>

#include "agent/kernel/connectors.h"
#include "agent/kernel/kernel_driver.h"
#include "agent/kernel/uevent_socket.h"
#include "tests/support/edid_bytes.h"
#include "tests/support/temp_dir.h"

namespace compositord::agent {
namespace {

using driver_event::CauseSeen;
using driver_event::Described;
using driver_event::Gone;
using driver_event::OutputsChanged;
using std::chrono::minutes;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Key;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

// A folder in the form of /sys/class/drm.
class DrmFolder {
 public:
  std::string path() const { return dir_.path(); }
  void put(const std::string& connector, const std::string& status, const std::string& enabled,
           const std::string& edid) {
    const std::filesystem::path folder = dir_.path() / connector;
    std::filesystem::create_directories(folder);
    std::ofstream(folder / "status") << status << "\n";
    std::ofstream(folder / "enabled") << enabled << "\n";
    std::ofstream(folder / "edid", std::ios::binary) << edid;
  }

 private:
  test::TempDir dir_;
};

// --- connectors ---

TEST(Connectors, TellPlugAndMonitor) {
  DrmFolder drm;
  drm.put("card0-HDMI-A-1", "connected", "enabled", test::edid_bytes({}));
  drm.put("card0-DP-1", "disconnected", "disabled", "");
  drm.put("card1-Virtual-1", "unknown", "disabled", "");
  drm.put("card0-DP-2", "connected", "disabled", test::edid_bytes({}).substr(0, 100));
  drm.put("card0", "connected", "enabled", "");
  drm.put("renderD128-x", "connected", "enabled", "");
  const Connectors connectors = read_connectors(drm.path());
  ASSERT_THAT(connectors, UnorderedElementsAre(Key("HDMI-A-1"), Key("DP-1"), Key("DP-2"), Key("Virtual-1")));
  const Connector& hdmi = connectors.at("HDMI-A-1");
  EXPECT_EQ(hdmi.plug, Plug::kConnected);
  EXPECT_TRUE(hdmi.enabled);
  EXPECT_EQ(hdmi.edid.make, "ACM");
  EXPECT_EQ(hdmi.edid_hash.size(), 32U);
  EXPECT_EQ(connectors.at("DP-1").plug, Plug::kDisconnected);
  EXPECT_EQ(connectors.at("DP-1").edid_hash, "");
  EXPECT_EQ(connectors.at("DP-2").plug, Plug::kConnected);
  EXPECT_THAT(connectors.at("DP-2").trouble, HasSubstr("100 bytes"));
  EXPECT_EQ(connectors.at("Virtual-1").plug, Plug::kUnknown);
}

TEST(Connectors, HashTheWholeEdid) {
  DrmFolder drm;
  drm.put("card0-DP-1", "connected", "enabled", test::edid_bytes({}));
  drm.put("card0-DP-2", "connected", "enabled", test::edid_bytes({}) + std::string(128, '\1'));
  drm.put("card0-DP-3", "connected", "enabled", test::edid_bytes({}));
  const Connectors connectors = read_connectors(drm.path());
  EXPECT_NE(connectors.at("DP-1").edid_hash, connectors.at("DP-2").edid_hash);
  EXPECT_EQ(connectors.at("DP-1").edid_hash, connectors.at("DP-3").edid_hash);
}

TEST(Connectors, LeaveOutANameThatTwoCardsHave) {
  DrmFolder drm;
  drm.put("card0-DP-1", "connected", "enabled", "");
  drm.put("card1-DP-1", "disconnected", "disabled", "");
  EXPECT_THAT(read_connectors(drm.path()), IsEmpty());
}

TEST(Connectors, AreBounded) {
  DrmFolder drm;
  for (std::size_t i = 0; i < 2 * kConnectorsMax; ++i) {
    drm.put("card0-DP-" + std::to_string(i), "connected", "enabled", std::string(2 * kEdidBytesMax, 'x'));
  }
  const Connectors connectors = read_connectors(drm.path());
  EXPECT_EQ(connectors.size(), kConnectorsMax);
  EXPECT_THAT(connectors.begin()->second.trouble, HasSubstr("more than"));
  EXPECT_THAT(read_connectors(drm.path() + "/nothing"), IsEmpty());
}

// --- uevents ---

std::string message(std::initializer_list<std::string> parts) {
  std::string bytes;
  for (const std::string& part : parts) bytes += part + '\0';
  return bytes;
}

TEST(Uevent, TellsHotplugAndWedged) {
  const auto hotplug = parse_uevent(message({"change@/devices/card0", "ACTION=change", "DEVPATH=/devices/card0",
                                             "SUBSYSTEM=drm", "HOTPLUG=1", "CONNECTOR=88", "SEQNUM=815"}));
  ASSERT_TRUE(hotplug);
  EXPECT_EQ(hotplug->action, "change");
  EXPECT_EQ(hotplug->subsystem, "drm");
  EXPECT_TRUE(hotplug->hotplug);
  EXPECT_EQ(hotplug->wedged, "");
  const auto wedged = parse_uevent(message({"change@/devices/card0", "ACTION=change", "DEVPATH=/devices/card0",
                                            "SUBSYSTEM=drm", "WEDGED=rebind,bus-reset"}));
  ASSERT_TRUE(wedged);
  EXPECT_EQ(wedged->wedged, "rebind,bus-reset");
}

TEST(Uevent, IsRefusedWhenItIsNone) {
  EXPECT_FALSE(parse_uevent(""));
  EXPECT_FALSE(parse_uevent("change@/devices/card0"));
  EXPECT_FALSE(parse_uevent(message({"libudev", "ACTION=change", "DEVPATH=/x"})));
  EXPECT_FALSE(parse_uevent(message({"change@/x", "ACTION=change"})));
  EXPECT_FALSE(parse_uevent(message({"change@/x", "", "", "=", "ACTION"})));
}

TEST(UeventSocket, HearsTheKernelAndNobodyElse) {
  auto socket = UeventSocket::open();
  ASSERT_TRUE(socket) << socket.error().text;
  std::vector<pollfd> fds;
  socket->poll_fds(fds);
  sockaddr_nl own{};
  socklen_t size = sizeof own;
  ASSERT_EQ(::getsockname(fds.front().fd, reinterpret_cast<sockaddr*>(&own), &size), 0);

  // A stranger sends what looks like a card that hangs. Where he may not even send, that is as well.
  const FileDescriptor stranger(::socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT));
  const std::string lie = message({"change@/x", "ACTION=change", "DEVPATH=/x", "SUBSYSTEM=drm", "WEDGED=rebind"});
  sockaddr_nl to{};
  to.nl_family = AF_NETLINK;
  to.nl_pid = own.nl_pid;
  static_cast<void>(
      ::sendto(stranger.get(), lie.data(), lie.size(), 0, reinterpret_cast<const sockaddr*>(&to), sizeof to));

  // The kernel says a word of its loopback device, when root asks it to.
  const bool asked = static_cast<bool>(std::ofstream("/sys/class/net/lo/uevent") << "change" << std::flush);
  bool heard_loopback = false;
  while (::poll(fds.data(), fds.size(), asked && !heard_loopback ? 5000 : 0) > 0) {
    const auto heard = socket->service();
    ASSERT_TRUE(heard) << heard.error().text;
    for (const Uevent& event : heard->events) {
      EXPECT_NE(event.device, "/x") << "a stranger was believed";
      heard_loopback = heard_loopback || event.subsystem == "net";
    }
  }
  EXPECT_EQ(heard_loopback, asked);
}

// --- a driver with what the kernel knows ---

// Says what the test tells it to.
class FakeDriver : public Driver {
 public:
  explicit FakeDriver(DriverOutputs& next) : next_(&next) {}
  void poll_fds(std::vector<pollfd>&) const override {}
  Instant next_deadline() const noexcept override { return kNever; }
  void service(Instant, DriverOutputs& out) override {
    for (DriverEvent& event : std::exchange(next_->events, {})) out.events.push_back(std::move(event));
  }
  void start_probe(Instant, DriverOutputs&) override {}
  void look_at_process(DriverOutputs& out) override { out.events.emplace_back(CauseSeen{true, "stopped"}); }
  void count_clients(Instant, DriverOutputs& out) override { out.events.emplace_back(driver_event::ClientsSeen{3}); }
  void execute(std::uint64_t id, const std::string&, const msg::Value&, Instant, Instant, DriverOutputs& out) override {
    driver_event::CommandFinished finished;
    finished.command_id = id;
    out.events.emplace_back(std::move(finished));
  }

 private:
  DriverOutputs* next_;
};

class KernelFacts : public ::testing::Test {
 protected:
  void begin() {
    driver_ = std::make_unique<KernelDriver>(std::make_unique<FakeDriver>(next_), drm_.path(),
                                             fail(Status::kFailed, "not in this test"));
  }
  void say_outputs(std::vector<std::pair<std::string, msg::OutputState>> states) {
    next_.events.emplace_back(OutputsChanged{std::move(states)});
  }
  void describe(const std::string& output) {
    msg::Manifest manifest;
    manifest.outputs.emplace_back().name = output;
    next_.events.emplace_back(Described{manifest});
  }
  // Services whenever a descriptor is ready, until `done`.
  bool run_until(const std::function<bool()>& done) {
    for (int turns = 0; turns < 200; ++turns) {
      driver_->service(now_, out_);
      if (done()) return true;
      std::vector<pollfd> fds;
      driver_->poll_fds(fds);
      if (::poll(fds.data(), fds.size(), fds.empty() ? 0 : 5000) <= 0) return false;
    }
    return false;
  }
  void change(const std::string& wedged = {}) {
    driver_->take_uevent(Uevent{"change", "/devices/card0", "drm", wedged.empty(), wedged}, now_, out_);
  }
  template <class Event>
  const Event* last() const {
    const Event* found = nullptr;
    for (const DriverEvent& event : out_.events) {
      if (const Event* one = std::get_if<Event>(&event)) found = one;
    }
    return found;
  }
  bool shows(const std::string& output, msg::OutputState state) const {
    const auto* changed = last<OutputsChanged>();
    return changed != nullptr && ::testing::Matches(Contains(Pair(output, state)))(changed->outputs);
  }
  bool logged(std::string_view name) const {
    return std::any_of(out_.log.begin(), out_.log.end(), [&](const LogEvent& event) { return event.name == name; });
  }

  DrmFolder drm_;
  DriverOutputs next_;
  std::unique_ptr<KernelDriver> driver_;
  DriverOutputs out_;
  Instant now_ = Instant::from_ns(1'000'000'000);
};

TEST_F(KernelFacts, TellACableThatIsOutFromASwitch) {
  drm_.put("card0-DP-1", "connected", "disabled", "");
  drm_.put("card0-DP-2", "disconnected", "disabled", "");
  drm_.put("card0-DP-3", "disconnected", "disabled", "");
  begin();
  say_outputs({{"DP-1", msg::OutputState::kDisconnected},
               {"DP-2", msg::OutputState::kOff},
               {"DP-3", msg::OutputState::kOn},
               {"HEADLESS-1", msg::OutputState::kDisconnected}});
  ASSERT_TRUE(run_until([&] { return shows("DP-1", msg::OutputState::kOff); })) << "its cable is in";
  EXPECT_TRUE(shows("DP-2", msg::OutputState::kDisconnected)) << "its cable is out";
  EXPECT_TRUE(shows("DP-3", msg::OutputState::kOn)) << "the compositor draws on it";
  EXPECT_TRUE(shows("HEADLESS-1", msg::OutputState::kDisconnected)) << "the kernel knows nothing of it";
  EXPECT_TRUE(logged("kernel.no_uevents"));
}

TEST_F(KernelFacts, FollowAUevent) {
  drm_.put("card0-DP-1", "connected", "disabled", "");
  begin();
  say_outputs({{"DP-1", msg::OutputState::kOff}});
  ASSERT_TRUE(run_until([&] { return logged("kernel.connector"); }));
  EXPECT_TRUE(shows("DP-1", msg::OutputState::kOff));
  drm_.put("card0-DP-1", "disconnected", "disabled", "");
  change();
  ASSERT_TRUE(run_until([&] { return shows("DP-1", msg::OutputState::kDisconnected); }));
  const std::size_t said = out_.events.size();
  change();  // nothing is new
  EXPECT_FALSE(run_until([] { return false; }));
  EXPECT_EQ(out_.events.size(), said);
  driver_->take_uevent(Uevent{"change", "/devices/lo", "net", false, ""}, now_, out_);
  std::vector<pollfd> fds;
  driver_->poll_fds(fds);
  EXPECT_THAT(fds, IsEmpty()) << "other devices are no reason to look";
}

TEST_F(KernelFacts, NameTheMonitorWhereTheCompositorDoesNot) {
  drm_.put("card0-DP-1", "connected", "enabled", test::edid_bytes({}));
  begin();
  describe("DP-1");
  ASSERT_TRUE(run_until([&] {
    const auto* described = last<Described>();
    return described != nullptr && described->manifest.outputs.front().edid_hash.has_value();
  }));
  const msg::Output& output = last<Described>()->manifest.outputs.front();
  EXPECT_EQ(output.make, "ACM");
  EXPECT_EQ(output.model, "ACME Wall 55");
  EXPECT_EQ(output.serial, "0x0000002A");
  // The compositor's own word stays, and a monitor of the same kind is another one.
  msg::Manifest manifest;
  manifest.outputs.emplace_back().name = "DP-1";
  manifest.outputs.front().make = "ACME Inc.";
  next_.events.emplace_back(Described{manifest});
  const auto first = output.edid_hash;
  test::EdidFields other;
  other.serial = 43;
  drm_.put("card0-DP-1", "connected", "enabled", test::edid_bytes(other));
  change();
  ASSERT_TRUE(run_until([&] { return last<Described>()->manifest.outputs.front().edid_hash != first; }));
  EXPECT_EQ(last<Described>()->manifest.outputs.front().make, "ACME Inc.");
}

TEST_F(KernelFacts, LeaveTheClientsToTheDriver) {
  begin();
  driver_->count_clients(now_, out_);
  ASSERT_NE(last<driver_event::ClientsSeen>(), nullptr);
  EXPECT_EQ(last<driver_event::ClientsSeen>()->clients, 3U);
}

TEST_F(KernelFacts, SayThatACardHangs) {
  begin();
  driver_->look_at_process(out_);
  EXPECT_EQ(last<CauseSeen>()->cause, "stopped");
  change("rebind");
  EXPECT_TRUE(logged("kernel.wedged"));
  driver_->look_at_process(out_);
  EXPECT_EQ(last<CauseSeen>()->cause, "the graphics card hangs (/devices/card0, recovery: rebind); stopped");
  EXPECT_TRUE(last<CauseSeen>()->stopped);
  EXPECT_EQ(driver_->next_deadline(), now_ + KernelDriver::kWedgedTold);
  now_ = now_ + minutes(10);
  driver_->service(now_, out_);
  driver_->look_at_process(out_);
  EXPECT_EQ(last<CauseSeen>()->cause, "stopped") << "it is told for a time";
  EXPECT_EQ(driver_->next_deadline(), kNever);
}

TEST_F(KernelFacts, NeverMakeTheLoopWait) {
  // A connector whose EDID can't be read now: as a card that is busy, the pipe lets its reader wait.
  drm_.put("card0-DP-1", "connected", "enabled", "");
  const std::string pipe = drm_.path() + "/card0-DP-1/edid";
  std::filesystem::remove(pipe);
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  begin();
  say_outputs({{"DP-1", msg::OutputState::kOn}});
  driver_->service(now_, out_);
  EXPECT_TRUE(shows("DP-1", msg::OutputState::kOn)) << "the driver goes on";
  for (int i = 0; i < 100; ++i) change();
  std::vector<pollfd> fds;
  driver_->poll_fds(fds);
  EXPECT_EQ(fds.size(), 1U) << "one reader at a time";
  {
    const std::ofstream held(pipe);  // waits for the reader, which then waits for us
    std::filesystem::remove(pipe);
    std::ofstream(pipe, std::ios::binary) << test::edid_bytes({});
  }
  // It has read nothing; what the uevents asked for is read behind that.
  describe("DP-1");
  EXPECT_TRUE(run_until([&] {
    const auto* described = last<Described>();
    return described != nullptr && described->manifest.outputs.front().make == "ACM";
  }));
}

TEST_F(KernelFacts, EndWithTheirDriver) {
  begin();
  next_.events.emplace_back(Gone{{}, "killed"});
  driver_->service(now_, out_);
  EXPECT_TRUE(std::holds_alternative<Gone>(out_.events.back()));
  std::vector<pollfd> fds;
  driver_->poll_fds(fds);
  EXPECT_THAT(fds, IsEmpty());
  driver_->service(now_, out_);
  EXPECT_TRUE(std::holds_alternative<Gone>(out_.events.back()));
}

TEST(KernelFactsFactory, LeavesADriverAloneWithoutAGraphicsCard) {
  DriverOutputs next;
  auto inner = std::make_unique<FakeDriver>(next);
  const Driver* address = inner.get();
  const auto same = add_kernel_facts(std::unique_ptr<Driver>(std::move(inner)), "/nonexistent/drm");
  ASSERT_TRUE(same);
  EXPECT_EQ(same->get(), address);
  EXPECT_FALSE(add_kernel_facts(fail(Status::kFailed, "no driver"), "/"));
}

}  // namespace
}  // namespace compositord::agent
