#pragma once
// A golden scenario: a script of what happens to one broker in virtual time, and the transcript of what it did.
// The language is described in tests/golden/README.md.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "broker/core/broker_core.h"
#include "tests/support/scenario_text.h"

namespace compositord::testing {

// Sees what goes in and out, and lets things fail that the script does not.
class ScenarioWatcher {
 public:
  virtual ~ScenarioWatcher() = default;
  virtual void on_input(const broker::Input& input) = 0;
  // What becomes of a send that the script lets pass; nothing: it goes out.
  virtual std::optional<broker::SendError> fail_send(const broker::Send& send) = 0;
  virtual void on_sent(const broker::Send& send, bool failed) = 0;
  // Whether a commit fails that the script lets succeed.
  virtual bool fail_commit() = 0;
};

class Scenario {
 public:
  // `watcher` may be null; it must outlive the scenario.
  explicit Scenario(ScenarioWatcher* watcher = nullptr);
  // Runs the whole script and returns the transcript. A line that can't be understood ends it, and stands in the transcript
  // as "ERROR line N: …". So does the first step after which the invariants do not hold. May be called again to go on.
  std::string run(std::string_view script);

 private:
  using Words = std::vector<std::string>;

  void start();  // makes the broker; the lines `config …` and `stored …` come before
  void line(const std::string& text);
  void advance_to(Instant at);
  void step(broker::Input input);
  void say(const broker::Outputs& out);
  void say(const std::string& text);
  void peer_line(const std::string& peer, const Words& words);
  wire::Frames message_of(const std::string& peer, const Words& words);
  wire::Frames call_of(const std::string& service, const std::string& method, const Words& words, std::size_t first);
  void configure(const Words& words);
  void set_peer(const Words& words);
  void end_commits(bool success, const std::string& why);
  void end_reads(bool success, const std::string& why);
  void store_file(const Words& words);
  // Nothing when it goes out.
  std::optional<broker::SendError> fate_of(const broker::Send& send);

  ScenarioWatcher* watcher_;
  broker::BrokerConfig config_;
  broker::StoredState stored_;
  std::unique_ptr<broker::BrokerCore> core_;
  std::map<std::string, wire::Dialect> dialects_;          // of peers that don't speak plain 0.2
  std::map<std::string, broker::SendError> broken_peers_;  // what a send to them brings
  std::vector<broker::input::SendFailed> failures_;        // of the last step, to be told in the next
  std::vector<std::uint64_t> commits_;                     // not ended yet
  std::vector<std::uint64_t> reads_;
  std::set<std::string> shown_;  // what is printed though it comes all the time
  std::int64_t last_call_id_ = 0;
  Instant now_;
  Instant printed_at_ = kNever;
  std::string transcript_;
  std::string error_;
};

}  // namespace compositord::testing
