#pragma once
// The alerts: what was judged of compositors (verdict.h) and of the bus itself becomes things that people are told of, once
// each, from beginning to end. Source: schemas/PROTOCOL.md "Alerts".
//
//   phase    | becomes  | when
//   ---------|----------|-------------------------------------------------------------------------------------
//   clear    | pending  | the fault is there
//   pending  | clear    | it is gone before its time
//   pending  | firing   | it has lasted for fail_after, and no maintenance covers it
//   pending  | in group | other agents of the same site were lost with this one: their group's alert fires instead
//   firing   | clearing | the fault is gone and the alert doesn't flap
//   clearing | firing   | it is there again
//   clearing | clear    | it has been gone for ok_after: resolved
//   in group | clear    | the agent is back
//
// What can't be known stays as it is: behind a lost agent nothing fires and nothing is resolved, nor the outputs of a
// compositor that has ended.

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "broker/core/alert_config.h"
#include "broker/core/alert_journal.h"
#include "broker/core/alert_windows.h"
#include "broker/core/counters.h"
#include "broker/core/flap_detector.h"
#include "broker/core/verdict.h"

namespace compositord::broker {

// One life of an alert, with what people know of it.
struct AlertLife {
  msg::Alert alert;
  std::uint64_t notice = 0;     // the last change that people were to be told of
  std::uint64_t delivered = 0;  // the last one that they were told of
  bool told = false;            // it was on the feed
};

class AlertEngine {
 public:
  AlertEngine(const AlertConfig& config, Feed& feed, TimerQueue& timers, CommitIds& commit_ids, Counters& counters,
              std::uint64_t epoch);

  // What the store remembered; once. Notices that nobody confirmed are given out again.
  void load(const std::vector<AlertRecord>& alerts, const std::vector<WindowRecord>& windows, Now now, Outputs& out);
  // A compositor that was known before this run: its agent is expected back.
  void expect(const msg::Status& status, Now now);

  // Its agent is connected, and has told nothing of it since it registered.
  void came_back(const msg::Status& status, Now now, Outputs& out);
  // A compositor's facts and what was found wrong in them. `reported`: its agent has just said so; else only the link changed.
  void observe(const msg::Status& status, const std::vector<Fault>& faults, bool reported, Now now, Outputs& out);
  // A fault of `id` that is found elsewhere: of the bus itself, an agent's clock, news. There until clear().
  void raise(const std::string& id, const std::string& about, const Fault& fault,
             const std::map<std::string, std::string>& labels, const std::string& seen, Now now, Outputs& out);
  void clear(const std::string& id, const std::string& about, Now now, Outputs& out);

  // True: a maintenance window began or ended, so that all compositors are to be judged anew.
  bool on_timer(TimerKind kind, Now now, Outputs& out);
  void on_stored(std::uint64_t commit_id, Now now, Outputs& out) { journal_.on_stored(commit_id, now, out); }
  void on_notice_done(const std::string& alert, std::uint64_t change, Outputs& out);
  // The loop was late by so much: what waits, waits so much longer.
  void stalled(Duration lateness, Now now);
  // The calendar was set, or a window was made or ended. True as with on_timer().
  bool windows_changed(Now now, Outputs& out);

  AlertWindows& windows() noexcept { return windows_; }
  const AlertWindows& windows() const noexcept { return windows_; }
  // What fires, by the alerts' ids; pointers are valid until the next call that changes something.
  const std::map<std::string, std::pair<std::string, std::string>>& active() const noexcept { return by_id_; }
  const AlertLife* find(const std::string& alert) const;  // fires, or ended and is still remembered
  // What has ended and is still remembered, by the alerts' ids.
  const std::map<std::string, AlertLife>& ended() const noexcept { return ended_; }
  // Somebody takes care of it. Errors: kNotFound, kConflict when it has ended.
  Result<void> acknowledge(const std::string& alert, msg::AlertAck ack, Now now, Outputs& out);
  // All that was told of, and the windows, into a store that has nothing of it.
  void store_all(Outputs& out);
  bool check_invariants() const;

 private:
  using Key = std::pair<std::string, std::string>;  // id, about
  enum class Phase : std::uint8_t { kClear, kPending, kFiring, kClearing, kInGroup };
  // Of the agent of an earlier run: that it comes back; that it reports, since it has come back.
  enum class Awaited : std::uint8_t { kNothing, kReturn, kReport };
  struct Track {
    Phase phase = Phase::kClear;
    bool bad = false;  // as last observed
    Awaited awaited = Awaited::kNothing;
    Fault fault;
    std::string seen;
    std::map<std::string, std::string> labels;
    UnixMs since;
    Instant due = kNever;
    bool dirty = false;  // the group has changed since it was last told
    std::string group;   // in group: its subject
    FlapDetector flap;
    std::optional<AlertLife> life;
  };
  // Agents that are lost together when they are: those of one site.
  struct Site {
    std::set<std::string> silent;   // suspect, or lost and not yet judged: others wait for what becomes of it
    std::set<std::string> pending;  // lost, and nobody was told yet
    std::size_t agents = 0;
  };

  // alert_engine.cpp: faults come and go
  void found(const Key& key, const Fault& fault, const std::map<std::string, std::string>& labels,
             const std::string& seen, Now now, Outputs& out);
  void gone(const Key& key, Now now, Outputs& out);
  std::size_t news_of(const std::string& id) const;
  void fault_changed(const Key& key, Track& track, Now now, Outputs& out);
  void load_firing(AlertLife&& life, Now now, Outputs& out);
  void load_members(Now now, Outputs& out);
  void end_forgotten(const Key& key, Track& track, Now now, Outputs& out);
  void begin(const Key& key, Track& track, Now now, Outputs& out);
  void fire(const Key& key, Track& track, Now now, Outputs& out);
  void resolve(const Key& key, Track& track, Now now, Outputs& out);
  void due(const Key& key, Now now, Outputs& out);
  void set_due(const Key& key, Track& track, Instant at);
  void arm(Now now);
  const AlertRule& rule_for(msg::AlertKind kind, const std::string& id) const;
  msg::AlertSeverity severity_for(const Track& track, const std::string& id) const;
  void take_fault(const Key& key, Track& track);
  // The alert that explains this one, or the maintenance window it is in; empty: none.
  std::string suppressor(const Key& key, const Track& track, UnixMs now) const;
  // `known`: the agent has just said that it is so.
  void review(const Key& key, Track& track, bool known, Now now, Outputs& out);
  void review_below(const Key& key, Now now, Outputs& out);
  void review_all(Now now, Outputs& out);

  // alert_telling.cpp: who is told
  void tell(AlertLife& life, std::optional<msg::AlertSeverity> told_as, Now now, Outputs& out);
  static AlertRecord record_of(const AlertLife& life);
  void remember(AlertLife&& life, Outputs& out);

  // alert_groups.cpp: agents that are lost together
  // A compositor's link and labels.
  void note_link(const msg::Status& status);
  // Whether others may wait for what becomes of it.
  bool is_being_lost(const msg::Status& status) const;
  std::string site_of(const std::map<std::string, std::string>& labels) const;
  Duration group_wait_of(const std::string& id, const std::map<std::string, std::string>& labels) const;
  // True: the agent's loss is told by a group.
  bool join_group(const Key& key, Track& track, Now now, Outputs& out);
  void add_member(const std::string& group, const std::string& id, Now now);
  void leave_group(const std::string& group, const std::string& id, Now now, Outputs& out);
  void describe_group(const std::string& group, Track& track);
  std::size_t agents_of(const std::string& group) const;

  const AlertConfig& config_;
  Counters& counters_;
  AlertJournal journal_;
  AlertWindows windows_;
  TimerQueue& timers_;
  std::uint64_t epoch_;
  std::uint64_t last_alert_ = 0;
  std::map<Key, Track> tracks_;
  std::set<std::pair<Instant, Key>> due_;
  TimerId timer_ = 0;
  // Until then agents may come back that were there in an earlier run: what was hidden then is no news before they speak.
  std::optional<Instant> returned_by_;
  std::map<std::string, Key> by_id_;        // what fires
  std::map<std::string, AlertLife> ended_;  // the newest history_max
  std::map<std::string, Site> sites_;       // by group subject
  std::map<std::string, std::string> site_by_agent_;
  std::map<std::string, std::set<std::string>> members_;  // of groups that fire
};

}  // namespace compositord::broker
