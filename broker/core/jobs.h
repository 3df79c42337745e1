#pragma once
// Store and forward: requests that are kept on disk until they can be carried out, and their results after that.
// What a job's states are stands in record.h. Sources: schemas/PROTOCOL.md "Jobs", rfc.zeromq.org/spec/9 (9/TSP).
//
// A job that is not idempotent is carried out at most once: that it runs is on disk before it is sent, so a broker that
// dies in between ends it (410) when it is back. An idempotent one is carried out at least once: it is sent again until
// somebody answers.

#include <string>
#include <string_view>
#include <unordered_map>

#include "broker/core/broker_config.h"
#include "broker/core/counters.h"
#include "broker/core/job_table.h"
#include "broker/core/majordomo.h"
#include "broker/core/outputs.h"

namespace compositord::broker {

// What is asked to be kept.
struct JobRequest {
  std::string service;
  std::string method;  // of a call; empty when plain
  bool plain = false;
  wire::Frames body;
  bool idempotent = false;
  std::string idem;
  Duration time_to_live{};
  Duration deadline{};  // of one attempt
};

class Jobs {
 public:
  Jobs(const BrokerConfig& config, Majordomo& majordomo, TimerQueue& timers, Counters& counters, CommitIds& commit_ids,
       std::uint64_t epoch);

  // What the store remembered; once.
  void load(const std::vector<JobRecord>& records, Now now, Outputs& out);
  // Answers the caller when the job is on disk: 202 with its id. At once: 429; 202 for a key that is known already.
  void submit(JobCaller caller, JobRequest request, Now now, Outputs& out);
  // A store write ended; false: it was not one of a job.
  bool on_stored(std::uint64_t commit_id, const Result<void>& result, Now now, Outputs& out);
  // Whether a write of a job has not ended.
  bool awaits_store() const noexcept { return !commits_.empty(); }
  // From now on none is begun: the broker is about to end, and what was about to begin waits for the next one.
  void stop(Now now, Outputs& out);
  void on_outcome(Outcome&& outcome, Now now, Outputs& out);
  // Whether submit() would answer for a job of this key that is there already.
  bool knows(const std::string& service, const std::string& idem) {
    return jobs_.find_by_key(service, idem) != nullptr;
  }
  // The service may have become able to do something: a READY, or news of its compositor.
  void wake(const std::string& service, Now now, Outputs& out);
  void on_timer(const Timer& timer, Now now, Outputs& out);

  // Jobs that are on disk. Pointers are valid until the next call that changes something.
  const Job* find(const std::string& id) const;
  // At most `count` of them after the id `after`, of one service and in one state when these are given.
  struct Filter {
    std::string service;
    std::optional<JobState> state;
  };
  std::vector<const Job*> page(const std::string& after, std::size_t count, const Filter& filter) const;
  // Returns the commit to wait for. Errors: kNotFound, kConflict when it runs or has ended.
  Result<std::uint64_t> cancel(const std::string& id, Now now, Outputs& out);
  // Forgets a plain job that has ended, and answers the caller when the disk has forgotten it. At once: "200" when there is
  // none, "300" when it has not ended.
  void close(JobCaller caller, const std::string& id, Now now, Outputs& out);

  // All that were on disk, into a store that has nothing of them.
  void store_all(Outputs& out);

  std::size_t size() const noexcept { return jobs_.size(); }
  std::size_t bytes() const noexcept { return jobs_.bytes(); }
  bool check_invariants() const { return jobs_.check_invariants(); }

 private:
  std::uint64_t journal(const Job& job, Outputs& out);
  void enqueue(Job& job, Now now, Outputs& out);
  void try_start(const std::string& service, Now now, Outputs& out);
  void start(Job& job, Now now, Outputs& out);
  void send(Job& job, Now now, Outputs& out);
  // It was not carried out, or may be again: back to the head of its queue, to be tried after a while.
  void postpone(Job& job, Now now, Outputs& out);
  void end(Job& job, JobState state, Status status, std::string error, wire::Frames&& result, Now now, Outputs& out);
  void answered(Job& job, wire::Frames&& body, Now now, Outputs& out);
  void leave_queue(Job& job);
  void arm_end(Job& job, Now now);
  // Nobody is told of the job any more. It keeps its key until the disk has forgotten it: a restart would bring it back.
  void erase(Job& job, Now now, Outputs& out);
  void erased(Job& job, const Result<void>& result, Outputs& out);
  void remove(Job& job);
  void submitted(Job& job, const Result<void>& result, Now now, Outputs& out);
  void refuse(const JobCaller& caller, const Error& error, Outputs& out);

  const BrokerConfig& config_;
  Majordomo& majordomo_;
  TimerQueue& timers_;
  Counters& counters_;
  CommitIds& commit_ids_;
  std::uint64_t epoch_;
  std::uint64_t last_id_ = 0;
  JobTable jobs_;
  std::unordered_map<std::uint64_t, JobNumber> commits_;  // under way
  bool stopping_ = false;
};

// "at_least_once" or "at_most_once".
std::string_view guarantee_of(const JobRecord& job) noexcept;

}  // namespace compositord::broker
