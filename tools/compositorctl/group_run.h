#pragma once
// `run` with a pattern: one command to many compositors.

#include "common/msg/value.h"
#include "tools/compositorctl/session.h"

namespace compositord::ctl {

// Whether the command line means several: a pattern, or an option that only makes sense for one.
bool is_for_group(const Options& options) noexcept;
// Prints each compositor's end as it comes, then how many did it.
Outcome<ExitCode> run_on_group(Session& session, const msg::Value& params);

}  // namespace compositord::ctl
