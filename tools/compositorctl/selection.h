#pragma once
// Which compositors are meant: the patterns of ids and the labels of a command line, for the broker and for what is here already.

#include <string>
#include <vector>

#include "common/msg/alert.h"
#include "common/msg/status.h"
#include "common/msg/value.h"

namespace compositord::ctl {

// KEY=VALUE each, checked by the command line's reader.
msg::Value map_of(const std::vector<std::string>& pairs);
// {ids?, labels?} as schemas/PROTOCOL.md "Group calls" has it; null when nothing was given.
msg::Value selector_of(const std::vector<std::string>& ids, const std::vector<std::string>& labels);
// What the broker would say of that selector.
bool is_selected(const msg::Status& status, const std::vector<std::string>& ids,
                 const std::vector<std::string>& labels);
bool is_selected(const msg::Alert& alert, const std::vector<std::string>& ids, const std::vector<std::string>& labels);

}  // namespace compositord::ctl
