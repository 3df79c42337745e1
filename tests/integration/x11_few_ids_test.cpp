// An X server that allows its clients few resource ids, or short requests: a real one, behind a relay that changes its setup reply. XCB
// itself would ask for more, and wait for ever for the answer.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "agent/process/file_descriptor.h"
#include "tests/support/on_xvfb.h"
#include "tests/support/taken_screenshot.h"

namespace compositord {
namespace {

using agent::FileDescriptor;
using agent::driver_event::CommandFinished;
using agent::driver_event::Gone;
using msg::Value;
using std::chrono::seconds;
using test::as_text;
using test::CompositorProcess;
using test::DriverLoop;
using test::RuntimeDir;
using test::take_screenshot;
using test::XDisplay;
using ::testing::HasSubstr;

// What the setup reply says instead of the server's own word.
struct Allowed {
  std::uint32_t id_mask = 0x1f'ffff;     // which bits of an id are the client's to choose
  std::uint16_t request_words = 65'535;  // how long a request may be
};

// Carries the bytes of one connection in both directions.
class SetupRelay {
 public:
  SetupRelay(FileDescriptor server, Allowed allowed) : server_(std::move(server)), allowed_(allowed) {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) return;
    client_ = FileDescriptor(ends[0]);
    for_client_ = FileDescriptor(ends[1]);
    ::fcntl(for_client_.get(), F_SETFL, O_NONBLOCK);
    ::fcntl(server_.get(), F_SETFL, 0);
    thread_ = std::thread([this] { carry(); });
  }
  ~SetupRelay() {
    ::shutdown(client_.get(), SHUT_RDWR);
    ::shutdown(server_.get(), SHUT_RDWR);
    if (thread_.joinable()) thread_.join();
  }
  SetupRelay(const SetupRelay&) = delete;
  SetupRelay& operator=(const SetupRelay&) = delete;

  FileDescriptor take_clients_end() { return std::move(for_client_); }

 private:
  // In the setup reply.
  static constexpr std::size_t kIdMaskAt = 16;
  static constexpr std::size_t kRequestWordsAt = 26;

  static bool send_all(int to, const char* bytes, std::size_t count) {
    for (std::size_t sent = 0; sent < count;) {
      const ssize_t n = ::send(to, bytes + sent, count - sent, MSG_NOSIGNAL);
      if (n <= 0) return false;
      sent += static_cast<std::size_t>(n);
    }
    return true;
  }
  bool pass(int from, int to) {
    std::array<char, 64 << 10> buffer{};
    const ssize_t n = ::recv(from, buffer.data(), buffer.size(), 0);
    return n > 0 && send_all(to, buffer.data(), static_cast<std::size_t>(n));
  }
  bool pass_setup_reply() {
    std::array<char, kRequestWordsAt + sizeof allowed_.request_words> head{};
    if (::recv(server_.get(), head.data(), head.size(), MSG_WAITALL) != static_cast<ssize_t>(head.size())) return false;
    std::memcpy(head.data() + kIdMaskAt, &allowed_.id_mask, sizeof allowed_.id_mask);
    std::memcpy(head.data() + kRequestWordsAt, &allowed_.request_words, sizeof allowed_.request_words);
    return send_all(client_.get(), head.data(), head.size());
  }
  void carry() {
    bool is_first = true;
    for (;;) {
      std::array<pollfd, 2> fds{pollfd{server_.get(), POLLIN, 0}, pollfd{client_.get(), POLLIN, 0}};
      ::poll(fds.data(), fds.size(), -1);
      if (fds[0].revents != 0) {
        if (std::exchange(is_first, false) ? !pass_setup_reply() : !pass(server_.get(), client_.get())) break;
      }
      if (fds[1].revents != 0 && !pass(client_.get(), server_.get())) break;
    }
    ::shutdown(client_.get(), SHUT_RDWR);
    ::shutdown(server_.get(), SHUT_RDWR);
  }

  FileDescriptor server_;
  FileDescriptor client_;
  FileDescriptor for_client_;
  Allowed allowed_;
  std::thread thread_;
};

class FewXIds : public ::testing::Test {
 protected:
  FewXIds() : display_(dir_), server_(display_.xvfb()) {}
  void TearDown() override { loop_.reset(); }
  void connect(Allowed allowed) {
    server_.start();
    ASSERT_TRUE(server_.wait_until_listening(display_.socket_path()));
    loop_ = std::make_unique<DriverLoop>(agent::DisplaySettings{{}, display_.socket_path(), {}},
                                         [this, allowed](agent::ConnectedDisplay found, Instant now) {
                                           relay_ = std::make_unique<SetupRelay>(std::move(found.socket), allowed);
                                           found.socket = relay_->take_clients_end();
                                           return agent::x11::make_x11_driver(std::move(found), now);
                                         });
  }
  void start(Allowed allowed) {
    ASSERT_NO_FATAL_FAILURE(connect(allowed));
    ASSERT_TRUE(loop_->wait_for_described()) << loop_->log_text();
  }
  CommandFinished identify(const std::string& text = "Where?") {
    return loop_->run("identify", Value::map({{"id", "wall-3/main"}, {"seconds", 1}, {"text", text}}));
  }
  RuntimeDir dir_;
  XDisplay display_;
  CompositorProcess server_;
  std::unique_ptr<SetupRelay> relay_;
  std::unique_ptr<DriverLoop> loop_;
};

TEST_F(FewXIds, AreUsedAgainByOneCommandAfterTheOther) {
  start({.id_mask = 0x3});
  for (int i = 0; i < 4; ++i) {
    const CommandFinished shown = identify();
    EXPECT_EQ(shown.status, Status::kDone) << as_text(shown);
    const auto shot = take_screenshot(*loop_);  // beside the card
    EXPECT_EQ(shot.finished.status, Status::kDone) << as_text(shot.finished);
  }
  EXPECT_EQ(loop_->count<Gone>(), 0U);
}

TEST_F(FewXIds, EndACommandThatGetsNoneWithAnError) {
  start({.id_mask = 0x1});
  for (const CommandFinished& finished : {identify(), take_screenshot(*loop_).finished, identify()}) {
    EXPECT_EQ(finished.status, Status::kLimit) << as_text(finished);
    EXPECT_THAT(finished.error, HasSubstr("no more resource ids"));
  }
  EXPECT_TRUE(loop_->probe(seconds(5)));
}

using ShortXRequests = FewXIds;

// The protocol promises so many words, and a large card has more.
TEST_F(ShortXRequests, AreEnoughForALargeCard) {
  start({.request_words = 4096});
  const CommandFinished shown = identify("The third screen from the left in the hall, beside the door");
  EXPECT_EQ(shown.status, Status::kDone) << as_text(shown);
  EXPECT_EQ(take_screenshot(*loop_).finished.status, Status::kDone);
}

TEST_F(ShortXRequests, OfNoRealServerEndTheConnection) {
  connect({.request_words = 2});
  ASSERT_TRUE(loop_->run_until([&] { return loop_->count<Gone>() > 0; })) << loop_->log_text();
  EXPECT_THAT(loop_->last<Gone>()->text, HasSubstr("requests of 8 bytes"));
}

class NoXIds : public FewXIds, public ::testing::WithParamInterface<const char*> {};

INSTANTIATE_TEST_SUITE_P(X11, NoXIds, ::testing::Values("xcompmgr", "openbox"),
                         [](const auto& client) { return std::string(client.param); });

TEST_P(NoXIds, LeaveTheProbesWithWhatNeedsNone) {
  start({.id_mask = 0});
  CompositorProcess client = display_.client({std::string("/usr/bin/") + GetParam()});
  client.start();
  ASSERT_TRUE(loop_->run_until([&] {
    return loop_->last<agent::driver_event::Described>()->manifest.name == GetParam();
  })) << loop_->log_text();
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(loop_->probe(seconds(5))) << i;
}

}  // namespace
}  // namespace compositord
