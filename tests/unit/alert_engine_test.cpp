// Which alerts fire, who is told, what one alert hides of others, and what survives a restart. Virtual time.

#include "broker/core/alert_engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include <fmt/format.h>

namespace compositord::broker {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

const Fault kKilled{"process", msg::Verdict::kDown, "killed", msg::AlertKind::kCompositorCrashed, false, {}, 9};
const Fault kSlow{"progress", msg::Verdict::kDegraded, "slow", msg::AlertKind::kCompositorSlow};
const Fault kFrozen{"progress", msg::Verdict::kDown, "frozen", msg::AlertKind::kCompositorFrozen};
const Fault kStopped{"process", msg::Verdict::kDegraded, "stopped", msg::AlertKind::kCompositorStopped};
const Fault kLost{"link", msg::Verdict::kUnknown, "lost", msg::AlertKind::kAgentLost};
const Fault kOff{"output/DP-1", msg::Verdict::kDegraded, "off", msg::AlertKind::kOutputOff};

// One run of the broker's alerts, on a store that remembers or fails.
class BrokerRun {
 public:
  BrokerRun(const AlertConfig& config, std::uint64_t epoch)
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
    run_ = std::make_unique<BrokerRun>(config_, ++epoch_);
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
  std::unique_ptr<BrokerRun> run_;
};

TEST_F(AlertEngineTest, AFaultIsOneLifeFromItsBeginningToItsEnd) {
  report("wall/0", {kKilled});
  EXPECT_THAT(told(), ElementsAre("firing critical/wall/0 compositor"));
  EXPECT_EQ(last_.signal, 9);
  EXPECT_EQ(last_.layer, "process");
  EXPECT_THAT(last_.advice, testing::Not(IsEmpty()));
  const std::string life = last_.alert;
  report("wall/0", {kKilled});
  EXPECT_THAT(told(), IsEmpty());
  report("wall/0");
  EXPECT_THAT(told(), ElementsAre("resolved critical/wall/0 compositor"));
  EXPECT_EQ(last_.alert, life);
  EXPECT_EQ(last_.change, 2U);
  EXPECT_THAT(notices(), ElementsAre("firing critical wall/0", "resolved critical wall/0"));
  EXPECT_THAT(engine().active(), IsEmpty());
  EXPECT_THAT(engine().ended(), SizeIs(1));
  report("wall/0");
  EXPECT_THAT(told(), IsEmpty());
}

// Who is subscribed to warnings only must hear that this one is theirs no more.
TEST_F(AlertEngineTest, WhatBecomesWorseIsTheSameAlertUnderBothSeverities) {
  report("wall/0", {kStopped});
  const std::string life = last_.alert;
  report("wall/0", {kStopped, kFrozen});
  EXPECT_THAT(told(), ElementsAre("firing warning/wall/0 compositor", "firing warning/wall/0 compositor",
                                  "firing critical/wall/0 compositor"));
  EXPECT_EQ(last_.alert, life);
  EXPECT_EQ(last_.severity, msg::AlertSeverity::kCritical);
  EXPECT_EQ(last_.layer, "process");
  EXPECT_EQ(last_.text, "stopped; frozen");
  EXPECT_EQ(last_.kind, msg::AlertKind::kCompositorStopped);
  report("wall/0", {kSlow});
  EXPECT_EQ(last_.severity, msg::AlertSeverity::kWarning);
  report("wall/0");
  // Better is no news worth waking somebody.
  EXPECT_THAT(notices(), ElementsAre("firing warning wall/0", "firing critical wall/0", "resolved warning wall/0"));
}

TEST_F(AlertEngineTest, ALostAgentHidesWhatIsBehindItAndResolvesNothing) {
  report("wall/0", {kKilled});
  told();
  lose("wall/0");
  pass(milliseconds(25));
  EXPECT_THAT(told(), ElementsAre("firing warning/wall/0 agent", "firing critical/wall/0 compositor"));
  EXPECT_THAT(last_.suppressed_by, testing::Not(IsEmpty()));
  report("wall/0");
  EXPECT_THAT(told(),
              testing::UnorderedElementsAre("resolved warning/wall/0 agent", "resolved critical/wall/0 compositor"));
}

TEST_F(AlertEngineTest, TheOutputsOfADeadCompositorAreNoAlertsOfTheirOwn) {
  report("wall/0", {kOff});
  told();
  report("wall/0", {kKilled});
  EXPECT_THAT(told(), ElementsAre("firing critical/wall/0 compositor", "firing warning/wall/0 output/DP-1"));
  EXPECT_FALSE(last_.suppressed_by.empty());
  report("wall/0", {kOff});
  EXPECT_THAT(told(), ElementsAre("resolved critical/wall/0 compositor", "firing warning/wall/0 output/DP-1"));
  EXPECT_TRUE(last_.suppressed_by.empty());
  EXPECT_THAT(notices(), ElementsAre("firing warning wall/0", "firing critical wall/0", "resolved critical wall/0"));
}

TEST_F(AlertEngineTest, RulesDelayChangeAndSwitchOff) {
  config_.rules = {{"compositor_slow", "wall/*", seconds(10), seconds(5), msg::AlertSeverity::kCritical, true},
                   {"output_*", "*", {}, {}, {}, false}};
  restart();
  report("wall/0", {kSlow, kOff});
  pass(seconds(9));
  EXPECT_THAT(told(), IsEmpty());
  pass(seconds(1));
  EXPECT_THAT(told(), ElementsAre("firing critical/wall/0 compositor"));
  EXPECT_EQ(last_.since.ms, 1'000'000);
  report("wall/0", {kOff});
  pass(seconds(3));
  report("wall/0", {kSlow, kOff});  // again before ok_after is over: the same life
  told();
  report("wall/0", {kOff});
  pass(seconds(5));
  EXPECT_THAT(told(), ElementsAre("resolved critical/wall/0 compositor"));
  EXPECT_EQ(last_.count, 2U);
}

TEST_F(AlertEngineTest, AShortFaultBelowItsTimeIsNoAlert) {
  config_.rules = {{"compositor_slow", "*", seconds(10), {}, {}, true}};
  restart();
  report("wall/0", {kSlow});
  pass(seconds(5));
  report("wall/0");
  pass(seconds(60));
  EXPECT_THAT(told(), IsEmpty());
}

TEST_F(AlertEngineTest, WhatComesAndGoesIsOneAlertUntilItIsCalm) {
  for (int i = 0; i < 4; ++i) {
    report("wall/0", {kOff});
    report("wall/0");
  }
  EXPECT_TRUE(last_.flapping);
  EXPECT_THAT(last_.text, HasSubstr("comes and goes"));
  EXPECT_THAT(engine().active(), SizeIs(1));
  const std::size_t lives = engine().ended().size();
  told();
  for (int i = 0; i < 5; ++i) {
    report("wall/0", {kOff});
    report("wall/0");
  }
  EXPECT_THAT(told(), IsEmpty());
  for (int i = 0; i < 20; ++i) report("wall/0");
  EXPECT_THAT(told(), ElementsAre("resolved warning/wall/0 output/DP-1"));
  EXPECT_EQ(engine().ended().size(), lives + 1);
}

TEST_F(AlertEngineTest, WhatFiresIsPublishedAgainAsItWas) {
  report("wall/0", {kOff});
  told();
  const std::uint64_t change = last_.change;
  pass(config_.repeat);
  EXPECT_THAT(told(), ElementsAre("firing warning/wall/0 output/DP-1"));
  EXPECT_EQ(last_.change, change);
  EXPECT_THAT(notices(), SizeIs(1));
}

// ---- agents lost together

TEST_F(AlertEngineTest, AnAgentLostAloneIsToldNearlyAtOnce) {
  for (const char* id : {"a/0", "b/0", "c/0"}) report(id);
  lose("a/0");
  pass(milliseconds(25));
  EXPECT_THAT(told(), ElementsAre("firing warning/a/0 agent"));
}

TEST_F(AlertEngineTest, NobodyWaitsForAnAgentThatWasLostLongAgo) {
  for (const char* id : {"a/0", "b/0", "c/0"}) report(id);
  open_window(msg::WindowKind::kMaintenance, "b/0", std::chrono::hours(1));
  lose("a/0");
  lose("b/0");
  pass(std::chrono::seconds(10));
  EXPECT_THAT(told(), testing::Contains("firing warning/a/0 agent"));
  told();
  lose("c/0");
  pass(milliseconds(25));
  EXPECT_THAT(told(), ElementsAre("firing warning/c/0 agent"));
}

// Their connections were closed together, and the broker sees that one after the other.
TEST_F(AlertEngineTest, AgentsThatAreLostWithoutASuspicionAreOneAlertAsWell) {
  for (const char* id : {"a/0", "b/0", "c/0"}) report(id);
  for (const char* id : {"a/0", "b/0", "c/0"}) lose(id);
  pass(milliseconds(25));
  EXPECT_THAT(told(), ElementsAre("firing critical/@site/berlin agent"));
}

TEST_F(AlertEngineTest, TwoHundredAgentsOfOneSiteAreOneAlert) {
  std::vector<std::string> ids;
  for (int i = 0; i < 200; ++i) ids.push_back(fmt::format("host-{:03}/0", i));
  for (const std::string& id : ids) report(id);
  report("far/0");
  for (const std::string& id : ids) suspect(id);
  for (const std::string& id : ids) {
    pass(milliseconds(5));  // a second in all, as after a cut of the network
    lose(id);
  }
  EXPECT_THAT(told(), ElementsAre("firing critical/@site/berlin agent"));
  EXPECT_THAT(notices(), ElementsAre("firing critical @site/berlin"));
  pass(config_.group_interval);
  EXPECT_EQ(last_.member_count, 200U);
  EXPECT_EQ(last_.text, "200 of 201 agents of site berlin are lost");
  EXPECT_THAT(last_.members, SizeIs(msg::kAlertMembersMax));
  told();
  for (const std::string& id : ids) report(id);
  EXPECT_THAT(told(), ElementsAre("resolved critical/@site/berlin agent"));
  EXPECT_THAT(notices(), ElementsAre("resolved critical @site/berlin"));
  EXPECT_THAT(engine().active(), IsEmpty());
}

TEST_F(AlertEngineTest, WhoWantsNoGroupsHearsOfEachAgent) {
  config_.rules = {{"agents_lost", "*", {}, {}, {}, false}};
  restart();
  for (const char* id : {"a/0", "b/0", "c/0"}) report(id);
  for (const char* id : {"a/0", "b/0", "c/0"}) suspect(id);
  for (const char* id : {"a/0", "b/0", "c/0"}) lose(id);
  pass(config_.group_wait);
  EXPECT_THAT(told(), SizeIs(3));
}

TEST_F(AlertEngineTest, AWholeHostIsOneAlert) {
  report("wall/0");
  report("wall/1");
  report("other/0");
  suspect("wall/0"), suspect("wall/1");
  lose("wall/0"), lose("wall/1");
  pass(config_.group_wait);
  EXPECT_THAT(told(), ElementsAre("firing critical/@host/wall agent"));
  EXPECT_EQ(last_.text, "2 of 2 agents of host wall are lost");
}

TEST_F(AlertEngineTest, SitesAreApart) {
  for (const char* id : {"a/0", "b/0", "c/0"}) status(id).labels = {{"site", "rome"}};
  for (const char* id : {"a/0", "b/0", "c/0", "x/0", "y/0", "z/0"}) report(id);
  for (const char* id : {"a/0", "b/0", "c/0", "x/0", "y/0", "z/0"}) suspect(id);
  for (const char* id : {"a/0", "b/0", "c/0", "x/0", "y/0", "z/0"}) lose(id);
  pass(config_.group_wait);
  EXPECT_THAT(told(),
              testing::UnorderedElementsAre("firing critical/@site/rome agent", "firing critical/@site/berlin agent"));
}

// ---- silences, maintenance, acknowledgement

TEST_F(AlertEngineTest, ASilencedAlertIsPublishedAndNobodyIsNotifiedUntilTheSilenceEnds) {
  open_window(msg::WindowKind::kSilence, "wall/*", std::chrono::minutes(1));
  report("wall/0", {kOff});
  EXPECT_THAT(told(), ElementsAre("firing warning/wall/0 output/DP-1"));
  EXPECT_THAT(last_.silenced_by, HasSubstr("silence-"));
  EXPECT_THAT(notices(), IsEmpty());
  pass(std::chrono::minutes(1));
  EXPECT_EQ(last_.silenced_by, "");
  EXPECT_THAT(notices(), ElementsAre("firing warning wall/0"));
  EXPECT_THAT(windows_, IsEmpty());
}

TEST_F(AlertEngineTest, InMaintenanceNothingFiresAndWhatIsLeftFiresAfterIt) {
  const std::string window = open_window(msg::WindowKind::kMaintenance, "wall/0", std::chrono::hours(1));
  report("wall/0", {kKilled});
  report("wall/1", {kKilled});
  EXPECT_THAT(told(), ElementsAre("firing critical/wall/1 compositor"));
  ASSERT_TRUE(engine().windows().end(window, msg::WindowKind::kMaintenance, out_));
  EXPECT_TRUE(engine().windows_changed(now_, out_));
  pass(milliseconds(1));
  EXPECT_THAT(told(), ElementsAre("firing critical/wall/0 compositor"));
}

TEST_F(AlertEngineTest, MaintenanceHidesWhatFiredBefore) {
  report("wall/0", {kOff});
  told();
  open_window(msg::WindowKind::kMaintenance, "*", std::chrono::minutes(1));
  EXPECT_THAT(last_.suppressed_by, HasSubstr("maintenance-"));
  pass(std::chrono::minutes(1));
  EXPECT_EQ(last_.suppressed_by, "");
}

TEST_F(AlertEngineTest, AnAcknowledgementIsToldAndKept) {
  report("wall/0", {kOff});
  EXPECT_TRUE(engine().acknowledge(last_.alert, {"eve", "on my way", now_.calendar}, now_, out_));
  apply();
  ASSERT_TRUE(last_.acked);
  EXPECT_EQ(last_.acked->author, "eve");
  EXPECT_EQ(engine().acknowledge("0", {}, now_, out_).error().status, Status::kNotFound);
  const std::string id = last_.alert;
  report("wall/0");
  EXPECT_EQ(engine().acknowledge(id, {}, now_, out_).error().status, Status::kConflict);
}

// ---- the store, and restarts

TEST_F(AlertEngineTest, AStoreThatHangsDelaysAnAlertByATenthOfASecondAtMost) {
  store_hangs_ = true;
  report("wall/0", {kKilled});
  EXPECT_THAT(told(), IsEmpty());
  pass(milliseconds(100));
  EXPECT_THAT(told(), ElementsAre("firing critical/wall/0 compositor"));
}

TEST_F(AlertEngineTest, AfterARestartTheSameFaultIsTheSameAlert) {
  report("wall/0", {kKilled});
  const std::string life = last_.alert;
  told(), notices();
  restart();
  report("wall/0", {kKilled});
  pass(config_.return_grace);
  EXPECT_THAT(told(), IsEmpty());
  EXPECT_THAT(notices(), IsEmpty());
  report("wall/0");
  EXPECT_THAT(told(), ElementsAre("resolved critical/wall/0 compositor"));
  EXPECT_EQ(last_.alert, life);
}

TEST_F(AlertEngineTest, ANoticeThatNobodyConfirmedIsGivenOutAgainAfterARestart) {
  notifier_hangs_ = true;
  report("wall/0", {kKilled});
  EXPECT_THAT(notices(), ElementsAre("firing critical wall/0"));
  notifier_hangs_ = false;
  restart();
  EXPECT_THAT(notices(), ElementsAre("firing critical wall/0"));
  restart();
  EXPECT_THAT(notices(), IsEmpty());
}

TEST_F(AlertEngineTest, ANoticeOfAnAlertThatWasAcknowledgedSinceKeepsItsNumber) {
  notifier_hangs_ = true;
  report("wall/0", {kKilled});
  EXPECT_TRUE(engine().acknowledge(last_.alert, {"eve", "on my way", now_.calendar}, now_, out_));
  apply();
  notifier_hangs_ = false;
  restart();
  EXPECT_THAT(notices(), ElementsAre("firing critical wall/0", "firing critical wall/0"));
  EXPECT_THAT(dedupes_, SizeIs(1)) << "it is the same notice once more";
  restart();
  EXPECT_THAT(notices(), IsEmpty()) << "it was confirmed";
}

TEST_F(AlertEngineTest, WhereverTheBrokerIsKilledAFaultIsOneAlertAndSomebodyIsNotified) {
  for (const Death death :
       {Death::kBeforeTheStore, Death::kBeforeTheFeed, Death::kBeforeTheNotifier, Death::kBeforeItsAnswer}) {
    for (const bool at_its_end : {false, true}) {
      SCOPED_TRACE(fmt::format("point {}, at its end: {}", static_cast<int>(death), at_its_end));
      alerts_.clear(), lives_.clear(), dedupes_.clear();
      restart();
      if (at_its_end) report("wall/0", {kKilled});
      death_ = death;
      report("wall/0", at_its_end ? std::vector<Fault>{} : std::vector<Fault>{kKilled});
      death_ = Death::kNone;
      restart();
      report("wall/0", at_its_end ? std::vector<Fault>{} : std::vector<Fault>{kKilled});
      pass(seconds(1));
      EXPECT_THAT(engine().active(), SizeIs(at_its_end ? 0 : 1));
      if (!at_its_end) report("wall/0");
      pass(seconds(1));
      EXPECT_THAT(engine().active(), IsEmpty());
      EXPECT_THAT(engine().ended(), SizeIs(1));
      EXPECT_THAT(lives_, SizeIs(1));
      EXPECT_THAT(dedupes_, SizeIs(2));  // that it fired, and that it ended
    }
  }
}

TEST_F(AlertEngineTest, AnAgentThatDoesNotComeBackAfterARestartIsLost) {
  report("wall/0");
  report("far/0");
  restart();
  report("far/0");
  pass(config_.return_grace - milliseconds(1));
  EXPECT_THAT(told(), IsEmpty());
  pass(milliseconds(1));
  EXPECT_THAT(told(), ElementsAre("firing warning/wall/0 agent"));
}

TEST_F(AlertEngineTest, AGroupSurvivesARestartWithItsMembers) {
  for (const char* id : {"a/0", "b/0", "c/0"}) report(id);
  for (const char* id : {"a/0", "b/0", "c/0"}) suspect(id);
  for (const char* id : {"a/0", "b/0", "c/0"}) lose(id);
  pass(config_.group_wait);
  pass(config_.group_interval);
  told();
  restart();
  pass(config_.return_grace);
  EXPECT_THAT(told(), IsEmpty());
  for (const char* id : {"a/0", "b/0", "c/0"}) report(id);
  EXPECT_THAT(told(), ElementsAre("resolved critical/@site/berlin agent"));
}

// The disk refused the end of the first life, and took the beginning of the second.
TEST_F(AlertEngineTest, OfTwoLivesOfOneFaultInTheStoreTheLaterOneFires) {
  report("wall/0", {kOff});
  const AlertRecord first = alerts_.begin()->second;
  report("wall/0");
  report("wall/0", {kKilled});
  report("wall/0", {kOff});
  alerts_[first.id] = first;
  const std::string later = last_.alert;
  restart();
  EXPECT_FALSE(engine().active().contains(first.id));
  EXPECT_EQ(engine().find(first.id)->alert.state, msg::AlertState::kResolved);
  EXPECT_FALSE(alerts_.at(first.id).active);
}

TEST_F(AlertEngineTest, TheHistoryIsBounded) {
  config_.history_max = 3;
  restart();
  for (int i = 0; i < 5; ++i) {
    report(fmt::format("wall/{}", i), {kOff});
    report(fmt::format("wall/{}", i));
  }
  EXPECT_THAT(engine().ended(), SizeIs(3));
  EXPECT_THAT(alerts_, SizeIs(3));
}

TEST_F(AlertEngineTest, WhatCanNotBeReadInTheStoreIsSaidAndLeftOut) {
  alerts_["x"] = AlertRecord{"x", "wall/0", "agent", true, {}, "garbage", 0, 0, false};
  windows_["silence-1"] = WindowRecord{"silence-1", "\x01", false};
  restart();
  EXPECT_THAT(out_.log, SizeIs(2));
  EXPECT_THAT(engine().active(), IsEmpty());
}

TEST_F(AlertEngineTest, NewsAreOverByThemselves) {
  const Fault news{"output/DP-2", msg::Verdict::kDegraded, "output DP-2 is new", msg::AlertKind::kOutputNew};
  engine().raise("wall/0", "news/DP-2", news, {}, {}, now_, out_);
  apply();
  EXPECT_THAT(told(), ElementsAre("firing info/wall/0 news/DP-2"));
  pass(config_.news_keep);
  EXPECT_THAT(told(), ElementsAre("resolved info/wall/0 news/DP-2"));
  EXPECT_THAT(engine().active(), IsEmpty());
}

TEST_F(AlertEngineTest, NewsWithoutEndAreToldOfSoOftenAndNoMore) {
  const auto tell = [&](const std::string& id, int output) {
    const Fault news{fmt::format("output/{}", output), msg::Verdict::kDegraded, "new", msg::AlertKind::kOutputNew};
    engine().raise(id, fmt::format("news/{}", output), news, {}, {}, now_, out_);
    apply();
  };
  for (int i = 0; i < 1000; ++i) tell("wall/0", i);
  EXPECT_THAT(engine().active(), SizeIs(16));
  tell("wall/1", 0);
  EXPECT_THAT(engine().active(), SizeIs(17)) << "of another compositor they are news";
  pass(config_.news_keep);
  EXPECT_THAT(engine().active(), IsEmpty());
  tell("wall/0", 0);
  EXPECT_THAT(engine().active(), SizeIs(1));
}

}  // namespace
}  // namespace compositord::broker
