// Whatever fails, and whenever: each golden scenario is told once more for each of its sends and each of its commits, with
// that one failing. What the transcript then says is not compared. What must hold: the tables agree after every step, no
// request stays open, and no call gets two answers, or none when its client could be reached.

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <map>
#include <numeric>
#include <set>
#include <sstream>
#include <tuple>
#include <utility>

#include <gtest/gtest.h>

#include "common/msg/envelope.h"
#include "common/wire/mdp_codec.h"
#include "tests/support/scenario.h"

namespace compositord::testing {
namespace {

using broker::SendError;

enum class Fault { kNone, kUnreachable, kFull, kCommit };

constexpr int kNobody = -1;
// Longer than any deadline and any silence that the scenarios agree on.
constexpr int kAftermathSeconds = 200;
constexpr std::string_view kAuditor = "auditor";
// A scenario of hours has hundreds of heartbeats in a row. In one with more sends than this, what a peer is told twice in the
// same bytes fails once.
constexpr int kSendsMax = 100;

// Lets the i-th send or commit fail, and keeps account of questions and answers.
class Watcher final : public ScenarioWatcher {
 public:
  Watcher(Fault fault, int index) : fault_(fault), index_(index) {}

  void on_input(const broker::Input& input) override {
    const auto* received = std::get_if<broker::input::Received>(&input);
    if (received == nullptr) return;
    const auto parsed = wire::parse_at_broker(wire::Frames(received->frames));
    const auto* request = parsed ? std::get_if<wire::mdp::ClientRequest>(&parsed->message) : nullptr;
    if (request == nullptr || !is_counted(request->service) || received->peer.value() == kAuditor) return;
    Account& account = accounts_[{received->peer.value(), request->service}];
    ++account.requests;
    if (msg::parse_call(request->body)) ++account.calls;
  }

  std::optional<SendError> fail_send(const broker::Send& send) override {
    // A connection that is gone stays gone; one that is full takes the next message again.
    if (gone_.contains(send.peer.value())) return SendError::kUnreachable;
    const int number = sends_++;
    if (std::exchange(last_told_[send.peer.value()], send.frames) != send.frames) news_.push_back(number);
    if (number != index_ || send.peer.value() == kAuditor) return std::nullopt;
    if (fault_ == Fault::kFull) return SendError::kFull;
    if (fault_ != Fault::kUnreachable) return std::nullopt;
    gone_.insert(send.peer.value());
    return SendError::kUnreachable;
  }

  void on_sent(const broker::Send& send, bool failed) override {
    if (failed) failed_peers_.insert(send.peer.value());
    const auto parsed = wire::parse_from_broker(wire::Frames(send.frames));
    const auto* reply = parsed ? std::get_if<wire::mdp::ClientReply>(&parsed->message) : nullptr;
    if (reply == nullptr) return;
    if (send.peer.value() == kAuditor) {
      if (const Result<msg::Reply> answer = msg::parse_reply(reply->body)) stats_ = answer->result;
    } else if (reply->final && is_counted(reply->service)) {
      ++accounts_[{send.peer.value(), reply->service}].finals;
    }
  }

  bool fail_commit() override { return commits_++ == index_ && fault_ == Fault::kCommit; }

  int sends() const { return sends_; }
  // The sends that said something else than the one before to the same peer.
  const std::vector<int>& news() const { return news_; }
  int commits() const { return commits_; }
  const msg::Value& stats() const { return stats_; }

  // What is wrong with the answers, or nothing.
  std::string complaint() const {
    for (const auto& [who, account] : accounts_) {
      const std::string about = who.first + " asked " + who.second + ": " + std::to_string(account.calls) +
                                " calls of " + std::to_string(account.requests) + " requests, " +
                                std::to_string(account.finals) + " answers";
      if (account.finals > account.requests) return about;
      if (account.finals < account.calls && !failed_peers_.contains(who.first)) return about;
    }
    return {};
  }

 private:
  struct Account {
    int requests = 0;
    int calls = 0;  // of them: these are always answered
    int finals = 0;
  };

  // mmi and titanic are answered at once and know no calls.
  static bool is_counted(const std::string& service) {
    return !service.starts_with("mmi.") && !service.starts_with("titanic.");
  }

  Fault fault_;
  int index_;
  int sends_ = 0;
  int commits_ = 0;
  std::map<std::string, wire::Frames> last_told_;
  std::vector<int> news_;
  std::set<std::string> gone_;
  std::set<std::string> failed_peers_;
  std::map<std::pair<std::string, std::string>, Account> accounts_;
  msg::Value stats_;
};

std::string script_of(const std::string& name) {
  std::ifstream file(std::string(COMPOSITORD_GOLDEN_DIR) + "/" + name + ".txt");
  std::ostringstream text;
  text << file.rdbuf();
  const std::string all = text.str();
  return all.substr(0, all.find("----\n"));
}

// The instant of the last `at` line, in milliseconds.
int end_of(const std::string& script) {
  int last = 0;
  std::istringstream lines(script);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("at ")) std::from_chars(line.data() + 3, line.data() + line.size(), last);
  }
  return last;
}

// Time passes until nothing can be under way any more, and the store answers.
std::string aftermath_of(const std::string& script) {
  std::string lines = "store ok\n";
  const int end_ms = end_of(script);
  for (int second = 5; second <= kAftermathSeconds; second += 5) {
    lines += "at " + std::to_string(end_ms + second * 1'000) + "ms\nstore ok\n";
  }
  return lines + "auditor > json service=bus.admin {\"v\":1,\"id\":1,\"method\":\"stats\"}\n";
}

struct Size {
  std::vector<int> sends;
  int commits = 0;
};

// Which sends the script itself has that are worth failing, and how many commits.
Size run(const std::string& name, Fault fault, int index) {
  const std::string script = script_of(name);
  Watcher watcher(fault, index);
  Scenario scenario(&watcher);
  scenario.run(script);
  Size size{watcher.news(), watcher.commits()};
  if (watcher.sends() <= kSendsMax) {
    size.sends.resize(static_cast<std::size_t>(watcher.sends()));
    std::iota(size.sends.begin(), size.sends.end(), 0);
  }
  const std::string transcript = scenario.run(aftermath_of(script));
  EXPECT_EQ(transcript.find("ERROR line"), std::string::npos) << transcript;
  EXPECT_EQ(watcher.complaint(), "") << transcript;
  const msg::Value* depths = watcher.stats().find("depths");
  const msg::Value* open = depths == nullptr ? nullptr : depths->find("open_requests");
  EXPECT_TRUE(open != nullptr && *open == msg::Value(std::int64_t{0})) << "requests stay open\n" << transcript;
  return size;
}

std::vector<std::string> scenario_names() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(COMPOSITORD_GOLDEN_DIR)) {
    if (entry.path().extension() == ".txt" && entry.path().stem() != "CMakeLists") names.push_back(entry.path().stem());
  }
  std::sort(names.begin(), names.end());
  return names;
}

class Faults : public ::testing::TestWithParam<std::string> {};

TEST_P(Faults, NoSingleFaultLosesACallOrARequest) {
  const Size size = run(GetParam(), Fault::kNone, kNobody);
  for (const int i : size.sends) {
    if (HasFailure()) break;
    SCOPED_TRACE("send " + std::to_string(i));
    run(GetParam(), Fault::kUnreachable, i);
    run(GetParam(), Fault::kFull, i);
  }
  for (int i = 0; i < size.commits && !HasFailure(); ++i) {
    SCOPED_TRACE("commit " + std::to_string(i));
    run(GetParam(), Fault::kCommit, i);
  }
}

INSTANTIATE_TEST_SUITE_P(Scenarios, Faults, ::testing::ValuesIn(scenario_names()),
                         [](const auto& scenario) { return scenario.param; });

}  // namespace
}  // namespace compositord::testing
