#include "agent/run_options.h"

#include <chrono>

#include "common/base/whole_words.h"

namespace compositord::agent {

void declare_run(CLI::App& app, RunOptions& options) {
  CLI::App* run = app.add_subcommand("run", "Start the compositor, and start it again when it ends");
  run->fallthrough();  // the agent's own options may also stand behind `run`
  run->callback([&options] { options.chosen = true; });
  run->add_option("command", options.command, "The compositor and its arguments, after --")
      ->required()
      ->type_name("COMMAND ARGS...");
  run->add_option("--restart", options.restart, "When it ended unasked, start it again: always, on-failure or never")
      ->check(CLI::IsMember({"always", "on-failure", "never"}))
      ->capture_default_str()
      ->type_name("POLICY");
  run->add_option("--start-limit", options.start_limit,
                  "So many starts within 60 s are a crash loop: it stays down until `restart`; 0: no limit")
      ->check(CLI::Range(0, 1000))
      ->capture_default_str()
      ->type_name("N");
  run->add_option("--stop-grace", options.stop_grace_ms,
                  "What it has to end after SIGTERM, before SIGKILL, in milliseconds")
      ->check(CLI::Range(0, 600'000))
      ->capture_default_str()
      ->type_name("MS");
  run->add_flag("--keep-on-exit", options.keep_on_exit,
                "It lives on when the agent ends, however that ends; then its output is not recorded");
  run->footer(
      "It is started with the agent's environment and ended with the agent. What it prints goes to standard error.\n"
      "Example: compositor-agent run --id wall-3/main -- sway -c /etc/sway/wall");
}

void parse_run(CLI::App& app, RunOptions& options, int argc, const char* const* argv) {
  app.name(argv[0]);
  app.parse(with_whole_words(argc, argv, "run"));
  unmark_whole_words(options.command);
}

SupervisorConfig supervisor_config(const RunOptions& options) {
  SupervisorConfig config;
  config.restart = options.restart == "never"        ? RestartPolicy::kNever
                   : options.restart == "on-failure" ? RestartPolicy::kOnFailure
                                                     : RestartPolicy::kAlways;
  config.start_limit = options.start_limit;
  config.stop_grace = std::chrono::milliseconds(options.stop_grace_ms);
  return config;
}

}  // namespace compositord::agent
