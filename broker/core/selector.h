#pragma once
// Which compositors a group call is for. All that is given must apply; patterns are those of common/base/glob.h.
//
//   {"ids": ["wall-*/*", …],                    one of them matches the id
//    "labels": {"site": "berlin", …},           each label has a value that matches
//    "facts": {"compositor": "sway", …}}        compositor (its name), version, verdict, link, process, progress

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/msg/value.h"

namespace compositord::broker {

struct Compositor;

struct Selector {
  std::vector<std::string> ids;
  std::map<std::string, std::string> labels;
  std::map<std::string, std::string> facts;
};

// Errors: kMalformed: nothing is selected by it, an unknown fact, or another type than these.
Result<Selector> parse_selector(const msg::Value& value);
// The optional `selector` among a call's parameters. Errors: kMalformed.
Result<std::optional<Selector>> read_selector(const msg::Value& params);
bool matches(const Selector& selector, const Compositor& compositor);
// By id and labels alone.
bool matches(const Selector& selector, const std::string& id, const std::map<std::string, std::string>& labels);

}  // namespace compositord::broker
