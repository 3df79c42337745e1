#include "broker/core/compositor_table.h"

#include <algorithm>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "broker/core/verdict.h"
#include "common/base/check.h"
#include "common/msg/msgpack_peek.h"

namespace compositord::broker {

namespace {

// Everything but the times of observation and what is measured, which change all the time and are news to nobody.
bool same_state(const msg::Status& a, const msg::Status& b) {
  const auto same_output = [](const msg::OutputFact& x, const msg::OutputFact& y) {
    return x.name == y.name && x.state == y.state && x.planned == y.planned;
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

// "1920 × 1080 at 60 Hz"; a compositor that doesn't tell the rate has none.
std::string mode_text(const msg::Mode& mode) {
  std::string text = fmt::format("{} × {}", mode.width_px, mode.height_px);
  if (mode.refresh_mhz > 0) text += fmt::format(" at {:g} Hz", mode.refresh_mhz / 1e3);
  return text;
}

// One mode may be called preferred or not; it is the same picture.
bool same_picture(const msg::Mode& a, const msg::Mode& b) {
  return a.width_px == b.width_px && a.height_px == b.height_px && a.refresh_mhz == b.refresh_mhz;
}

msg::Value manifest_note(const Compositor& c) {
  return msg::Value::map({{"id", c.status.id},
                          {"name", c.name},
                          {"version", c.version},
                          {"hash", c.hash},
                          {"revision", c.revision},
                          {"observed_at", c.observed_at.ms}});
}

// What has the hash that we wrote beside it is what we once accepted: only its name and version are looked up, because to
// decode ten thousand manifests takes seconds. False when it is neither that nor a manifest.
bool load_manifest(const CompositorRecord& record, Compositor& c) {
  if (msg::content_hash_of(record.manifest) == record.hash) {
    c.name = msg::peek_text(record.manifest, "name").value_or("");
    c.version = msg::peek_text(record.manifest, "version").value_or("");
  } else {
    const Result<msg::Value> manifest = msg::decode_msgpack(record.manifest);
    const auto parsed = manifest ? msg::from_value<msg::Manifest>(*manifest) : fail(Status::kMalformed, {});
    if (!parsed) return false;
    c.name = parsed->name;
    c.version = parsed->version;
  }
  c.manifest = std::make_shared<const msg::EncodedValue>(record.manifest);
  return true;
}

}  // namespace

void CompositorTable::load(const std::vector<CompositorRecord>& records, Now now, Outputs& out) {
  for (const CompositorRecord& record : records) {
    Compositor& c = open(record.id, now.calendar);
    c.status.labels = record.labels;
    c.status.link = msg::LinkFact{msg::Link::kLost, record.last_seen, record.last_seen};
    c.last_seen = record.last_seen;
    c.hash = record.hash;
    c.revision = record.revision;
    c.observed_at = record.observed_at;
    if (!record.manifest.empty() && !load_manifest(record, c)) {
      out.log.push_back(LogEvent(Severity::kError, "store.manifest_unreadable").with("id", record.id));
    }
    judge(c.status, find_faults(c.status, false), now.calendar);
    alerts_.expect(c.status, now);
  }
  if (!records.empty()) returned_by_ = now.instant + config_.alerts.return_grace;
}

const Compositor* CompositorTable::find(const std::string& id) const {
  const auto it = compositors_.find(id);
  return it == compositors_.end() ? nullptr : &it->second;
}

const Compositor* CompositorTable::next(const std::string& after) const {
  const auto it = compositors_.upper_bound(after);
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
                               Now now, Outputs& out) {
  Compositor& c = at(id);
  const msg::Status before = c.status;
  if (c.status.link.state != link) {
    c.status.link.since = now.calendar;
    out.log.push_back(LogEvent(Severity::kInfo, "link.changed")
                          .with("id", id.value())
                          .with("from", std::string(name_of(c.status.link.state)))
                          .with("to", std::string(name_of(link)))
                          .with("why", why));
  }
  c.status.link.state = link;
  c.status.link.observed_at = now.calendar;
  c.last_seen = last_heard;
  if (link == msg::Link::kLost || link == msg::Link::kLeft) {
    c.reported = false;
    store(c, out);  // so that "last seen" is right after a restart
  }
  refresh(c, before, false, false, now, out);
  if (link == msg::Link::kLost || link == msg::Link::kLeft) forget_clock(c, now, out);
}

void CompositorTable::report(const msg::CompositorId& id, msg::StatusReport report, Now now, Outputs& out) {
  Compositor& c = at(id);
  const msg::Status before = c.status;
  const UnixMs sent_at = report.sent_at;
  translate(report, now.calendar);
  c.reported = true;
  c.last_seen = now.calendar;
  c.status.link.observed_at = now.calendar;
  c.status.process = report.process;
  c.status.progress = std::move(report.progress);
  c.status.outputs = std::move(report.outputs);
  c.status.metrics = report.metrics;
  const bool new_crash = report.crash && !same_crash(c.crash, *report.crash);
  if (new_crash) c.crash = std::move(report.crash);
  refresh(c, before, true, new_crash, now, out);
  see_clock(c, sent_at, now, out);
  watch_memory(c, now, out);
}

void CompositorTable::judge(msg::Status& status, const std::vector<Fault>& faults, UnixMs now) const {
  apply_verdict(faults, status);
  const msg::AlertWindow* window = alerts_.windows().maintenance_for(status.id, status.labels, now);
  if (window == nullptr) return;
  status.verdict = msg::Verdict::kMaintenance;
  status.summary = "COMPOSITE_ERROR";
  if (status.layer.empty()) status.layer = "maintenance";
  const std::string why = window->comment.empty() ? std::string() : ": " + window->comment;
  const std::string planned = fmt::format("in maintenance by {}{}", window->author, why);
  status.reason = status.reason.empty() ? planned : planned + "; " + status.reason;
}

void CompositorTable::judge_all(Now now, Outputs& out) {
  for (auto& [id, c] : compositors_) {
    if (c.status_seq == 0) {  // not heard in this epoch, so nobody was told of it
      judge(c.status, find_faults(c.status, false), now.calendar);
      continue;
    }
    const msg::Status before = c.status;
    refresh(c, before, false, false, now, out);
  }
}

void CompositorTable::refresh(Compositor& c, const msg::Status& before, bool reported, bool new_crash, Now now,
                              Outputs& out) {
  const std::vector<Fault> faults = find_faults(c.status, c.reported);
  judge(c.status, faults, now.calendar);
  const bool first = c.status_seq == 0;
  if (first || c.status.verdict != before.verdict) c.status.since = now.calendar;
  if (first || new_crash || !same_state(before, c.status)) {
    if (first || c.status.verdict != before.verdict) {
      const bool ok = c.status.verdict == msg::Verdict::kOk;
      LogEvent event(ok ? Severity::kInfo : Severity::kWarning, "verdict.changed");
      event.with("id", c.status.id).with("to", std::string(name_of(c.status.verdict)));
      if (!ok) event.with("layer", c.status.layer).with("why", c.status.reason);
      out.log.push_back(std::move(event));
    }
    msg::Value published = to_value(c.status);
    if (new_crash) published.set("crash", to_value(*c.crash));
    c.status_seq = feed_.publish(FeedKind::kStatus, c.status.id, published, now.calendar, out);
    store_change(c, now.calendar, out);
    publish_outputs(c, before, now.calendar, out);
  }
  // An agent that has just registered and not yet reported is no news: what was wrong stays so until it speaks.
  const bool link_up = c.status.link.state == msg::Link::kConnected || c.status.link.state == msg::Link::kSuspect;
  if (link_up && !c.reported) return alerts_.came_back(c.status, now, out);
  alerts_.observe(c.status, faults, reported, now, out);
}

void CompositorTable::watch_memory(Compositor& c, Now now, Outputs& out) {
  const msg::Process process = c.status.process.state;
  if (process == msg::Process::kExited || process == msg::Process::kKilled) return forget_memory(c, now, out);
  if (!c.status.metrics || !c.status.metrics->rss_bytes) return;
  const std::uint64_t rss_bytes = *c.status.metrics->rss_bytes;
  const bool grew = c.memory.growth().has_value();
  c.memory.seen(rss_bytes, now.instant);
  if (const std::optional<Growth>& growth = c.memory.growth()) {
    const Fault fault{{}, msg::Verdict::kDegraded, growth_text(*growth), msg::AlertKind::kMemoryGrowth};
    alerts_.raise(c.status.id, "memory", fault, c.status.labels, resident_text(rss_bytes), now, out);
  } else if (grew || c.memory.is_calm()) {
    alerts_.clear(c.status.id, "memory", now, out);
  }
}

void CompositorTable::forget_memory(Compositor& c, Now now, Outputs& out) {
  c.memory.forget();
  alerts_.clear(c.status.id, "memory", now, out);
}

void CompositorTable::tell_news(const Compositor& c, const msg::Manifest& before, const msg::Manifest& after, Now now,
                                Outputs& out) {
  for (const msg::Output& output : after.outputs) {
    const auto is_it = [&](const msg::Output& o) { return o.name == output.name; };
    const auto old = std::find_if(before.outputs.begin(), before.outputs.end(), is_it);
    Fault fault{"output/" + output.name, msg::Verdict::kDegraded, {}, msg::AlertKind::kOutputNew};
    if (old == before.outputs.end()) {
      fault.text = fmt::format("output {} is new", output.name);
    } else if (old->current_mode && output.current_mode && !same_picture(*old->current_mode, *output.current_mode)) {
      fault.kind = msg::AlertKind::kOutputChanged;
      fault.text = fmt::format("output {} has another mode: {} instead of {}", output.name,
                               mode_text(*output.current_mode), mode_text(*old->current_mode));
    } else {
      continue;
    }
    alerts_.raise(c.status.id, "news/" + output.name, fault, c.status.labels, {}, now, out);
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

Result<std::uint64_t> CompositorTable::put_manifest(const msg::CompositorId& id, const msg::Value& manifest, Now now,
                                                    Outputs& out) {
  const Result<msg::Manifest> parsed = msg::from_value<msg::Manifest>(manifest);
  if (!parsed) return fail(Status::kMalformed, "manifest: " + parsed.error().text);
  if (parsed->outputs.size() > msg::kOutputsMax) {
    return fail(Status::kTooLarge,
                fmt::format("manifest.outputs: {} of them, more than {}", parsed->outputs.size(), msg::kOutputsMax));
  }
  std::string bytes = msg::encode_canonical(manifest);
  const std::size_t bytes_max = config_.limits.bytes_per_manifest_max;
  if (bytes.size() > bytes_max) {
    return fail(Status::kTooLarge, fmt::format("the manifest has {} bytes, more than {}", bytes.size(), bytes_max));
  }
  Compositor& c = at(id);
  const std::string hash = msg::content_hash_of(bytes);
  const bool changed = c.hash != hash;
  c.observed_at = now.calendar;
  c.last_seen = now.calendar;
  if (changed) {
    if (c.manifest != nullptr) {
      const Result<msg::Manifest> before = msg::from_value<msg::Manifest>(c.manifest->decode());
      if (before && before->name == parsed->name) tell_news(c, *before, *parsed, now, out);
      if (before && before->pid != parsed->pid) forget_memory(c, now, out);
    }
    c.manifest = std::make_shared<const msg::EncodedValue>(std::move(bytes));
    c.name = parsed->name;
    c.version = parsed->version;
    c.hash = hash;
    ++c.revision;
    c.stored = false;  // until the commit has ended
  }
  // First, so that it is on disk when the put is answered: the store commits in order.
  if (!c.stored) store_revision(c, out);
  const std::uint64_t commit_id = store(c, out);
  if (changed) feed_.publish(FeedKind::kManifest, c.status.id, manifest_note(c), now.calendar, out);
  return commit_id;
}

std::uint64_t CompositorTable::store(const Compositor& c, Outputs& out) {
  CompositorRecord record;
  record.id = c.status.id;
  if (c.manifest) record.manifest = c.manifest->msgpack();
  record.hash = c.hash;
  record.revision = c.revision;
  record.observed_at = c.observed_at;
  record.last_seen = c.last_seen;
  record.labels = c.status.labels;
  const std::uint64_t commit_id = commit_ids_.next();
  out.store_writes.push_back(StoreWrite{commit_id, std::move(record)});
  return commit_id;
}

void CompositorTable::store_change(const Compositor& c, UnixMs now, Outputs& out) const {
  StatusChange change;
  change.id = c.status.id;
  change.epoch = feed_.epoch();
  change.seq = c.status_seq;
  change.at = now;
  change.verdict = c.status.verdict;
  change.layer = c.status.layer;
  change.reason = c.status.reason;
  change.link = c.status.link.state;
  change.process = c.status.process.state;
  change.progress = c.status.progress.state;
  for (const msg::OutputFact& output : c.status.outputs) {
    change.outputs.push_back({output.name, output.state, output.planned.value_or(false)});
  }
  out.store_writes.push_back(StoreWrite{0, std::move(change)});
}

void CompositorTable::store_revision(const Compositor& c, Outputs& out) const {
  ManifestRevision revision;
  revision.id = c.status.id;
  revision.revision = c.revision;
  revision.hash = c.hash;
  revision.manifest = c.manifest->msgpack();
  revision.name = c.name;
  revision.version = c.version;
  revision.observed_at = c.observed_at;
  revision.keep = static_cast<std::uint64_t>(config_.manifest_revisions);
  out.store_writes.push_back(StoreWrite{0, std::move(revision)});
}

void CompositorTable::set_stored(const std::string& id, bool stored) {
  const auto it = compositors_.find(id);
  if (it != compositors_.end()) it->second.stored = stored;
}

void CompositorTable::store_all(Outputs& out) {
  commits_.clear();
  for (auto& [id, c] : compositors_) {
    if (c.manifest == nullptr) continue;
    c.stored = false;
    store_revision(c, out);
    commits_.emplace(store(c, out), Commit{id, c.revision});
  }
}

void CompositorTable::on_stored(std::uint64_t commit_id, bool success) {
  const auto it = commits_.find(commit_id);
  if (it == commits_.end()) return;
  const Commit commit = std::move(it->second);
  commits_.erase(it);
  Compositor& c = compositors_.at(commit.id);
  if (success && c.revision == commit.revision) c.stored = true;
}

bool CompositorTable::check_invariants() const {
  return std::all_of(compositors_.begin(), compositors_.end(), [](const auto& entry) {
    const msg::Status& status = entry.second.status;
    const bool link_down = status.link.state == msg::Link::kLost || status.link.state == msg::Link::kLeft;
    // A compositor whose agent is gone is never shown as ok, nor as down.
    if (link_down && status.verdict != msg::Verdict::kUnknown && status.verdict != msg::Verdict::kMaintenance)
      return false;
    if ((status.verdict == msg::Verdict::kOk) != (status.summary == "COMPOSITE_OK")) return false;
    return status.id == entry.first;
  });
}

}  // namespace compositord::broker
