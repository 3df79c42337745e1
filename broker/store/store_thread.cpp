#include "broker/store/store_thread.h"

#include <fmt/format.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <system_error>
#include <thread>
#include <unordered_map>
#include <utility>

#include "common/base/blocked_signals.h"

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

struct WaitingRead {
  StoreRead read;
  std::uint64_t behind = 0;  // so many writes were accepted before it
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
    wake_loop();
  }
  void complete_read(std::uint64_t read_id, Result<StoreRows> outcome) {
    reads_done.push_back({read_id, std::move(outcome)});
    wake_loop();
  }
  void wake_loop() const {
    const std::uint64_t one = 1;
    // It fails only when 2^64 - 2 wake-ups are unread, and then the descriptor is readable anyway.
    [[maybe_unused]] const ssize_t written = write(event_fd, &one, sizeof one);
  }
  // The thread's, with the mutex held.
  void take_file_news() {
    if (auto news = store->take_file_news()) {
      file_news.push_back(std::move(*news));
      wake_loop();
    }
  }
  void enqueue(StoreWrite write);
  void commit_queued(std::unique_lock<std::mutex>& lock);
  void read_next(std::unique_lock<std::mutex>& lock);

  std::unique_ptr<Store> store;  // only the thread uses it, and closes it at its end
  const StoreQueueLimits limits;
  int event_fd = -1;

  std::mutex mutex;  // over all that follows
  std::condition_variable work;
  std::condition_variable ended;
  Batch queued;
  std::size_t busy_writes = 0;  // taken by the thread and not yet done
  std::size_t busy_bytes = 0;
  std::uint64_t writes_accepted = 0;  // since the start
  std::uint64_t writes_ended = 0;
  std::vector<StoreDone> done;
  std::deque<WaitingRead> reads;
  std::vector<StoreReadDone> reads_done;
  std::vector<StoreFileNews> file_news;
  bool stopping = false;
  bool has_ended = false;
};

void StoreThread::Shared::run() {
  std::unique_lock lock(mutex);
  take_file_news();  // of load()
  for (;;) {
    work.wait(lock, [this] { return stopping || !queued.writes.empty() || !reads.empty(); });
    if (queued.writes.empty() && reads.empty()) break;
    // In turns, so that neither waits for long. A read sees what was submitted before it, and waits for nothing else.
    if (!queued.writes.empty()) commit_queued(lock);
    if (!reads.empty() && reads.front().behind <= writes_ended) read_next(lock);
  }
  lock.unlock();
  store.reset();
  lock.lock();
  has_ended = true;
  ended.notify_all();
}

void StoreThread::Shared::commit_queued(std::unique_lock<std::mutex>& lock) {
  Batch batch = std::exchange(queued, {});
  busy_writes = batch.submitted;
  busy_bytes = batch.bytes;
  lock.unlock();
  const Result<void> outcome = store->commit(batch.writes);
  lock.lock();
  take_file_news();
  writes_ended += busy_writes;
  busy_writes = 0;
  busy_bytes = 0;
  for (const auto& ids : batch.commit_ids) {
    for (const std::uint64_t id : ids) complete(id, outcome);
  }
}

void StoreThread::Shared::read_next(std::unique_lock<std::mutex>& lock) {
  const StoreRead next = std::move(reads.front().read);
  reads.pop_front();
  lock.unlock();
  Result<StoreRows> outcome = store->read(next.query);
  lock.lock();
  take_file_news();
  complete_read(next.read_id, std::move(outcome));
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

// With the mutex held.
void StoreThread::Shared::enqueue(StoreWrite write) {
  const std::size_t bytes = size_of(write.record);
  if (stopping) return complete(write.commit_id, fail(Status::kLimit, "the store is being stopped"));
  std::string key = key_of(write.record);
  const auto earlier = queued.place.find(key);
  // A write that takes another's place gives that one's room back first.
  const std::size_t given_back = earlier == queued.place.end() ? 0 : size_of(queued.writes[earlier->second].record);
  queued.bytes -= given_back;
  if (!has_room(bytes)) {
    queued.bytes += given_back;
    return complete(write.commit_id, fail(Status::kLimit, "the store's queue is full: the disk does not keep up"));
  }
  queued.bytes += bytes;
  queued.submitted += 1;
  writes_accepted += 1;
  if (earlier != queued.place.end()) {
    queued.commit_ids[earlier->second].push_back(write.commit_id);
    queued.writes[earlier->second] = std::move(write);
    return;
  }
  queued.place.emplace(std::move(key), queued.writes.size());
  queued.commit_ids.push_back({write.commit_id});
  queued.writes.push_back(std::move(write));
  work.notify_one();
}

void StoreThread::submit(StoreWrite write) {
  const std::lock_guard lock(shared_->mutex);
  shared_->enqueue(std::move(write));
}

void StoreThread::submit(std::vector<StoreWrite> writes) {
  const std::lock_guard lock(shared_->mutex);
  for (StoreWrite& write : writes) shared_->enqueue(std::move(write));
}

void StoreThread::submit(StoreRead read) {
  const std::lock_guard lock(shared_->mutex);
  if (shared_->stopping) {
    return shared_->complete_read(read.read_id, fail(Status::kLimit, "the store is being stopped"));
  }
  if (shared_->reads.size() >= shared_->limits.reads_max) {
    return shared_->complete_read(read.read_id,
                                  fail(Status::kLimit, "too many questions wait for the store: ask again later"));
  }
  shared_->reads.push_back({std::move(read), shared_->writes_accepted});
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

std::vector<StoreReadDone> StoreThread::drain_reads() {
  const std::lock_guard lock(shared_->mutex);
  return std::exchange(shared_->reads_done, {});
}

std::vector<StoreFileNews> StoreThread::drain_file_news() {
  const std::lock_guard lock(shared_->mutex);
  return std::exchange(shared_->file_news, {});
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
