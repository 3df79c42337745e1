#include "broker/io/config_reloader.h"

#include <fmt/format.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <mutex>
#include <optional>
#include <system_error>
#include <utility>

#include "broker/notify/queue_thread.h"

namespace compositord::broker {

namespace {

// As many as the core lets wait, and some signals.
constexpr std::size_t kWaitingMax = 64;

// What the thread has done. It may outlive the reloader, when the disk does not answer.
class DoneList {
 public:
  explicit DoneList(int event_fd) : event_fd_(event_fd) {}
  ~DoneList() { close(event_fd_); }
  DoneList(const DoneList&) = delete;
  DoneList& operator=(const DoneList&) = delete;

  void add(ConfigReloader::Done done) {
    const std::lock_guard lock(mutex_);
    done_.push_back(std::move(done));
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = write(event_fd_, &one, sizeof one);
  }
  std::vector<ConfigReloader::Done> drain() {
    const std::lock_guard lock(mutex_);
    std::uint64_t count = 0;
    [[maybe_unused]] const ssize_t got = read(event_fd_, &count, sizeof count);  // empty (EAGAIN) is as good as read
    return std::exchange(done_, {});
  }
  int event_fd() const noexcept { return event_fd_; }

 private:
  const int event_fd_;
  std::mutex mutex_;
  std::vector<ConfigReloader::Done> done_;
};

}  // namespace

struct ConfigReloader::Impl {
  int hangup_fd = -1;
  std::shared_ptr<DoneList> done;
  std::unique_ptr<QueueThread<std::uint64_t>> thread;
};

Result<std::unique_ptr<ConfigReloader>> ConfigReloader::start(Reader reader, int hangup_fd) {
  const int event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (event_fd < 0) {
    return fail(Status::kLimit,
                fmt::format("no event descriptor for reloads: {}", std::generic_category().message(errno)));
  }
  auto impl = std::make_unique<Impl>();
  impl->hangup_fd = hangup_fd;
  impl->done = std::make_shared<DoneList>(event_fd);
  const auto work = [read = std::move(reader), done = impl->done](std::uint64_t reload_id, int) {
    done->add(Done{reload_id, read()});
  };
  auto thread = QueueThread<std::uint64_t>::start(work, kWaitingMax);
  if (!thread) return tl::unexpected<Error>(thread.error());
  impl->thread = std::move(*thread);
  return std::unique_ptr<ConfigReloader>(new ConfigReloader(std::move(impl)));
}

ConfigReloader::ConfigReloader(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ConfigReloader::~ConfigReloader() = default;

void ConfigReloader::ask(std::uint64_t reload_id) {
  const std::optional<std::uint64_t> oldest = impl_->thread->push(reload_id);
  if (oldest) impl_->done->add(Done{*oldest, fail(Status::kLimit, "newer ones wait already")});
}

int ConfigReloader::hangup_fd() const noexcept { return impl_->hangup_fd; }

void ConfigReloader::take_hangup() {
  signalfd_siginfo info{};
  bool came = false;
  while (read(impl_->hangup_fd, &info, sizeof info) == static_cast<ssize_t>(sizeof info)) came = true;
  if (came) ask(0);
}

int ConfigReloader::event_fd() const noexcept { return impl_->done->event_fd(); }
std::vector<ConfigReloader::Done> ConfigReloader::drain() { return impl_->done->drain(); }

}  // namespace compositord::broker
