#pragma once
// The jobs: what each one is, in memory. Their life is in jobs.h, what is kept on disk in record.h.

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "broker/core/record.h"
#include "broker/core/request_table.h"
#include "broker/core/timer_queue.h"

namespace compositord::broker {

using JobNumber = std::uint64_t;  // 1, 2, … within this run

// Who is to be told that the job is kept.
struct JobCaller {
  Client client;
  std::optional<CallMark> call;  // none: titanic.request
};

struct Job {
  JobNumber number = 0;
  JobRecord record;
  // Before it is on disk nobody is told of it but by an answer to these.
  std::vector<JobCaller> callers;
  bool stored = false;
  std::uint64_t start_commit = 0;  // it is to be sent as soon as the disk knows that it runs
  std::uint64_t end_commit = 0;    // until the disk knows how it ended, it is told as running; or that it is erased
  bool unsaved = false;            // the disk refused its last change: to be tried again
  TimerId end_timer = 0;
  TimerId retry_timer = 0;
  std::size_t bytes = 0;  // as accounted for

  // What others are told. An end that a restart could take back is not told yet.
  JobState told_state() const noexcept { return end_commit == 0 ? record.state : JobState::kRunning; }
};

// The jobs of one service that have not ended: one runs at a time, in the order in which they were asked for.
struct JobQueue {
  std::deque<JobNumber> waiting;
  JobNumber running = 0;
};

class JobTable {
 public:
  Job& add(JobRecord record);
  void remove(Job& job);  // its timers must be cancelled, and it must not be in a queue
  Job* find(JobNumber number);
  const Job* find(JobNumber number) const;
  Job* find(const std::string& id);
  Job* find_by_key(const std::string& service, const std::string& idem);
  // Jobs in the order of their ids, from the first after `after`.
  const std::map<std::string, JobNumber>& ids() const noexcept { return ids_; }
  JobQueue& queue(const std::string& service) { return queues_[service]; }  // makes it
  std::size_t waiting_for(const std::string& service) const;
  void close_queue_if_empty(const std::string& service);
  // To be called after the record has changed its size.
  void account(Job& job);
  std::size_t bytes() const noexcept { return bytes_; }
  std::size_t size() const noexcept { return jobs_.size(); }
  bool check_invariants() const;

 private:
  std::map<JobNumber, Job> jobs_;
  std::map<std::string, JobNumber> ids_;
  std::map<std::pair<std::string, std::string>, JobNumber> keys_;  // by service and idem key
  std::unordered_map<std::string, JobQueue> queues_;
  std::size_t bytes_ = 0;
  JobNumber last_number_ = 0;
};

}  // namespace compositord::broker
