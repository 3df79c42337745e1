#include "agent/process/config_check.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "agent/process/file_descriptor.h"
#include "agent/process/process_environment.h"
#include "agent/process/process_watch.h"

namespace compositord::agent {

namespace {

// What would lead the second one to the first one's screen, clients and session.
constexpr std::array<std::string_view, 9> kLeftOut{"WAYLAND_DISPLAY", "WAYLAND_SOCKET", "DISPLAY",
                                                   "SWAYSOCK",        "I3SOCK",         "DBUS_SESSION_BUS_ADDRESS",
                                                   "LISTEN_FDS",      "NOTIFY_SOCKET",  "XDG_RUNTIME_DIR"};

std::string_view name_of(std::string_view variable) { return variable.substr(0, variable.find('=')); }

std::vector<std::string> environment_for(const Peer& compositor, const std::vector<std::string>& variables) {
  std::vector<std::string> list = variables;
  const std::string theirs = environment_of(compositor).value_or(std::string("PATH=/usr/bin:/bin"));
  for (std::string_view rest = theirs; !rest.empty();) {
    const std::string_view variable = rest.substr(0, rest.find('\0'));
    rest.remove_prefix(std::min(rest.size(), variable.size() + 1));
    const std::string_view name = name_of(variable);
    const bool ours =
        std::any_of(variables.begin(), variables.end(), [&](const auto& v) { return name_of(v) == name; });
    if (!ours && std::find(kLeftOut.begin(), kLeftOut.end(), name) == kLeftOut.end()) list.emplace_back(variable);
  }
  return list;
}

}  // namespace

Result<ConfigCheck::RuntimeDirectory> ConfigCheck::RuntimeDirectory::make(const Peer& owner, gid_t group) {
  std::string path = fmt::format("/tmp/compositor-agent-{}-XXXXXX", ::getpid());
  if (::mkdtemp(path.data()) == nullptr) {
    return fail(Status::kFailed, fmt::format("no directory in /tmp: {}", std::strerror(errno)));
  }
  RuntimeDirectory made(std::move(path));
  if (owner.uid != ::geteuid() && ::chown(made.path_.c_str(), owner.uid, group) != 0) {
    return fail(Status::kFailed,
                fmt::format("{} can't be given to user {}: {}", made.path_, owner.uid, std::strerror(errno)));
  }
  return made;
}

ConfigCheck::RuntimeDirectory::~RuntimeDirectory() {
  if (path_.empty()) return;
  const FileDescriptor directory(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (DIR* list = ::opendir(path_.c_str()); list != nullptr) {
    while (const dirent* entry = ::readdir(list)) ::unlinkat(directory.get(), entry->d_name, 0);
    ::closedir(list);
  }
  ::rmdir(path_.c_str());
}

Result<ConfigCheck> ConfigCheck::start(const Peer& compositor, std::vector<std::string> options,
                                       const std::vector<std::string>& variables) {
  struct stat facts {};
  const std::string process = fmt::format("/proc/{}", compositor.pid);
  if (compositor.pid <= 0 || ::stat(process.c_str(), &facts) != 0) {
    return fail(Status::kFailed, "the compositor's process is not visible from here");
  }
  const bool same_user = compositor.uid == ::geteuid();
  if (!same_user && ::geteuid() != 0) {
    return fail(Status::kForbidden,
                fmt::format("it runs as user {}, and this agent as user {}", compositor.uid, ::geteuid()));
  }
  // What the compositor runs, whatever lies at that path by now.
  const FileDescriptor executable(::open((process + "/exe").c_str(), O_PATH | O_CLOEXEC));
  if (!executable.is_open()) return fail(Status::kFailed, fmt::format("{}/exe: {}", process, std::strerror(errno)));
  auto directory = RuntimeDirectory::make(compositor, facts.st_gid);
  if (!directory) return tl::unexpected(directory.error());
  ChildCommand command;
  command.arguments = std::move(options);
  command.arguments.insert(command.arguments.begin(), fmt::format("/proc/self/fd/{}", executable.get()));
  command.environment = environment_for(compositor, variables);
  command.environment->push_back("XDG_RUNTIME_DIR=" + directory->path());
  command.directory = process + "/cwd";
  if (!same_user) command.user = ChildCommand::User{compositor.uid, facts.st_gid};
  auto child = ChildProcess::start(command);
  if (!child) return tl::unexpected(child.error());
  return ConfigCheck(std::move(*directory), std::move(*child));
}

std::optional<Result<ConfigCheck::Verdict>> ConfigCheck::service() {
  ChildProcess::News news = child_.service();
  output_.append(news.output, 0, kOutputBytesMax - std::min(output_.size(), kOutputBytesMax));
  if (!news.exec_error.empty()) return fail(Status::kFailed, std::move(news.exec_error));
  if (!news.end) return std::nullopt;
  if (!news.end->code) return fail(Status::kFailed, fmt::format("its check was {}", describe_end(*news.end)));
  return Verdict{*news.end->code == 0, std::move(output_)};
}

}  // namespace compositord::agent
