#include "broker/trace/trace_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "broker/trace/record_bytes.h"

namespace compositord::broker {

namespace {

// Some seconds of a busy bus. What a disk that hangs may cost in memory is this, one record, and as much again on its way.
constexpr std::size_t kWaitingBytesMax = 128U << 20U;

// The text of an error is the system's.
Result<void> write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno != EINTR) {
      return fail(Status::kFailed, std::generic_category().message(errno));
    }
  }
  return {};
}

Result<void> write_record(int fd, std::string_view body) {
  const Result<std::string> record = whole_record(body);
  if (!record) return tl::unexpected<Error>(record.error());
  return write_all(fd, *record);
}

tl::unexpected<Error> no_trace(const std::filesystem::path& path, std::string_view why) {
  return fail(Status::kFailed, fmt::format("trace {}: {}", path.string(), why));
}

Result<void> move_old_away(const std::filesystem::path& path) {
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::symlink_status(path, error);
  if (!std::filesystem::exists(status)) return {};
  if (!std::filesystem::is_regular_file(status)) {
    return no_trace(path, "exists and is no regular file");
  }
  std::filesystem::path old = path;
  old += ".old";
  std::filesystem::rename(path, old, error);
  if (error) return no_trace(path, error.message());
  return {};
}

// The head of the file. Written before the broker serves anybody, so it may wait, and need not fit into memory at once.
Result<void> write_head(int fd, const TraceHeader& header, const StoredState& stored) {
  Result<void> written = write_all(fd, kTraceMagic);
  const auto add = [&](const std::string& body) {
    if (written) written = write_record(fd, body);
  };
  add(serialize(header));
  // All members are bound, so that one that is added is thought of here. Epoch and warning: the header has the one, and the
  // other is for people.
  const auto& [epoch, compositors, jobs, alerts, windows, warning] = stored;
  for (const CompositorRecord& record : compositors) add(serialize(record));
  for (const JobRecord& record : jobs) add(serialize(record));
  for (const AlertRecord& record : alerts) add(serialize(record));
  for (const WindowRecord& record : windows) add(serialize(record));
  return written;
}

}  // namespace

Result<std::unique_ptr<TraceWriter>> TraceWriter::create(const std::filesystem::path& path, const TraceHeader& header,
                                                         const StoredState& stored) {
  const Result<void> moved = move_old_away(path);
  if (!moved) return tl::unexpected<Error>(moved.error());
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (fd < 0) return no_trace(path, std::generic_category().message(errno));
  auto writer = std::unique_ptr<TraceWriter>(new TraceWriter(fd, path));
  const Result<void> written = write_head(fd, header, stored);
  if (!written) return no_trace(path, written.error().text);
  writer->thread_ = std::thread([w = writer.get()] { w->run(); });
  writer->crash_wait_.emplace(writer->behind_);
  return writer;
}

TraceWriter::TraceWriter(int fd, std::filesystem::path path) : fd_(fd), path_(std::move(path)) {}

TraceWriter::~TraceWriter() {
  finish();
  ::close(fd_);
}

void TraceWriter::add(std::string_view body) {
  const Result<std::string> record = whole_record(body);
  {
    const std::lock_guard lock(mutex_);
    if (failed_) return;
    if (!record) return fail_with(record.error().text);  // what waits is whole and is still written
    if (waiting_.size() >= kWaitingBytesMax) {
      fail_with(fmt::format("the disk is slower than the bus, {} MiB wait", waiting_.size() >> 20U));
      return drop_waiting();
    }
    waiting_ += *record;
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
    const Result<void> written = write_all(fd_, batch);
    lock.lock();
    if (!written) {
      fail_with(written.error().text);
      drop_waiting();  // behind a gap it would be worth nothing
    }
    if (waiting_.empty()) behind_ = false;
  }
}

// What was written up to here stays: the reader takes the good part. The first reason is the one that is told.
void TraceWriter::fail_with(std::string_view why) {
  if (!failed_) failure_ = fmt::format("{}: {}", path_.string(), why);
  failed_ = true;
}

void TraceWriter::drop_waiting() {
  waiting_.clear();
  waiting_.shrink_to_fit();
}

}  // namespace compositord::broker
