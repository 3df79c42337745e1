#include "broker/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "broker/config/endpoint.h"

namespace compositord::broker {

namespace {

bool has_sink(const Config& config, std::string_view sink) {
  return std::find(config.log_sinks.begin(), config.log_sinks.end(), sink) != config.log_sinks.end();
}

}  // namespace

void declare(CLI::App& app, Options& options) {
  app.set_version_flag("--version", std::string("compositord ") + COMPOSITORD_VERSION);
  app.add_option("--config", options.config_file, "Read this configuration file (YAML; every key is optional)")
      ->type_name("FILE");
  app.add_flag("--check-config", options.check_config, "Print the configuration that would be used, and exit");
  app.add_option("--bus", options.bus, "Bind the bus here; may be given several times")->type_name("ENDPOINT");
  app.add_option("--feed", options.feed, "Bind the feed here; may be given several times")->type_name("ENDPOINT");
  app.add_option("--state-dir", options.state_dir, "Keep the store in this directory")->type_name("DIR");
  app.add_option("--log-level", options.log_level, "debug, info, warning or error")
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}))
      ->type_name("LEVEL");
  app.add_option("--trace", options.trace_file, "Record here all that happens to the broker, for trace_replay")
      ->type_name("FILE");
  app.footer(
      "Without options it listens on tcp://127.0.0.1:7755 (bus) and tcp://127.0.0.1:7756 (feed) and on ipc sockets in "
      "the\n"
      "runtime directory. On standard output it prints the endpoints it has bound, then \"ready\". See "
      "compositord(8).");
}

log::Places log_places(const Config& config) {
  log::Places places;
  places.standard_error = has_sink(config, "stderr");
  if (has_sink(config, "file")) {
    places.file.emplace();
    places.file->directory = config.log_dir;
    places.file->json = config.log_format == "json";
    places.file->rotate_bytes = config.log_rotate_bytes;
    places.file->rotate_files = static_cast<std::size_t>(config.log_rotate_files);
  }
  if (has_sink(config, "journald")) places.journal_socket = log::kJournalSocket;
  if (has_sink(config, "syslog")) places.syslog_socket = log::kSyslogSocket;
  return places;
}

Result<Config> configure(const Options& options) {
  Environment environment = current_environment();
  if (!options.bus.empty() && !options.feed.empty()) {
    // Nobody asks for the default sockets: a runtime directory that can't hold them is no reason not to start.
    environment.runtime_directory.clear();
    environment.xdg_runtime_dir.clear();
  }
  Result<Config> config =
      options.config_file.empty() ? default_config(environment) : load_config(options.config_file, environment);
  if (!config) return config;
  for (const std::vector<std::string>* endpoints : {&options.bus, &options.feed}) {
    for (const std::string& endpoint : *endpoints) {
      const std::string fault = endpoint_fault(endpoint);
      if (!fault.empty()) return fail(Status::kMalformed, fmt::format("endpoint {}: {}", endpoint, fault));
    }
  }
  if (!options.bus.empty()) config->bus = options.bus;
  if (!options.feed.empty()) config->feed = options.feed;
  if (!options.state_dir.empty()) config->state_dir = options.state_dir;
  if (!options.log_level.empty()) config->core.log_level = options.log_level;
  if (config->state_dir.empty()) {
    return fail(Status::kMalformed, "there is no place for the store: give --state-dir DIR, or set HOME");
  }
  if (has_sink(*config, "file") && config->log_dir.empty()) {
    return fail(Status::kMalformed, "there is no place for the status log: set log.dir in the configuration, or HOME");
  }
  return config;
}

}  // namespace compositord::broker
