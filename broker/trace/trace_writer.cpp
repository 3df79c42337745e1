#include "broker/trace/trace_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>
#include <system_error>
#include <utility>

#include <fmt/format.h>

namespace compositord::broker {

namespace {

// What a disk that hangs may cost in memory: the largest message, and some seconds of a busy bus.
constexpr std::size_t kWaitingBytesMax = 128U << 20U;

// An error number, or 0.
int write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno != EINTR) {
      return errno;
    }
  }
  return 0;
}

std::string text_of(const std::filesystem::path& path, int error) {
  return fmt::format("{}: {}", path.string(), std::generic_category().message(error));
}

Result<void> move_old_away(const std::filesystem::path& path) {
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::symlink_status(path, error);
  if (!std::filesystem::exists(status)) return {};
  if (!std::filesystem::is_regular_file(status)) {
    return fail(Status::kFailed, fmt::format("trace {}: exists and is no regular file", path.string()));
  }
  std::filesystem::path old = path;
  old += ".old";
  std::filesystem::rename(path, old, error);
  if (error) return fail(Status::kFailed, fmt::format("trace {}: {}", path.string(), error.message()));
  return {};
}

// The head of the file. Written before the broker serves anybody, so it may wait, and need not fit into memory at once.
int write_head(int fd, const TraceHeader& header, const StoredState& stored) {
  int error = write_all(fd, std::string(kTraceMagic) + serialize(header));
  // All members are bound, so that one that is added is thought of here. Epoch and warning: the header has the one, and the
  // other is for people.
  const auto& [epoch, compositors, jobs, alerts, windows, warning] = stored;
  for (const CompositorRecord& record : compositors) {
    if (error == 0) error = write_all(fd, serialize(record));
  }
  for (const JobRecord& record : jobs) {
    if (error == 0) error = write_all(fd, serialize(record));
  }
  for (const AlertRecord& record : alerts) {
    if (error == 0) error = write_all(fd, serialize(record));
  }
  for (const WindowRecord& record : windows) {
    if (error == 0) error = write_all(fd, serialize(record));
  }
  return error;
}

}  // namespace

Result<std::unique_ptr<TraceWriter>> TraceWriter::create(const std::filesystem::path& path, const TraceHeader& header,
                                                         const StoredState& stored) {
  const Result<void> moved = move_old_away(path);
  if (!moved) return tl::unexpected<Error>(moved.error());
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (fd < 0) return fail(Status::kFailed, "trace " + text_of(path, errno));
  auto writer = std::unique_ptr<TraceWriter>(new TraceWriter(fd, path));
  const int error = write_head(fd, header, stored);
  if (error != 0) return fail(Status::kFailed, "trace " + text_of(path, error));
  writer->thread_ = std::thread([w = writer.get()] { w->run(); });
  writer->crash_wait_.emplace(writer->behind_);
  return writer;
}

TraceWriter::TraceWriter(int fd, std::filesystem::path path) : fd_(fd), path_(std::move(path)) {}

TraceWriter::~TraceWriter() {
  finish();
  ::close(fd_);
}

void TraceWriter::add(std::string record) {
  {
    const std::lock_guard lock(mutex_);
    if (failed_) return;
    if (waiting_.size() + record.size() > kWaitingBytesMax) {
      fail_with(
          fmt::format("{}: the disk is slower than the bus, {} MiB wait", path_.string(), waiting_.size() >> 20U));
      return;
    }
    waiting_ += record;
    behind_ = true;
  }
  changed_.notify_one();
}

std::optional<std::string> TraceWriter::take_failure() {
  const std::lock_guard lock(mutex_);
  if (failure_.empty()) return std::nullopt;
  return std::exchange(failure_, {});
}

void TraceWriter::finish() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    finishing_ = true;
  }
  changed_.notify_one();
  thread_.join();
  crash_wait_.reset();
}

void TraceWriter::run() {
  std::string batch;
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return !waiting_.empty() || finishing_; });
    if (waiting_.empty()) return;
    batch.clear();
    batch.swap(waiting_);
    lock.unlock();
    const int error = write_all(fd_, batch);
    lock.lock();
    if (error != 0 && !failed_) fail_with(text_of(path_, error));
    if (waiting_.empty()) behind_ = false;
  }
}

// What was written up to here stays: the reader takes the good part.
void TraceWriter::fail_with(std::string why) {
  failed_ = true;
  failure_ = std::move(why);
  waiting_.clear();
  waiting_.shrink_to_fit();
}

}  // namespace compositord::broker
