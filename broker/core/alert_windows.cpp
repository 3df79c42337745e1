#include "broker/core/alert_windows.h"

#include <algorithm>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "common/base/glob.h"

namespace compositord::broker {

namespace {

constexpr std::size_t kWindowsMax = 1'000;  // each alert is compared with each of them
constexpr std::int64_t kWindowMsMax = std::int64_t{366} * 24 * 3'600 * 1'000;

bool covers(const msg::AlertWindow& window, UnixMs now) { return window.from <= now && now < window.until; }

// Of one run of the broker: an id never means another window later on. A list is in the order of making.
std::string window_id(msg::WindowKind kind, std::uint64_t epoch, std::uint64_t number) {
  return fmt::format("{}-{:04}-{:04}", name_of(kind), epoch, number);
}

Result<Selector> check(const msg::AlertWindow& window, UnixMs now) {
  Result<Selector> selector = parse_selector(window.selector);
  if (!selector) return selector;
  // Facts change while a window lasts: what it is about would change with what it hides.
  if (!selector->facts.empty()) return fail(Status::kMalformed, "selector: ids and labels expected, not facts");
  if (window.author.empty()) return fail(Status::kMalformed, "author: missing; say who wants it");
  if (window.until <= window.from) return fail(Status::kMalformed, "until: it ends before it begins");
  if (window.until <= now) return fail(Status::kMalformed, "until: that is over already");
  if (window.until.ms - window.from.ms > kWindowMsMax) return fail(Status::kMalformed, "until: more than a year");
  return selector;
}

}  // namespace

void AlertWindows::load(const std::vector<WindowRecord>& records, UnixMs now, Outputs& out) {
  for (const WindowRecord& record : records) {
    const Result<msg::Value> value = msg::decode_msgpack(record.document);
    auto window = value ? msg::from_value<msg::AlertWindow>(*value) : fail(Status::kMalformed, value.error().text);
    auto selector = window ? parse_selector(window->selector) : fail(Status::kMalformed, window.error().text);
    if (!selector) {
      out.log.push_back(LogEvent(Severity::kError, "store.window_unreadable").with("window", record.id));
      continue;
    }
    changed_ = true;  // it may have ended while there was no broker: what it hid is looked at again
    const bool active = covers(*window, now);
    windows_.emplace(record.id, Entry{std::move(*window), std::move(*selector), active});
  }
}

Result<AlertWindows::Added> AlertWindows::add(msg::AlertWindow window, UnixMs now, Outputs& out) {
  Result<Selector> selector = check(window, now);
  if (!selector) return tl::unexpected<Error>(selector.error());
  if (windows_.size() >= kWindowsMax) {
    return fail(Status::kLimit, fmt::format("there are {} silences and maintenance windows already", kWindowsMax));
  }
  window.window = window_id(window.kind, epoch_, ++last_number_);
  const Added added{window.window, store(window, false, out)};
  windows_.emplace(added.window, Entry{std::move(window), std::move(*selector), false});
  return added;
}

Result<std::uint64_t> AlertWindows::end(const std::string& id, msg::WindowKind kind, Outputs& out) {
  const auto it = windows_.find(id);
  if (it == windows_.end()) {
    return fail(Status::kNotFound,
                fmt::format("there is no {} {}: never, or no more", name_of(kind), escape_for_log(id, 64)));
  }
  const msg::AlertWindow window = it->second.window;
  if (window.kind != kind) return fail(Status::kConflict, fmt::format("{} is a {}", id, name_of(window.kind)));
  changed_ |= it->second.active;
  windows_.erase(it);
  return store(window, true, out);
}

bool AlertWindows::advance(UnixMs now, Outputs& out) {
  bool changed = std::exchange(changed_, false);
  for (auto it = windows_.begin(); it != windows_.end();) {
    Entry& entry = it->second;
    const bool active = covers(entry.window, now);
    changed |= active != entry.active;
    entry.active = active;
    if (entry.window.until > now) {
      ++it;
      continue;
    }
    store(entry.window, true, out);
    it = windows_.erase(it);
  }
  return changed;
}

UnixMs AlertWindows::next_change(UnixMs now) const {
  UnixMs next{changed_ ? now.ms : std::numeric_limits<std::int64_t>::max()};
  for (const auto& [id, entry] : windows_) {
    next = std::min(next, entry.window.from > now ? entry.window.from : entry.window.until);
  }
  return next;
}

std::string AlertWindows::silence_for(const msg::Alert& alert, UnixMs now) const {
  const std::string_view kind = name_of(alert.kind);
  for (const auto& [id, entry] : windows_) {
    if (entry.window.kind != msg::WindowKind::kSilence || !covers(entry.window, now)) continue;
    const std::vector<std::string>& kinds = entry.window.kinds;
    const auto is_its = [&](const std::string& pattern) { return glob_matches(pattern, kind); };
    if (!kinds.empty() && std::none_of(kinds.begin(), kinds.end(), is_its)) continue;
    if (matches(entry.selector, alert.id, alert.labels)) return id;
  }
  return {};
}

const msg::AlertWindow* AlertWindows::maintenance_for(const std::string& id,
                                                      const std::map<std::string, std::string>& labels,
                                                      UnixMs now) const {
  for (const auto& [window, entry] : windows_) {
    if (entry.window.kind != msg::WindowKind::kMaintenance || !covers(entry.window, now)) continue;
    if (matches(entry.selector, id, labels)) return &entry.window;
  }
  return nullptr;
}

std::vector<const msg::AlertWindow*> AlertWindows::list(msg::WindowKind kind) const {
  std::vector<const msg::AlertWindow*> list;
  for (const auto& [id, entry] : windows_) {
    if (entry.window.kind == kind) list.push_back(&entry.window);
  }
  return list;
}

void AlertWindows::store_all(Outputs& out) {
  for (const auto& [id, entry] : windows_) store(entry.window, false, out);
}

std::uint64_t AlertWindows::store(const msg::AlertWindow& window, bool erased, Outputs& out) {
  const std::uint64_t commit_id = commit_ids_.next();
  WindowRecord record{window.window, erased ? std::string() : msg::encode_canonical(to_value(window)), erased};
  out.store_writes.push_back(StoreWrite{commit_id, std::move(record)});
  return commit_id;
}

}  // namespace compositord::broker
