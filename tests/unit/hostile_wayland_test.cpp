// The Wayland driver against a compositor made of bytes: honest ones, half ones, far too many, and wrong ones. The other
// end of a socket pair is written by hand, and time is a number.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "agent/process/process_stat.h"
#include "agent/wayland/wayland_driver.h"
#include "agent/wlr/output_manager.h"
#include "common/base/random.h"

namespace compositord::agent {
namespace {

using driver_event::Described;
using driver_event::Gone;
using driver_event::OutputsChanged;
using driver_event::ProbeAnswered;
using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

// Wayland's wire format: object, size and opcode in one word, arguments in 32-bit words of the machine's byte order.
// Source: the Wayland book, "Wire protocol basics".
class Event {
 public:
  Event(std::uint32_t object, std::uint32_t opcode) : object_(object), opcode_(opcode) {}
  Event& number(std::uint32_t n) {
    arguments_.append(reinterpret_cast<const char*>(&n), sizeof n);
    return *this;
  }
  Event& text(const std::string& s) {
    number(static_cast<std::uint32_t>(s.size() + 1));
    arguments_ += s;
    arguments_.append(4 - s.size() % 4, '\0');
    return *this;
  }
  operator std::string() const {  // NOLINT(google-explicit-constructor): an event is written as its bytes
    const std::array<std::uint32_t, 2> header{object_,
                                              static_cast<std::uint32_t>((arguments_.size() + 8) << 16U) | opcode_};
    return std::string(reinterpret_cast<const char*>(header.data()), sizeof header) + arguments_;
  }

 private:
  std::uint32_t object_;
  std::uint32_t opcode_;
  std::string arguments_;
};

// The first objects that every client of ours makes, in this order.
constexpr std::uint32_t kDisplay = 1;
constexpr std::uint32_t kRegistry = 2;

std::string global(std::uint32_t name, const std::string& interface, std::uint32_t version) {
  return Event(kRegistry, 0).number(name).text(interface).number(version);
}

class HostileWayland : public ::testing::Test {
 protected:
  HostileWayland() { connect(); }
  void connect() {
    std::array<int, 2> ends{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0);
    server_ = FileDescriptor(ends[1]);
    ConnectedDisplay display{FileDescriptor(ends[0]), "wayland-9", "/run/wayland-9"};
    auto driver = WaylandDriver::create(std::move(display), peer_, {false, true}, now_);
    ASSERT_TRUE(driver) << driver.error().text;
    driver_ = std::move(*driver);
    requests_.clear();
    bound_.clear();
    out_ = {};
  }

  // Writes all of it; the driver is called whenever the socket is full.
  void say(std::string bytes) {
    for (int stalled = 0; !bytes.empty() && stalled < 1000;) {
      const ssize_t n = ::send(server_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n < 0 && errno != EAGAIN) return;  // the driver hung up
      if (n > 0) bytes.erase(0, static_cast<std::size_t>(n));
      stalled = n > 0 ? 0 : stalled + 1;
      service();
    }
  }
  void service() { driver_->service(now_, out_); }

  // Reads what the driver sent; remembers its binds and answers its round trips as an honest compositor would.
  void be_honest() {
    for (int round = 0; round < 8; ++round) {
      service();
      std::array<char, 65536> buffer{};
      const ssize_t n = ::recv(server_.get(), buffer.data(), buffer.size(), 0);
      if (n > 0) requests_.append(buffer.data(), static_cast<std::size_t>(n));
      while (answer_one()) continue;
    }
  }
  bool answer_one() {
    std::array<std::uint32_t, 2> header{};
    if (requests_.size() < sizeof header) return false;
    std::memcpy(header.data(), requests_.data(), sizeof header);
    const std::size_t size = header[1] >> 16U;
    if (size < 8 || requests_.size() < size) return false;
    const std::string request = requests_.substr(0, size);
    requests_.erase(0, size);
    std::uint32_t last = 0;
    if (size >= 12) std::memcpy(&last, &request[size - 4], 4);
    const bool is_sync = header[0] == kDisplay && (header[1] & 0xffffU) == 0;
    if (is_sync) say(std::string(Event(last, 0).number(0)) + std::string(Event(kDisplay, 1).number(last)));
    if (header[0] == kRegistry) bound_.push_back(last);
    return true;
  }

  template <class E>
  std::vector<const E*> all() const {
    std::vector<const E*> list;
    for (const DriverEvent& event : out_.events) {
      if (const E* e = std::get_if<E>(&event)) list.push_back(e);
    }
    return list;
  }
  bool wants_to_wait() const {
    std::vector<pollfd> fds;
    driver_->poll_fds(fds);
    return ::poll(fds.data(), fds.size(), 0) == 0 && driver_->next_deadline() > now_;
  }
  void expect_gone(const std::string& says) {
    service();
    now_ = now_ + ProcessWatch::kCauseWait;
    service();
    ASSERT_EQ(all<Gone>().size(), 1U);
    EXPECT_THAT(all<Gone>().front()->text, HasSubstr(says));
    EXPECT_FALSE(all<Gone>().front()->end.code);
    EXPECT_FALSE(all<Gone>().front()->end.signal);
    // Nothing follows, and nothing is waited for.
    std::vector<pollfd> fds;
    driver_->poll_fds(fds);
    EXPECT_TRUE(fds.empty());
    EXPECT_EQ(driver_->next_deadline(), kNever);
    const std::size_t said = out_.events.size();
    driver_->start_probe(now_, out_);
    service();
    EXPECT_EQ(out_.events.size(), said);
  }

  Instant now_ = Instant::from_ns(1'000'000'000);
  FileDescriptor server_;
  Peer peer_;  // a process that /proc doesn't know
  std::unique_ptr<WaylandDriver> driver_;
  DriverOutputs out_;
  std::string requests_;
  std::vector<std::uint32_t> bound_;  // the object ids, in order of binding
};

// --- honest, for comparison ---

TEST_F(HostileWayland, AnHonestOneIsDescribed) {
  say(global(1, "wl_shm", 1) + global(2, "wl_output", 4) + global(3, "wl_seat", 7));
  EXPECT_TRUE(all<Described>().empty()) << "nothing is up before a round trip was answered";
  service();
  // Both objects speak before their round trip is answered.
  be_honest();
  ASSERT_EQ(bound_.size(), 2U);
  say(std::string(Event(bound_[0], 1).number(1).number(1920).number(1080).number(59940)) +
      std::string(Event(bound_[0], 3).number(2)) + std::string(Event(bound_[0], 4).text("DP-1")));
  const std::size_t before = all<Described>().size();
  service();
  EXPECT_EQ(all<Described>().size(), before) << "the batch isn't complete";
  say(Event(bound_[0], 2));
  say(std::string(Event(bound_[1], 1).text("seat0")) + std::string(Event(bound_[1], 0).number(3)));
  service();
  const msg::Manifest& m = all<Described>().back()->manifest;
  ASSERT_EQ(m.outputs.size(), 1U);
  EXPECT_EQ(m.outputs[0].name, "DP-1");
  EXPECT_EQ(m.outputs[0].scale, 2.0);
  EXPECT_EQ(m.outputs[0].current_mode, (msg::Mode{1920, 1080, 59940, false}));
  EXPECT_THAT(m.inputs, ElementsAre(msg::InputDevice{"seat0", "pointer"}, msg::InputDevice{"seat0", "keyboard"}));
  EXPECT_THAT(m.protocols,
              ElementsAre(msg::Protocol{"wl_output", 4}, msg::Protocol{"wl_seat", 7}, msg::Protocol{"wl_shm", 1}));
  EXPECT_EQ(m.display, "wayland-9");
}

TEST_F(HostileWayland, AnOutputThatVanishesIsDisconnected) {
  say(global(1, "wl_output", 2) + global(2, "wl_output", 2));
  be_honest();
  EXPECT_THAT(all<OutputsChanged>().back()->outputs,
              ElementsAre(Pair("output-1", msg::OutputState::kOn), Pair("output-2", msg::OutputState::kOn)));
  say(Event(kRegistry, 1).number(1));
  be_honest();
  EXPECT_THAT(all<OutputsChanged>().back()->outputs,
              ElementsAre(Pair("output-1", msg::OutputState::kDisconnected), Pair("output-2", msg::OutputState::kOn)));
  EXPECT_EQ(all<Described>().back()->manifest.outputs.size(), 1U);
}

TEST_F(HostileWayland, ThereIsOneProbeAtATime) {
  be_honest();
  driver_->start_probe(now_, out_);
  driver_->start_probe(now_, out_);
  service();
  EXPECT_TRUE(all<ProbeAnswered>().empty());
  be_honest();
  EXPECT_EQ(all<ProbeAnswered>().size(), 1U);
}

// --- silent and half ---

TEST_F(HostileWayland, OneThatNeverAnswersIsNeitherUpNorGone) {
  for (int i = 0; i < 100; ++i) {
    service();
    EXPECT_TRUE(wants_to_wait());
    now_ = now_ + milliseconds(100);
  }
  EXPECT_TRUE(out_.events.empty());
  ASSERT_EQ(out_.log.size(), 2U);  // and that the peer's process can't be watched
  EXPECT_EQ(out_.log.back().name, "wayland.no_greeting");
  server_.close();
  expect_gone("closed its Wayland socket");
}

TEST_F(HostileWayland, HalfAMessageIsWaitedForAndItsEndIsTheEnd) {
  const std::string bytes = global(1, "wl_output", 4);
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    connect();
    say(bytes.substr(0, length));
    service();
    EXPECT_TRUE(wants_to_wait()) << length;
    EXPECT_TRUE(out_.events.empty()) << length;
    server_.close();
    service();
    ASSERT_EQ(all<Gone>().size(), 1U) << length;
  }
}

TEST_F(HostileWayland, OneThatHangsUpAndLivesOnIsGoneWhenTheKernelHadTimeToTell) {
  peer_.pid = ::getpid();
  peer_.start_time_ticks = read_process_stat(::getpid())->start_time_ticks;
  connect();
  be_honest();
  server_.close();
  service();
  EXPECT_TRUE(all<Gone>().empty()) << "its process may be about to end";
  EXPECT_TRUE(wants_to_wait()) << "the closed socket is polled for ever";
  EXPECT_EQ(driver_->next_deadline(), now_ + ProcessWatch::kCauseWait);
  expect_gone("closed its Wayland socket");
}

TEST_F(HostileWayland, OneThatStopsReadingBlocksNobody) {
  be_honest();
  // Each answered probe is followed by another, and nothing of it is read: at some point the socket is full.
  for (int i = 0; i < 200'000 && out_.events.size() < 10; ++i) {
    driver_->start_probe(now_, out_);
    service();
  }
  EXPECT_TRUE(all<Gone>().empty());
}

// --- far too many ---

TEST_F(HostileWayland, TenThousandGlobalsAreCutToTheMaximum) {
  std::string flood;
  for (std::uint32_t i = 1; i <= 10'000; ++i)
    flood += global(i, i % 2 == 0 ? "wl_output" : "x_" + std::to_string(i), 4);
  say(std::move(flood));
  be_honest();
  ASSERT_FALSE(all<Described>().empty());
  const msg::Manifest& m = all<Described>().back()->manifest;
  EXPECT_LE(m.protocols.size(), RegistryMirror::kGlobalsMax);
  EXPECT_EQ(m.outputs.size(), RegistryMirror::kOutputsMax);
  EXPECT_EQ(bound_.size(), RegistryMirror::kOutputsMax);
  bool logged = false;
  for (const LogEvent& event : out_.log) logged = logged || event.name == "wayland.too_many_globals";
  EXPECT_TRUE(logged);
  EXPECT_TRUE(all<Gone>().empty());
}

TEST_F(HostileWayland, OneGlobalAnnouncedTwiceIsBoundOnce) {
  std::string twice;
  for (int i = 0; i < 1000; ++i) twice += global(5, "wl_output", 4);
  say(std::move(twice));
  be_honest();
  EXPECT_EQ(bound_.size(), 1U);
}

TEST_F(HostileWayland, OutputsThatComeAndGoForEverAreForgotten) {
  be_honest();
  for (std::uint32_t i = 1; i <= 2'000; ++i) {
    say(global(i, "wl_output", 2));
    be_honest();
    say(Event(kRegistry, 1).number(i));
    service();
  }
  EXPECT_LE(all<OutputsChanged>().back()->outputs.size(), WaylandDriver::kOutputsRememberedMax);
  EXPECT_TRUE(all<Gone>().empty());
}

TEST_F(HostileWayland, ModesAndTextsAreBounded) {
  say(global(1, "wl_output", 4));
  be_honest();
  ASSERT_EQ(bound_.size(), 1U);
  std::string flood;
  for (std::uint32_t i = 1; i <= 10'000; ++i)
    flood += Event(bound_[0], 1).number(i == 1 ? 1 : 0).number(i).number(i).number(i);
  flood += Event(bound_[0], 4).text(std::string(3000, 'n') + "\n\x1b[2J");
  flood += Event(bound_[0], 5).text("two\nlines");
  flood += Event(bound_[0], 2);
  say(std::move(flood));
  be_honest();
  const msg::Output& output = all<Described>().back()->manifest.outputs.front();
  EXPECT_EQ(output.modes.size(), OutputObject::kModesMax);
  EXPECT_LE(output.name.size(), 260U);
  EXPECT_EQ(output.description, "two\\x0alines");
}

TEST_F(HostileWayland, AFloodDoesNotHoldTheLoop) {
  be_honest();
  std::string removals;  // of things that were never there: nothing is kept of them
  for (std::uint32_t i = 0; i < 20'000; ++i) removals += Event(kRegistry, 1).number(i);
  const ssize_t taken = ::send(server_.get(), removals.data(), removals.size(), MSG_NOSIGNAL);
  ASSERT_GT(taken, 100'000);
  service();
  EXPECT_FALSE(wants_to_wait()) << "one call took everything, however much it was";
}

// --- wlr-output-management ---

// The ids that a server gives to the objects it makes.
constexpr std::uint32_t kServerIds = 0xff000000U;

TEST_F(HostileWayland, AnHonestHeadThatIsOffIsDescribedAndCanBeTold) {
  say(global(1, "zwlr_output_manager_v1", 2));
  be_honest();
  ASSERT_EQ(bound_.size(), 1U);
  say(std::string(Event(bound_[0], 0).number(kServerIds)) + std::string(Event(kServerIds, 0).text("DP-7")) +
      std::string(Event(kServerIds, 4).number(0)));
  be_honest();
  EXPECT_TRUE(all<Described>().back()->manifest.outputs.empty()) << "the batch isn't complete";
  say(Event(bound_[0], 1).number(5));
  be_honest();
  const msg::Manifest& m = all<Described>().back()->manifest;
  ASSERT_EQ(m.outputs.size(), 1U);
  EXPECT_EQ(m.outputs[0].name, "DP-7");
  EXPECT_FALSE(m.outputs[0].current_mode);
  EXPECT_THAT(all<OutputsChanged>().back()->outputs, ElementsAre(Pair("DP-7", msg::OutputState::kOff)));
  for (const auto& command : m.commands) {
    const bool is_output =
        command.name.starts_with("output.") && command.name != "output.power" && command.name != "output.add";
    EXPECT_EQ(command.supported, is_output) << command.name;
  }
  // The head ends: nothing of it stays.
  say(std::string(Event(kServerIds, 9)) + std::string(Event(bound_[0], 1).number(6)));
  be_honest();
  EXPECT_TRUE(all<Described>().back()->manifest.outputs.empty());
  EXPECT_THAT(all<OutputsChanged>().back()->outputs, ElementsAre(Pair("DP-7", msg::OutputState::kDisconnected)));
  EXPECT_TRUE(all<Gone>().empty());
}

TEST_F(HostileWayland, HeadsAndModesAreBounded) {
  say(global(1, "zwlr_output_manager_v1", 2));
  be_honest();
  ASSERT_EQ(bound_.size(), 1U);
  constexpr std::uint32_t kHeads = 200;
  std::string flood;
  for (std::uint32_t i = 0; i < kHeads; ++i) {
    flood += std::string(Event(bound_[0], 0).number(kServerIds + i)) +
             std::string(Event(kServerIds + i, 0).text("DP-" + std::to_string(i)));
  }
  for (std::uint32_t i = 0; i < 5'000; ++i) flood += Event(kServerIds, 3).number(kServerIds + kHeads + i);
  flood += Event(bound_[0], 1).number(1);
  say(std::move(flood));
  be_honest();
  const msg::Manifest& m = all<Described>().back()->manifest;
  EXPECT_EQ(m.outputs.size(), wlr::OutputManager::kHeadsMax);
  EXPECT_EQ(m.outputs.front().modes.size(), wlr::OutputManager::kModesMax);
  // A configuration would have to name all of them.
  for (const auto& command : m.commands) EXPECT_FALSE(command.supported) << command.name;
  EXPECT_THAT(m.commands.front().reason, HasSubstr("has more than 64 outputs"));
  EXPECT_TRUE(all<Gone>().empty());
}

TEST_F(HostileWayland, AManagerThatEndsTakesItsCommandsWithIt) {
  say(global(1, "zwlr_output_manager_v1", 2));
  be_honest();
  say(Event(bound_.at(0), 1).number(1));
  be_honest();
  EXPECT_TRUE(all<Described>().back()->manifest.commands.front().supported);
  say(Event(bound_[0], 2));
  be_honest();
  EXPECT_FALSE(all<Described>().back()->manifest.commands.front().supported);
  say(Event(kRegistry, 1).number(1));
  be_honest();
  EXPECT_THAT(all<Described>().back()->manifest.commands.front().reason, HasSubstr("offers no protocol"));
  EXPECT_TRUE(all<Gone>().empty());
}

TEST_F(HostileWayland, ACommandThatIsNeverAnsweredEndsAtItsDeadline) {
  say(global(1, "zwlr_output_manager_v1", 2));
  be_honest();
  say(std::string(Event(bound_.at(0), 0).number(kServerIds)) + std::string(Event(kServerIds, 0).text("DP-7")) +
      std::string(Event(bound_[0], 1).number(5)));
  be_honest();
  driver_->execute(3, "output.enable", msg::Value::map({{"output", "DP-7"}}), now_, now_ + milliseconds(500), out_);
  EXPECT_EQ(driver_->next_deadline(), now_ + milliseconds(500));
  be_honest();
  EXPECT_TRUE(all<driver_event::CommandFinished>().empty());
  now_ = now_ + milliseconds(500);
  service();
  ASSERT_EQ(all<driver_event::CommandFinished>().size(), 1U);
  EXPECT_EQ(all<driver_event::CommandFinished>().front()->status, Status::kDeadline);
  EXPECT_TRUE(wants_to_wait());
}

// --- wrong ---

TEST_F(HostileWayland, GarbageIsTheEnd) {
  const std::string garbage = "GET / HTTP/1.1\r\nHost: wayland-9\r\n\r\n";
  say(garbage);
  // Its second word announces a long message: until that can't be one any more it is waited for.
  EXPECT_TRUE(wants_to_wait());
  std::string more;
  while (more.size() < 20'000) more += garbage;
  say(more);
  expect_gone("Wayland protocol");
}

TEST_F(HostileWayland, AMessageShorterThanItsHeaderIsTheEnd) {
  const std::array<std::uint32_t, 2> header{kRegistry, 4U << 16U};
  say(std::string(reinterpret_cast<const char*>(header.data()), sizeof header));
  service();
  // libwayland waits for more or gives up, as it likes; in no case is it asked in a circle.
  EXPECT_TRUE(!all<Gone>().empty() || wants_to_wait());
}

TEST_F(HostileWayland, AProtocolErrorIsNamed) {
  be_honest();
  say(Event(kDisplay, 0).number(kRegistry).number(7).text("no such luck"));
  expect_gone("protocol error 7 on wl_registry");
}

TEST_F(HostileWayland, AnEventThatDoesNotExistIsTheEnd) {
  say(Event(kRegistry, 77).number(1));
  expect_gone("Wayland protocol");
}

TEST_F(HostileWayland, ATextWithoutAnEndIsTheEnd) {
  const std::uint32_t huge = 0x7fffffff;
  say(Event(kRegistry, 0).number(1).number(huge).number(1));
  expect_gone("broke the Wayland protocol");
}

TEST_F(HostileWayland, ANullTextIsTheEnd) {
  say(Event(kRegistry, 0).number(1).number(0).number(1));
  expect_gone("broke the Wayland protocol");
}

TEST_F(HostileWayland, EventsForObjectsThatAreNotThereAreNothing) {
  say(std::string(Event(0xff000001U, 0).number(1)) + std::string(Event(kDisplay, 1).number(4711)));
  be_honest();
  EXPECT_FALSE(all<Described>().empty());
}

TEST_F(HostileWayland, SurvivesEveryDamageToAnHonestConversation) {
  const std::uint64_t seed = 20261121;
  Random random(seed);
  for (int round = 0; round < 3'000; ++round) {
    connect();
    std::string talk = global(1, "wl_output", 4) + global(2, "zxdg_output_manager_v1", 3) + global(3, "wl_seat", 7) +
                       std::string(Event(3, 0).number(0)) + std::string(Event(kDisplay, 1).number(3)) +
                       std::string(Event(4, 1).number(3).number(640).number(480).number(60000)) +
                       std::string(Event(4, 4).text("DP-1")) + std::string(Event(4, 2));
    for (std::uint64_t n = 1 + random.below(6); n > 0; --n) {
      talk[random.below(talk.size())] = static_cast<char>(random.below(256));
    }
    say(talk.substr(0, 1 + random.below(talk.size())));
    be_honest();
    server_.close();
    for (int i = 0; i < 64 && all<Gone>().empty(); ++i) service();
    ASSERT_EQ(all<Gone>().size(), 1U) << "seed " << seed << " round " << round;
    ASSERT_TRUE(std::holds_alternative<Gone>(out_.events.back()));
  }
}

}  // namespace
}  // namespace compositord::agent
