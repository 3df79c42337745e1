#pragma once
// Whom to tell, how, and of what: one entry of `notify` in the configuration.

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "broker/notify/notification.h"
#include "common/base/instant.h"

namespace compositord::broker {

enum class NotifierKind : std::uint8_t { kWebhook, kExec, kDesktop };
// In the order of the enumeration.
inline constexpr std::array<std::string_view, 3> kNotifierKinds{"webhook", "exec", "desktop"};

struct NotifierConfig {
  std::string name;  // unique; it stands in log events and dead letters
  NotifierKind kind = NotifierKind::kWebhook;

  // What it is told. Patterns are those of common/base/glob.h.
  std::vector<std::string> severities;        // "info", "warning", "critical"; empty: the last two
  bool resolved = true;                       // also that an alert is over
  std::vector<std::string> subjects;          // one of them matches; empty: all
  std::map<std::string, std::string> labels;  // each has a value that matches

  // How long it is tried.
  Duration timeout = std::chrono::seconds(10);        // one attempt
  int attempts = 10;                                  // at most
  Duration backoff = std::chrono::seconds(1);         // after the first failure; then doubled, see backoff.h
  Duration give_up_after = std::chrono::minutes(15);  // since the notification came; one attempt is always made
  std::size_t queue_max = 1'000;                      // notifications that wait; the oldest make room for new ones

  // kWebhook. A file's text is read anew for each attempt, and stands for what must not be in the configuration.
  std::string url;
  std::string url_file;
  std::string body;  // a template, see body_template.h; empty: the alert's JSON
  std::map<std::string, std::string> headers;
  std::string headers_file;  // lines "Name: value"
  int redirects = 3;         // at most

  // kExec: the program and its arguments, no shell.
  std::vector<std::string> command;

  // kDesktop: the address of the session bus; empty: that of our own environment.
  std::string bus;

  friend bool operator==(const NotifierConfig&, const NotifierConfig&) = default;
};

// Whether this notifier is to be told.
bool wants(const NotifierConfig& config, const Notification& notification);

}  // namespace compositord::broker
