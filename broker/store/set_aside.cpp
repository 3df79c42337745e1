#include "broker/store/set_aside.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <set>
#include <string_view>
#include <system_error>

#include "common/base/clock.h"

namespace compositord::broker {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMark = ".corrupt-";
// In this order: where the database is missing and its log is not, the next start finds that and sets the log aside, too.
constexpr std::array<std::string_view, 3> kEndings{"", "-wal", "-shm"};

fs::path with(const fs::path& file, std::string_view ending) { return file.string() + std::string(ending); }

// SQLite locks single bytes from here on, whatever the mode. Source: sqlite.org/src, os.h: PENDING_BYTE
bool is_open_elsewhere(const fs::path& file) {
  constexpr off_t kLockBytesAt = 0x40000000;
  constexpr off_t kLockBytes = 512;
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = kLockBytesAt;
  lock.l_len = kLockBytes;
  const bool locked = fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
  close(fd);
  return locked;
}

std::string utc_text() {
  const std::time_t now = unix_now().ms / 1'000;
  std::tm utc{};
  gmtime_r(&now, &utc);
  std::array<char, 32> text{};
  const std::size_t length = std::strftime(text.data(), text.size(), "%Y%m%dT%H%M%SZ", &utc);
  return {text.data(), length};
}

bool is_taken(const fs::path& name) {
  const auto there = [&](std::string_view ending) {
    std::error_code error;
    return fs::symlink_status(with(name, ending), error).type() != fs::file_type::not_found;
  };
  return std::any_of(kEndings.begin(), kEndings.end(), there);
}

// The clock may be wrong, and a second is long.
fs::path free_name(const fs::path& file) {
  const fs::path base = with(file, std::string(kMark) + utc_text());
  fs::path name = base;
  for (int number = 2; is_taken(name); ++number) name = with(base, fmt::format("-{}", number));
  return name;
}

}  // namespace

Result<fs::path> set_aside(const fs::path& file) {
  if (is_open_elsewhere(file)) {
    return fail(Status::kConflict,
                "another program has it open, perhaps a second compositord with the same state directory");
  }
  if (files_set_aside(file).size() >= kSetAsideMax) {
    return fail(
        Status::kLimit,
        fmt::format("{} damaged files are beside it already: look at the disk, and move them away", kSetAsideMax));
  }
  const fs::path to = free_name(file);
  std::vector<std::string_view> renamed;
  for (const std::string_view ending : kEndings) {
    std::error_code error;
    // An empty log has nothing to keep, and would be left behind when its database is moved away.
    const bool is_empty_log = !ending.empty() && fs::file_size(with(file, ending), error) == 0 && !error;
    error.clear();
    if (is_empty_log && fs::remove(with(file, ending), error)) continue;
    fs::rename(with(file, ending), with(to, ending), error);
    if (!error) {
      renamed.push_back(ending);
    } else if (error != std::errc::no_such_file_or_directory) {
      std::error_code ignored;
      for (const std::string_view done : renamed) fs::rename(with(to, done), with(file, done), ignored);
      return fail(Status::kStore, error.message());
    }
  }
  return to;
}

std::vector<std::string> files_set_aside(const fs::path& file) {
  const std::string begin = file.filename().string() + std::string(kMark);
  std::set<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(file.parent_path(), error), end; !error && it != end; it.increment(error)) {
    std::string name = it->path().filename().string();
    if (!name.starts_with(begin)) continue;
    for (const std::string_view ending : kEndings) {
      if (!ending.empty() && name.ends_with(ending)) name.resize(name.size() - ending.size());
    }
    names.insert((file.parent_path() / name).string());
  }
  return {names.begin(), names.end()};
}

}  // namespace compositord::broker
