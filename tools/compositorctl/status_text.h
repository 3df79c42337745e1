#pragma once
// Statuses as people read them.

#include <optional>
#include <string>

#include "common/feed/feed_view.h"
#include "common/msg/manifest.h"
#include "common/msg/status.h"
#include "tools/compositorctl/fleet.h"
#include "tools/compositorctl/text.h"

namespace compositord::ctl {

Colour colour_of(msg::Verdict verdict);
Colour colour_of(msg::Link link);

// "killed by signal 9", "exited with code 1", "running".
std::string process_text(const msg::ProcessFact& process);
// "3/4": how many outputs are on.
std::string outputs_text(const msg::Status& status);
std::string labels_text(const std::map<std::string, std::string>& labels);
// "sway 1.7"
std::string software_text(const std::string& name, const std::string& version);

// "round trip p50 1.2 ms, p99 4.8 ms · 142 MiB · 3.1 % CPU · 12 clients": what is known of it, empty when nothing is.
std::string metrics_text(const msg::Metrics& metrics);

// All that `show` says. `now` is the broker's calendar as far as it is known.
std::string show_text(const msg::Status& status, const std::optional<KnownManifest>& manifest, UnixMs now,
                      bool coloured);

// The last crash, with the end of what the compositor printed before it; `-o json` has all of it.
std::string crash_text(const msg::Crash& crash, UnixMs now);

// A line of `watch`, without its newline. Where verdict and reason stay, it says which facts changed.
std::string change_line(const feed::StatusChange& change, bool coloured);

}  // namespace compositord::ctl
