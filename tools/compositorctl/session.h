#pragma once
// What every command is given.

#include "common/log/log.h"
#include "common/net/zmq_context.h"
#include "tools/compositorctl/bus_client.h"
#include "tools/compositorctl/cli.h"
#include "tools/compositorctl/console.h"
#include "tools/compositorctl/exit_code.h"

namespace compositord::ctl {

struct Session {
  const Options& options;
  net::ZmqContext& context;
  log::Logger& log;
  Console& console;
  BusClient& bus;
  int stop_fd;
};

// Each gives the exit code of work that was done, which for `run` and `req` is the reply's, or why it was not done.
Outcome<ExitCode> run_ls(Session& session);
Outcome<ExitCode> run_show(Session& session);
Outcome<ExitCode> run_manifest(Session& session);
Outcome<ExitCode> run_manifest_history(Session& session);
Outcome<ExitCode> run_manifest_revision(Session& session);
Outcome<ExitCode> run_diff(Session& session);
Outcome<ExitCode> run_outages(Session& session);
Outcome<ExitCode> run_sla(Session& session);
Outcome<ExitCode> run_watch(Session& session);
Outcome<ExitCode> run_run(Session& session);
Outcome<ExitCode> run_screenshot(Session& session);
Outcome<ExitCode> run_jobs(Session& session);
Outcome<ExitCode> run_job(Session& session);
Outcome<ExitCode> run_cancel(Session& session);
Outcome<ExitCode> run_req(Session& session);
Outcome<ExitCode> run_sub(Session& session);
Outcome<ExitCode> run_dump(Session& session);
Outcome<ExitCode> run_alerts(Session& session);
Outcome<ExitCode> run_ack(Session& session);
Outcome<ExitCode> run_silence_add(Session& session);
Outcome<ExitCode> run_silence_ls(Session& session);
Outcome<ExitCode> run_silence_expire(Session& session);
Outcome<ExitCode> run_maintenance_start(Session& session);
Outcome<ExitCode> run_maintenance_ls(Session& session);
Outcome<ExitCode> run_maintenance_stop(Session& session);
Outcome<ExitCode> run_top(Session& session);
Outcome<ExitCode> run_wait(Session& session);
Outcome<ExitCode> run_diagnose(Session& session);
Outcome<ExitCode> run_peers(Session& session);

}  // namespace compositord::ctl
