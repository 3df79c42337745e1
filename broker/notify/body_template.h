#pragma once
// The body of a webhook for receivers that want a form of their own, as Slack's:
//
//   {"text": "{{title}}\n{{text}}", "alert": {{json}}}
//
// A variable stands inside a JSON string and is escaped for it: title, text, subject, layer, severity, state, dedupe,
// since and at (RFC 3339, UTC), and labels.<name>, which is empty where there is no such label. {{json}} is the whole alert as
// a JSON value. Pure.

#include <cstdint>
#include <string>
#include <string_view>

#include "broker/notify/notification.h"

namespace compositord::broker {

// `form` must be one without a fault.
std::string fill_template(std::string_view form, const Notification& notification);

// What is wrong with it, as a sentence with what would be right; empty: nothing is. It is filled once to see that JSON comes out.
std::string template_fault(std::string_view form);

// "2026-11-21T20:18:40.123Z"
std::string rfc3339(std::int64_t unix_ms);

}  // namespace compositord::broker
