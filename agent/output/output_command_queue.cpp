#include "agent/output/output_command_queue.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace compositord::agent {

void OutputCommandQueue::add(std::uint64_t command_id, Result<OutputRequest> request, Instant now, Instant deadline,
                             DriverOutputs& out) {
  Entry entry;
  entry.id = command_id;
  entry.deadline = deadline;
  if (!request) return say(entry, request.error().status, request.error().text, out);
  if (now >= deadline) return say(entry, Status::kDeadline, "the deadline had passed; nothing was changed", out);
  if (entries_.size() >= kQueuedMax) {
    return say(entry, Status::kLimit, fmt::format("{} commands are waiting for this compositor already", kQueuedMax),
               out);
  }
  entry.request = std::move(*request);
  entries_.push_back(std::move(entry));
}

void OutputCommandQueue::finish(Status status, std::string error, DriverOutputs& out) {
  say(entries_.front(), status, std::move(error), out);
  entries_.pop_front();
}

void OutputCommandQueue::end_waiting(bool front_is_at_work, Instant now, DriverOutputs& out) {
  for (auto entry = entries_.begin() + (front_is_at_work ? 1 : 0); entry != entries_.end();) {
    if (now < entry->deadline) {
      ++entry;
      continue;
    }
    say(*entry, Status::kDeadline, "the deadline passed before the command's turn; nothing was changed", out);
    entry = entries_.erase(entry);
  }
}

void OutputCommandQueue::end_all(Status status, const std::string& error, DriverOutputs& out) {
  for (const Entry& entry : entries_) say(entry, status, error, out);
  entries_.clear();
}

Instant OutputCommandQueue::next_deadline() const noexcept {
  Instant next = kNever;
  for (const Entry& entry : entries_) next = std::min(next, entry.deadline);
  return next;
}

void OutputCommandQueue::say(const Entry& entry, Status status, std::string error, DriverOutputs& out) {
  driver_event::CommandFinished finished;
  finished.command_id = entry.id;
  finished.status = status;
  finished.error = std::move(error);
  finished.result = msg::Value::map();
  if (!entry.before.empty()) finished.result.set("before", request_fields(entry.request, entry.before));
  if (!entry.after.empty()) finished.result.set("after", request_fields(entry.request, entry.after));
  out.events.emplace_back(std::move(finished));
}

}  // namespace compositord::agent
