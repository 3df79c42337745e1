// compositorctl: the operator's tool. Wiring only.

#include <string>

#include "common/log/log.h"
#include "common/net/stop_signal.h"
#include "common/net/zmq_context.h"
#include "tools/compositorctl/cli.h"
#include "tools/compositorctl/session.h"
#include "tools/compositorctl/text.h"

namespace compositord::ctl {
namespace {

Outcome<ExitCode> run(Session& session) {
  switch (session.options.command) {
    case Command::kLs: return run_ls(session);
    case Command::kShow: return run_show(session);
    case Command::kManifest: return run_manifest(session);
    case Command::kDiff: return run_diff(session);
    case Command::kOutages: return run_outages(session);
    case Command::kSla: return run_sla(session);
    case Command::kWatch: return run_watch(session);
    case Command::kRun: return run_run(session);
    case Command::kScreenshot: return run_screenshot(session);
    case Command::kJobs: return run_jobs(session);
    case Command::kJob: return run_job(session);
    case Command::kCancel: return run_cancel(session);
    case Command::kReq: return run_req(session);
    case Command::kSub: return run_sub(session);
    case Command::kDump: return run_dump(session);
    case Command::kAlerts: return run_alerts(session);
    case Command::kAck: return run_ack(session);
    case Command::kSilenceAdd: return run_silence_add(session);
    case Command::kSilenceLs: return run_silence_ls(session);
    case Command::kSilenceExpire: return run_silence_expire(session);
    case Command::kMaintenanceStart: return run_maintenance_start(session);
    case Command::kMaintenanceLs: return run_maintenance_ls(session);
    case Command::kMaintenanceStop: return run_maintenance_stop(session);
    case Command::kWait: return run_wait(session);
    case Command::kDiagnose: return run_diagnose(session);
    case Command::kTop: return run_top(session);
    case Command::kPeers: return run_peers(session);
  }
  return ExitCode::kLocal;
}

int run_command(const Options& options, Console& console) {
  const net::StopSignal stop;
  log::Logger logger("compositorctl", options.log_level);
  net::ZmqContext context;
  BusClient bus(context, logger, BusSettings{options.broker, options.timeout, stop.fd()});
  Session session{options, context, logger, console, bus, stop.fd()};
  const Outcome<ExitCode> ended = run(session);
  if (ended) return to_number(*ended);
  if (!ended.error().text.empty()) console.note(safe_lines(ended.error().text));
  for (const std::string& hint : ended.error().hints) console.note(safe_text(hint));
  return to_number(ended.error().code);
}

int program(int argc, char** argv) {
  const CommandLine line = parse_command_line(argc, argv);
  Console console;
  if (!line.exit_code) return run_command(line.options, console);
  if (*line.exit_code != to_number(ExitCode::kDone)) {
    console.complain(line.text);
    return *line.exit_code;
  }
  const Outcome<void> printed = console.print(line.text);
  return to_number(printed ? ExitCode::kDone : printed.error().code);
}

}  // namespace
}  // namespace compositord::ctl

int main(int argc, char** argv) { return compositord::ctl::program(argc, argv); }
