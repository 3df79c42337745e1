#include "broker/notify/notifiers.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <optional>

#include "broker/notify/dead_letters.h"
#include "broker/notify/delivery.h"
#include "broker/notify/notifier.h"
#include "broker/notify/queue_thread.h"
#include "broker/notify/results.h"
#include "common/base/clock.h"

namespace compositord::broker {

namespace {

// Failed notifications that wait for the disk.
constexpr std::size_t kDeadLettersWaitingMax = 10'000;

struct Submitted {
  Notification notification;
  Instant at;
};
struct DeadLetter {
  Notification notification;
  Delivered end;
};
using DeadLetterThread = QueueThread<DeadLetter>;

// Whoever fails leaves it here. The file is written by a thread of its own, so that no notifier and not the loop waits for a disk.
class DeadLetterBox {
 public:
  DeadLetterBox(std::shared_ptr<Results> results, std::unique_ptr<DeadLetterThread> thread)
      : results_(std::move(results)), thread_(std::move(thread)) {}

  void add(DeadLetter letter) {
    std::optional<DeadLetter> lost = thread_->push(std::move(letter));
    if (!lost) return;
    lost->end.error += "; not kept in the dead letters: the disk does not keep up";
    results_->add(std::move(lost->end));
  }
  DeadLetterThread& thread() { return *thread_; }

 private:
  std::shared_ptr<Results> results_;
  std::unique_ptr<DeadLetterThread> thread_;
};

Result<std::shared_ptr<DeadLetterBox>> open_box(const std::filesystem::path& directory,
                                                const std::shared_ptr<Results>& results) {
  const auto write = [file = std::make_shared<DeadLetters>(directory), results](DeadLetter letter, int) {
    const Result<void> kept = file->write(letter.notification, letter.end, unix_now());
    if (!kept) letter.end.error += "; not kept in the dead letters: " + kept.error().text;
    results->add(std::move(letter.end));
  };
  auto thread = DeadLetterThread::start(write, kDeadLettersWaitingMax);
  if (!thread) return tl::unexpected<Error>(thread.error());
  return std::make_shared<DeadLetterBox>(results, std::move(*thread));
}

}  // namespace

struct Notifiers::Impl {
  struct One {
    NotifierConfig config;
    std::unique_ptr<QueueThread<Submitted>> thread;
  };
  using Key = std::pair<std::string, std::string>;  // the notifier's name, dedupe

  One* find(std::string_view name) {
    const auto it = std::find_if(all.begin(), all.end(), [&](const One& one) { return one.config.name == name; });
    return it == all.end() ? nullptr : &*it;
  }

  std::shared_ptr<Results> results;
  std::shared_ptr<DeadLetterBox> box;
  std::vector<One> all;
  std::set<Key> under_way;
  bool stopped = false;
};

Result<std::unique_ptr<Notifiers>> Notifiers::start(const std::vector<NotifierConfig>& configs,
                                                    const std::filesystem::path& dead_letters) {
  auto impl = std::make_unique<Impl>();
  auto results = Results::make();
  if (!results) return tl::unexpected<Error>(results.error());
  impl->results = *results;
  auto box = open_box(dead_letters, impl->results);
  if (!box) return tl::unexpected<Error>(box.error());
  impl->box = *box;
  for (const NotifierConfig& config : configs) {
    // Different notifiers, and the same one in the next run, spread their attempts differently.
    const auto seed = static_cast<std::uint64_t>(monotonic_now().ns()) ^ std::hash<std::string>{}(config.name);
    auto delivery = std::make_shared<Delivery>(config, make_notifier(config), seed);
    const auto work = [delivery, box = impl->box, out = impl->results](Submitted s, int stop_fd) {
      std::optional<Delivered> end = delivery->deliver(s.notification, s.at, stop_fd);
      if (!end) return;
      if (end->ok) return out->add(std::move(*end));
      box->add({std::move(s.notification), std::move(*end)});
    };
    auto thread = QueueThread<Submitted>::start(work, config.queue_max);
    if (!thread) return tl::unexpected<Error>(thread.error());
    impl->all.push_back({config, std::move(*thread)});
  }
  return std::unique_ptr<Notifiers>(new Notifiers(std::move(impl)));
}

Notifiers::Notifiers(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Notifiers::~Notifiers() {
  if (!impl_->stopped) stop();
}

std::vector<std::string> Notifiers::receivers(const Notification& notification) const {
  std::vector<std::string> names;
  for (const Impl::One& one : impl_->all) {
    if (wants(one.config, notification)) names.push_back(one.config.name);
  }
  return names;
}

bool Notifiers::submit(const Notification& notification, std::string_view notifier) {
  Impl::One* one = impl_->find(notifier);
  if (one == nullptr) return false;
  if (!impl_->under_way.emplace(notifier, notification.dedupe).second) return true;
  std::optional<Submitted> oldest = one->thread->push({notification, monotonic_now()});
  if (oldest) {
    Delivered end{oldest->notification.dedupe, one->config.name, false, 0,
                  fmt::format("{} newer ones wait already", one->config.queue_max)};
    impl_->box->add({std::move(oldest->notification), std::move(end)});
  }
  return true;
}

void Notifiers::submit(const Notification& notification) {
  for (const std::string& name : receivers(notification)) submit(notification, name);
}

int Notifiers::event_fd() const noexcept { return impl_->results->event_fd(); }

std::vector<Delivered> Notifiers::drain() {
  std::vector<Delivered> results = impl_->results->drain();
  for (const Delivered& result : results) impl_->under_way.erase({result.notifier, result.dedupe});
  return results;
}

bool Notifiers::is_idle() const noexcept { return impl_->under_way.empty(); }

bool Notifiers::stop(Duration wait_max) {
  impl_->stopped = true;
  const Instant until = monotonic_now() + wait_max;
  for (Impl::One& one : impl_->all) one.thread->ask_to_stop();
  bool all_ended = true;
  const auto left = [&] { return std::max(Duration{}, until - monotonic_now()); };
  for (Impl::One& one : impl_->all) all_ended = one.thread->join(left()) && all_ended;
  // The last: those before may leave something there.
  impl_->box->thread().ask_to_stop();
  return impl_->box->thread().join(left()) && all_ended;
}

}  // namespace compositord::broker
