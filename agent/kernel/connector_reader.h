#pragma once
// Reads the connectors beside the loop: the kernel may let a reader wait for as long as a card is busy.
//
// Thread rule: everything here is called on the loop's thread. Each reading has a thread of its own, at most one at a time, that
// shares nothing but the result, and is left alone when this object goes: nobody can interrupt it.

#include <poll.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/kernel/connectors.h"
#include "common/base/result.h"

namespace compositord::agent {

class ConnectorReader {
 public:
  explicit ConnectorReader(std::string folder) : folder_(std::move(folder)) {}

  // Begins to read; while it reads already, it reads once more behind that. Errors: kFailed when there is no thread to be had.
  Result<void> start();
  void poll_fds(std::vector<pollfd>& fds) const;
  // The connectors, once for each reading. Errors: as start(), of the one that was wanted behind it.
  Result<std::optional<Connectors>> take();
  bool is_reading() const noexcept { return reading_ != nullptr; }

 private:
  struct Reading;  // shared with the thread

  std::string folder_;
  std::shared_ptr<Reading> reading_;  // none while nothing is read
  bool again_ = false;
};

}  // namespace compositord::agent
