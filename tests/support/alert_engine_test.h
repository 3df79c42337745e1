#pragma once
// The alert engine with a store, a feed and notifiers that do what a test wants, and fail when it wants that. Virtual time.

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "broker/core/alert_engine.h"

namespace compositord::broker {

inline const Fault kKilled{"process", msg::Verdict::kDown, "killed", msg::AlertKind::kCompositorCrashed, false, {}, 9};
inline const Fault kSlow{"progress", msg::Verdict::kDegraded, "slow", msg::AlertKind::kCompositorSlow};
inline const Fault kFrozen{"progress", msg::Verdict::kDown, "frozen", msg::AlertKind::kCompositorFrozen};
inline const Fault kStopped{"process", msg::Verdict::kDegraded, "stopped", msg::AlertKind::kCompositorStopped};
inline const Fault kLost{"link", msg::Verdict::kUnknown, "lost", msg::AlertKind::kAgentLost};
inline const Fault kOff{"output/DP-1", msg::Verdict::kDegraded, "off", msg::AlertKind::kOutputOff};

// One run of the broker's alerts, on a store that remembers or fails.
class AlertsRun {
 public:
  AlertsRun(const AlertConfig& config, std::uint64_t epoch)
      : feed_(epoch, limits_, counters_), engine_(config, feed_, timers_, ids_, counters_, epoch) {}

  Limits limits_;
  Counters counters_;
  Feed feed_;
  TimerQueue timers_;
  CommitIds ids_;
  AlertEngine engine_;
};

class AlertEngineTest : public testing::Test {
 protected:
  using Told = std::vector<std::string>;

  AlertEngineTest() { restart(); }

  void restart() {
    run_ = std::make_unique<AlertsRun>(config_, ++epoch_);
    std::vector<AlertRecord> alerts;
    std::vector<WindowRecord> windows;
    for (const auto& [id, record] : alerts_) alerts.push_back(record);
    for (const auto& [id, record] : windows_) windows.push_back(record);
    engine().load(alerts, windows, now_, out_);
    for (const auto& [id, status] : statuses_) engine().expect(lost(status), now_);
    apply();
  }
  AlertEngine& engine() { return run_->engine_; }

  static msg::Status lost(msg::Status status) {
    status.link.state = msg::Link::kLost;
    return status;
  }
  msg::Status& status(const std::string& id) {
    msg::Status& status = statuses_[id];
    status.id = id;
    if (status.labels.empty()) status.labels = {{"site", "berlin"}};
    return status;
  }
  void report(const std::string& id, const std::vector<Fault>& faults = {}) {
    status(id).link.state = msg::Link::kConnected;
    engine().observe(status(id), faults, true, now_, out_);
    apply();
  }
  void suspect(const std::string& id) {
    status(id).link.state = msg::Link::kSuspect;
    engine().observe(status(id), {}, false, now_, out_);
    apply();
  }
  void lose(const std::string& id) {
    status(id).link.state = msg::Link::kLost;
    engine().observe(status(id), {kLost}, false, now_, out_);
    apply();
  }
  void pass(Duration time) {
    const Instant end = now_.instant + time;
    while (const std::optional<Timer> timer = run_->timers_.pop_due(end)) {
      move_to(std::max(now_.instant, timer->at));
      engine().on_timer(timer->kind, now_, out_);
      apply();
    }
    move_to(end);
  }
  void move_to(Instant instant) {
    now_.calendar.ms += to_ms(instant - now_.instant);
    now_.instant = instant;
  }
  // Where the broker is killed while it does what the engine wants.
  enum class Death { kNone, kBeforeTheStore, kBeforeTheFeed, kBeforeTheNotifier, kBeforeItsAnswer };

  // Stores, publishes and notifies what the engine wants, and tells it so.
  void apply() {
    if (death_ == Death::kBeforeTheStore) return out_.clear();
    while (!out_.store_writes.empty()) {
      std::vector<StoreWrite> writes = std::exchange(out_.store_writes, {});
      for (const StoreWrite& write : writes) {
        if (store_hangs_) continue;
        if (const auto* alert = std::get_if<AlertRecord>(&write.record)) keep(alerts_, *alert);
        if (const auto* window = std::get_if<WindowRecord>(&write.record)) keep(windows_, *window);
        if (death_ == Death::kBeforeTheFeed) return out_.clear();
        engine().on_stored(write.commit_id, now_, out_);
      }
    }
    for (const wire::Frames& frames : std::exchange(out_.publishes, {})) {
      const auto alert = msg::from_value<msg::Alert>(msg::decode_msgpack(frames.at(2)).value()).value();
      last_ = alert;
      told_.push_back(fmt::format("{} {} {}", name_of(alert.state), frames.at(0).str().substr(6), alert.about));
      lives_.insert(alert.alert);
    }
    if (death_ == Death::kBeforeTheNotifier) return out_.clear();
    for (const msg::Alert& notice : std::exchange(out_.notices, {})) {
      notices_.push_back(fmt::format("{} {} {}", name_of(notice.state), name_of(notice.severity), notice.id));
      dedupes_.insert(fmt::format("{}/{}", notice.alert, notice.change));
      if (!notifier_hangs_ && death_ != Death::kBeforeItsAnswer)
        engine().on_notice_done(notice.alert, notice.change, out_);
    }
    ASSERT_TRUE(engine().check_invariants());
    if (!out_.store_writes.empty()) apply();
  }
  template <class Record>
  static void keep(std::map<std::string, Record>& records, const Record& record) {
    records.insert_or_assign(record.id, record);
    if (record.erased) records.erase(record.id);
  }
  Told told() { return std::exchange(told_, {}); }
  Told notices() { return std::exchange(notices_, {}); }
  std::string open_window(msg::WindowKind kind, const char* id_pattern, Duration length) {
    msg::AlertWindow window;
    window.kind = kind;
    window.selector = msg::Value::map({{"ids", msg::Value::array({id_pattern})}});
    window.from = now_.calendar;
    window.until = UnixMs{now_.calendar.ms + to_ms(length)};
    window.author = "eve";
    const Result<AlertWindows::Added> added = engine().windows().add(window, now_.calendar, out_);
    EXPECT_TRUE(added);
    engine().windows_changed(now_, out_);
    apply();
    return added ? added->window : std::string();
  }

  AlertConfig config_;
  std::uint64_t epoch_ = 0;
  Now now_{Instant::from_ns(0), UnixMs{1'000'000}};
  Outputs out_;
  bool store_hangs_ = false;
  bool notifier_hangs_ = false;
  std::map<std::string, AlertRecord> alerts_;
  std::map<std::string, WindowRecord> windows_;
  std::map<std::string, msg::Status> statuses_;
  Told told_, notices_;
  std::set<std::string> lives_, dedupes_;  // all that were ever told
  Death death_ = Death::kNone;
  msg::Alert last_;
  std::unique_ptr<AlertsRun> run_;
};

}  // namespace compositord::broker
