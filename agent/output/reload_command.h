#pragma once
// The command `reload`: the compositor reads its configuration again. One at a time; how it is done is a driver's own.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "agent/driver.h"
#include "common/base/instant.h"
#include "common/msg/value.h"

namespace compositord::agent {

inline constexpr std::string_view kReloadMethod = "reload";

class ReloadCommand {
 public:
  // Whether it begins. Else it has ended: kMalformed (it takes no parameters), kDeadline, kLimit while another one is at work.
  bool begin(std::uint64_t command_id, const msg::Value& params, Instant now, Instant deadline, DriverOutputs& out);
  bool is_at_work() const noexcept { return at_work_.has_value(); }
  Instant deadline() const noexcept { return at_work_ ? at_work_->deadline : kNever; }
  // `done`: what was done, a sentence. `checked`: the configuration was found good before. No effect when none is at work.
  void succeed(std::string done, bool checked, DriverOutputs& out);
  void fail(Status status, std::string error, DriverOutputs& out);
  // Ends it when it is over its deadline; whether it did.
  bool tick(Instant now, DriverOutputs& out);
  void on_gone(DriverOutputs& out);

 private:
  struct AtWork {
    std::uint64_t id = 0;
    Instant deadline;
  };
  std::optional<AtWork> at_work_;
};

}  // namespace compositord::agent
