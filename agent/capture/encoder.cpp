#include "agent/capture/encoder.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <exception>
#include <system_error>
#include <utility>

#include <fmt/format.h>

namespace compositord::agent {

namespace {

Result<Screenshot> make_or_say_why(Shot shot, const ScreenshotRequest& request, const std::stop_token& stop) {
  try {
    return make_screenshot(std::move(shot), request, stop);
  } catch (const std::exception& e) {  // memory, that is
    return fail(Status::kFailed, fmt::format("no memory to make the picture ({})", e.what()));
  }
}

void announce(int eventfd) {
  const std::uint64_t one = 1;
  static_cast<void>(::write(eventfd, &one, sizeof one));  // an eventfd takes 2^64 of these
}

}  // namespace

Result<void> Encoder::begin(Shot shot, ScreenshotRequest request) {
  auto work = std::make_unique<Work>();
  work->ended = FileDescriptor(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!work->ended.is_open()) return fail(Status::kFailed, fmt::format("no eventfd: {}", std::strerror(errno)));
  try {
    work->thread = std::jthread(
        [w = work.get(), taken = std::move(shot), wanted = std::move(request)](const std::stop_token& stop) mutable {
          w->result = make_or_say_why(std::move(taken), wanted, stop);
          announce(w->ended.get());
        });
  } catch (const std::system_error& e) {
    return fail(Status::kFailed, fmt::format("no thread to make the picture: {}", e.what()));
  }
  work_ = std::move(work);
  return {};
}

void Encoder::cancel() {
  if (!work_) return;
  work_->is_cancelled = true;
  work_->thread.request_stop();
}

int Encoder::fd() const noexcept { return work_ ? work_->ended.get() : -1; }

std::optional<Result<Screenshot>> Encoder::take() {
  std::uint64_t ended = 0;
  if (!work_ || ::read(work_->ended.get(), &ended, sizeof ended) != static_cast<ssize_t>(sizeof ended)) {
    return std::nullopt;
  }
  work_->thread.join();  // it has nothing left to do
  const std::unique_ptr<Work> work = std::move(work_);
  if (work->is_cancelled) return std::nullopt;
  return std::move(work->result);
}

}  // namespace compositord::agent
