#pragma once
// The compositors the broker knows: each one's manifest, facts and verdict, kept also while it is off, and what of them is
// published and stored. Source: schemas/PROTOCOL.md "Manifest", "Status".

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "broker/core/alert_table.h"
#include "broker/core/broker_config.h"
#include "broker/core/feed.h"
#include "broker/core/outputs.h"
#include "broker/core/record.h"
#include "common/base/instant.h"
#include "common/msg/compositor_id.h"
#include "common/msg/manifest.h"
#include "common/msg/status.h"

namespace compositord::broker {

struct Compositor {
  msg::Status status;
  std::uint64_t status_seq = 0;  // of its last publication on the feed
  bool reported = false;         // by the agent that is connected now
  // The last one that an agent told of. Not in the status itself: it is long, and news only once.
  std::optional<msg::Crash> crash;
  // The manifest, as the agent wrote it (unknown fields are kept); null when there never was one.
  msg::Value manifest;
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
  CompositorTable(const Limits& limits, Feed& feed, CommitIds& commit_ids)
      : limits_(limits), feed_(feed), commit_ids_(commit_ids) {}

  // What the store remembered. Links begin as lost: nobody has been heard in this epoch.
  void load(const std::vector<CompositorRecord>& records, UnixMs now, Outputs& out);

  const Compositor* find(const std::string& id) const;
  // At most `count` compositors after the id `after`, in the order of their ids.
  std::vector<const Compositor*> page(const std::string& after, std::size_t count) const;
  std::size_t size() const noexcept { return compositors_.size(); }

  void admit(const msg::CompositorId& id, std::map<std::string, std::string> labels, UnixMs now);
  void set_link(const msg::CompositorId& id, msg::Link link, const std::string& why, UnixMs last_heard, UnixMs now,
                Outputs& out);
  // Takes an agent's report; its times are translated to our calendar.
  void report(const msg::CompositorId& id, msg::StatusReport report, UnixMs now, Outputs& out);
  // Takes a manifest and asks the store to keep it. Returns the commit id to wait for. Errors: kMalformed, kTooLarge.
  Result<std::uint64_t> put_manifest(const msg::CompositorId& id, const msg::Value& manifest, UnixMs now, Outputs& out);
  // Whether the store has what is here.
  void set_stored(const std::string& id, bool stored);

  bool check_invariants() const;

 private:
  Compositor& at(const msg::CompositorId& id);
  Compositor& open(const std::string& id, UnixMs now);  // finds or makes it, with nothing known
  // Judges anew and publishes what changed.
  void refresh(Compositor& compositor, const msg::Status& before, UnixMs now, Outputs& out, bool new_crash = false);
  void publish_outputs(const Compositor& compositor, const msg::Status& before, UnixMs now, Outputs& out);
  std::uint64_t store(const Compositor& compositor, Outputs& out);

  Limits limits_;
  Feed& feed_;
  CommitIds& commit_ids_;
  AlertTable alerts_;
  std::map<std::string, Compositor> compositors_;
};

}  // namespace compositord::broker
