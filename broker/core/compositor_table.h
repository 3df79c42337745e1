#pragma once
// The compositors the broker knows: each one's manifest, facts and verdict, kept also while it is off, and what of them is
// published and stored. Source: schemas/PROTOCOL.md "Manifest", "Status".

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "broker/core/alert_engine.h"
#include "broker/core/broker_config.h"
#include "broker/core/clock_skews.h"
#include "broker/core/feed.h"
#include "broker/core/memory_growth.h"
#include "broker/core/outputs.h"
#include "broker/core/record.h"
#include "common/base/instant.h"
#include "common/msg/compositor_id.h"
#include "common/msg/encoded_value.h"
#include "common/msg/manifest.h"
#include "common/msg/status.h"

namespace compositord::broker {

struct Compositor {
  msg::Status status;
  std::uint64_t status_seq = 0;  // of its last publication on the feed
  bool reported = false;         // by the agent that is connected now
  // The last one that an agent told of. Not in the status itself: it is long, and news only once.
  std::optional<msg::Crash> crash;
  MemoryGrowth memory;
  // Of its agent, while that is connected, as of its last report: Unix ms at the origin of our monotonic clock.
  std::optional<std::int64_t> clock_ms;
  // The manifest, with fields that we don't know; null when there never was one. Answers share its bytes.
  std::shared_ptr<const msg::EncodedValue> manifest;
  std::string name;  // out of the manifest, for lists
  std::string version;
  std::string hash;
  std::uint64_t revision = 0;
  UnixMs observed_at;  // of the manifest
  UnixMs last_seen;    // when its agent last changed something here; while it is connected, Majordomo knows better
  bool stored = true;  // what is here is also in the store
};

class CompositorTable {
 public:
  // `config` must outlive it.
  CompositorTable(const BrokerConfig& config, Feed& feed, AlertEngine& alerts, CommitIds& commit_ids)
      : config_(config), feed_(feed), alerts_(alerts), commit_ids_(commit_ids) {}

  // What the store remembered. Links begin as lost: nobody has been heard in this epoch.
  void load(const std::vector<CompositorRecord>& records, Now now, Outputs& out);

  const Compositor* find(const std::string& id) const;
  // The first one whose id is greater, or nullptr.
  const Compositor* next(const std::string& after) const;
  // At most `count` compositors after the id `after`, in the order of their ids.
  std::vector<const Compositor*> page(const std::string& after, std::size_t count) const;
  std::size_t size() const noexcept { return compositors_.size(); }

  void admit(const msg::CompositorId& id, std::map<std::string, std::string> labels, UnixMs now);
  void set_link(const msg::CompositorId& id, msg::Link link, const std::string& why, UnixMs last_heard, Now now,
                Outputs& out);
  // Takes an agent's report; its times are translated to our calendar.
  void report(const msg::CompositorId& id, msg::StatusReport report, Now now, Outputs& out);
  // Takes a manifest and asks the store to keep it. Returns the commit id to wait for. Errors: kMalformed, kTooLarge.
  Result<std::uint64_t> put_manifest(const msg::CompositorId& id, const msg::Value& manifest, Now now, Outputs& out);
  // Maintenance began or ended somewhere: judges all of them anew.
  void judge_all(Now now, Outputs& out);
  // Whether it is the broker's own calendar that differs from most agents'. To be asked when that was set, and now and then.
  void judge_broker_clock(Now now, Outputs& out);
  // The limit has changed: all clocks.
  void judge_clocks(Now now, Outputs& out);
  // Whether the store has what is here.
  void set_stored(const std::string& id, bool stored);
  // All of them, into a store that has nothing of them.
  void store_all(Outputs& out);
  // A store write ended: perhaps one of store_all().
  void on_stored(std::uint64_t commit_id, bool success);

  bool check_invariants() const;

 private:
  Compositor& at(const msg::CompositorId& id);
  Compositor& open(const std::string& id, UnixMs now);  // finds or makes it, with nothing known
  // Judges anew and publishes what changed.
  // `reported`: its agent has just said so; else its link changed, or maintenance.
  void refresh(Compositor& compositor, const msg::Status& before, bool reported, bool new_crash, Now now, Outputs& out);
  void judge(msg::Status& status, const std::vector<Fault>& faults, UnixMs now) const;
  // compositor_clocks.cpp
  void see_clock(Compositor& compositor, UnixMs sent_at, Now now, Outputs& out);
  void forget_clock(Compositor& compositor, Now now, Outputs& out);
  void judge_clock(const Compositor& compositor, Now now, Outputs& out);
  bool agents_return(Instant now) const;
  void watch_memory(Compositor& compositor, Now now, Outputs& out);
  void forget_memory(Compositor& compositor, Now now, Outputs& out);  // of a process that is gone
  void tell_news(const Compositor& compositor, const msg::Manifest& before, const msg::Manifest& after, Now now,
                 Outputs& out);
  void publish_outputs(const Compositor& compositor, const msg::Status& before, UnixMs now, Outputs& out);
  std::uint64_t store(const Compositor& compositor, Outputs& out);
  void store_change(const Compositor& compositor, UnixMs now, Outputs& out) const;
  void store_revision(const Compositor& compositor, Outputs& out) const;

  const BrokerConfig& config_;
  Feed& feed_;
  AlertEngine& alerts_;
  CommitIds& commit_ids_;
  std::map<std::string, Compositor> compositors_;
  ClockSkews clocks_;  // of all agents that are connected
  std::optional<std::int64_t>
      broker_skew_ms_;   // by so much most agents are ahead of the broker, when that is its fault
  Instant returned_by_;  // agents of an earlier run have come back by then
  // Of store_all(), under way.
  struct Commit {
    std::string id;
    std::uint64_t revision = 0;
  };
  std::map<std::uint64_t, Commit> commits_;
};

}  // namespace compositord::broker
