#pragma once
// The command line.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/instant.h"
#include "common/base/log_event.h"
#include "tools/compositorctl/dump_text.h"

namespace compositord::ctl {

enum class Command : std::uint8_t {
  kLs,
  kShow,
  kManifest,
  kDiff,
  kOutages,
  kSla,
  kWatch,
  kRun,
  kScreenshot,
  kJobs,
  kJob,
  kCancel,
  kReq,
  kSub,
  kDump,
  kAlerts,
  kAck,
  kSilenceAdd,
  kSilenceLs,
  kSilenceExpire,
  kMaintenanceStart,
  kMaintenanceLs,
  kMaintenanceStop,
  kWait,
  kDiagnose,
  kTop,
  kPeers
};

struct ScreenshotOptions {
  std::string output;           // empty: all of them
  std::uint32_t max_width = 0;  // px; 0: any
  std::uint32_t max_height = 0;
  std::string file;  // empty: a name of our own; "-": standard output
};

struct AlertOptions {
  std::vector<std::string> ids;  // patterns
  std::string severity;
  std::vector<std::string> kinds;
  bool all = false;
  bool history = false;
  bool watch = false;
  std::optional<Duration> since;
  std::string alert;   // ack
  std::string window;  // to be ended
  std::string comment;
  std::string author;  // empty: whoever runs this
  std::optional<Duration> length;
  std::optional<Duration> begins_in;
};

struct Options {
  Command command = Command::kLs;
  // For all commands
  bool json = false;
  Severity log_level = Severity::kWarning;
  std::string broker = "tcp://127.0.0.1:7755";
  std::string feed;  // empty: ask the bus
  Duration timeout = std::chrono::seconds(5);
  // ls, run, alerts, silence, maintenance, wait
  std::vector<std::string> labels;  // KEY=VALUE, all must fit
  // outages, sla
  std::optional<Duration> since;  // how far back; empty: the broker decides
  // manifest
  std::optional<std::uint64_t> revision;
  bool history = false;
  // show, manifest, run, screenshot, diagnose
  std::string id;
  // run
  std::string method;
  std::vector<std::string> arguments;
  bool force = false;
  bool queue = false;
  bool idempotent = false;
  std::optional<Duration> confirm_within;
  std::optional<std::string> idem;
  std::optional<Duration> ttl;
  std::vector<std::string> facts;  // FACT=VALUE, all must fit
  std::int64_t batch = 0;          // 0: all at once
  std::optional<std::int64_t> max_fail;
  ScreenshotOptions screenshot;
  // alerts, ack, silence, maintenance; wait has its ids here
  AlertOptions alert;
  // wait
  std::vector<std::string> wait_for;  // FACT=VALUE, all must hold
  // job, cancel
  std::string job;
  // run, req, screenshot
  std::optional<Duration> deadline;
  // req
  std::string service;
  std::string body;    // a method, a JSON call, or with `raw` any text
  std::string params;  // JSON, with a method
  bool raw = false;
  // sub
  std::vector<std::string> prefixes;
  // dump
  std::string listen;
  std::string trace_file;
  DumpOptions dump;
  // watch, top, sub, dump
  std::optional<std::uint64_t> count;
  std::optional<Duration> run_for;
};

struct CommandLine {
  std::optional<int> exit_code;  // set: end with it, `text` says all (the help, the version, a complaint)
  std::string text;
  Options options;
};

CommandLine parse_command_line(int argc, const char* const* argv);

}  // namespace compositord::ctl
