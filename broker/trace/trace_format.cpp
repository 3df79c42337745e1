#include "broker/trace/trace_format.h"

#include <concepts>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "broker/trace/field_codec.h"
#include "broker/trace/record_bytes.h"
#include "common/msg/value.h"

namespace compositord::broker {

namespace {

using msg::Value;

constexpr std::size_t kDepthMax = 8;  // an answer of the store has 6
constexpr std::string_view kHeaderKind = "header";
constexpr std::string_view kCompositorKind = "compositor";
constexpr std::string_view kJobKind = "job";
constexpr std::string_view kAlertKind = "alert";
constexpr std::string_view kWindowKind = "window";
constexpr std::string_view kLoadKind = "load";
constexpr std::string_view kInputKind = "input";
constexpr std::string_view kOutputsKind = "outputs";

// The members of every struct that a trace holds, each struct once. Binding them all makes a member that was added a compile
// error here, and an Input that was added is one in the visits further down.
template <class M, class T>
concept Is = std::same_as<std::remove_const_t<M>, T>;

template <Is<input::Received> M, class V>
void fields(M& m, V& v) {
  auto& [peer, frames] = m;
  v(peer), v(frames);
}
template <Is<input::TooLarge> M, class V>
void fields(M& m, V& v) {
  auto& [peer] = m;
  v(peer);
}
template <Is<input::SendFailed> M, class V>
void fields(M& m, V& v) {
  auto& [peer, error, request] = m;
  v(peer), v(error), v(request);
}
template <Is<input::Disconnected> M, class V>
void fields(M& m, V& v) {
  auto& [peer] = m;
  v(peer);
}
template <Is<input::ConnectionRefused> M, class V>
void fields(M& m, V& v) {
  auto& [why] = m;
  v(why);
}
template <Is<input::BusLoad> M, class V>
void fields(M& m, V& v) {
  auto& [connections, send_bytes, incoming_bytes] = m;
  v(connections), v(send_bytes), v(incoming_bytes);
}
template <Is<input::Stopping> M, class V>
void fields(M&, V&) {}
template <Is<input::FeedReceived> M, class V>
void fields(M& m, V& v) {
  auto& [frames] = m;
  v(frames);
}
template <Is<input::FeedDropped> M, class V>
void fields(M& m, V& v) {
  auto& [overflows, blocked, peers] = m;
  v(overflows), v(blocked), v(peers);
}
template <Is<input::StoreDone> M, class V>
void fields(M& m, V& v) {
  auto& [commit_id, result] = m;
  v(commit_id), v(result);
}
template <Is<input::NoticeEnded> M, class V>
void fields(M& m, V& v) {
  auto& [dedupe, notifier, delivered, attempts, error] = m;
  v(dedupe), v(notifier), v(delivered), v(attempts), v(error);
}
template <Is<input::NoticeDone> M, class V>
void fields(M& m, V& v) {
  auto& [alert, change] = m;
  v(alert), v(change);
}
template <Is<input::StoreAnswered> M, class V>
void fields(M& m, V& v) {
  auto& [read_id, result] = m;
  v(read_id), v(result);
}
template <Is<input::StoreFile> M, class V>
void fields(M& m, V& v) {
  auto& [set_aside, why, replaced] = m;
  v(set_aside), v(why), v(replaced);
}
template <Is<input::Reloaded> M, class V>
void fields(M& m, V& v) {
  auto& [reload_id, result] = m;
  v(reload_id), v(result);
}
template <Is<input::CalendarSet> M, class V>
void fields(M& m, V& v) {
  auto& [unix_ms_at_origin] = m;
  v(unix_ms_at_origin);
}
template <Is<input::Stalled> M, class V>
void fields(M& m, V& v) {
  auto& [lateness] = m;
  v(lateness);
}
template <Is<input::Tick> M, class V>
void fields(M& m, V& v) {
  auto& [busy, late] = m;
  v(busy), v(late);
}

template <Is<CompositorRecord> M, class V>
void fields(M& m, V& v) {
  auto& [id, manifest, hash, revision, observed_at, last_seen, labels] = m;
  v(id), v(manifest), v(hash), v(revision), v(observed_at), v(last_seen), v(labels);
}

template <Is<JobRecord> M, class V>
void fields(M& m, V& v) {
  auto& [id, service, method, idem, body, result, error, attempts, deadline_ms, created_at, expires_at, ended_at,
         status, state, idempotent, plain, erased] = m;
  v(id), v(service), v(method), v(plain), v(body), v(idempotent), v(idem), v(state), v(attempts), v(deadline_ms);
  v(created_at), v(expires_at), v(ended_at), v(status), v(error), v(result), v(erased);
}

template <Is<AlertRecord> M, class V>
void fields(M& m, V& v) {
  auto& [id, subject, about, active, since, document, notice, delivered, erased] = m;
  v(id), v(subject), v(about), v(active), v(since), v(document), v(notice), v(delivered), v(erased);
}

template <Is<WindowRecord> M, class V>
void fields(M& m, V& v) {
  auto& [id, document, erased] = m;
  v(id), v(document), v(erased);
}

template <Is<AlertRule> M, class V>
void fields(M& m, V& v) {
  auto& [kind, id, fail_after, ok_after, severity, enabled] = m;
  v(kind), v(id), v(fail_after), v(ok_after), v(severity), v(enabled);
}

template <Is<ServiceRule> M, class V>
void fields(M& m, V& v) {
  auto& [match, credit, idempotent] = m;
  v(match), v(credit), v(idempotent);
}

template <class Rule>
Value::Array write_rules(const std::vector<Rule>& rules) {
  Value::Array array;
  for (const Rule& rule : rules) {
    Value::Array members;
    FieldWriter out(members);
    fields(rule, out);
    array.emplace_back(std::move(members));
  }
  return array;
}

// False: a rule is not as it is written.
template <class Rule>
bool read_rules(const Value::Array* array, std::vector<Rule>& rules) {
  if (array == nullptr) return false;
  for (const Value& item : *array) {
    const Value::Array* members = item.if_array();
    if (members == nullptr) return false;
    FieldReader in(*members, 0);
    fields(rules.emplace_back(), in);
    if (!in.took_all()) return false;
  }
  return true;
}

}  // namespace

void FieldWriter::operator()(const std::vector<ServiceRule>& rules) { items_.emplace_back(write_rules(rules)); }
void FieldWriter::operator()(const std::vector<AlertRule>& rules) { items_.emplace_back(write_rules(rules)); }
void FieldReader::operator()(std::vector<ServiceRule>& rules) { wrong_ |= !read_rules(take().if_array(), rules); }
void FieldReader::operator()(std::vector<AlertRule>& rules) { wrong_ |= !read_rules(take().if_array(), rules); }

namespace {

// The configuration has names, and what a trace doesn't name keeps its default: a new limit doesn't spoil older traces.
template <Is<Limits> M, class V>
void named_fields(M& m, V& v) {
  auto& [frames_per_message_max, bytes_per_frame_max, bytes_per_message_max, bytes_per_manifest_max,
         open_requests_per_client_max, open_requests_max, queued_requests_per_service_max, queued_bytes_per_service_max,
         queued_bytes_per_client_max, queued_bytes_max, services_max, workers_max, agents_max, feed_prefixes_max,
         jobs_max, job_bytes_max, job_result_bytes_max, idem_calls_max, idem_bytes_max, group_calls_max,
         group_targets_max, status_changes_max] = m;
  v("frames_per_message_max", frames_per_message_max);
  v("bytes_per_frame_max", bytes_per_frame_max);
  v("bytes_per_message_max", bytes_per_message_max);
  v("bytes_per_manifest_max", bytes_per_manifest_max);
  v("open_requests_per_client_max", open_requests_per_client_max);
  v("open_requests_max", open_requests_max);
  v("queued_requests_per_service_max", queued_requests_per_service_max);
  v("queued_bytes_per_service_max", queued_bytes_per_service_max);
  v("queued_bytes_per_client_max", queued_bytes_per_client_max);
  v("queued_bytes_max", queued_bytes_max);
  v("services_max", services_max);
  v("workers_max", workers_max);
  v("agents_max", agents_max);
  v("feed_prefixes_max", feed_prefixes_max);
  v("jobs_max", jobs_max);
  v("job_bytes_max", job_bytes_max);
  v("job_result_bytes_max", job_result_bytes_max);
  v("idem_calls_max", idem_calls_max);
  v("idem_bytes_max", idem_bytes_max);
  v("group_calls_max", group_calls_max);
  v("group_targets_max", group_targets_max);
  v("status_changes_max", status_changes_max);
}
template <Is<AlertConfig> M, class V>
void named_fields(M& m, V& v) {
  auto& [group_wait, group_interval, group_min, repeat, return_grace, news_keep, clock_skew_max, history_max,
         site_label, rules] = m;
  v("alert_group_wait_ns", group_wait);
  v("alert_group_interval_ns", group_interval);
  v("alert_group_min", group_min);
  v("alert_repeat_ns", repeat);
  v("alert_return_grace_ns", return_grace);
  v("alert_news_keep_ns", news_keep);
  v("alert_clock_skew_max_ns", clock_skew_max);
  v("alert_history_max", history_max);
  v("alert_site_label", site_label);
  v("alert_rules", rules);
}
template <Is<BrokerConfig> M, class V>
void named_fields(M& m, V& v) {
  auto& [heartbeat_interval, heartbeat_liveness, agent_credit, default_deadline, deadline_max, plain_request_expiry,
         job_time_to_live, job_time_to_live_max, job_keep, idem_keep, disconnect_grace, manifest_revisions,
         history_days, services, alerts, limits, log_level, catalogue, catalogue_refused, bus_endpoints,
         feed_endpoints] = m;
  v("heartbeat_interval_ns", heartbeat_interval);
  v("heartbeat_liveness", heartbeat_liveness);
  v("agent_credit", agent_credit);
  v("default_deadline_ns", default_deadline);
  v("deadline_max_ns", deadline_max);
  v("plain_request_expiry_ns", plain_request_expiry);
  v("job_time_to_live_ns", job_time_to_live);
  v("job_time_to_live_max_ns", job_time_to_live_max);
  v("job_keep_ns", job_keep);
  v("idem_keep_ns", idem_keep);
  v("disconnect_grace_ns", disconnect_grace);
  v("manifest_revisions", manifest_revisions);
  v("history_days", history_days);
  v("services", services);
  named_fields(alerts, v);
  named_fields(limits, v);
  v("log_level", log_level);
  v("catalogue", catalogue);
  v("catalogue_refused", catalogue_refused);
  v("bus_endpoints", bus_endpoints);
  v("feed_endpoints", feed_endpoints);
}

struct NamedWriter {
  Value::Map map;
  template <class T>
  void operator()(std::string_view name, const T& member) {
    Value::Array items;
    FieldWriter{items}(member);
    map.emplace_back(name, std::move(items[0]));
  }
};

struct NamedReader {
  const Value& map;
  std::size_t found = 0;
  bool wrong = false;
  template <class T>
  void operator()(std::string_view name, T& member) {
    const Value* value = map.find(name);
    if (value == nullptr) return;
    ++found;
    const Value::Array items{*value};
    FieldReader in(items, 0);
    in(member);
    wrong |= !in.took_all();
  }
};

}  // namespace

// The configuration that was taken: null when none was.
void FieldWriter::operator()(const Result<input::Reloaded::Taken>& result) {
  (*this)(result ? Result<void>() : tl::unexpected<Error>(result.error()));
  if (!result) {
    items_.emplace_back();
    return;
  }
  const auto& [config, applied, restart] = *result;
  NamedWriter named;
  named_fields(config, named);
  Value::Array taken{std::move(named.map)};
  FieldWriter out(taken);
  out(applied), out(restart);
  items_.emplace_back(std::move(taken));
}
void FieldReader::operator()(Result<input::Reloaded::Taken>& result) {
  Result<void> outcome;
  (*this)(outcome);
  const Value::Array* taken = take().if_array();
  if (!outcome) {
    result = tl::unexpected<Error>(outcome.error());
    return;
  }
  wrong_ |= taken == nullptr || taken->empty() || !taken->front().is_map();
  if (wrong_) return;
  auto& [config, applied, restart] = *result;
  NamedReader named{taken->front()};
  named_fields(config, named);
  FieldReader in(*taken, 1);
  in(applied), in(restart);
  wrong_ |= named.wrong || named.found != taken->front().if_map()->size() || !in.took_all();
}

namespace {

struct InputNamer {
  std::string_view operator()(const input::Received&) const { return "received"; }
  std::string_view operator()(const input::TooLarge&) const { return "too-large"; }
  std::string_view operator()(const input::SendFailed&) const { return "send-failed"; }
  std::string_view operator()(const input::Disconnected&) const { return "disconnected"; }
  std::string_view operator()(const input::ConnectionRefused&) const { return "connection-refused"; }
  std::string_view operator()(const input::BusLoad&) const { return "bus-load"; }
  std::string_view operator()(const input::Stopping&) const { return "stopping"; }
  std::string_view operator()(const input::FeedReceived&) const { return "feed-received"; }
  std::string_view operator()(const input::FeedDropped&) const { return "feed-dropped"; }
  std::string_view operator()(const input::StoreDone&) const { return "store-done"; }
  std::string_view operator()(const input::NoticeEnded&) const { return "notice-ended"; }
  std::string_view operator()(const input::NoticeDone&) const { return "notice-done"; }
  std::string_view operator()(const input::StoreAnswered&) const { return "store-answered"; }
  std::string_view operator()(const input::StoreFile&) const { return "store-file"; }
  std::string_view operator()(const input::Reloaded&) const { return "reloaded"; }
  std::string_view operator()(const input::CalendarSet&) const { return "calendar-set"; }
  std::string_view operator()(const input::Stalled&) const { return "stalled"; }
  std::string_view operator()(const input::Tick&) const { return "tick"; }
};

tl::unexpected<Error> unknown(std::string_view what) {
  return fail(Status::kMalformed, fmt::format("{}: not as this program writes it", what));
}

Result<TraceRecord> read_header(const Value::Array& items) {
  TraceHeader header;
  FieldReader in(items, 1);
  in(header.software), in(header.epoch);
  if (items.size() != 4 || !items[3].is_map()) return unknown("header");
  NamedReader named{items[3]};
  named_fields(header.config, named);
  if (named.wrong) return unknown("header: a value of the configuration");
  if (named.found != items[3].if_map()->size()) return unknown("header: a key of the configuration");
  return TraceRecord(std::move(header));
}

// Tries every alternative of Input for its name.
template <std::size_t kIndex = 0>
Result<TraceRecord> read_input(const Value::Array& items) {
  if constexpr (kIndex == std::variant_size_v<Input>) {
    return unknown("the name of an input");
  } else {
    std::variant_alternative_t<kIndex, Input> input;
    const std::string* name = items.size() > 2 ? items[2].if_string() : nullptr;
    if (name == nullptr || *name != InputNamer{}(input)) return read_input<kIndex + 1>(items);
    FieldReader in(items, 3);
    fields(input, in);
    const std::int64_t* at = items[1].if_int();
    if (at == nullptr || !in.took_all()) return unknown(*name);
    return TraceRecord(TraceInput{Instant::from_ns(*at), Input(std::move(input))});
  }
}

template <class Record>
Result<TraceRecord> read_record(FieldReader& in, std::string_view kind) {
  Record record;
  fields(record, in);
  if (!in.took_all()) return unknown(fmt::format("a record \"{}\"", kind));
  return TraceRecord(std::move(record));
}

Result<TraceRecord> read_items(const Value::Array& items, std::string_view kind) {
  FieldReader in(items, 1);
  if (kind == kHeaderKind) return read_header(items);
  if (kind == kInputKind) return read_input(items);
  if (kind == kLoadKind) {
    TraceLoad load;
    in(load.at);
    if (in.took_all()) return TraceRecord(load);
  } else if (kind == kOutputsKind) {
    OutputsDigest digest;
    in(digest.digest), in(digest.count);
    if (in.took_all()) return TraceRecord(digest);
  } else if (kind == kCompositorKind) {
    return read_record<CompositorRecord>(in, kind);
  } else if (kind == kJobKind) {
    return read_record<JobRecord>(in, kind);
  } else if (kind == kAlertKind) {
    return read_record<AlertRecord>(in, kind);
  } else if (kind == kWindowKind) {
    return read_record<WindowRecord>(in, kind);
  }
  return unknown(fmt::format("a record \"{}\"", kind));
}

std::string body_of(Value::Array items) { return msg::encode_msgpack(Value(std::move(items))); }

template <class Record>
std::string write_record(std::string_view kind, const Record& record) {
  Value::Array items{kind};
  FieldWriter out(items);
  fields(record, out);
  return body_of(std::move(items));
}

}  // namespace

std::string serialize(const TraceHeader& header) {
  Value::Array items{kHeaderKind};
  FieldWriter out(items);
  out(header.software), out(header.epoch);
  NamedWriter named;
  named_fields(header.config, named);
  items.emplace_back(std::move(named.map));
  return body_of(std::move(items));
}

std::string serialize(const CompositorRecord& record) { return write_record(kCompositorKind, record); }
std::string serialize(const JobRecord& record) { return write_record(kJobKind, record); }
std::string serialize(const AlertRecord& record) { return write_record(kAlertKind, record); }
std::string serialize(const WindowRecord& record) { return write_record(kWindowKind, record); }

std::string serialize(const ManifestRevision& record) { return body_of({"revision", trace_value(record)}); }
std::string serialize(const StatusChange& record) { return body_of({"change", trace_value(record)}); }
std::string serialize(const BrokerRun& record) { return body_of({"run", trace_value(record)}); }

std::string serialize(const TraceLoad& load) { return body_of({kLoadKind, load.at.ns()}); }

std::string serialize(const OutputsDigest& digest) { return body_of({kOutputsKind, digest.digest, digest.count}); }

std::string serialize_input(Instant at, const Input& input) {
  Value::Array items{kInputKind, at.ns(), input_name(input)};
  FieldWriter out(items);
  std::visit([&](const auto& alternative) { fields(alternative, out); }, input);
  return body_of(std::move(items));
}

msg::DecodeLimits limits_of_body(std::size_t bytes) noexcept { return {kDepthMax, bytes}; }

Result<TraceRecord> parse_body(const RecordHead& head, std::string_view body) {
  if (checksum_of(body) != head.checksum) return fail(Status::kMalformed, "a record is damaged: its checksum is wrong");
  const Result<Value> value = msg::decode_msgpack(body, limits_of_body(body.size()));
  if (!value) return tl::unexpected<Error>(value.error());
  const Value::Array* items = value->if_array();
  const std::string* kind = items != nullptr && !items->empty() ? items->front().if_string() : nullptr;
  if (kind == nullptr) return unknown("a record");
  return read_items(*items, *kind);
}

std::string_view input_name(const Input& input) noexcept { return std::visit(InputNamer{}, input); }

}  // namespace compositord::broker
