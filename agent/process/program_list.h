#pragma once
// Which programs this agent may launch: those of --allow-launch. A launch is somebody else's hand on this machine, so nothing is
// on the list that was not put there.
//
// The list is about which program, not about what it can be made to do by its arguments: who allows a shell allows all.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace compositord::agent {

class ProgramList {
 public:
  static constexpr std::string_view kAll = "ALL";  // instead of a program: any

  // `allowed`: absolute paths, or names that are looked for in `search_path` ("/usr/bin:/bin"), at each question anew.
  ProgramList(std::vector<std::string> allowed, std::string search_path);

  // The path of the executable that `name` stands for. Errors: kMalformed for a relative path, kForbidden when it is not on the
  // list, whether or not there is such a file, kNotFound when there is none.
  Result<std::string> find(const std::string& name) const;

 private:
  std::optional<std::string> path_of(const std::string& name) const;
  bool allows(const std::string& name, const std::optional<std::string>& path) const;

  std::vector<std::string> allowed_;
  std::string search_path_;
};

}  // namespace compositord::agent
