#pragma once
// What an operator may change of the alerts. Source: schemas/PROTOCOL.md "Alerts".

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "common/base/instant.h"
#include "common/msg/alert.h"

namespace compositord::broker {

// The first rule whose pattern matches the kind's name and the compositor's id decides; what it leaves out is as usual.
struct AlertRule {
  std::string kind = "*";
  std::string id = "*";
  Duration fail_after{};                       // the fault must last that long before it fires
  Duration ok_after{};                         // it must be gone that long before it is resolved
  std::optional<msg::AlertSeverity> severity;  // instead of the kind's own
  bool enabled = true;
  friend bool operator==(const AlertRule&, const AlertRule&) = default;
};

struct AlertConfig {
  // An agent that is lost waits that long for others of its site that are silent too, so that all are one alert.
  Duration group_wait = std::chrono::milliseconds(200);
  // A group's alert tells how many they are now, at most that often.
  Duration group_interval = std::chrono::seconds(5);
  // So many agents lost together are one alert.
  int group_min = 3;
  // How often what fires is published again.
  Duration repeat = std::chrono::seconds(60);
  // An agent that the broker knows from before its start may take that long to come back.
  Duration return_grace = std::chrono::seconds(20);
  // News (a new output, another mode) are over by themselves after that.
  Duration news_keep = std::chrono::minutes(10);
  // An agent's clock may differ from the broker's by so much.
  Duration clock_skew_max = std::chrono::seconds(10);
  // How many ended alerts are kept.
  std::size_t history_max = 10'000;
  // The label whose value names a compositor's site.
  std::string site_label = "site";
  std::vector<AlertRule> rules;
};

}  // namespace compositord::broker
