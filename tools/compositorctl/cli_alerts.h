#pragma once
// The command line of alerts, ack, silence, maintenance, wait and diagnose.

#include <functional>
#include <map>
#include <string>

#include <CLI/CLI.hpp>

#include "tools/compositorctl/cli.h"

namespace compositord::ctl {

// What CLI11 fills for these commands and take() turns into Options.
struct AlertTexts {
  std::string length;
  std::string begins_in;
  std::string since;
};

void declare_alerts(CLI::App& app, std::map<const CLI::App*, Command>& commands, Options& options, AlertTexts& texts);
void take(const AlertTexts& texts, Options& options);

}  // namespace compositord::ctl
