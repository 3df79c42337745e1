#include "tests/fuzz/broker_program.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "common/base/check.h"
#include "common/wire/mdp_codec.h"

namespace compositord::fuzz {

namespace {

constexpr int kInputsMax = 300;
constexpr std::size_t kSentKept = 16;

// Small enough that a short program meets every one of them.
broker::BrokerConfig small_config() {
  broker::BrokerConfig config;
  broker::Limits& limits = config.limits;
  limits.bytes_per_manifest_max = 512;
  limits.open_requests_per_client_max = 4;
  limits.open_requests_max = 8;
  limits.queued_requests_per_service_max = 3;
  limits.queued_bytes_per_service_max = 600;
  limits.queued_bytes_per_client_max = 800;
  limits.queued_bytes_max = 1'000;
  limits.services_max = 4;
  limits.workers_max = 3;
  limits.agents_max = 2;
  limits.feed_prefixes_max = 3;
  limits.jobs_max = 3;
  limits.job_bytes_max = 2'000;
  limits.job_result_bytes_max = 100;
  limits.idem_calls_max = 3;
  limits.idem_bytes_max = 300;
  limits.group_calls_max = 2;
  limits.group_targets_max = 2;
  config.services.push_back({"oth*", 2, true});
  config.agent_credit = 2;
  return config;
}

const std::array<std::string, 20> kServices{"echo",
                                            "bus.agent",
                                            "bus.manifest",
                                            "bus.status",
                                            "bus.admin",
                                            "compositor/wall/w1",
                                            "compositor/wall/w2",
                                            "compositor/wall",
                                            "mmi.service",
                                            "mmi.other",
                                            "bus.other",
                                            "other",
                                            "bus.worker",
                                            "bus.group",
                                            "bus.job",
                                            "titanic.request",
                                            "titanic.reply",
                                            "titanic.close",
                                            "mmi.services",
                                            "mmi.echo"};
const std::array<std::string, 12> kMethods{"register", "status",   "manifest.put", "leave",        "get",  "list",
                                           "stats",    "snapshot", "config",       "output.scale", "call", "cancel"};

// As it counts the requests of epoch 7.
std::string address(std::uint8_t token) { return std::string("\0\0\0\x07\0\0\0", 7) + static_cast<char>(token); }

// As BrokerCore names the jobs of epoch 7.
std::string job_id(std::uint8_t number) {
  return "000000000000000700000000000000" + std::string("0") + char('0' + number % 8);
}

msg::Value params_for(const std::string& method, ByteSource& in) {
  const std::string id = in.u8() % 2 == 0 ? "wall/w1" : "wall/w2";
  if (method == "register") {
    return msg::Value::map({{"id", id},
                            {"service", in.u8() % 2 == 0 ? "echo" : "other"},
                            {"credit", 1 + in.u8() % 3},
                            {"idempotent", in.u8() % 2 == 0},
                            {"heartbeat_ms", std::int64_t{50} + in.u8()},
                            {"liveness", 2 + in.u8() % 9}});
  }
  if (method == "status") {
    static constexpr std::array<const char*, 5> kProcess{"running", "exited", "killed", "stopped", "unknown"};
    static constexpr std::array<const char*, 5> kProgress{"ok", "slow", "suspect", "frozen", "unknown"};
    static constexpr std::array<const char*, 4> kOutput{"on", "off", "disconnected", "unknown"};
    const std::int64_t at = in.u8() % 8 == 0 ? in.i64() : 1'000;
    const msg::Value process = msg::Value::map(
        {{"state", kProcess[in.u8() % 5]}, {"signal", int{in.u8()}}, {"since", at}, {"observed_at", 1'000}});
    const msg::Value progress =
        msg::Value::map({{"state", kProgress[in.u8() % 5]}, {"since", 900}, {"observed_at", at}});
    msg::Value outputs = msg::Value::array();
    for (int i = in.u8() % 4; i > 0; --i) {
      outputs.push(msg::Value::map(
          {{"name", "DP-" + in.bytes()}, {"state", kOutput[in.u8() % 4]}, {"since", 1}, {"observed_at", 2}}));
    }
    const std::int64_t sent_at = in.u8() % 8 == 0 ? in.i64() : 1'500;
    return msg::Value::map({{"sent_at", sent_at}, {"process", process}, {"progress", progress}, {"outputs", outputs}});
  }
  if (method == "call") {
    const msg::Value selector = msg::Value::map({{in.u8() % 4 == 0 ? "labels" : "ids", msg::Value::array({"wall/*"})}});
    return msg::Value::map({{"selector", selector},
                            {"method", "output.scale"},
                            {"batch", int{in.u8()} % 3},
                            {"max_fail", int{in.u8()} % 3}});
  }
  if (method == "manifest.put") {
    msg::Value manifest = msg::Value::map({{"name", "sway"}, {"kind", "wayland"}, {"display", "w1"}});
    for (const char* list : {"protocols", "outputs", "inputs", "commands"}) manifest.set(list, msg::Value::array());
    manifest.set("more", std::string(std::size_t{in.u8()} * 3, 'x'));
    return msg::Value::map({{"manifest", manifest}});
  }
  return msg::Value::map({{"id", id}, {"after", in.bytes()}, {"limit", int{in.u8()}}});
}

}  // namespace

BrokerProgram::BrokerProgram(std::uint8_t start)
    : core_(small_config(), 7), is_stopped_at_the_end_(start / 8 % 2 == 1) {
  for (std::size_t i = 0; i < peers_.size(); ++i) peers_[i] = wire::RoutingId(std::string("peer") + char('0' + i));
  step(broker::input::CalendarSet{1'700'000'000'000});
  broker::StoredState stored;
  if (start % 8 == 6)
    stored.compositors.push_back({"wall/w1", "broken", "00", 3, UnixMs{5}, UnixMs{6}, {{"site", "lab"}}});
  core_.load(now_, stored, out_);
  check_outputs();
  enter(start % 8);
}

void BrokerProgram::enter(int state) {
  switch (state) {
    case 1: return register_agent(0, "wall/w1");  // admitted, before READY
    case 2: return ready(1, "echo");              // an idle plain worker
    case 3:                                       // a busy plain worker, and a request that waits for it
      ready(1, "echo");
      request(2, "echo");
      return request(3, "echo");
    case 4:  // a reported agent with a request in hand
    case 5:  // … whose connection is doubted
      register_agent(0, "wall/w1");
      ready(0, "compositor/wall/w1");
      report(0);
      request(2, "compositor/wall/w1");
      if (state == 5) step(broker::input::Disconnected{peers_[0]});
      return;
    case 7:  // json twins are wanted, and a request waits for a service that nobody offers
      step(broker::input::FeedReceived{{std::string("\x01") + "json/"}});
      return receive(2, {"MDPC02", "\x01", "other", "plain"});
    default: return;  // 0: nothing has happened; 6: a compositor is known from the store
  }
}

void BrokerProgram::run(ByteSource& in) {
  for (int i = 0; i < kInputsMax && !in.at_end(); ++i) one_input(in);
  if (is_stopped_at_the_end_) stop();
  check_everything_ends();
}

// Then nothing begins any more, whatever the disk still says.
void BrokerProgram::stop() {
  step(broker::input::Stopping{});
  const std::uint64_t routed = core_.counters().requests_routed;
  for (int ends = 0; ends < kInputsMax && !commits_.empty(); ++ends) {
    const std::uint64_t id = commits_.front();
    commits_.erase(commits_.begin());
    step(broker::input::StoreDone{id, {}});
  }
  CHECK(core_.counters().requests_routed == routed);
}

// Whatever it was: a bus on which nobody speaks any more ends every request and forgets every worker.
void BrokerProgram::check_everything_ends() {
  for (int i = 0; i < 3; ++i) {
    now_ = now_ + std::chrono::minutes(61);  // the longest deadline is an hour
    step(broker::input::Tick{});
  }
  core_.step(now_,
             broker::input::Received{peers_[3], {"MDPC02", "\x01", "bus.admin", R"({"v":1,"id":1,"method":"stats"})"}},
             out_);
  const Result<msg::Value> reply = msg::decode_json(out_.sends.at(0).frames.back());
  CHECK(reply.has_value());
  for (const char* table : {"workers", "services", "open_requests", "waiting_bytes", "group_calls"}) {
    const msg::Value* size = reply->find("result")->find("depths")->find(table);
    CHECK(size != nullptr && *size == msg::Value(0));
  }
  check_outputs();
}

void BrokerProgram::one_input(ByteSource& in) {
  const std::uint8_t op = in.u8();
  const std::size_t peer = in.u8() % peers_.size();
  switch (op % 13) {
    case 0: return receive(peer, in.frames());
    case 1:
    case 2:
    case 3: return receive(peer, message(in));
    case 4: now_ = now_ + std::chrono::milliseconds(in.u16() % 5'000); return step(broker::input::Tick{});
    case 5:
      now_ = std::max(now_, std::min(core_.next_deadline(), now_ + std::chrono::hours(1)));
      return step(broker::input::Tick{});
    case 6: {
      if (sent_.empty()) return;
      const broker::Send failed = sent_[in.u8() % sent_.size()];
      return step(broker::input::SendFailed{failed.peer, static_cast<broker::SendError>(in.u8() % 3), failed.request});
    }
    case 7: return step(broker::input::Disconnected{peers_[peer]});
    case 8: {
      Result<void> result;
      if (in.u8() % 2 == 1) result = fail(Status::kFailed, "the disk is full");
      const std::uint64_t id = commits_.empty() ? in.u8() : commits_[in.u8() % commits_.size()];
      return step(broker::input::StoreDone{id, std::move(result)});
    }
    case 9: return step(broker::input::FeedReceived{in.frames()});
    case 10: return step(broker::input::Stalled{std::chrono::milliseconds(in.u16())});
    case 11: return step(broker::input::FeedDropped{in.u8(), in.u8() % 3U, {"127.0.0.1:9"}});
    default:
      if (in.u8() % 2 == 0) return step(broker::input::TooLarge{peers_[peer]});
      return step(broker::input::CalendarSet{1'700'000'000'000 + in.u16() * std::int64_t{1'000}});
  }
}

wire::Frames BrokerProgram::message(ByteSource& in) {
  const std::uint8_t head = in.u8();
  const std::string& service = kServices[in.u8() % kServices.size()];
  const bool v1 = (head & 0x40U) != 0;
  wire::Frames frames;
  if ((head & 0x80U) != 0) frames.emplace_back();
  const auto worker = [&](char command01, char command02) {
    frames.emplace_back(v1 ? "MDPW01" : "MDPW02");
    frames.emplace_back(std::string(1, v1 ? command01 : command02));
  };
  switch (head % 6) {
    case 0:
      worker(1, 1);
      frames.push_back(service);
      return frames;
    case 1: worker(4, 5); return frames;
    case 2: worker(5, 6); return frames;
    case 3:
      worker(3, (head & 0x20U) != 0 ? 3 : 4);
      frames.push_back(address(in.u8()));
      frames.emplace_back();
      break;
    default:
      frames.emplace_back(v1 ? "MDPC01" : "MDPC02");
      if (!v1) frames.emplace_back("\x01");
      frames.push_back(service);
  }
  // Titanic takes a service's name or a job's id.
  if (service == "titanic.request") frames.emplace_back(in.u8() % 2 == 0 ? "echo" : "other");
  if (service == "titanic.reply" || service == "titanic.close") {
    frames.push_back(job_id(in.u8()));
    return frames;
  }
  wire::Frames rest = body(in);
  frames.insert(frames.end(), std::make_move_iterator(rest.begin()), std::make_move_iterator(rest.end()));
  return frames;
}

wire::Frames BrokerProgram::body(ByteSource& in) {
  const std::uint8_t kind = in.u8();
  if (kind % 4 == 0) return in.frames();
  const std::string& method = kMethods[in.u8() % kMethods.size()];
  if (kind % 4 == 1) return {R"({"v":1,"id":7,"method":")" + method + R"(","params":)" + in.bytes() + "}"};
  msg::Call call;
  call.encoding = kind % 4 == 2 ? msg::Encoding::kMsgpack : msg::Encoding::kJson;
  call.header.id = msg::Value(int{in.u8()});
  call.header.method = method;
  if (in.u8() % 4 == 0) call.header.deadline_ms = in.u8() % 8 == 0 ? in.i64() : in.u16();
  const std::uint8_t how = in.u8();
  if (how % 3 == 1) call.header.idem = std::string(1, static_cast<char>('a' + in.u8() % 3));
  if (how % 5 == 1) call.header.queue = true;
  if (how % 7 == 1) call.header.ttl_ms = in.u16() + 1;
  if (how % 2 == 1) call.header.idempotent = true;
  call.params = params_for(method, in);
  if (how % 11 == 0) call.params.set("job", job_id(in.u8()));
  return msg::serialize_call(call);
}

void BrokerProgram::step(broker::Input input) {
  const bool tick = std::holds_alternative<broker::input::Tick>(input);
  core_.step(now_, std::move(input), out_);
  CHECK(!tick || core_.next_deadline() > now_);
  check_outputs();
}

void BrokerProgram::receive(std::size_t peer, wire::Frames frames) {
  step(broker::input::Received{peers_[peer], std::move(frames)});
}

void BrokerProgram::check_outputs() {
  CHECK(core_.check_invariants());
  for (broker::Send& send : out_.sends) {
    CHECK(wire::parse_from_broker(std::move(send.frames)).has_value());
    send.frames.clear();
    sent_.push_back(std::move(send));
  }
  if (sent_.size() > kSentKept) sent_.erase(sent_.begin(), sent_.end() - kSentKept);
  for (const wire::Frames& frames : out_.publishes) {
    CHECK(frames.size() == 3);
    const bool json = frames[0].starts_with("json/");
    for (std::size_t i = 1; i < 3; ++i) {
      CHECK(json ? msg::decode_json(frames[i]).has_value() : msg::decode_msgpack(frames[i]).has_value());
    }
  }
  for (const broker::StoreWrite& write : out_.store_writes) commits_.push_back(write.commit_id);
  if (commits_.size() > kSentKept) commits_.erase(commits_.begin(), commits_.end() - kSentKept);
  for (const LogEvent& event : out_.log) CHECK(to_text(event).find('\n') == std::string::npos);
  out_.clear();
}

// ---- start states

void BrokerProgram::register_agent(std::size_t peer, const std::string& id) {
  msg::Call call;
  call.header.id = msg::Value(1);
  call.header.method = "register";
  call.params = msg::Value::map({{"id", id}, {"heartbeat_ms", 1'000}});
  wire::mdp::ClientRequest request{"bus.agent", msg::serialize_call(call)};
  receive(peer, wire::serialize(wire::Dialect{}, std::move(request)));
}

void BrokerProgram::ready(std::size_t peer, const std::string& service) {
  receive(peer, wire::serialize(wire::Dialect{}, wire::mdp::WorkerReady{service}));
}

void BrokerProgram::report(std::size_t peer) {
  const std::array<std::uint8_t, 20> healthy{1, 1, 0, 9, 0, 1, 0, 1};
  ByteSource bytes(healthy.data(), healthy.size());
  msg::Call call;
  call.header.id = msg::Value(2);
  call.header.method = "status";
  call.params = params_for("status", bytes);
  wire::mdp::ClientRequest request{"bus.agent", msg::serialize_call(call)};
  receive(peer, wire::serialize(wire::Dialect{}, std::move(request)));
}

void BrokerProgram::request(std::size_t peer, const std::string& service) {
  receive(peer, {"MDPC02", "\x01", service, R"({"v":1,"id":1,"method":"output.scale"})"});
}

}  // namespace compositord::fuzz
