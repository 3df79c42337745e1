#pragma once
// The subcommand `run`: the agent starts its compositor itself.

#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "agent/core/supervisor.h"

namespace compositord::agent {

struct RunOptions {
  bool chosen = false;
  std::vector<std::string> command;
  std::string restart = "always";
  std::size_t start_limit = SupervisorConfig{}.start_limit;
  int stop_grace_ms = 5'000;
  bool keep_on_exit = false;
};

void declare_run(CLI::App& app, RunOptions& options);
// app.parse(argc, argv), with the compositor's arguments as they are. Throws as that does.
void parse_run(CLI::App& app, RunOptions& options, int argc, const char* const* argv);
SupervisorConfig supervisor_config(const RunOptions& options);

}  // namespace compositord::agent
