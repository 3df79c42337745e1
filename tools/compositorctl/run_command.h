#pragma once
// run: what is looked at before a command is sent, and what is said of its reply.

#include <optional>
#include <string>

#include "common/msg/manifest.h"
#include "common/msg/value.h"
#include "tools/compositorctl/exit_code.h"

namespace compositord::ctl {

// Why the manifest says that the command can't be carried out, with the exit code that the bus's refusal would have;
// nothing when it can.
std::optional<Failure> objection(const msg::Manifest& manifest, const std::string& id, const std::string& command);

// {before, after} -> "HEADLESS-1: scale 1 → 1.5", a line for each difference; other results as JSON; empty for none.
std::string result_text(const msg::Value& result);

}  // namespace compositord::ctl
