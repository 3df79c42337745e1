#include "tools/compositorctl/screenshot_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "tools/compositorctl/text.h"

namespace compositord::ctl {

namespace {

constexpr std::string_view kPngSignature = "\x89PNG\r\n\x1a\n";

bool is_harmless(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '_' || c == '-';
}

std::string harmless(std::string_view text) {
  std::string name;
  for (const char c : text) name += is_harmless(c) ? c : '-';
  return name;
}

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

// What must not be replaced by a file: /dev/null, a named pipe.
bool is_special(const std::string& path) {
  struct stat facts {};
  return ::stat(path.c_str(), &facts) == 0 && !S_ISREG(facts.st_mode) && !S_ISDIR(facts.st_mode);
}

bool write_special(const std::string& path, std::string_view bytes) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  const bool written = fd >= 0 && write_all(fd, bytes);
  if (fd >= 0) ::close(fd);
  return written;
}

// A file that is removed again unless it was kept.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& path) : name_(path + ".XXXXXX"), fd_(::mkostemp(name_.data(), O_CLOEXEC)) {}
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() {
    if (fd_ >= 0) ::close(fd_);
    if (fd_ >= 0 && !is_kept_) ::unlink(name_.c_str());
  }

  bool write(std::string_view bytes) const { return fd_ >= 0 && write_all(fd_, bytes); }
  // As every other file of the user: mkostemp() makes it for its owner alone.
  bool keep_as(const std::string& path) {
    const mode_t mask = ::umask(0);
    ::umask(mask);
    is_kept_ = ::fchmod(fd_, 0666 & ~mask) == 0 && std::rename(name_.c_str(), path.c_str()) == 0;
    return is_kept_;
  }

 private:
  std::string name_;
  int fd_;
  bool is_kept_ = false;
};

}  // namespace

Outcome<void> PngParts::add(const msg::Reply& part) {
  const auto offset = static_cast<std::size_t>(number_at(part.result, "offset"));
  if (part.attachments.size() != 1 || offset != bytes_.size()) {
    return give_up(ExitCode::kLocal, fmt::format("a part of the picture is missing behind byte {}", bytes_.size()));
  }
  const std::string_view bytes = part.attachments.front().view();
  if (bytes.size() > kBytesMax - bytes_.size()) {
    return give_up(ExitCode::kLocal, "the picture is larger than this program takes");
  }
  bytes_ += bytes;
  return {};
}

Outcome<std::string> PngParts::finish(const msg::Value& result) {
  const auto wanted = static_cast<std::size_t>(number_at(result, "bytes"));
  if (bytes_.size() != wanted || !bytes_.starts_with(kPngSignature)) {
    return give_up(ExitCode::kLocal,
                   fmt::format("{} bytes of a PNG of {} have come: that is no picture", bytes_.size(), wanted));
  }
  return std::move(bytes_);
}

std::string default_file_name(std::string_view id, std::string_view output, UnixMs now) {
  const std::time_t seconds = now.ms / 1000;
  std::tm local{};
  ::localtime_r(&seconds, &local);
  std::array<char, 32> time{};
  const std::size_t size = std::strftime(time.data(), time.size(), "%Y%m%d-%H%M%S", &local);
  std::string name = harmless(id);
  if (!output.empty()) name += "-" + harmless(output);
  return fmt::format("{}-{}.{:03}.png", name, std::string_view(time.data(), size), now.ms % 1000);
}

Outcome<void> write_file(const std::string& path, std::string_view bytes) {
  if (is_special(path)) {
    if (write_special(path, bytes)) return {};
  } else {
    TemporaryFile file(path);
    if (file.write(bytes) && file.keep_as(path)) return {};
  }
  return give_up(ExitCode::kLocal,
                 fmt::format("{} can't be written: {}", path, std::generic_category().message(errno)));
}

}  // namespace compositord::ctl
