#include "broker/trace/trace_format.h"

#include <concepts>
#include <limits>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "common/base/check.h"
#include "common/msg/value.h"

namespace compositord::broker {

namespace {

using msg::Value;

// Our own bytes, proven whole by their checksum: only a mistake of ours could break these.
constexpr msg::DecodeLimits kLimits{8, 16'777'216};
constexpr std::string_view kHeaderKind = "header";
constexpr std::string_view kCompositorKind = "compositor";
constexpr std::string_view kJobKind = "job";
constexpr std::string_view kLoadKind = "load";
constexpr std::string_view kInputKind = "input";
constexpr std::string_view kOutputsKind = "outputs";

// Members <-> Values. The lists of members below are given to the one or to the other, so that both have the same order.
class FieldWriter {
 public:
  explicit FieldWriter(Value::Array& items) : items_(items) {}
  void operator()(const std::string& bytes) { items_.emplace_back(msg::Binary{bytes}); }
  void operator()(const wire::RoutingId& id) { (*this)(id.value()); }
  void operator()(std::uint64_t number) { items_.emplace_back(number); }
  void operator()(std::int64_t number) { items_.emplace_back(number); }
  void operator()(int number) { items_.emplace_back(number); }
  void operator()(std::uint16_t number) { items_.emplace_back(std::int64_t{number}); }
  void operator()(bool flag) { items_.emplace_back(flag); }
  void operator()(Instant at) { items_.emplace_back(at.ns()); }
  void operator()(Duration duration) { items_.emplace_back(std::int64_t{duration.count()}); }
  void operator()(UnixMs time) { items_.emplace_back(time.ms); }
  void operator()(SendError error) { items_.emplace_back(std::int64_t{static_cast<std::uint8_t>(error)}); }
  void operator()(JobState state) { items_.emplace_back(std::int64_t{static_cast<std::uint8_t>(state)}); }
  void operator()(const wire::Frames& frames) {
    Value::Array array;
    for (const wire::Frame& frame : frames) array.emplace_back(msg::Binary{frame.str()});
    items_.emplace_back(std::move(array));
  }
  void operator()(const std::vector<std::string>& texts) {
    Value::Array array;
    for (const std::string& text : texts) array.emplace_back(msg::Binary{text});
    items_.emplace_back(std::move(array));
  }
  void operator()(const std::map<std::string, std::string>& map) {
    std::vector<std::string> flat;
    for (const auto& [key, value] : map) flat.insert(flat.end(), {key, value});
    (*this)(flat);
  }
  template <class T>
  void operator()(const std::optional<T>& optional) {
    items_.emplace_back(optional ? Value(*optional) : Value());
  }
  void operator()(const std::vector<ServiceRule>& rules);
  // A status of 0 is success.
  void operator()(const Result<void>& result) {
    items_.emplace_back(result ? std::int64_t{0} : std::int64_t{to_number(result.error().status)});
    (*this)(result ? std::string() : result.error().text);
  }

 private:
  Value::Array& items_;
};

// Remembers that something didn't fit, so that it is asked once at the end.
class FieldReader {
 public:
  FieldReader(const Value::Array& items, std::size_t next) : items_(items), next_(next) {}
  bool took_all() const noexcept { return !wrong_ && next_ == items_.size(); }

  void operator()(std::string& bytes) {
    const msg::Binary* binary = take().if_binary();
    if (binary != nullptr) bytes = binary->bytes;
    wrong_ |= binary == nullptr;
  }
  void operator()(wire::Frames& frames) {
    std::vector<std::string> all;
    (*this)(all);
    frames.assign(std::make_move_iterator(all.begin()), std::make_move_iterator(all.end()));
  }
  void operator()(wire::RoutingId& id) {
    std::string bytes;
    (*this)(bytes);
    id = wire::RoutingId(std::move(bytes));
  }
  void operator()(std::uint64_t& number) {
    const Value& value = take();
    if (const std::uint64_t* big = value.if_big_uint()) {
      number = *big;
    } else if (const std::int64_t* small = value.if_int(); small != nullptr && *small >= 0) {
      number = static_cast<std::uint64_t>(*small);
    } else {
      wrong_ = true;
    }
  }
  void operator()(std::int64_t& number) {
    const std::int64_t* value = take().if_int();
    if (value != nullptr) number = *value;
    wrong_ |= value == nullptr;
  }
  void operator()(int& number) { narrow(number); }
  void operator()(std::uint16_t& number) { narrow(number); }
  void operator()(bool& flag) {
    const bool* value = take().if_bool();
    if (value != nullptr) flag = *value;
    wrong_ |= value == nullptr;
  }
  void operator()(Instant& at) { at = Instant::from_ns(integer()); }
  void operator()(Duration& duration) { duration = Duration{integer()}; }
  void operator()(UnixMs& time) { time.ms = integer(); }
  void operator()(SendError& error) { enumerator(error, SendError::kFailed); }
  void operator()(JobState& state) { enumerator(state, JobState::kCancelled); }
  void operator()(std::vector<std::string>& texts) {
    const Value::Array* array = take().if_array();
    wrong_ |= array == nullptr;
    if (array == nullptr) return;
    FieldReader in(*array, 0);
    for (std::size_t i = 0; i < array->size(); ++i) in(texts.emplace_back());
    wrong_ |= !in.took_all();
  }
  void operator()(std::map<std::string, std::string>& map) {
    std::vector<std::string> flat;
    (*this)(flat);
    wrong_ |= flat.size() % 2 != 0;
    for (std::size_t i = 0; i + 1 < flat.size(); i += 2) map[flat[i]] = flat[i + 1];
  }
  void operator()(std::optional<int>& number) {
    if (take_null()) return;
    (*this)(number.emplace());
  }
  void operator()(std::optional<bool>& flag) {
    if (take_null()) return;
    (*this)(flag.emplace());
  }
  void operator()(std::vector<ServiceRule>& rules);
  void operator()(Result<void>& result) {
    const std::int64_t status = integer();
    std::string text;
    (*this)(text);
    wrong_ |= status < 0 || status > 999;
    if (!wrong_ && status != 0) result = fail(static_cast<Status>(status), std::move(text));
  }

 private:
  const Value& take() {
    static const Value kNothing;
    if (next_ < items_.size()) return items_[next_++];
    wrong_ = true;
    return kNothing;
  }
  bool take_null() {
    const bool null = next_ < items_.size() && items_[next_].is_null();
    if (null) ++next_;
    return null;
  }
  template <class Number>
  void narrow(Number& number) {
    const std::int64_t value = integer();
    wrong_ |= value < std::numeric_limits<Number>::min() || value > std::numeric_limits<Number>::max();
    if (!wrong_) number = static_cast<Number>(value);
  }
  template <class Enum>
  void enumerator(Enum& value, Enum last) {
    std::uint16_t number = 0;
    (*this)(number);
    wrong_ |= number > static_cast<std::uint16_t>(last);
    if (!wrong_) value = static_cast<Enum>(number);
  }
  std::int64_t integer() {
    std::int64_t number = 0;
    (*this)(number);
    return number;
  }

  const Value::Array& items_;
  std::size_t next_;
  bool wrong_ = false;
};

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
template <Is<input::FeedReceived> M, class V>
void fields(M& m, V& v) {
  auto& [frames] = m;
  v(frames);
}
template <Is<input::StoreDone> M, class V>
void fields(M& m, V& v) {
  auto& [commit_id, result] = m;
  v(commit_id), v(result);
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

template <Is<ServiceRule> M, class V>
void fields(M& m, V& v) {
  auto& [match, credit, idempotent] = m;
  v(match), v(credit), v(idempotent);
}

void FieldWriter::operator()(const std::vector<ServiceRule>& rules) {
  Value::Array array;
  for (const ServiceRule& rule : rules) {
    Value::Array members;
    FieldWriter out(members);
    fields(rule, out);
    array.emplace_back(std::move(members));
  }
  items_.emplace_back(std::move(array));
}

void FieldReader::operator()(std::vector<ServiceRule>& rules) {
  const Value::Array* array = take().if_array();
  wrong_ |= array == nullptr;
  if (array == nullptr) return;
  for (const Value& item : *array) {
    const Value::Array* members = item.if_array();
    wrong_ |= members == nullptr;
    if (members == nullptr) return;
    FieldReader in(*members, 0);
    fields(rules.emplace_back(), in);
    wrong_ |= !in.took_all();
  }
}

// The configuration has names, and what a trace doesn't name keeps its default: a new limit doesn't spoil older traces.
template <Is<Limits> M, class V>
void named_fields(M& m, V& v) {
  auto& [frames_per_message_max, bytes_per_frame_max, bytes_per_message_max, bytes_per_manifest_max,
         open_requests_per_client_max, open_requests_max, queued_requests_per_service_max, queued_bytes_per_service_max,
         queued_bytes_per_client_max, queued_bytes_max, services_max, workers_max, agents_max, feed_prefixes_max,
         jobs_max, job_bytes_max, job_result_bytes_max, idem_calls_max, idem_bytes_max, group_calls_max,
         group_targets_max] = m;
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
}
template <Is<BrokerConfig> M, class V>
void named_fields(M& m, V& v) {
  auto& [heartbeat_interval, heartbeat_liveness, agent_credit, default_deadline, deadline_max, plain_request_expiry,
         job_time_to_live, job_time_to_live_max, job_keep, idem_keep, disconnect_grace, services, limits, bus_endpoints,
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
  v("services", services);
  named_fields(limits, v);
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

struct InputNamer {
  std::string_view operator()(const input::Received&) const { return "received"; }
  std::string_view operator()(const input::TooLarge&) const { return "too-large"; }
  std::string_view operator()(const input::SendFailed&) const { return "send-failed"; }
  std::string_view operator()(const input::Disconnected&) const { return "disconnected"; }
  std::string_view operator()(const input::FeedReceived&) const { return "feed-received"; }
  std::string_view operator()(const input::StoreDone&) const { return "store-done"; }
  std::string_view operator()(const input::CalendarSet&) const { return "calendar-set"; }
  std::string_view operator()(const input::Stalled&) const { return "stalled"; }
  std::string_view operator()(const input::Tick&) const { return "tick"; }
};

void put_number(std::string& out, std::uint64_t number, int bytes) {
  for (int i = 0; i < bytes; ++i) out += static_cast<char>((number >> (8 * i)) & 0xffU);
}

std::uint64_t number_at(std::string_view bytes) {
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    number |= std::uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
  }
  return number;
}

std::uint64_t checksum_of(std::string_view body) {
  Fnv fnv;
  fnv.add(body);
  return fnv.value();
}

std::string whole_record(Value::Array items) {
  const std::string body = msg::encode_msgpack(Value(std::move(items)));
  CHECK(body.size() <= std::numeric_limits<std::uint32_t>::max());  // messages are bounded far below that
  std::string out;
  out.reserve(kRecordHeadBytes + body.size());
  const auto length = static_cast<std::uint32_t>(body.size());
  put_number(out, length, 4);
  put_number(out, ~length, 4);
  put_number(out, checksum_of(body), 8);
  return out += body;
}

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
    CompositorRecord record;
    fields(record, in);
    if (in.took_all()) return TraceRecord(std::move(record));
  } else if (kind == kJobKind) {
    JobRecord record;
    fields(record, in);
    if (in.took_all()) return TraceRecord(std::move(record));
  }
  return unknown(fmt::format("a record \"{}\"", kind));
}

}  // namespace

std::string serialize(const TraceHeader& header) {
  Value::Array items{kHeaderKind};
  FieldWriter out(items);
  out(header.software), out(header.epoch);
  NamedWriter named;
  named_fields(header.config, named);
  items.emplace_back(std::move(named.map));
  return whole_record(std::move(items));
}

std::string serialize(const CompositorRecord& record) {
  Value::Array items{kCompositorKind};
  FieldWriter out(items);
  fields(record, out);
  return whole_record(std::move(items));
}

std::string serialize(const JobRecord& record) {
  Value::Array items{kJobKind};
  FieldWriter out(items);
  fields(record, out);
  return whole_record(std::move(items));
}

std::string serialize(const TraceLoad& load) { return whole_record({kLoadKind, load.at.ns()}); }

std::string serialize(const OutputsDigest& digest) { return whole_record({kOutputsKind, digest.digest, digest.count}); }

std::string serialize_input(Instant at, const Input& input) {
  Value::Array items{kInputKind, at.ns(), input_name(input)};
  FieldWriter out(items);
  std::visit([&](const auto& alternative) { fields(alternative, out); }, input);
  return whole_record(std::move(items));
}

Result<RecordHead> parse_head(const std::array<char, kRecordHeadBytes>& bytes) {
  const std::string_view all(bytes.data(), bytes.size());
  const auto length = static_cast<std::uint32_t>(number_at(all.substr(0, 4)));
  const auto inverted = static_cast<std::uint32_t>(number_at(all.substr(4, 4)));
  if (length != ~inverted) return fail(Status::kMalformed, "the length of a record is damaged");
  return RecordHead{length, number_at(all.substr(8))};
}

Result<TraceRecord> parse_body(const RecordHead& head, std::string_view body) {
  if (checksum_of(body) != head.checksum) return fail(Status::kMalformed, "a record is damaged: its checksum is wrong");
  const Result<Value> value = msg::decode_msgpack(body, kLimits);
  if (!value) return tl::unexpected<Error>(value.error());
  const Value::Array* items = value->if_array();
  const std::string* kind = items != nullptr && !items->empty() ? items->front().if_string() : nullptr;
  if (kind == nullptr) return unknown("a record");
  return read_items(*items, *kind);
}

std::string_view input_name(const Input& input) noexcept { return std::visit(InputNamer{}, input); }

}  // namespace compositord::broker
