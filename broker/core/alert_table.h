#pragma once
// The alerts that are firing, by compositor and layer. A fault that appears fires, one that is gone is resolved; what can't be
// known at present stays as it was: a lost agent resolves nothing.

#include <map>
#include <string>
#include <vector>

#include "broker/core/verdict.h"
#include "common/msg/alert.h"

namespace compositord::broker {

class AlertTable {
 public:
  // The changes that `faults` make, in order. A fault whose severity changes is resolved under the old one and fires under
  // the new one, so that a subscriber of one severity sees a whole life.
  std::vector<msg::Alert> update(const msg::Status& status, const std::vector<Fault>& faults, UnixMs now);
  std::size_t firing_count(const std::string& id) const;

 private:
  std::map<std::string, std::map<std::string, msg::Alert>> firing_;  // id -> layer -> alert
};

}  // namespace compositord::broker
