#pragma once
// The command line of compositord, and the configuration that it and the file make.

#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "broker/config/config.h"
#include "common/base/result.h"
#include "common/log/log.h"

namespace compositord::broker {

struct Options {
  std::string config_file;
  bool check_config = false;
  std::vector<std::string> bus;
  std::vector<std::string> feed;
  std::string state_dir;
  std::string log_level;
  std::string trace_file;
};

void declare(CLI::App& app, Options& options);

// Defaults, then the file, then the command line.
Result<Config> configure(const Options& options);

// Where the log goes, as the configuration says.
log::Places log_places(const Config& config);

}  // namespace compositord::broker
