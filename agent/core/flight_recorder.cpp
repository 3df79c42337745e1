#include "agent/core/flight_recorder.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "common/base/log_event.h"

namespace compositord::agent {

namespace {

// The first of the newest items whose texts fit together.
template <class Items, class SizeOf>
auto newest_that_fit(const Items& items, std::size_t bytes_max, SizeOf size_of) {
  std::size_t bytes = 0;
  auto first = items.end();
  while (first != items.begin() && bytes + size_of(*std::prev(first)) <= bytes_max) {
    --first;
    bytes += size_of(*first);
  }
  return first;
}

}  // namespace

void FlightRecorder::forget_output() {
  lines_.clear();
  unfinished_.clear();
}

void FlightRecorder::printed(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    const std::string_view part = bytes.substr(0, end);
    unfinished_.append(part.substr(0, kLineBytesMax - std::min(kLineBytesMax, unfinished_.size())));
    if (end == std::string_view::npos) return;
    keep_line();
    bytes.remove_prefix(end + 1);
  }
}

void FlightRecorder::keep_line() {
  lines_.push_back(escape_for_log(std::exchange(unfinished_, {}), kLineBytesMax));
  if (lines_.size() > kLinesMax) lines_.pop_front();
}

void FlightRecorder::event(Instant now, std::string_view text) {
  std::size_t size = std::min(text.size(), kEventBytesMax);
  // Not in the middle of a character.
  while (size < text.size() && size > 0 && (static_cast<unsigned char>(text[size]) & 0xc0U) == 0x80) --size;
  events_.push_back(Event{now, std::string(text.substr(0, size))});
  if (events_.size() > kEventsMax) events_.pop_front();
}

void FlightRecorder::probe(Instant now, Duration round_trip) {
  probes_.push_back(Probe{now, round_trip});
  if (probes_.size() > kProbesMax) probes_.pop_front();
}

msg::Crash FlightRecorder::report(Instant now, std::int64_t unix_ms_at_origin) const {
  msg::Crash crash;
  crash.at = on_calendar(now, unix_ms_at_origin);
  std::deque<std::string> lines = lines_;
  if (!unfinished_.empty()) lines.push_back(escape_for_log(unfinished_, kLineBytesMax));
  const auto first_line = newest_that_fit(lines, kReportLogBytesMax, [](const auto& line) { return line.size() + 3; });
  crash.log.assign(first_line, lines.cend());
  const auto event_bytes = [](const Event& event) { return event.text.size() + 24; };
  for (auto it = newest_that_fit(events_, kReportEventBytesMax, event_bytes); it != events_.end(); ++it) {
    if (now - it->at > kMemory) continue;
    crash.events.push_back({on_calendar(it->at, unix_ms_at_origin), it->text});
  }
  for (const Probe& probe : probes_) {
    if (now - probe.at > kMemory) continue;
    crash.probes.push_back(
        {on_calendar(probe.at, unix_ms_at_origin), static_cast<double>(probe.round_trip.count()) / 1e6});
  }
  return crash;
}

}  // namespace compositord::agent
