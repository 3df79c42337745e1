#pragma once
// Status: how a compositor *does*. Four facts are kept apart (link, process, progress, outputs) and one verdict is computed
// from them by the broker. Source: schemas/messages/status.json, schemas/PROTOCOL.md "Status".

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/msg/fields.h"

namespace compositord::msg {

enum class Link : std::uint8_t { kConnected, kSuspect, kLost, kLeft };
constexpr auto enum_names(Link) {
  return std::array<EnumName<Link>, 4>{
      {{Link::kConnected, "connected"}, {Link::kSuspect, "suspect"}, {Link::kLost, "lost"}, {Link::kLeft, "left"}}};
}

enum class Process : std::uint8_t { kRunning, kExited, kKilled, kStopped, kUnknown };
constexpr auto enum_names(Process) {
  return std::array<EnumName<Process>, 5>{{{Process::kRunning, "running"},
                                           {Process::kExited, "exited"},
                                           {Process::kKilled, "killed"},
                                           {Process::kStopped, "stopped"},
                                           {Process::kUnknown, "unknown"}}};
}

enum class Progress : std::uint8_t { kOk, kSlow, kSuspect, kFrozen, kUnknown };
constexpr auto enum_names(Progress) {
  return std::array<EnumName<Progress>, 5>{{{Progress::kOk, "ok"},
                                            {Progress::kSlow, "slow"},
                                            {Progress::kSuspect, "suspect"},
                                            {Progress::kFrozen, "frozen"},
                                            {Progress::kUnknown, "unknown"}}};
}

enum class OutputState : std::uint8_t { kOn, kOff, kDisconnected, kUnknown };
constexpr auto enum_names(OutputState) {
  return std::array<EnumName<OutputState>, 4>{{{OutputState::kOn, "on"},
                                               {OutputState::kOff, "off"},
                                               {OutputState::kDisconnected, "disconnected"},
                                               {OutputState::kUnknown, "unknown"}}};
}

enum class Verdict : std::uint8_t { kOk, kDegraded, kDown, kUnknown, kMaintenance };
constexpr auto enum_names(Verdict) {
  return std::array<EnumName<Verdict>, 5>{{{Verdict::kOk, "ok"},
                                           {Verdict::kDegraded, "degraded"},
                                           {Verdict::kDown, "down"},
                                           {Verdict::kUnknown, "unknown"},
                                           {Verdict::kMaintenance, "maintenance"}}};
}

// `since`: when the state began. `observed_at`: when it was last seen to be so.
struct LinkFact {
  Link state = Link::kLost;
  UnixMs since;
  UnixMs observed_at;

  template <class Self, class V>
  static void fields(Self& m, V& v) {
    v("state", m.state);
    v("since", m.since);
    v("observed_at", m.observed_at);
  }
};

struct ProcessFact {
  Process state = Process::kUnknown;
  std::optional<std::int32_t> code;    // with kExited, where the kernel or being the parent told it
  std::optional<std::int32_t> signal;  // with kKilled
  // Of one that is gone: that it always ends like this when it is asked to, or what becomes of it, "crash loop: …".
  std::optional<std::string> note;
  UnixMs since;
  UnixMs observed_at;

  template <class Self, class V>
  static void fields(Self& m, V& v) {
    v("state", m.state);
    v("code", m.code);
    v("signal", m.signal);
    v("note", m.note);
    v("since", m.since);
    v("observed_at", m.observed_at);
  }
};

struct ProgressFact {
  Progress state = Progress::kUnknown;
  std::optional<double> round_trip_ms;  // of the last answered probe
  std::string cause;  // while not ok: "stopped", "spinning", "waiting for I/O", "the graphics card hangs (…)", or empty
  UnixMs since;
  UnixMs observed_at;

  template <class Self, class V>
  static void fields(Self& m, V& v) {
    v("state", m.state);
    v("round_trip_ms", m.round_trip_ms);
    v.optional("cause", m.cause);
    v("since", m.since);
    v("observed_at", m.observed_at);
  }
};

struct OutputFact {
  std::string name;
  OutputState state = OutputState::kUnknown;
  UnixMs since;
  UnixMs observed_at;
  std::optional<bool> planned = {};  // true: it is off because a command over the bus switched it off

  template <class Self, class V>
  static void fields(Self& m, V& v) {
    v("name", m.name);
    v("state", m.state);
    v("since", m.since);
    v("observed_at", m.observed_at);
    v("planned", m.planned);
  }
};

// What an agent measured of its compositor; what it can't know is absent. Of the last minute, or of the time between two regular
// reports: figures for people and graphs, and no state, so that a change of them alone is not published.
struct Metrics {
  std::optional<std::uint64_t> probe_p50_us;  // of the probes that were answered in the last minute
  std::optional<std::uint64_t> probe_p99_us;
  std::optional<std::uint64_t> rss_bytes;  // resident memory of its process
  std::optional<double> cpu_percent;       // of one processor; more than 100 with several threads
  std::optional<std::uint64_t> clients;    // that are connected to it, the agent left out
  std::optional<std::uint64_t> restarts;   // since its agent runs, when that starts it

  template <class Self, class V>
  static void fields(Self& m, V& v) {
    v("probe_p50_us", m.probe_p50_us);
    v("probe_p99_us", m.probe_p99_us);
    v("rss_bytes", m.rss_bytes);
    v("cpu_percent", m.cpu_percent);
    v("clients", m.clients);
    v("restarts", m.restarts);
  }
  friend bool operator==(const Metrics&, const Metrics&) = default;
};

struct CrashEvent {
  UnixMs at;
  std::string text;  // a log event of the agent

  template <class Self, class V>
  static void fields(Self& m, V& v) {
    v("at", m.at);
    v("text", m.text);
  }
};

struct CrashProbe {
  UnixMs at;
  double round_trip_ms = 0;

  template <class Self, class V>
  static void fields(Self& m, V& v) {
    v("at", m.at);
    v("round_trip_ms", m.round_trip_ms);
  }
};

// What was recorded before the last end that nobody had asked for, by an agent that starts its compositor itself.
struct Crash {
  UnixMs at;
  std::uint64_t pid = 0;
  std::string text;                // "killed by signal 9 (SIGKILL)"
  std::vector<std::string> log;    // the last lines that the compositor printed, oldest first
  std::vector<CrashEvent> events;  // of the last minute, oldest first
  std::vector<CrashProbe> probes;  // of the last minute, oldest first

  template <class Self, class V>
  static void fields(Self& m, V& v) {
    v("at", m.at);
    v("pid", m.pid);
    v("text", m.text);
    v("log", m.log);
    v("events", m.events);
    v("probes", m.probes);
  }
};

// What the broker keeps of one compositor and publishes: what is over it is refused.
inline constexpr std::size_t kOutputsMax = 256;
inline constexpr std::size_t kOutputNameBytesMax = 256;
inline constexpr std::size_t kStatusTextBytesMax = std::size_t{4} * 1024;  // of progress.cause, and of process.note
inline constexpr std::size_t kCrashTextBytesMax = std::size_t{32} * 1024;
inline constexpr std::size_t kCrashEntriesMax = 200;  // of each list
// What an agent reports (`bus.agent status`). Its times are its own host's; `sent_at` lets the broker translate them to
// its own calendar, so that a wrong clock on one host can't make a fact look old or new.
struct StatusReport {
  UnixMs sent_at;
  ProcessFact process;
  ProgressFact progress;
  std::vector<OutputFact> outputs;
  std::optional<Metrics> metrics;
  std::optional<Crash> crash;  // once per session and crash

  template <class Self, class V>
  static void fields(Self& m, V& v) {
    v("sent_at", m.sent_at);
    v("process", m.process);
    v("progress", m.progress);
    v("outputs", m.outputs);
    v("metrics", m.metrics);
    v("crash", m.crash);
  }
};

// What of it is over these limits, as a sentence; empty: nothing.
std::string excess_of(const StatusReport& report);

// What the broker says of one compositor: `bus.status`, and `status/<id>` on the feed.
struct Status {
  std::string id;
  Verdict verdict = Verdict::kUnknown;
  std::string layer;    // the first layer that failed: "link", "process", "progress", "output/<name>"; empty when ok
  std::string reason;   // a sentence; empty when ok
  std::string summary;  // COMPOSITE_OK or COMPOSITE_ERROR
  UnixMs since;         // of the verdict
  std::map<std::string, std::string> labels;
  LinkFact link;
  ProcessFact process;
  ProgressFact progress;
  std::vector<OutputFact> outputs;
  std::optional<Metrics> metrics;  // as last reported

  template <class Self, class V>
  static void fields(Self& m, V& v) {
    v("id", m.id);
    v("verdict", m.verdict);
    v.optional("layer", m.layer);
    v.optional("reason", m.reason);
    v("summary", m.summary);
    v("since", m.since);
    v.optional("labels", m.labels);
    v("link", m.link);
    v("process", m.process);
    v("progress", m.progress);
    v("outputs", m.outputs);
    v("metrics", m.metrics);
  }
};

}  // namespace compositord::msg
