#pragma once
// A notification as the alert engine makes them.

#include <string>

#include "broker/notify/notification.h"

namespace compositord::test {

inline broker::Notification sample_notification(const std::string& dedupe = "a1/1") {
  broker::Notification n;
  n.dedupe = dedupe;
  n.state = "firing";
  n.severity = "critical";
  n.subject = "wall-3/wayland-1";
  n.layer = "process";
  n.title = "wall-3/wayland-1: the compositor was killed";
  n.text = "The compositor was \"killed\" by signal 9 <SIGKILL>.";
  n.json = R"({"id":"wall-3/wayland-1","state":"firing"})";
  n.since_ms = 1'795'292'320'123;
  n.at_ms = n.since_ms;
  n.labels = {{"site", "berlin"}};
  return n;
}

}  // namespace compositord::test
