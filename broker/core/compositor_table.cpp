#include "broker/core/compositor_table.h"

#include <algorithm>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "broker/core/verdict.h"
#include "common/base/check.h"

namespace compositord::broker {

namespace {

// Everything but the times of observation and the measured round trip, which change all the time and are news to nobody.
bool same_state(const msg::Status& a, const msg::Status& b) {
  const auto same_output = [](const msg::OutputFact& x, const msg::OutputFact& y) {
    return x.name == y.name && x.state == y.state;
  };
  return a.verdict == b.verdict && a.layer == b.layer && a.reason == b.reason && a.labels == b.labels &&
         a.link.state == b.link.state && a.process.state == b.process.state && a.process.code == b.process.code &&
         a.process.signal == b.process.signal && a.process.note == b.process.note &&
         a.progress.state == b.progress.state && a.progress.cause == b.progress.cause &&
         std::equal(a.outputs.begin(), a.outputs.end(), b.outputs.begin(), b.outputs.end(), same_output);
}

// An agent's calendar may be wrong; the distance between two of its times is not. One that no calendar can have is cut: the
// numbers are the peer's, and any two of them may be as far apart as there are numbers.
void translate(UnixMs& time, UnixMs sent_at, UnixMs now) {
  constexpr std::int64_t kAgeMsMax = std::int64_t{100} * 365 * 24 * 3'600 * 1'000;
  const bool far = time.ms < 0 && sent_at.ms > std::numeric_limits<std::int64_t>::max() + time.ms;
  const std::int64_t age = far ? kAgeMsMax : time.ms >= sent_at.ms ? 0 : std::min(kAgeMsMax, sent_at.ms - time.ms);
  time.ms = now.ms - age;
}

void translate(msg::StatusReport& report, UnixMs now) {
  translate(report.process.since, report.sent_at, now);
  translate(report.process.observed_at, report.sent_at, now);
  translate(report.progress.since, report.sent_at, now);
  translate(report.progress.observed_at, report.sent_at, now);
  for (msg::OutputFact& output : report.outputs) {
    translate(output.since, report.sent_at, now);
    translate(output.observed_at, report.sent_at, now);
  }
  if (!report.crash) return;
  translate(report.crash->at, report.sent_at, now);
  for (msg::CrashEvent& event : report.crash->events) translate(event.at, report.sent_at, now);
  for (msg::CrashProbe& probe : report.crash->probes) translate(probe.at, report.sent_at, now);
}

// An agent tells its last crash again in each session; its time then differs by what the translation rounds.
bool same_crash(const std::optional<msg::Crash>& a, const msg::Crash& b) {
  return a && a->pid == b.pid && a->text == b.text && a->log == b.log;
}

msg::Value manifest_note(const Compositor& c) {
  return msg::Value::map({{"id", c.status.id},
                          {"name", c.name},
                          {"version", c.version},
                          {"hash", c.hash},
                          {"revision", c.revision},
                          {"observed_at", c.observed_at.ms}});
}

}  // namespace

void CompositorTable::load(const std::vector<CompositorRecord>& records, UnixMs now, Outputs& out) {
  for (const CompositorRecord& record : records) {
    Compositor& c = open(record.id, now);
    c.status.labels = record.labels;
    c.status.link = msg::LinkFact{msg::Link::kLost, record.last_seen, record.last_seen};
    c.last_seen = record.last_seen;
    c.hash = record.hash;
    c.revision = record.revision;
    c.observed_at = record.observed_at;
    if (!record.manifest.empty()) {
      Result<msg::Value> manifest = msg::decode_msgpack(record.manifest);
      const auto parsed = manifest ? msg::from_value<msg::Manifest>(*manifest) : fail(Status::kMalformed, {});
      if (parsed) {
        c.manifest = std::move(*manifest);
        c.name = parsed->name;
        c.version = parsed->version;
      } else {
        out.log.push_back(LogEvent(Severity::kError, "store.manifest_unreadable").with("id", record.id));
      }
    }
    apply_verdict(find_faults(c.status, false), c.status);
  }
}

const Compositor* CompositorTable::find(const std::string& id) const {
  const auto it = compositors_.find(id);
  return it == compositors_.end() ? nullptr : &it->second;
}

std::vector<const Compositor*> CompositorTable::page(const std::string& after, std::size_t count) const {
  std::vector<const Compositor*> page;
  for (auto it = compositors_.upper_bound(after); it != compositors_.end() && page.size() < count; ++it) {
    page.push_back(&it->second);
  }
  return page;
}

Compositor& CompositorTable::at(const msg::CompositorId& id) {
  const auto it = compositors_.find(id.value());
  CHECK(it != compositors_.end());  // admit() comes first
  return it->second;
}

Compositor& CompositorTable::open(const std::string& id, UnixMs now) {
  const auto [it, made] = compositors_.try_emplace(id);
  msg::Status& status = it->second.status;
  if (made) {
    status.id = id;
    status.since = now;
    status.process.since = status.process.observed_at = now;
    status.progress.since = status.progress.observed_at = now;
  }
  return it->second;
}

void CompositorTable::admit(const msg::CompositorId& id, std::map<std::string, std::string> labels, UnixMs now) {
  Compositor& c = open(id.value(), now);
  c.status.labels = std::move(labels);
  c.reported = false;
}

void CompositorTable::set_link(const msg::CompositorId& id, msg::Link link, const std::string& why, UnixMs last_heard,
                               UnixMs now, Outputs& out) {
  Compositor& c = at(id);
  const msg::Status before = c.status;
  if (c.status.link.state != link) {
    c.status.link.since = now;
    out.log.push_back(LogEvent(Severity::kInfo, "link.changed")
                          .with("id", id.value())
                          .with("from", std::string(name_of(c.status.link.state)))
                          .with("to", std::string(name_of(link)))
                          .with("why", why));
  }
  c.status.link.state = link;
  c.status.link.observed_at = now;
  c.last_seen = last_heard;
  if (link == msg::Link::kLost || link == msg::Link::kLeft) {
    c.reported = false;
    store(c, out);  // so that "last seen" is right after a restart
  }
  refresh(c, before, now, out);
}

void CompositorTable::report(const msg::CompositorId& id, msg::StatusReport report, UnixMs now, Outputs& out) {
  Compositor& c = at(id);
  const msg::Status before = c.status;
  translate(report, now);
  c.reported = true;
  c.last_seen = now;
  c.status.link.observed_at = now;
  c.status.process = report.process;
  c.status.progress = std::move(report.progress);
  c.status.outputs = std::move(report.outputs);
  const bool new_crash = report.crash && !same_crash(c.crash, *report.crash);
  if (new_crash) c.crash = std::move(report.crash);
  refresh(c, before, now, out, new_crash);
}

void CompositorTable::refresh(Compositor& c, const msg::Status& before, UnixMs now, Outputs& out, bool new_crash) {
  const std::vector<Fault> faults = find_faults(c.status, c.reported);
  apply_verdict(faults, c.status);
  const bool first = c.status_seq == 0;
  if (first || c.status.verdict != before.verdict) c.status.since = now;
  if (!first && !new_crash && same_state(before, c.status)) return;
  if (first || c.status.verdict != before.verdict) {
    const bool ok = c.status.verdict == msg::Verdict::kOk;
    LogEvent event(ok ? Severity::kInfo : Severity::kWarning, "verdict.changed");
    event.with("id", c.status.id).with("to", std::string(name_of(c.status.verdict))).with("why", c.status.reason);
    out.log.push_back(std::move(event));
  }
  msg::Value published = to_value(c.status);
  if (new_crash) published.set("crash", to_value(*c.crash));
  c.status_seq = feed_.publish(FeedKind::kStatus, c.status.id, published, now, out);
  publish_outputs(c, before, now, out);
  // An agent that has just registered and not yet reported is no news: what was wrong stays so until it speaks.
  const bool link_up = c.status.link.state == msg::Link::kConnected || c.status.link.state == msg::Link::kSuspect;
  if (link_up && !c.reported) return;
  for (const msg::Alert& alert : alerts_.update(c.status, faults, now)) {
    feed_.publish(FeedKind::kAlert, std::string(name_of(alert.severity)) + "/" + alert.id, to_value(alert), now, out);
  }
}

void CompositorTable::publish_outputs(const Compositor& c, const msg::Status& before, UnixMs now, Outputs& out) {
  for (const msg::OutputFact& output : c.status.outputs) {
    const auto same = [&](const msg::OutputFact& o) { return o.name == output.name && o.state == output.state; };
    if (std::any_of(before.outputs.begin(), before.outputs.end(), same)) continue;
    msg::Value payload = to_value(output);
    payload.set("id", c.status.id);
    feed_.publish(FeedKind::kOutput, c.status.id + "/" + output.name, payload, now, out);
  }
}

Result<std::uint64_t> CompositorTable::put_manifest(const msg::CompositorId& id, const msg::Value& manifest, UnixMs now,
                                                    Outputs& out) {
  const Result<msg::Manifest> parsed = msg::from_value<msg::Manifest>(manifest);
  if (!parsed) return fail(Status::kMalformed, "manifest: " + parsed.error().text);
  const std::size_t bytes = msg::encode_canonical(manifest).size();
  if (bytes > limits_.bytes_per_manifest_max) {
    return fail(Status::kTooLarge,
                fmt::format("the manifest has {} bytes, more than {}", bytes, limits_.bytes_per_manifest_max));
  }
  Compositor& c = at(id);
  const std::string hash = msg::content_hash(manifest);
  const bool changed = c.hash != hash;
  c.observed_at = now;
  c.last_seen = now;
  if (changed) {
    c.manifest = manifest;
    c.name = parsed->name;
    c.version = parsed->version;
    c.hash = hash;
    ++c.revision;
    c.stored = false;  // until the commit has ended
  }
  const std::uint64_t commit_id = store(c, out);
  if (changed) feed_.publish(FeedKind::kManifest, c.status.id, manifest_note(c), now, out);
  return commit_id;
}

std::uint64_t CompositorTable::store(const Compositor& c, Outputs& out) {
  CompositorRecord record;
  record.id = c.status.id;
  if (!c.manifest.is_null()) record.manifest = msg::encode_canonical(c.manifest);
  record.hash = c.hash;
  record.revision = c.revision;
  record.observed_at = c.observed_at;
  record.last_seen = c.last_seen;
  record.labels = c.status.labels;
  const std::uint64_t commit_id = commit_ids_.next();
  out.store_writes.push_back(StoreWrite{commit_id, std::move(record)});
  return commit_id;
}

void CompositorTable::set_stored(const std::string& id, bool stored) {
  const auto it = compositors_.find(id);
  if (it != compositors_.end()) it->second.stored = stored;
}

bool CompositorTable::check_invariants() const {
  return std::all_of(compositors_.begin(), compositors_.end(), [](const auto& entry) {
    const msg::Status& status = entry.second.status;
    const bool link_down = status.link.state == msg::Link::kLost || status.link.state == msg::Link::kLeft;
    // A compositor whose agent is gone is never shown as ok, nor as down.
    if (link_down && status.verdict != msg::Verdict::kUnknown) return false;
    if ((status.verdict == msg::Verdict::kOk) != (status.summary == "COMPOSITE_OK")) return false;
    return status.id == entry.first;
  });
}

}  // namespace compositord::broker
