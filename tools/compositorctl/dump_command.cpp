// dump: every message on the bus, decoded, as it passes or as a trace has it.

#include <algorithm>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "common/base/clock.h"
#include "tools/compositorctl/dump_proxy.h"
#include "tools/compositorctl/dump_text.h"
#include "tools/compositorctl/dump_trace.h"
#include "tools/compositorctl/session.h"

namespace compositord::ctl {

namespace {

// Prints until as many messages as wanted were printed.
class Printer {
 public:
  Printer(Session& session, const DumpOptions& options) : session_(session), dump_(options) {}

  Outcome<bool> show(const SeenMessage& message) {
    const std::optional<std::string> lines = dump_.lines_of(message);
    if (!lines) return true;
    const Outcome<void> printed = session_.console.print(*lines);
    if (!printed) return tl::unexpected<Failure>(printed.error());
    return !session_.options.count || ++printed_ < *session_.options.count;
  }
  std::string name_of(const wire::RoutingId& peer) { return dump_.name_of(peer); }

 private:
  Session& session_;
  Dump dump_;
  std::uint64_t printed_ = 0;
};

Outcome<void> dump_bus(Session& session, Printer& printer) {
  const Options& options = session.options;
  const Instant deadline = options.run_for ? monotonic_now() + *options.run_for : kNever;
  DumpProxy proxy(session.context, session.console,
                  {options.listen, options.broker, session.stop_fd,
                   [&](const wire::RoutingId& peer) { return printer.name_of(peer); }});
  const Outcome<std::string> bound = proxy.open();
  if (!bound) return tl::unexpected<Failure>(bound.error());
  session.console.note(fmt::format("listening on {} for {}", *bound, options.broker));
  return proxy.run(deadline, [&](const SeenMessage& message) { return printer.show(message); });
}

}  // namespace

Outcome<ExitCode> run_dump(Session& session) {
  const Options& options = session.options;
  if (options.listen.empty() == options.trace_file.empty()) {
    return give_up(ExitCode::kUsage, "dump needs either --listen ENDPOINT or --trace FILE");
  }
  if (options.run_for && options.listen.empty()) return give_up(ExitCode::kUsage, "--for goes with --listen");
  const std::vector<std::string>& commands = options.dump.commands;
  const bool heartbeats = std::find(commands.begin(), commands.end(), "HEARTBEAT") != commands.end();
  if (heartbeats && options.dump.no_heartbeats) {
    return give_up(ExitCode::kUsage, "--command HEARTBEAT and --no-heartbeats exclude each other");
  }
  DumpOptions dump = options.dump;
  dump.json = options.json;
  dump.routing_ids = !options.trace_file.empty();  // those of a proxy are known to nobody else
  Printer printer(session, dump);
  const Outcome<void> done = options.listen.empty()
                                 ? dump_trace(options.trace_file, session.console, session.stop_fd,
                                              [&](const SeenMessage& message) { return printer.show(message); })
                                 : dump_bus(session, printer);
  if (!done) return tl::unexpected<Failure>(done.error());
  return ExitCode::kDone;
}

}  // namespace compositord::ctl
