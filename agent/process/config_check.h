#pragma once
// Runs a compositor's own executable a second time, beside the loop, to let it judge its configuration file: as its user, in its
// directory, with its environment, so that the file means the same. The second one must not come near the first one's display: it gets
// a runtime directory of its own, and nothing that leads to a screen but what its starter names.

#include <poll.h>

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "agent/process/child_process.h"
#include "agent/process/peer.h"
#include "common/base/instant.h"
#include "common/base/result.h"

namespace compositord::agent {

class ConfigCheck {
 public:
  static constexpr std::size_t kOutputBytesMax = std::size_t{16} << 10U;

  struct Verdict {
    bool good = false;
    std::string output;  // what it printed
  };

  // `variables` take the place of those with the same names. Errors: kForbidden when we are neither root nor the compositor's user,
  // kFailed when it can't be started.
  static Result<ConfigCheck> start(const Peer& compositor, std::vector<std::string> options,
                                   const std::vector<std::string>& variables);
  ConfigCheck(ConfigCheck&&) noexcept = default;
  ConfigCheck& operator=(ConfigCheck&&) = delete;
  ~ConfigCheck() = default;  // kills what still runs

  void poll_fds(std::vector<pollfd>& fds) const { child_.poll_fds(fds); }
  // Nothing while it runs. Errors: kFailed when it could not be executed, or was killed.
  std::optional<Result<Verdict>> service();

 private:
  // Removed with what a killed compositor leaves in it.
  class RuntimeDirectory {
   public:
    static Result<RuntimeDirectory> make(const Peer& owner, gid_t group);
    RuntimeDirectory(RuntimeDirectory&& other) noexcept : path_(std::exchange(other.path_, {})) {}
    RuntimeDirectory& operator=(RuntimeDirectory&&) = delete;
    ~RuntimeDirectory();
    const std::string& path() const noexcept { return path_; }

   private:
    explicit RuntimeDirectory(std::string path) : path_(std::move(path)) {}
    std::string path_;
  };

  ConfigCheck(RuntimeDirectory directory, ChildProcess child)
      : directory_(std::move(directory)), child_(std::move(child)) {}

  RuntimeDirectory directory_;  // goes after the child
  ChildProcess child_;
  std::string output_;
};

}  // namespace compositord::agent
