// compositord: the broker daemon. Wiring only: store, sockets, loop.

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "broker/core/broker_core.h"
#include "broker/io/broker_loop.h"
#include "broker/io/bus_sockets.h"
#include "broker/notify/notifiers.h"
#include "broker/options.h"
#include "broker/reload.h"
#include "broker/store/sqlite_store.h"
#include "broker/store/store_thread.h"
#include "broker/trace/trace_writer.h"
#include "common/base/clock.h"
#include "common/log/log.h"
#include "common/net/hangup_signal.h"
#include "common/net/stop_signal.h"

namespace compositord::broker {
namespace {

Result<void> bind_all(Config& config, BusSockets& sockets) {
  for (const std::string& endpoint : config.bus) {
    Result<std::string> bound = sockets.bind_bus(endpoint);
    if (!bound) return tl::unexpected<Error>(bound.error());
    config.core.bus_endpoints.push_back(std::move(*bound));
  }
  for (const std::string& endpoint : config.feed) {
    Result<std::string> bound = sockets.bind_feed(endpoint);
    if (!bound) return tl::unexpected<Error>(bound.error());
    config.core.feed_endpoints.push_back(std::move(*bound));
  }
  return {};
}

// Nothing when no trace is wanted.
Result<std::unique_ptr<TraceWriter>> open_trace(const std::string& file, const Config& config,
                                                const StoredState& stored) {
  if (file.empty()) return nullptr;
  return TraceWriter::create(file, TraceHeader{COMPOSITORD_VERSION, stored.epoch, config.core}, stored);
}

Result<void> serve(Config config, const Options& options, log::Logger& logger) {
  const net::StopSignal stop;
  std::optional<net::HangupSignal> hangup;
  if (!options.config_file.empty()) hangup.emplace();
  for (const LogEvent& event : take_catalogue(config)) logger.write(event);
  auto store = std::make_unique<SqliteStore>(config.state_dir);
  const Result<StoredState> stored = store->load(unix_now());
  if (!stored) return tl::unexpected<Error>(stored.error());
  if (!stored->warning.empty()) {
    logger.write(LogEvent(Severity::kWarning, "store.warning").with("why", stored->warning));
  }
  const Result<std::unique_ptr<StoreThread>> store_thread = StoreThread::start(std::move(store));
  if (!store_thread) return tl::unexpected<Error>(store_thread.error());

  net::ZmqContext context;
  const Limits& limits = config.core.limits;
  BusSockets sockets(context,
                     {limits.frames_per_message_max, limits.bytes_per_frame_max, limits.bytes_per_message_max});
  const Result<void> bound = bind_all(config, sockets);
  if (!bound) return bound;

  const Result<std::unique_ptr<TraceWriter>> trace = open_trace(options.trace_file, config, *stored);
  if (!trace) return tl::unexpected<Error>(trace.error());

  Result<std::unique_ptr<Notifiers>> notifiers = start_notifiers(config);
  if (!notifiers) return tl::unexpected<Error>(notifiers.error());
  const Result<std::unique_ptr<ConfigReloader>> reloader =
      ConfigReloader::start(config_reader(options, config), hangup ? hangup->fd() : -1);
  if (!reloader) return tl::unexpected<Error>(reloader.error());

  BrokerCore core(config.core, stored->epoch);
  BrokerLoop loop(sockets, **store_thread, logger, stop.fd(), trace->get(), std::move(*notifiers), reloader->get());
  for (const std::string& endpoint : config.core.bus_endpoints) fmt::print("bus {}\n", endpoint);
  for (const std::string& endpoint : config.core.feed_endpoints) fmt::print("feed {}\n", endpoint);
  fmt::print("ready\n");
  std::fflush(stdout);
  logger.write(LogEvent(Severity::kInfo, "broker.started").with("epoch", std::to_string(stored->epoch)));
  loop.run(core, *stored);
  logger.write(LogEvent(Severity::kInfo, "broker.stopped"));
  return {};
}

int run(const Options& options) {
  const auto complain = [](const Error& error) {
    fmt::print(stderr, "compositord: {}\n", error.text);
    return 1;
  };
  Result<Config> config = configure(options);
  if (!config) return complain(config.error());
  if (options.check_config) {
    fmt::print("{}", to_yaml(*config));
    return 0;
  }
  log::Logger logger("compositord", log::severity_from_name(config->core.log_level).value_or(Severity::kInfo),
                     log_places(*config));
  const Result<void> served = serve(std::move(*config), options, logger);
  return served ? 0 : complain(served.error());
}

int program(int argc, char** argv) {
  CLI::App app("compositord, the message bus for display compositors: the broker.");
  Options options;
  declare(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : 2;  // --help and --version end here too
  }
  return run(options);
}

}  // namespace
}  // namespace compositord::broker

int main(int argc, char** argv) { return compositord::broker::program(argc, argv); }
