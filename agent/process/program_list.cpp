#include "agent/process/program_list.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "common/base/log_event.h"

namespace compositord::agent {

namespace {

bool is_file(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::is_regular_file(path, ignored);
}

// The same entry of the same directory. A link to a file is not that file: busybox and its like do what their name says.
bool is_same_entry(const std::string& a, const std::string& b) {
  const std::filesystem::path first(a);
  const std::filesystem::path second(b);
  std::error_code ignored;
  return first.filename() == second.filename() &&
         std::filesystem::equivalent(first.parent_path(), second.parent_path(), ignored);
}

}  // namespace

ProgramList::ProgramList(std::vector<std::string> allowed, std::string search_path)
    : allowed_(std::move(allowed)), search_path_(std::move(search_path)) {}

std::optional<std::string> ProgramList::path_of(const std::string& name) const {
  if (name.starts_with('/')) return is_file(name) ? std::optional(name) : std::nullopt;
  std::size_t begin = 0;
  while (begin <= search_path_.size()) {
    const std::size_t end = std::min(search_path_.find(':', begin), search_path_.size());
    const std::string path = search_path_.substr(begin, end - begin) + "/" + name;
    begin = end + 1;
    // Only absolute directories: what an empty or relative one means depends on where the agent was started.
    if (path.starts_with('/') && is_file(path) && ::access(path.c_str(), X_OK) == 0) return path;
  }
  return std::nullopt;
}

bool ProgramList::allows(const std::string& name, const std::optional<std::string>& path) const {
  return std::any_of(allowed_.begin(), allowed_.end(), [&](const std::string& allowed) {
    if (allowed == kAll || allowed == name) return true;
    const auto allowed_path = path ? path_of(allowed) : std::nullopt;
    return allowed_path && is_same_entry(*path, *allowed_path);
  });
}

Result<std::string> ProgramList::find(const std::string& name) const {
  const std::string shown = escape_for_log(name, 128);
  if (name.empty() || (name.find('/') != std::string::npos && !name.starts_with('/'))) {
    return fail(Status::kMalformed,
                fmt::format("argv[0]: \"{}\": an absolute path, or a name in the agent's $PATH expected", shown));
  }
  auto path = path_of(name);
  if (!allows(name, path)) {
    return fail(Status::kForbidden,
                fmt::format("this agent does not launch {}; start it with --allow-launch {} (it has {})", shown, shown,
                            fmt::join(allowed_, ", ")));
  }
  if (path) return *path;
  return fail(Status::kNotFound, name.starts_with('/') ? fmt::format("there is no file {}", shown)
                                                       : fmt::format("there is no program {} in the agent's $PATH ({})",
                                                                     shown, search_path_));
}

}  // namespace compositord::agent
