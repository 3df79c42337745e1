#pragma once
// Alerts, silences and maintenance windows as people read them.

#include <string>
#include <vector>

#include "common/msg/alert.h"
#include "common/msg/alert_window.h"
#include "tools/compositorctl/text.h"

namespace compositord::ctl {

Colour colour_of(msg::AlertSeverity severity, msg::AlertState state);
// "acknowledged by eve", "silenced", "explained by another alert", or what of it there is; empty when all of it is news.
std::string alert_note(const msg::Alert& alert);
// " except 2 explained by others and 1 in maintenance (--all shows them)", behind "no alert fires"; empty when none is hidden.
std::string hidden_text(const std::vector<msg::Alert>& hidden);
std::string alert_table(const std::vector<msg::Alert>& alerts, UnixMs now, bool coloured);
// A line of `watch` and `alerts --watch`, without its newline.
std::string alert_line(const msg::Alert& alert, bool coloured);
// "ids wall-*, site=berlin"
std::string selector_text(const msg::Value& selector);
std::string window_table(const std::vector<msg::AlertWindow>& windows, UnixMs now, bool coloured);

}  // namespace compositord::ctl
