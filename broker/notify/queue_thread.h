#pragma once
// A thread that works off a bounded queue, one item after the other. When it hangs at the end, it outlives its owner: nobody waits
// for a receiver that does not answer, or for a dead disk.

#include <fmt/format.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include "common/base/blocked_signals.h"
#include "common/base/instant.h"
#include "common/base/result.h"

namespace compositord::broker {

template <class Item>
class QueueThread {
 public:
  // Called on the thread, which gets no signals. It must not throw, and returns soon after `stop_fd` became readable.
  using Work = std::function<void(Item item, int stop_fd)>;

  // Errors: kLimit, when the system gives no thread or no event descriptor.
  static Result<std::unique_ptr<QueueThread>> start(Work work, std::size_t items_max) {
    auto shared = std::make_shared<Shared>(std::move(work), items_max);
    shared->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (shared->stop_fd < 0) return fail(Status::kLimit, "no event descriptor for a notifier's thread");
    const BlockedSignals blocked;  // inherited by the new thread
    try {
      std::thread thread([shared] { shared->run(); });
      return std::unique_ptr<QueueThread>(new QueueThread(std::move(shared), std::move(thread)));
    } catch (const std::system_error& error) {
      return fail(Status::kLimit, fmt::format("a notifier's thread can't be started: {}", error.what()));
    }
  }
  ~QueueThread() {
    ask_to_stop();
    if (thread_.joinable()) thread_.detach();
  }
  QueueThread(const QueueThread&) = delete;
  QueueThread& operator=(const QueueThread&) = delete;

  // Never waits. The item that made room: the one that waited longest, when the queue was full.
  [[nodiscard]] std::optional<Item> push(Item item) {
    std::optional<Item> oldest;
    const std::lock_guard lock(shared_->mutex);
    if (shared_->queue.size() >= shared_->items_max) {
      oldest = std::move(shared_->queue.front());
      shared_->queue.pop_front();
    }
    shared_->queue.push_back(std::move(item));
    shared_->work_came.notify_one();
    return oldest;
  }

  void ask_to_stop() {
    const std::lock_guard lock(shared_->mutex);
    shared_->stopping = true;
    shared_->work_came.notify_one();
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = write(shared_->stop_fd, &one, sizeof one);
  }
  // After ask_to_stop(). False when it did not end in time; it then goes on alone until it does.
  bool join(Duration wait_max) {
    std::unique_lock lock(shared_->mutex);
    if (!shared_->ended.wait_for(lock, wait_max, [this] { return shared_->has_ended; })) return false;
    lock.unlock();
    if (thread_.joinable()) thread_.join();
    return true;
  }

 private:
  struct Shared {
    Shared(Work w, std::size_t max) : work(std::move(w)), items_max(max) {}
    ~Shared() {
      if (stop_fd >= 0) close(stop_fd);
    }
    Shared(const Shared&) = delete;
    Shared& operator=(const Shared&) = delete;

    void run() {
      std::unique_lock lock(mutex);
      for (;;) {
        work_came.wait(lock, [this] { return stopping || !queue.empty(); });
        if (stopping) break;
        Item item = std::move(queue.front());
        queue.pop_front();
        lock.unlock();
        work(std::move(item), stop_fd);
        lock.lock();
      }
      has_ended = true;
      ended.notify_all();
    }

    const Work work;
    const std::size_t items_max;
    int stop_fd = -1;
    std::mutex mutex;  // over all that follows; never held while work() runs
    std::condition_variable work_came;
    std::condition_variable ended;
    std::deque<Item> queue;
    bool stopping = false;
    bool has_ended = false;
  };
  QueueThread(std::shared_ptr<Shared> shared, std::thread thread) noexcept
      : shared_(std::move(shared)), thread_(std::move(thread)) {}

  std::shared_ptr<Shared> shared_;
  std::thread thread_;
};

}  // namespace compositord::broker
