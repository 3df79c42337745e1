#pragma once
// Outputs that are dark because somebody wanted it so: what a command over the bus switched off is no failure. A screen that
// goes dark without one is.

#include <map>
#include <set>
#include <string>
#include <vector>

#include "common/base/instant.h"
#include "common/msg/status.h"
#include "common/msg/value.h"

namespace compositord::agent {

// The outputs that a command is to switch off.
std::vector<std::string> outputs_to_darken(const std::string& method, const msg::Value& params);

class PlannedDark {
 public:
  // A command is under way that switches the output off, by `until` at the latest.
  void expect(const std::string& output, Instant until) { expected_[output] = until; }
  // An output is seen like this. True: it is dark as planned.
  bool seen(const std::string& output, msg::OutputState state, Instant now);

 private:
  std::map<std::string, Instant> expected_;
  std::set<std::string> dark_;
};

}  // namespace compositord::agent
