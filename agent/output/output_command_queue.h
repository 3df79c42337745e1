#pragma once
// The commands that wait for one compositor, in their order. Each ends with exactly one CommandFinished, by its deadline. One is
// at work at a time, the front one; what it takes to carry it out is its runner's own.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "agent/driver.h"
#include "agent/output/output_request.h"
#include "common/base/instant.h"

namespace compositord::agent {

class OutputCommandQueue {
 public:
  static constexpr std::size_t kQueuedMax = 16;

  struct Entry {
    std::uint64_t id = 0;
    OutputRequest request;
    Instant deadline;
    // Its outputs as they were read before and after the change, for the result. Empty: not read yet, or not there.
    std::vector<KnownOutput> before;
    std::vector<KnownOutput> after;
  };

  // Queues it, or ends it at once: with the error of `request`, kDeadline, or kLimit when the queue is full.
  void add(std::uint64_t command_id, Result<OutputRequest> request, Instant now, Instant deadline, DriverOutputs& out);
  bool empty() const noexcept { return entries_.empty(); }
  Entry& front() { return entries_.front(); }
  const Entry& front() const { return entries_.front(); }
  // Ends the front one, and takes it out.
  void finish(Status status, std::string error, DriverOutputs& out);
  bool front_is_late(Instant now) const { return !entries_.empty() && now >= entries_.front().deadline; }
  // Ends those whose deadline has passed before it was their turn. `front_is_at_work`: the front one has had its turn.
  void end_waiting(bool front_is_at_work, Instant now, DriverOutputs& out);
  // Ends all.
  void end_all(Status status, const std::string& error, DriverOutputs& out);
  Instant next_deadline() const noexcept;

 private:
  static void say(const Entry& entry, Status status, std::string error, DriverOutputs& out);
  std::deque<Entry> entries_;
};

}  // namespace compositord::agent
