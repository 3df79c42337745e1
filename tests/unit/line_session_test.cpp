// The session with a connection for each request, against a server that is written out by hand.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "agent/hyprland/hyprland_dialect.h"
#include "agent/ipc/line_session.h"
#include "agent/niri/niri_dialect.h"
#include "tests/support/temp_dir.h"

namespace compositord::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A listening socket, and the newest connection to it.
class Server {
 public:
  explicit Server(const std::string& path) : listener_(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(listener_.get(), 4), 0);
  }
  // What the newest connection sent; "nobody" when none is waiting.
  std::string heard() {
    FileDescriptor next(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK));
    if (next.is_open()) connection = std::move(next);
    if (!connection.is_open()) return "nobody";
    std::array<char, 4096> buffer{};
    const ssize_t n = ::recv(connection.get(), buffer.data(), buffer.size(), 0);
    return n > 0 ? std::string(buffer.data(), static_cast<std::size_t>(n)) : std::string();
  }
  void say(const std::string& bytes) {
    EXPECT_EQ(::send(connection.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
  }
  FileDescriptor connection;

 private:
  FileDescriptor listener_;
};

template <class Dialect>
class LineSessionTest : public ::testing::Test {
 protected:
  void open() {
    const auto opened = session_.open();
    ASSERT_TRUE(opened) << opened.error().text;
  }
  Result<void> service() {
    replies_.clear();
    return session_.service(replies_);
  }
  test::TempDir dir_;
  std::string requests_path_ = dir_.path() / "requests";
  std::string events_path_ = dir_.path() / "events";
  Server requests_{requests_path_};
  Server events_{events_path_};
  Dialect dialect_;
  LineSession session_{dialect_,
                       [this]() -> Result<LineSession::Paths> {
                         return LineSession::Paths{requests_path_, events_path_};
                       },
                       ::getpid()};
  std::vector<std::string> replies_;
};
using HyprlandSession = LineSessionTest<hyprland::HyprlandDialect>;
using NiriSession = LineSessionTest<niri::NiriDialect>;

TEST_F(HyprlandSession, ConnectsForARequestAndHangsUpWithItsReply) {
  open();
  EXPECT_EQ(requests_.heard(), "nobody") << "an idle connection would freeze Hyprland";
  ASSERT_TRUE(session_.ask(IpcQuestion::kVersion, "j/version"));
  EXPECT_EQ(requests_.heard(), "j/version");
  requests_.say("{\"tag\":");
  ASSERT_TRUE(service());
  EXPECT_THAT(replies_, IsEmpty()) << "half a reply is none";
  requests_.say("\"v1\"}\n");
  ASSERT_TRUE(service());
  EXPECT_THAT(replies_, IsEmpty()) << "it ends with the connection";
  requests_.connection.close();
  ASSERT_TRUE(service());
  EXPECT_THAT(replies_, ElementsAre("{\"tag\":\"v1\"}\n"));
  std::vector<pollfd> fds;
  session_.poll_fds(fds);
  EXPECT_EQ(fds.size(), 1U) << "only the events are left";
}

TEST_F(NiriSession, TakesTheReplyWithItsLine) {
  open();
  EXPECT_EQ(events_.heard(), "\"EventStream\"\n");
  ASSERT_TRUE(session_.ask(IpcQuestion::kVersion, "\"Version\"\n"));
  EXPECT_EQ(requests_.heard(), "\"Version\"\n");
  requests_.say("{\"Ok\":1}");
  ASSERT_TRUE(service());
  EXPECT_THAT(replies_, IsEmpty());
  requests_.say("\n");
  ASSERT_TRUE(service());
  EXPECT_THAT(replies_, ElementsAre("{\"Ok\":1}"));
  EXPECT_EQ(requests_.heard(), "");  // and it hung up
}

TEST_F(HyprlandSession, SaysWhenAReplyNeverComes) {
  open();
  ASSERT_TRUE(session_.ask(IpcQuestion::kVersion, "j/version"));
  requests_.heard();
  requests_.connection.close();
  const auto serviced = service();
  ASSERT_FALSE(serviced);
  EXPECT_EQ(serviced.error().status, Status::kNotConnected);
  EXPECT_EQ(serviced.error().text, "Hyprland closed its IPC connection");
}

TEST_F(NiriSession, RefusesAnAnswerWithoutAnEnd) {
  open();
  ASSERT_TRUE(session_.ask(IpcQuestion::kOutputs, "\"Outputs\"\n"));
  requests_.heard();
  Result<void> serviced;
  std::size_t sent = 0;
  const std::string much(32'768, '[');
  while (serviced && sent < 16 * LineSession::kBytesMax) {
    requests_.say(much);
    sent += much.size();
    serviced = service();
  }
  ASSERT_FALSE(serviced) << "it is kept without a bound";
  EXPECT_EQ(serviced.error().status, Status::kTooLarge);
  EXPECT_LE(sent, LineSession::kBytesMax + 2 * much.size());
}

TEST_F(HyprlandSession, RefusesAnEventWithoutAnEnd) {
  open();
  events_.heard();
  Result<IpcSession::Changes> seen;
  const std::string much(32'768, 'x');
  for (std::size_t sent = 0; seen && sent < 16 * LineSession::kBytesMax; sent += much.size()) {
    events_.say(much);
    seen = session_.service_events();
  }
  ASSERT_FALSE(seen) << "it is kept without a bound";
  EXPECT_EQ(seen.error().status, Status::kTooLarge);
  EXPECT_TRUE(session_.tells_outputs());
  session_.close_events();
  EXPECT_FALSE(session_.tells_outputs());
  EXPECT_TRUE(session_.is_open()) << "questions can still be asked";
}

TEST_F(HyprlandSession, PutsTogetherAnEventThatCameInPieces) {
  open();
  events_.heard();
  events_.say("workspace>>2\nmonitor");
  auto seen = session_.service_events();
  ASSERT_TRUE(seen);
  EXPECT_FALSE(seen->outputs);
  events_.say("added>>DP-1\nworkspace>>3\n");
  seen = session_.service_events();
  ASSERT_TRUE(seen);
  EXPECT_TRUE(seen->outputs);
  EXPECT_FALSE(session_.service_events()->outputs) << "once only";
  events_.connection.close();
  seen = session_.service_events();
  ASSERT_FALSE(seen);
  EXPECT_EQ(seen.error().status, Status::kNotConnected);
}

TEST_F(HyprlandSession, SpeaksToNobodyButTheCompositor) {
  LineSession other(
      dialect_,
      [this]() -> Result<LineSession::Paths> {
        return LineSession::Paths{requests_path_, events_path_};
      },
      ::getpid() + 1);
  const auto opened = other.open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().status, Status::kForbidden);
  EXPECT_THAT(opened.error().text, HasSubstr("belongs to process"));
  EXPECT_FALSE(other.is_open());
}

}  // namespace
}  // namespace compositord::agent
