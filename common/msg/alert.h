#pragma once
// An alert: a status change worth a person's time, from its beginning to its end. Source: schemas/messages/alert.json,
// schemas/TOPICS.md, schemas/PROTOCOL.md "Alerts".

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/msg/fields.h"

namespace compositord::msg {

enum class AlertSeverity : std::uint8_t { kInfo, kWarning, kCritical };
constexpr auto enum_names(AlertSeverity) {
  return std::array<EnumName<AlertSeverity>, 3>{
      {{AlertSeverity::kInfo, "info"}, {AlertSeverity::kWarning, "warning"}, {AlertSeverity::kCritical, "critical"}}};
}

enum class AlertState : std::uint8_t { kFiring, kResolved };
constexpr auto enum_names(AlertState) {
  return std::array<EnumName<AlertState>, 2>{{{AlertState::kFiring, "firing"}, {AlertState::kResolved, "resolved"}}};
}

// What is wrong. The kind of an alert may change in its life: a slow compositor freezes, and is killed.
enum class AlertKind : std::uint8_t {
  kAgentLost,
  kAgentLeft,
  kAgentsLost,  // several at once: of one host, one site, or the whole fleet
  kCompositorMissing,
  kCompositorExited,
  kCompositorCrashed,
  kCrashLoop,
  kCompositorStopped,
  kCompositorSlow,
  kCompositorFrozen,
  kCompositorUnknown,
  kOutputOff,
  kOutputLost,
  kOutputUnknown,
  kOutputNew,
  kOutputChanged,
  kMemoryGrowth,
  kClockSkew,
  kStoreTrouble,
  kQueueFull,
  kSlowSubscriber,
};
constexpr auto enum_names(AlertKind) {
  return std::array<EnumName<AlertKind>, 21>{{{AlertKind::kAgentLost, "agent_lost"},
                                              {AlertKind::kAgentLeft, "agent_left"},
                                              {AlertKind::kAgentsLost, "agents_lost"},
                                              {AlertKind::kCompositorMissing, "compositor_missing"},
                                              {AlertKind::kCompositorExited, "compositor_exited"},
                                              {AlertKind::kCompositorCrashed, "compositor_crashed"},
                                              {AlertKind::kCrashLoop, "crash_loop"},
                                              {AlertKind::kCompositorStopped, "compositor_stopped"},
                                              {AlertKind::kCompositorSlow, "compositor_slow"},
                                              {AlertKind::kCompositorFrozen, "compositor_frozen"},
                                              {AlertKind::kCompositorUnknown, "compositor_unknown"},
                                              {AlertKind::kOutputOff, "output_off"},
                                              {AlertKind::kOutputLost, "output_lost"},
                                              {AlertKind::kOutputUnknown, "output_unknown"},
                                              {AlertKind::kOutputNew, "output_new"},
                                              {AlertKind::kOutputChanged, "output_changed"},
                                              {AlertKind::kMemoryGrowth, "memory_growth"},
                                              {AlertKind::kClockSkew, "clock_skew"},
                                              {AlertKind::kStoreTrouble, "store_trouble"},
                                              {AlertKind::kQueueFull, "queue_full"},
                                              {AlertKind::kSlowSubscriber, "slow_subscriber"}}};
}
// News are no fault, and over by themselves: an output that is new, or has another mode.
constexpr bool is_news(AlertKind kind) noexcept {
  return kind == AlertKind::kOutputNew || kind == AlertKind::kOutputChanged;
}

// Who has seen it and takes care of it.
struct AlertAck {
  std::string author;
  std::string comment;
  UnixMs at;

  template <class Self, class V>
  static void fields(Self& m, V& v) {
    v("author", m.author);
    v.optional("comment", m.comment);
    v("at", m.at);
  }
};

// `id` and `about` are the key: at most one alert fires for each, and `alert` names this one life of it.
struct Alert {
  std::string alert;         // 32 hex digits, growing: the epoch of the broker that saw it begin, then a number
  std::uint64_t change = 0;  // 1, 2, 3 … : with `alert` it tells a publication from its repetition
  std::string id;            // a compositor, "@host/<host>", "@site/<site>", "@fleet", "@bus"
  std::string about;  // "agent", "compositor", "output/<name>", "memory", "clock"; of the bus "store", "queue", "feed"
  AlertKind kind = AlertKind::kAgentLost;
  AlertSeverity severity = AlertSeverity::kWarning;
  AlertState state = AlertState::kFiring;
  std::string text;    // what happened, a sentence
  std::string seen;    // what was observed
  std::string advice;  // what to try
  // The cause: the first failing layer ("link", "process", "progress", "output/<name>"; empty of the bus), and how it ended.
  std::string layer;
  std::optional<std::int32_t> code;
  std::optional<std::int32_t> signal;
  UnixMs since;                      // when the fault began
  UnixMs at;                         // when this change was made
  std::uint64_t count = 1;           // how often the fault came in this life
  bool flapping = false;             // it comes and goes: it is neither resolved nor fires anew until that ends
  std::uint64_t member_count = 0;    // of several agents lost at once: how many
  std::vector<std::string> members;  // … and which, the first kAlertMembersMax of them
  std::map<std::string, std::string> labels;
  std::optional<AlertAck> acked;
  std::string silenced_by;    // a silence: nobody is notified; or empty
  std::string suppressed_by;  // an alert that explains this one, or a maintenance window; or empty

  template <class Self, class V>
  static void fields(Self& m, V& v) {
    v("alert", m.alert);
    v("change", m.change);
    v("id", m.id);
    v("about", m.about);
    v("kind", m.kind);
    v("severity", m.severity);
    v("state", m.state);
    v("text", m.text);
    v.optional("seen", m.seen);
    v.optional("advice", m.advice);
    v.optional("layer", m.layer);
    v("code", m.code);
    v("signal", m.signal);
    v("since", m.since);
    v("at", m.at);
    v.optional("count", m.count);
    v.optional("flapping", m.flapping);
    v.optional("member_count", m.member_count);
    v.optional("members", m.members);
    v.optional("labels", m.labels);
    v("acked", m.acked);
    v.optional("silenced_by", m.silenced_by);
    v.optional("suppressed_by", m.suppressed_by);
  }
};
inline constexpr std::size_t kAlertMembersMax = 100;

}  // namespace compositord::msg
