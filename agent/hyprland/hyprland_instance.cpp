#include "agent/hyprland/hyprland_instance.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <filesystem>
#include <string_view>

#include <fmt/format.h>

#include "agent/process/file_descriptor.h"

namespace compositord::agent::hyprland {

namespace {

// Folders that are looked at. Each start of Hyprland leaves one behind until the runtime directory is emptied at logout.
constexpr int kInstancesMax = 256;

// 0 when there is none, or no readable one. A pipe of that name is opened, too, but not waited for.
pid_t locked_by(const std::string& path) {
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file.is_open()) return 0;
  std::array<char, 32> buffer{};
  const ssize_t n = ::read(file.get(), buffer.data(), buffer.size());
  pid_t pid = 0;
  if (n > 0) std::from_chars(buffer.data(), buffer.data() + n, pid);
  return pid;
}

}  // namespace

Result<std::string> find_instance(const std::string& runtime_dir, pid_t pid) {
  const std::string folder = runtime_dir + "/hypr";
  std::error_code error;
  std::filesystem::directory_iterator entry(folder, error);
  for (int i = 0; !error && i < kInstancesMax && entry != std::filesystem::directory_iterator(); ++i) {
    if (pid > 0 && locked_by(entry->path().string() + "/hyprland.lock") == pid) return entry->path().string();
    entry.increment(error);
  }
  return fail(Status::kNotFound, fmt::format("no instance in {} has a hyprland.lock of process {}", folder, pid));
}

}  // namespace compositord::agent::hyprland
