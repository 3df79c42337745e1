#pragma once
// What the bus has to tell a person, and what became of that.

#include <cstdint>
#include <map>
#include <string>

namespace compositord::broker {

// One alert's change that a person should hear of.
struct Notification {
  std::string dedupe;    // "<alert id>/<number of the change>": the same in each attempt, also after a restart
  std::string state;     // "firing", "resolved"
  std::string severity;  // "warning", "critical"
  std::string subject;   // a compositor's id, "host wall-3", "site berlin", "bus"
  std::string layer;     // the first that failed
  std::string title;     // one line
  std::string text;      // the whole sentences
  std::string json;  // the whole alert as JSON: a program's standard input, and what a webhook gets without a template
  std::int64_t since_ms = 0;
  std::int64_t at_ms = 0;
  std::map<std::string, std::string> labels;
  friend bool operator==(const Notification&, const Notification&) = default;
};

// How a notification ended at one notifier.
struct Delivered {
  std::string dedupe;
  std::string notifier;
  bool ok = false;
  int attempts = 0;   // 0: it had to make room for newer ones before it could be tried
  std::string error;  // the last attempt's, when not ok
  friend bool operator==(const Delivered&, const Delivered&) = default;
};

}  // namespace compositord::broker
