#include "broker/notify/dead_letters.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "broker/notify/body_template.h"
#include "common/msg/value.h"

namespace compositord::broker {

namespace {

constexpr const char* kFile = "dead-letters.jsonl";
constexpr const char* kOldFile = "dead-letters.1.jsonl";

std::string line_of(const Notification& n, const Delivered& end, UnixMs now) {
  auto alert = msg::decode_json(n.json);
  const msg::Value line = msg::Value::map({{"at", rfc3339(now.ms)},
                                           {"notifier", end.notifier},
                                           {"attempts", end.attempts},
                                           {"error", end.error},
                                           {"dedupe", n.dedupe},
                                           {"alert", alert ? std::move(*alert) : msg::Value(n.json)}});
  return msg::encode_json(line) + "\n";
}

}  // namespace

DeadLetters::DeadLetters(std::filesystem::path directory, std::size_t bytes_max)
    : directory_(std::move(directory)), bytes_max_(bytes_max) {}

Result<void> DeadLetters::write(const Notification& notification, const Delivered& end, UnixMs now) {
  const std::filesystem::path file = directory_ / kFile;
  const auto failed = [&] {
    return fail(Status::kStore,
                fmt::format("{} can't be written: {}", file.string(), std::generic_category().message(errno)));
  };
  const std::string line = line_of(notification, end, now);
  struct stat old {};
  if (stat(file.c_str(), &old) == 0 && static_cast<std::size_t>(old.st_size) + line.size() > bytes_max_) {
    if (rename(file.c_str(), (directory_ / kOldFile).c_str()) != 0) return failed();
  }
  // Alerts name hosts and sites: they are their owner's business.
  constexpr mode_t kOwnerOnly = 0600;
  const int fd = open(file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, kOwnerOnly);
  if (fd < 0) return failed();
  const ssize_t written = ::write(fd, line.data(), line.size());
  const bool whole = written == static_cast<ssize_t>(line.size());
  if (written >= 0 && !whole) errno = ENOSPC;
  if (!whole || fdatasync(fd) != 0) {
    Result<void> error = failed();
    close(fd);
    return error;
  }
  close(fd);
  return {};
}

}  // namespace compositord::broker
