#pragma once
// Commits on a thread of its own, so that no heartbeat ever waits for a disk.
//
// The loop submits writes and goes on; the thread takes all that is queued, commits it as one transaction and makes
// event_fd() readable; the loop then drains what is done. Thread rule: every member function is for the loop's thread.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "broker/store/store.h"

namespace compositord::broker {

// What became of one submitted write.
struct StoreDone {
  std::uint64_t commit_id = 0;
  Result<void> outcome;
};

// Of what is queued and being committed together.
struct StoreQueueLimits {
  std::size_t writes_max = 100'000;
  std::size_t bytes_max = 256U << 20U;
  std::size_t reads_max = 1'000;
};

// What became of one submitted read.
struct StoreReadDone {
  std::uint64_t read_id = 0;
  Result<StoreRows> outcome;
};

class StoreThread {
 public:
  // Takes a store on which load() has succeeded. The thread gets no signals. Errors: kStore, when the system gives no
  // thread or no event descriptor.
  static Result<std::unique_ptr<StoreThread>> start(std::unique_ptr<Store> store, StoreQueueLimits limits = {});
  // stop(), if nobody stopped it before.
  ~StoreThread();
  StoreThread(const StoreThread&) = delete;
  StoreThread& operator=(const StoreThread&) = delete;

  // Never waits for the disk. Each call leads to exactly one StoreDone: kStore with a reason where the commit failed,
  // kLimit where the queue is full or being stopped. A later write of a record whose earlier one still waits takes its
  // place; both are then done with the same outcome.
  void submit(StoreWrite write);
  // All of them at once: what belongs together is in one transaction, as far as the queue has room.
  void submit(std::vector<StoreWrite> writes);
  // The same, of exactly one StoreReadDone. It sees the writes that were submitted before it.
  void submit(StoreRead read);

  // Readable while drain() has something to give. Owned by this object.
  int event_fd() const noexcept;
  std::vector<StoreDone> drain();
  // After drain(): what was read.
  std::vector<StoreReadDone> drain_reads();
  // Before drain(), which ends with what was written to the file as it is then.
  std::vector<StoreFileNews> drain_file_news();

  // Commits what is queued and ends the thread. False when that took longer than `wait_max`, as with a disk that does not
  // answer: the thread goes on alone, and what it had is lost if the process ends before the disk answers. May be
  // called again to wait longer; drain() works afterwards.
  bool stop(Duration wait_max = kStopWait);
  static constexpr Duration kStopWait = std::chrono::seconds(5);

 private:
  struct Shared;
  StoreThread(std::shared_ptr<Shared> shared, std::thread thread) noexcept;
  std::shared_ptr<Shared> shared_;  // with the thread, which may outlive us on a dead disk
  std::thread thread_;
  bool stopped_ = false;
};

}  // namespace compositord::broker
