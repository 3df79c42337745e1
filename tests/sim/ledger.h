#pragma once
// What clients asked to be done and how often it was done: a book beside the bus, which no fault reaches. It knows what the
// bus promises of calls with an `idem` key and of jobs. Source: schemas/PROTOCOL.md "Repeated calls", "Jobs".

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>

#include "broker/core/record.h"
#include "common/base/random.h"
#include "common/msg/envelope.h"
#include "tests/sim/failures.h"

namespace compositord::sim {

// Something to be done once. Its mark is among the parameters of the call.
struct Task {
  std::string mark;
  std::string key;  // the idem key, or empty
  std::string compositor;
  Duration deadline{};
  bool idempotent = false;
  Instant made_at;
};

class Ledger {
 public:
  // Outcomes are kept for so long by the simulated broker; tasks are repeated for a shorter time.
  static constexpr Duration kIdemKeep = std::chrono::minutes(10);
  static constexpr Duration kJobKeep = std::chrono::minutes(20);

  Ledger(const EventQueue& events, Failures& failures) : events_(events), failures_(failures) {}

  // A call with a key: a new one, or one that was made before in this epoch (keys don't outlive a broker).
  Task idem_task(Random& random, std::uint64_t epoch, const std::string& compositor);
  void idem_answered(const std::string& mark, Instant asked_at, const msg::Reply& reply);
  // A call to be queued. One with a key may be an earlier one.
  Task job_task(Random& random, const std::string& compositor);
  void job_accepted(const std::string& mark, const std::string& id);

  // A compositor carries it out. Returns how often it has done so.
  std::int64_t run(const std::string& mark);
  // It is on disk. `calendar_max`: the latest time that the broker has ever seen.
  void stored(const broker::JobRecord& record, UnixMs calendar_max);

  // The jobs that must be there.
  const std::map<std::string, broker::JobRecord>& jobs() const noexcept { return jobs_; }
  // How much was promised: a run in which nothing was repeated or queued proves nothing.
  std::uint64_t repeated() const noexcept { return repeated_; }
  std::uint64_t jobs_ended() const noexcept { return jobs_ended_; }

 private:
  struct Outcome {
    Instant known_at;
    msg::Value result;
  };
  void job_ended(const broker::JobRecord& record, const std::string& mark);

  const EventQueue& events_;
  Failures& failures_;
  std::deque<Task> idem_tasks_;  // of this epoch, the newest last
  std::uint64_t idem_epoch_ = 0;
  std::map<std::string, Outcome> outcomes_;  // of calls that succeeded, by mark
  std::deque<Task> job_tasks_;
  std::map<std::string, std::int64_t> runs_;
  std::map<std::string, bool> may_run_again_;      // jobs, by mark
  std::map<std::string, std::string> job_of_;      // ids of jobs on disk, by mark
  std::map<std::string, broker::JobRecord> jobs_;  // as they are on disk, but for the body: only the mark
  std::uint64_t made_ = 0;
  std::uint64_t repeated_ = 0;
  std::uint64_t jobs_ended_ = 0;
};

}  // namespace compositord::sim
