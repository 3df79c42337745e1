#include "tools/trace_replay/step_text.h"

#include <variant>

#include <fmt/format.h>

#include "broker/trace/trace_format.h"
#include "common/base/log_event.h"
#include "common/msg/fields.h"
#include "common/msg/value.h"
#include "tools/compositorctl/text.h"

namespace compositord::replay {

namespace {

using ctl::Direction;

std::string_view reason(broker::SendError error) {
  switch (error) {
    case broker::SendError::kUnreachable: return "unreachable";
    case broker::SendError::kFull: return "full";
    case broker::SendError::kFailed: break;
  }
  return "failed";
}

std::string frames_text(const wire::Frames& frames) {
  std::string out = fmt::format("{} frames", frames.size());
  for (const wire::Frame& frame : frames) out += fmt::format(" [{}]", ctl::safe_text(frame));
  return out;
}

// A topic, and behind it what can be decoded.
std::string publication_text(const wire::Frames& frames) {
  std::string out = frames.empty() ? std::string() : ctl::safe_text(frames[0]);
  for (std::size_t i = 1; i < frames.size(); ++i) {
    const bool json = frames[i].starts_with("{");
    const Result<msg::Value> value = json ? msg::decode_json(frames[i]) : msg::decode_msgpack(frames[i]);
    out += ' ' + (value ? ctl::safe_json(*value) : ctl::hex_text(frames[i], 64));
  }
  return out;
}

// What an Input says beyond its name. A message is left to `dump`.
struct InputTeller {
  ctl::Dump& dump;
  std::int64_t unix_us;

  std::string message(const wire::RoutingId& peer, bool too_large, const wire::Frames& frames) const {
    return '\n' + dump.lines_of({unix_us, peer, Direction::kToBroker, too_large, frames}).value_or("");
  }
  std::string operator()(const broker::input::Received& in) const { return message(in.peer, false, in.frames); }
  std::string operator()(const broker::input::TooLarge& in) const { return message(in.peer, true, {}); }
  std::string operator()(const broker::input::SendFailed& in) const {
    return fmt::format(" to {}: {}, request {}\n", dump.name_of(in.peer), reason(in.error), in.request);
  }
  std::string operator()(const broker::input::Disconnected& in) const { return ' ' + dump.name_of(in.peer) + '\n'; }
  std::string operator()(const broker::input::ConnectionRefused& in) const {
    return ' ' + ctl::safe_text(in.why) + '\n';
  }
  std::string operator()(const broker::input::BusLoad& in) const {
    return fmt::format(" {} connections, {} bytes to be sent, {} bytes of incomplete messages\n", in.connections,
                       in.send_bytes, in.incoming_bytes);
  }
  std::string operator()(const broker::input::Stopping&) const { return "\n"; }
  std::string operator()(const broker::input::FeedReceived& in) const { return ' ' + frames_text(in.frames) + '\n'; }
  std::string operator()(const broker::input::FeedDropped& in) const {
    return fmt::format(" {} overflows, {} blocked: {}\n", in.overflows, in.blocked,
                       ctl::safe_text(fmt::format("{}", fmt::join(in.peers, ", "))));
  }
  std::string operator()(const broker::input::StoreDone& in) const {
    return fmt::format(" {}: {}\n", in.commit_id, in.result ? "stored" : ctl::safe_text(in.result.error().text));
  }
  std::string operator()(const broker::input::NoticeEnded& in) const {
    return fmt::format(" {} at {}: {}\n", ctl::safe_text(in.dedupe), ctl::safe_text(in.notifier),
                       in.delivered ? "delivered" : ctl::safe_text(in.error));
  }
  std::string operator()(const broker::input::NoticeDone& in) const {
    return fmt::format(" alert {}, change {}\n", ctl::safe_text(in.alert), in.change);
  }
  std::string operator()(const broker::input::StoreAnswered& in) const {
    if (!in.result) return fmt::format(" {}: {}\n", in.read_id, ctl::safe_text(in.result.error().text));
    return fmt::format(" {}: {} revisions, {} changes, {} runs\n", in.read_id, in.result->revisions.size(),
                       in.result->changes.size(), in.result->runs.size());
  }
  std::string operator()(const broker::input::StoreFile& in) const {
    const std::string why = in.why.empty() ? std::string() : ", the last one just now: " + ctl::safe_text(in.why);
    return fmt::format(" {} damaged ones set aside{}{}\n", in.set_aside.size(), why,
                       in.replaced ? "; another one is in its place" : "");
  }
  std::string operator()(const broker::input::Reloaded& in) const {
    if (!in.result) return fmt::format(" {}: {}\n", in.reload_id, ctl::safe_text(in.result.error().text));
    return fmt::format(" {}: applied {}; a restart is needed for {}\n", in.reload_id,
                       ctl::safe_text(fmt::format("{}", fmt::join(in.result->applied, ", "))),
                       ctl::safe_text(fmt::format("{}", fmt::join(in.result->restart, ", "))));
  }
  std::string operator()(const broker::input::CalendarSet& in) const {
    return fmt::format(" {} ms at the clock's origin\n", in.unix_ms_at_origin);
  }
  std::string operator()(const broker::input::Stalled& in) const {
    return fmt::format(" {} ns\n", in.lateness.count());
  }
  std::string operator()(const broker::input::Tick& in) const {
    return fmt::format(" busy {} ns, late {} ns\n", in.busy.count(), in.late.count());
  }
};

struct RecordTeller {
  std::string operator()(const broker::CompositorRecord& record) const {
    return fmt::format(" revision {}, {} bytes", record.revision, record.manifest.size());
  }
  std::string operator()(const broker::JobRecord& record) const {
    return fmt::format(" {}, attempt {}{}", msg::name_of(record.state), record.attempts,
                       record.erased ? ", erased" : "");
  }
  std::string operator()(const broker::AlertRecord& record) const {
    if (record.erased) return " erased";
    return fmt::format(" {} {} {}", ctl::safe_text(record.subject), ctl::safe_text(record.about),
                       record.active ? "fires" : "ended");
  }
  std::string operator()(const broker::WindowRecord& record) const { return record.erased ? " erased" : ""; }
  std::string operator()(const broker::ManifestRevision& record) const {
    return fmt::format(" {} bytes", record.manifest.size());
  }
  std::string operator()(const broker::StatusChange& record) const {
    return fmt::format(" {}", msg::name_of(record.verdict));
  }
  std::string operator()(const broker::BrokerRun& record) const {
    return fmt::format(" alive at {} ms", record.alive_at.ms);
  }
};

std::int64_t to_us(UnixMs unix_at, Instant at) { return unix_at.ms * 1'000 + at.ns() / 1'000 % 1'000; }

}  // namespace

std::string input_text(const broker::NextStep& step, Duration since_start, UnixMs unix_at, ctl::Dump& dump) {
  const std::string head = fmt::format("#{} +{:.6f} s ", step.number, static_cast<double>(since_start.count()) / 1e9);
  if (!step.input) return head + "load\n";
  const InputTeller teller{dump, to_us(unix_at, step.at)};
  return head + std::string(broker::input_name(*step.input)) + std::visit(teller, *step.input);
}

std::string outputs_text(const broker::ReplayedStep& step, UnixMs unix_at, ctl::Dump& dump) {
  const broker::Outputs& outputs = step.outputs;
  const std::int64_t unix_us = to_us(unix_at, step.at);
  std::string out;
  for (const broker::StoreWrite& write : outputs.store_writes) {
    out += fmt::format("store {}: {}{}\n", write.commit_id, ctl::safe_text(broker::key_of(write.record)),
                       std::visit(RecordTeller{}, write.record));
  }
  for (const broker::StoreRead& read : outputs.store_reads) out += fmt::format("read {}\n", read.read_id);
  for (const broker::Send& send : outputs.sends) {
    out += dump.lines_of({unix_us, send.peer, Direction::kFromBroker, false, send.frames}).value_or("");
  }
  for (const wire::Frames& frames : outputs.publishes) out += fmt::format("publish {}\n", publication_text(frames));
  for (const msg::Alert& notice : outputs.notices) {
    out += fmt::format("notify {} of change {}: {}\n", notice.alert, notice.change, ctl::safe_text(notice.text));
  }
  for (const LogEvent& event : outputs.log) {
    out += fmt::format("log {} {}\n", severity_name(event.severity), to_text(event));
  }
  return out;
}

}  // namespace compositord::replay
