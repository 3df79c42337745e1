#include "tests/support/scenario.h"

#include <charconv>
#include <sstream>
#include <utility>

#include <fmt/format.h>

#include "common/wire/mdp_codec.h"

namespace compositord::testing {

namespace {

constexpr std::uint64_t kEpoch = 7;

// Words are parted by spaces; "…" and {…} keep theirs.
std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> words;
  std::string word;
  bool quoted = false;
  int braces = 0;
  const auto end_word = [&] {
    if (!word.empty()) words.push_back(std::exchange(word, {}));
  };
  for (const char c : text) {
    if (c == '"' && braces == 0) quoted = !quoted;
    if (!quoted && c == '{') ++braces;
    if (!quoted && c == '}') --braces;
    if (c == ' ' && !quoted && braces == 0) {
      end_word();
    } else {
      word += c;
    }
  }
  end_word();
  return words;
}

// "key=value" -> {"key", "value"}; a word without '=' has an empty key.
std::pair<std::string, std::string> entry_of(const std::string& word) {
  const std::size_t equals = word.find('=');
  if (equals == std::string::npos || word[0] == '"') return {"", word};
  std::string value = word.substr(equals + 1);
  if (value.size() >= 2 && value.front() == '"') value = value.substr(1, value.size() - 2);
  return {word.substr(0, equals), value};
}

bool is_number(std::string_view text) {
  std::int64_t number = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), number);
  return result.ec == std::errc() && result.ptr == text.data() + text.size();
}

msg::Value value_of(const std::string& text) {
  return is_number(text) ? msg::Value(std::int64_t{std::stoll(text)}) : msg::Value(text);
}

std::string find_entry(const std::vector<std::string>& words, const std::string& key, std::string otherwise = {}) {
  for (const std::string& word : words) {
    if (entry_of(word).first == key) return entry_of(word).second;
  }
  return otherwise;
}

Duration duration_of(const std::string& text) { return std::chrono::milliseconds(std::stoll(text)); }

// "text" as it is, anything else as pairs of hex digits.
std::string frame_of(const std::string& word) {
  if (word.front() == '"') return word.substr(1, word.size() - 2);
  std::string bytes;
  for (std::size_t i = 0; i + 1 < word.size(); i += 2) {
    bytes += static_cast<char>(std::stoul(word.substr(i, 2), nullptr, 16));
  }
  return bytes;
}

msg::Value fact(const std::string& state) {
  return msg::Value::map({{"state", state}, {"since", 0}, {"observed_at", 0}});
}

msg::Value report_of(const std::vector<std::string>& words) {
  msg::Value process = fact(find_entry(words, "process", "running"));
  for (const char* key : {"signal", "code"}) {
    if (const std::string text = find_entry(words, key); !text.empty()) process.set(key, value_of(text));
  }
  msg::Value outputs = msg::Value::array();
  for (const std::string& word : words) {
    if (!word.starts_with("output:")) continue;
    const auto [key, state] = entry_of(word);
    msg::Value output = fact(state);
    output.set("name", key.substr(7));
    outputs.push(std::move(output));
  }
  msg::Value report = msg::Value::map({{"sent_at", value_of(find_entry(words, "sent_at", "0"))},
                                       {"process", std::move(process)},
                                       {"progress", fact(find_entry(words, "progress", "ok"))},
                                       {"outputs", std::move(outputs)}});
  if (const std::string mib = find_entry(words, "rss_mib"); !mib.empty()) {
    report.set("metrics", msg::Value::map({{"rss_bytes", std::uint64_t{std::stoull(mib)} << 20U}}));
  }
  return report;
}

// A manifest whose canonical encoding has exactly `bytes` bytes, when that is asked for.
msg::Value manifest_of(const std::vector<std::string>& words) {
  msg::Value manifest =
      msg::Value::map({{"name", find_entry(words, "name", "sway")}, {"kind", "wayland"}, {"display", "wayland-1"}});
  manifest.set("version", find_entry(words, "version", "1.7"));
  for (const char* list : {"protocols", "outputs", "inputs", "commands"}) manifest.set(list, msg::Value::array());
  const std::string wanted = find_entry(words, "bytes");
  if (!wanted.empty()) {
    const std::size_t size = std::stoull(wanted);
    // A long text costs five bytes of head.
    manifest.set("more", std::string(size - msg::encode_canonical(manifest).size() - 10, 'x'));
  }
  return msg::Value::map({{"manifest", std::move(manifest)}});
}

}  // namespace

Scenario::Scenario(ScenarioWatcher* watcher) : watcher_(watcher) {}

std::string Scenario::run(std::string_view script) {
  std::istringstream lines{std::string(script)};
  int number = 0;
  for (std::string text; std::getline(lines, text);) {
    ++number;
    if (text.empty() || text.starts_with('#')) continue;
    line(text);
    if (error_.empty()) continue;
    return transcript_ + fmt::format("ERROR line {}: {}\n", number, error_);
  }
  return transcript_;
}

void Scenario::start() {
  if (core_) return;
  core_ = std::make_unique<broker::BrokerCore>(config_, kEpoch);
  step(broker::input::CalendarSet{0});  // calendar and monotonic clock agree: times in the transcript are script times
  broker::Outputs out;
  core_->load(now_, stored_, out);
  say(out);
}

void Scenario::line(const std::string& text) {
  const Words words = split(text);
  if (words[0] == "config") return configure(words);
  if (words[0] == "stored") {
    stored_.compositors.push_back({find_entry(words, "id"), {}, {}, 0, UnixMs{}, UnixMs{-60'000}, {}});
    return;
  }
  start();
  if (words[0] == "at") return advance_to(Instant{} + duration_of(words.at(1)));
  if (words[0] == "show") {
    shown_.insert(words.begin() + 1, words.end());
    return;
  }
  if (words[0] == "peer") return set_peer(words);
  transcript_ += fmt::format("[{} ms] {}\n", to_ms(now_ - Instant{}), text);
  printed_at_ = now_;
  if (words[0] == "store" && words.size() > 2) return store_file(words);
  if (words[0] == "store") {
    end_commits(words.at(1) == "ok", "the disk is full");
    return end_reads(words.at(1) == "ok", "the disk is full");
  }
  if (words[0] == "feed-dropped") {
    return step(
        broker::input::FeedDropped{std::stoull(words.at(1)), words.size() - 2, {words.begin() + 2, words.end()}});
  }
  if (words[0] == "stopping") return step(broker::input::Stopping{});
  if (words[0] == "stalled") return step(broker::input::Stalled{duration_of(words.at(1))});
  if (words[0] == "subscriber") {
    wire::Frames frames;
    for (std::size_t i = 2; i < words.size(); ++i) frames.push_back(frame_of(words[i]));
    // "01 "prefix"" is one frame, as XPUB gives it.
    if (frames.size() == 2 && frames[0].size() == 1) frames = {frames[0].str() + frames[1].str()};
    return step(broker::input::FeedReceived{std::move(frames)});
  }
  peer_line(words[0], words);
}

void Scenario::peer_line(const std::string& peer, const Words& words) {
  const wire::RoutingId id(peer);
  if (words.size() == 2 && words[1] == "closed") return step(broker::input::Disconnected{id});
  if (words.size() == 2 && words[1] == "too_large") return step(broker::input::TooLarge{id});
  if (words.size() < 3 || words[1] != ">") {
    error_ = "not understood";
    return;
  }
  wire::Frames frames = message_of(peer, words);
  if (!frames.empty()) step(broker::input::Received{id, std::move(frames)});
}

wire::Frames Scenario::message_of(const std::string& peer, const Words& words) {
  const wire::Dialect dialect = dialects_[peer];
  const std::string& verb = words[2];
  if (verb == "frames") {
    wire::Frames frames;
    for (std::size_t i = 3; i < words.size(); ++i) frames.push_back(frame_of(words[i]));
    return frames;
  }
  if (verb == "ready") return wire::serialize(dialect, wire::mdp::WorkerReady{words.at(3)});
  if (verb == "heartbeat") return wire::serialize(dialect, wire::mdp::Heartbeat{});
  if (verb == "disconnect") return wire::serialize(dialect, wire::mdp::Disconnect{});
  if (verb == "reply" || verb == "partial") {
    const auto token = (kEpoch << 32U) + static_cast<broker::RequestToken>(std::stoull(find_entry(words, "to")));
    const bool json_status = !find_entry(words, "status").empty();
    const std::string body = json_status ? fmt::format(R"({{"v":1,"id":{},"status":{}}})", find_entry(words, "id", "1"),
                                                       find_entry(words, "status"))
                                         : find_entry(words, "body");
    return wire::serialize(dialect, wire::mdp::WorkerReply{verb == "reply", broker::address_of(token), {body}});
  }
  wire::mdp::ClientRequest request;
  request.service = find_entry(words, "service", "bus.agent");
  if (verb == "request") {
    request.body = {find_entry(words, "body")};
    if (const std::string bytes = find_entry(words, "bytes"); !bytes.empty())
      request.body = {std::string(std::stoull(bytes), 'x')};
  } else if (verb == "json") {
    request.body = {words.back()};
  } else if (verb == "call") {
    request.body = call_of(request.service, find_entry(words, "method"), words, 3);
  } else if (verb == "register" || verb == "status" || verb == "leave" || verb == "manifest") {
    request.body = call_of(request.service, verb == "manifest" ? "manifest.put" : verb, words, 3);
  } else {
    error_ = "no such verb: " + verb;
    return {};
  }
  return wire::serialize(dialect, std::move(request));
}

wire::Frames Scenario::call_of(const std::string& service, const std::string& method, const Words& words,
                               std::size_t first) {
  msg::Call call;
  call.header.id = msg::Value(++last_call_id_);
  call.header.method = method;
  if (service == "bus.agent" && method == "status") {
    call.params = report_of(words);
  } else if (service == "bus.agent" && method == "manifest.put") {
    call.params = manifest_of(words);
  } else {
    for (std::size_t i = first; i < words.size(); ++i) {
      const auto entry = entry_of(words[i]);
      if (entry.first == "deadline_ms") {
        call.header.deadline_ms = std::stoll(entry.second);
      } else if (entry.first == "ttl_ms") {
        call.header.ttl_ms = std::stoll(entry.second);
      } else if (entry.first == "idem") {
        call.header.idem = entry.second;
      } else if (entry.first == "queue") {
        call.header.queue = entry.second == "true";
      } else if (entry.first == "idempotent") {
        call.header.idempotent = entry.second == "true";
      } else if (entry.first != "service" && entry.first != "method") {
        call.params.set(entry.first, value_of(entry.second));
      }
    }
  }
  return msg::serialize_call(call);
}

void Scenario::configure(const Words& words) {
  const std::map<std::string, std::size_t*> limits{
      {"open_requests_per_client_max", &config_.limits.open_requests_per_client_max},
      {"queued_requests_per_service_max", &config_.limits.queued_requests_per_service_max},
      {"queued_bytes_per_service_max", &config_.limits.queued_bytes_per_service_max},
      {"queued_bytes_per_client_max", &config_.limits.queued_bytes_per_client_max},
      {"queued_bytes_max", &config_.limits.queued_bytes_max},
      {"services_max", &config_.limits.services_max},
      {"workers_max", &config_.limits.workers_max},
      {"jobs_max", &config_.limits.jobs_max},
      {"job_result_bytes_max", &config_.limits.job_result_bytes_max},
      {"idem_calls_max", &config_.limits.idem_calls_max},
      {"group_targets_max", &config_.limits.group_targets_max},
      {"agents_max", &config_.limits.agents_max}};
  for (std::size_t i = 1; i < words.size(); ++i) {
    const auto entry = entry_of(words[i]);
    if (entry.first == "agent_credit") {
      config_.agent_credit = std::stoi(entry.second);
    } else if (entry.first == "job_keep_ms") {
      config_.job_keep = std::chrono::milliseconds(std::stoll(entry.second));
    } else if (const auto limit = limits.find(entry.first); limit != limits.end()) {
      *limit->second = std::stoull(entry.second);
    } else {
      error_ = "no such limit: " + entry.first;
    }
  }
}

// peer NAME [0.1] [delimiter] | peer NAME unreachable|full|reachable
void Scenario::set_peer(const Words& words) {
  const std::string& peer = words.at(1);
  for (std::size_t i = 2; i < words.size(); ++i) {
    const std::string& what = words[i];
    if (what == "0.1") {
      dialects_[peer].version = wire::MdpVersion::k01;
    } else if (what == "delimiter") {
      dialects_[peer].delimiter = true;
    } else if (what == "unreachable") {
      broken_peers_[peer] = broker::SendError::kUnreachable;
    } else if (what == "full") {
      broken_peers_[peer] = broker::SendError::kFull;
    } else if (what == "reachable") {
      broken_peers_.erase(peer);
    } else {
      error_ = "no such property of a peer: " + what;
    }
  }
}

void Scenario::end_commits(bool success, const std::string& why) {
  for (const std::uint64_t id : std::exchange(commits_, {})) {
    Result<void> result;
    const bool failed = !success || (watcher_ != nullptr && watcher_->fail_commit());
    if (failed) result = fail(Status::kFailed, why);
    step(broker::input::StoreDone{id, std::move(result)});
  }
}

// What is read is empty: a scenario's store remembers nothing.
void Scenario::end_reads(bool success, const std::string& why) {
  for (const std::uint64_t id : std::exchange(reads_, {})) {
    Result<broker::StoreRows> rows;
    if (!success) rows = fail(Status::kStore, why);
    step(broker::input::StoreAnswered{id, std::move(rows)});
  }
}

// store file [set_aside=NAME] [why=…] [replaced=true]
void Scenario::store_file(const Words& words) {
  broker::input::StoreFile file;
  if (const std::string name = find_entry(words, "set_aside"); !name.empty()) file.set_aside.push_back(name);
  file.why = find_entry(words, "why");
  file.replaced = find_entry(words, "replaced") == "true";
  step(std::move(file));
}

void Scenario::advance_to(Instant at) {
  while (core_->next_deadline() <= at && error_.empty()) {
    now_ = std::max(now_, core_->next_deadline());
    step(broker::input::Tick{});
  }
  now_ = at;
}

void Scenario::step(broker::Input input) {
  if (watcher_ != nullptr) watcher_->on_input(input);
  broker::Outputs out;
  core_->step(now_, std::move(input), out);
  if (!core_->check_invariants()) error_ = "the invariants do not hold";
  say(out);
  // As in the loop: what could not be sent is an input of the next step.
  for (broker::input::SendFailed& failed : std::exchange(failures_, {})) step(std::move(failed));
}

std::optional<broker::SendError> Scenario::fate_of(const broker::Send& send) {
  std::optional<broker::SendError> failed;
  if (const auto broken = broken_peers_.find(send.peer.value()); broken != broken_peers_.end()) failed = broken->second;
  if (watcher_ == nullptr) return failed;
  if (!failed) failed = watcher_->fail_send(send);
  watcher_->on_sent(send, failed.has_value());
  return failed;
}

void Scenario::say(const std::string& text) {
  if (std::exchange(printed_at_, now_) != now_) transcript_ += fmt::format("[{} ms]\n", to_ms(now_ - Instant{}));
  transcript_ += "  " + text + "\n";
}

void Scenario::say(const broker::Outputs& out) {
  for (const broker::StoreWrite& write : out.store_writes) {
    // Of history, for which nobody waits.
    if (write.commit_id == 0 && !shown_.contains("history")) continue;
    if (write.commit_id != 0) commits_.push_back(write.commit_id);
    say(text_of(write));
  }
  for (const broker::StoreRead& read : out.store_reads) {
    reads_.push_back(read.read_id);
    say(fmt::format("read {}", read.read_id));
  }
  for (const broker::Send& send : out.sends) {
    const std::optional<broker::SendError> failed = fate_of(send);
    if (failed) failures_.push_back(broker::input::SendFailed{send.peer, *failed, send.request});
    if (command_of(send) == "HEARTBEAT" && !shown_.contains("heartbeats")) continue;
    say(text_of(send) + (failed ? " (not sent)" : ""));
  }
  for (const wire::Frames& frames : out.publishes) {
    const std::string_view topic = frames[0];
    if ((topic.ends_with("bus/tick") || topic.ends_with("bus/stats")) && !shown_.contains("ticks")) continue;
    say(text_of(frames));
  }
  for (const msg::Alert& notice : out.notices) {
    say(fmt::format("notice {} {} of change {}", msg::name_of(notice.state), notice.alert.substr(28), notice.change));
  }
  for (const std::uint64_t reload : out.reloads) say(fmt::format("reload {}", reload));
  for (const Severity level : out.log_levels) say("log level " + std::string(severity_name(level)));
  for (const LogEvent& event : out.log) {
    say("log " + std::string(severity_name(event.severity)) + " " + to_text(event));
  }
}

}  // namespace compositord::testing
