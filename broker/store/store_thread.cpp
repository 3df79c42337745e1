#include "broker/store/store_thread.h"

#include <fmt/format.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <mutex>
#include <system_error>
#include <thread>
#include <unordered_map>
#include <utility>

namespace compositord::broker {

namespace {

// What waits: one write per record, with the ids of all commits that it stands for.
struct Batch {
  std::vector<StoreWrite> writes;
  std::vector<std::vector<std::uint64_t>> commit_ids;  // in step with `writes`
  std::unordered_map<std::string, std::size_t> place;  // of a record's key in `writes`
  std::size_t submitted = 0;
  std::size_t bytes = 0;
};

// Signals belong to the loop's thread. Those that a fault of this very thread raises stay as they are: to block them would
// only hide where it was.
class BlockedSignals {
 public:
  BlockedSignals() {
    sigset_t all;
    sigfillset(&all);
    for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP}) sigdelset(&all, fault);
    pthread_sigmask(SIG_BLOCK, &all, &before_);
  }
  ~BlockedSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  BlockedSignals(const BlockedSignals&) = delete;
  BlockedSignals& operator=(const BlockedSignals&) = delete;

 private:
  sigset_t before_{};
};

}  // namespace

// The mutex is held only to move queues, never across a commit.
struct StoreThread::Shared {
  explicit Shared(std::unique_ptr<Store> s, StoreQueueLimits l) : store(std::move(s)), limits(l) {}
  ~Shared() {
    if (event_fd >= 0) close(event_fd);
  }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;

  void run();
  bool has_room(std::size_t bytes) const {
    const std::size_t held = queued.bytes + busy_bytes;
    return queued.submitted + busy_writes < limits.writes_max && held <= limits.bytes_max &&
           bytes <= limits.bytes_max - held;
  }
  void complete(std::uint64_t commit_id, Result<void> outcome) {
    done.push_back({commit_id, std::move(outcome)});
    const std::uint64_t one = 1;
    // It fails only when 2^64 - 2 wake-ups are unread, and then the descriptor is readable anyway.
    [[maybe_unused]] const ssize_t written = write(event_fd, &one, sizeof one);
  }

  std::unique_ptr<Store> store;  // only the thread uses it, and closes it at its end
  const StoreQueueLimits limits;
  int event_fd = -1;

  std::mutex mutex;  // over all that follows
  std::condition_variable work;
  std::condition_variable ended;
  Batch queued;
  std::size_t busy_writes = 0;  // taken by the thread and not yet done
  std::size_t busy_bytes = 0;
  std::vector<StoreDone> done;
  bool stopping = false;
  bool has_ended = false;
};

void StoreThread::Shared::run() {
  std::unique_lock lock(mutex);
  for (;;) {
    work.wait(lock, [this] { return stopping || !queued.writes.empty(); });
    if (queued.writes.empty()) break;
    Batch batch = std::exchange(queued, {});
    busy_writes = batch.submitted;
    busy_bytes = batch.bytes;
    lock.unlock();
    const Result<void> outcome = store->commit(batch.writes);
    lock.lock();
    busy_writes = 0;
    busy_bytes = 0;
    for (const auto& ids : batch.commit_ids) {
      for (const std::uint64_t id : ids) complete(id, outcome);
    }
  }
  lock.unlock();
  store.reset();
  lock.lock();
  has_ended = true;
  ended.notify_all();
}

Result<std::unique_ptr<StoreThread>> StoreThread::start(std::unique_ptr<Store> store, StoreQueueLimits limits) {
  auto shared = std::make_shared<Shared>(std::move(store), limits);
  shared->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (shared->event_fd < 0) {
    return fail(Status::kStore,
                fmt::format("no event descriptor for the store's thread: {}", std::generic_category().message(errno)));
  }
  const BlockedSignals blocked;  // inherited by the new thread
  try {
    std::thread thread([shared] { shared->run(); });
    return std::unique_ptr<StoreThread>(new StoreThread(std::move(shared), std::move(thread)));
  } catch (const std::system_error& error) {
    return fail(Status::kStore, fmt::format("the store's thread can't be started: {}", error.what()));
  }
}

StoreThread::StoreThread(std::shared_ptr<Shared> shared, std::thread thread) noexcept
    : shared_(std::move(shared)), thread_(std::move(thread)) {}

StoreThread::~StoreThread() {
  if (!stopped_) stop();
  if (thread_.joinable()) thread_.detach();
}

void StoreThread::submit(StoreWrite write) {
  const std::size_t bytes = size_of(write.record);
  const std::lock_guard lock(shared_->mutex);
  Batch& queued = shared_->queued;
  if (shared_->stopping) {
    shared_->complete(write.commit_id, fail(Status::kLimit, "the store is being stopped"));
    return;
  }
  std::string key = key_of(write.record);
  const auto earlier = queued.place.find(key);
  // A write that takes another's place gives that one's room back first.
  const std::size_t given_back = earlier == queued.place.end() ? 0 : size_of(queued.writes[earlier->second].record);
  queued.bytes -= given_back;
  if (!shared_->has_room(bytes)) {
    queued.bytes += given_back;
    shared_->complete(write.commit_id, fail(Status::kLimit, "the store's queue is full: the disk does not keep up"));
    return;
  }
  queued.bytes += bytes;
  queued.submitted += 1;
  if (earlier != queued.place.end()) {
    queued.commit_ids[earlier->second].push_back(write.commit_id);
    queued.writes[earlier->second] = std::move(write);
    return;
  }
  queued.place.emplace(std::move(key), queued.writes.size());
  queued.commit_ids.push_back({write.commit_id});
  queued.writes.push_back(std::move(write));
  shared_->work.notify_one();
}

int StoreThread::event_fd() const noexcept { return shared_->event_fd; }

std::vector<StoreDone> StoreThread::drain() {
  const std::lock_guard lock(shared_->mutex);
  std::uint64_t count = 0;
  // Empty (EAGAIN) is as good as read.
  [[maybe_unused]] const ssize_t got = read(shared_->event_fd, &count, sizeof count);
  return std::exchange(shared_->done, {});
}

bool StoreThread::stop(Duration wait_max) {
  stopped_ = true;
  std::unique_lock lock(shared_->mutex);
  shared_->stopping = true;
  shared_->work.notify_one();
  if (!shared_->ended.wait_for(lock, wait_max, [this] { return shared_->has_ended; })) return false;
  lock.unlock();
  // A thread that waits for a dead disk can't be joined; one that said it has ended can, at once.
  if (thread_.joinable()) thread_.join();
  return true;
}

}  // namespace compositord::broker
