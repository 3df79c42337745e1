#include "broker/core/verdict.h"

#include <array>
#include <string_view>

#include <fmt/format.h>

namespace compositord::broker {

namespace {

// Signals are named for people; the number is what the wire carries. The usual ones, as Linux numbers them on x86 and ARM.
std::string signal_text(int signal) {
  static constexpr std::array<std::pair<int, std::string_view>, 13> kNames{{{1, "SIGHUP"},
                                                                            {2, "SIGINT"},
                                                                            {3, "SIGQUIT"},
                                                                            {4, "SIGILL"},
                                                                            {5, "SIGTRAP"},
                                                                            {6, "SIGABRT"},
                                                                            {7, "SIGBUS"},
                                                                            {8, "SIGFPE"},
                                                                            {9, "SIGKILL"},
                                                                            {11, "SIGSEGV"},
                                                                            {13, "SIGPIPE"},
                                                                            {14, "SIGALRM"},
                                                                            {15, "SIGTERM"}}};
  for (const auto& entry : kNames) {
    if (entry.first == signal) return fmt::format("signal {} ({})", signal, entry.second);
  }
  return fmt::format("signal {}", signal);
}

std::string end_text(const msg::ProcessFact& process) {
  if (process.state == msg::Process::kKilled) {
    return process.signal ? "the compositor was killed by " + signal_text(*process.signal)
                          : "the compositor was killed";
  }
  return process.code ? fmt::format("the compositor exited with code {}", *process.code)
                      : "the compositor is gone; how it ended is unknown";
}

std::string process_text(const msg::ProcessFact& process) {
  return process.note ? end_text(process) + "; " + *process.note : end_text(process);
}

// Source of the note: schemas/PROTOCOL.md "Crashes".
msg::AlertKind end_kind(const msg::ProcessFact& process) {
  if (process.note && process.note->starts_with("crash loop")) return msg::AlertKind::kCrashLoop;
  const bool clean = process.state == msg::Process::kExited && process.code.value_or(1) == 0;
  return clean ? msg::AlertKind::kCompositorExited : msg::AlertKind::kCompositorCrashed;
}

std::string because(const std::string& cause) { return cause.empty() ? std::string() : " (" + cause + ")"; }

void find_progress_fault(const msg::Status& status, std::vector<Fault>& faults) {
  const msg::ProgressFact& progress = status.progress;
  switch (progress.state) {
    case msg::Progress::kOk: return;
    case msg::Progress::kSlow:
      // The cause may be another one than its answers: it may draw no frames.
      faults.push_back({"progress", msg::Verdict::kDegraded,
                        progress.cause.empty() ? "the compositor answers slowly"
                                               : "the compositor is slow" + because(progress.cause),
                        msg::AlertKind::kCompositorSlow});
      return;
    case msg::Progress::kSuspect:
      faults.push_back({"progress", msg::Verdict::kDegraded,
                        "the compositor has not answered for some seconds" + because(progress.cause),
                        msg::AlertKind::kCompositorSlow});
      return;
    case msg::Progress::kFrozen:
      faults.push_back({"progress", msg::Verdict::kDown, "the compositor is frozen" + because(progress.cause),
                        msg::AlertKind::kCompositorFrozen});
      return;
    case msg::Progress::kUnknown:
      faults.push_back({"progress", msg::Verdict::kUnknown, "nothing is known of the compositor's progress",
                        msg::AlertKind::kCompositorUnknown});
      return;
  }
}

void find_output_faults(const msg::Status& status, std::vector<Fault>& faults) {
  for (const msg::OutputFact& output : status.outputs) {
    const std::string layer = "output/" + output.name;
    if (output.state == msg::OutputState::kDisconnected) {
      faults.push_back({layer, msg::Verdict::kDegraded, fmt::format("output {} is disconnected", output.name),
                        msg::AlertKind::kOutputLost});
    } else if (output.state == msg::OutputState::kOff) {
      faults.push_back(
          {layer, msg::Verdict::kDegraded, fmt::format("output {} is off", output.name), msg::AlertKind::kOutputOff});
      faults.back().planned = output.planned.value_or(false);
    } else if (output.state == msg::OutputState::kUnknown) {
      faults.push_back({layer, msg::Verdict::kUnknown, fmt::format("nothing is known of output {}", output.name),
                        msg::AlertKind::kOutputUnknown});
    }
  }
}

}  // namespace

std::vector<Fault> find_faults(const msg::Status& status, bool reported) {
  // A lost agent says nothing of its compositor: unknown, not down.
  if (status.link.state == msg::Link::kLost)
    return {{"link", msg::Verdict::kUnknown, "the agent is lost", msg::AlertKind::kAgentLost}};
  if (status.link.state == msg::Link::kLeft)
    return {{"link", msg::Verdict::kUnknown, "the agent signed off", msg::AlertKind::kAgentLeft}};
  if (!reported)
    return {{"link", msg::Verdict::kUnknown, "the agent has not reported yet", msg::AlertKind::kAgentLost}};

  std::vector<Fault> faults;
  const msg::Process process = status.process.state;
  if (process == msg::Process::kExited || process == msg::Process::kKilled) {
    return {{"process", msg::Verdict::kDown, process_text(status.process), end_kind(status.process), false,
             status.process.code, status.process.signal}};
  }
  if (process == msg::Process::kUnknown && status.progress.state == msg::Progress::kUnknown) {
    const std::string note = status.process.note ? "; " + *status.process.note : std::string();
    return {{"process", msg::Verdict::kDown, "the agent finds no compositor on this display" + note,
             msg::AlertKind::kCompositorMissing}};
  }
  if (process == msg::Process::kStopped) {
    faults.push_back({"process", msg::Verdict::kDegraded, "the compositor's process is stopped",
                      msg::AlertKind::kCompositorStopped});
  }
  find_progress_fault(status, faults);
  find_output_faults(status, faults);
  return faults;
}

void apply_verdict(const std::vector<Fault>& faults, msg::Status& status) {
  const auto rank = [](msg::Verdict v) { return v == msg::Verdict::kDown ? 2 : v == msg::Verdict::kUnknown ? 1 : 0; };
  status.verdict = msg::Verdict::kOk;
  status.layer.clear();
  status.reason.clear();
  for (const Fault& fault : faults) {
    // The worst fault gives the verdict, the first one its layer: a stopped process is why the progress froze.
    if (status.layer.empty()) {
      status.layer = fault.layer;
      status.reason = fault.text;
      status.verdict = fault.verdict;
    } else if (rank(fault.verdict) > rank(status.verdict)) {
      status.verdict = fault.verdict;
      status.reason += "; " + fault.text;
    }
  }
  status.summary = status.verdict == msg::Verdict::kOk ? "COMPOSITE_OK" : "COMPOSITE_ERROR";
}

msg::AlertSeverity severity_of(msg::Verdict verdict) noexcept {
  return verdict == msg::Verdict::kDown ? msg::AlertSeverity::kCritical : msg::AlertSeverity::kWarning;
}

}  // namespace compositord::broker
