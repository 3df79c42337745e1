// Traces: the records' bytes, the file, its writer's failures, and that a second run is told from another one.

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "broker/trace/record_bytes.h"
#include "broker/trace/replay.h"
#include "broker/trace/trace_reader.h"
#include "broker/trace/trace_writer.h"
#include "common/msg/value.h"
#include "common/wire/mdp_codec.h"
#include "tests/support/temp_dir.h"

namespace compositord::broker {
namespace {

const wire::RoutingId kPeer(std::string("\x00\x01\xff\x7f\x80", 5));

StoreRows some_rows() {
  StoreRows rows;
  rows.revisions = {{"a/b", 1ULL << 63U, "hash", std::string("\x80\xff", 2), "sway", "1.7", UnixMs{-1}, 10}};
  rows.changes = {{"a/b",
                   7,
                   1ULL << 62U,
                   UnixMs{1},
                   msg::Verdict::kMaintenance,
                   "output/DP-1",
                   "why",
                   msg::Link::kLeft,
                   msg::Process::kKilled,
                   msg::Progress::kFrozen,
                   {{"DP-1", msg::OutputState::kOff, true}, {"DP-2", msg::OutputState::kDisconnected, false}}}};
  rows.runs = {{7, UnixMs{1}, UnixMs{2}, UnixMs{3}, 4}};
  rows.more = true;
  return rows;
}

// One of each, with bytes that are no text, and each number beyond what a smaller type holds.
BrokerConfig an_unusual_config() {
  BrokerConfig config;
  config.heartbeat_interval = std::chrono::milliseconds(70);
  config.heartbeat_liveness = 9;
  config.agent_credit = 65;
  config.default_deadline = std::chrono::hours(3);
  config.services = {{"echo*", 3, std::nullopt}, {"*", std::nullopt, true}};
  config.limits.frames_per_message_max = 11;
  config.limits.feed_prefixes_max = 12;
  config.bus_endpoints = {"tcp://127.0.0.1:7755", "ipc:///x"};
  return config;
}

std::vector<Input> all_inputs() {
  const wire::Frames frames{"", std::string("\x00\xff", 2), "MDPC02"};
  return {input::Received{kPeer, frames},
          input::TooLarge{kPeer},
          input::ConnectionRefused{"127.0.0.1:41234 is a SUB socket"},
          input::BusLoad{3, 4, 5},
          input::Stopping{},
          input::SendFailed{kPeer, SendError::kFull, ~std::uint64_t{0}},
          input::Disconnected{kPeer},
          input::FeedReceived{frames},
          input::FeedDropped{1ULL << 50U, 2, {"127.0.0.1:9", std::string("\x80\xff", 2)}},
          input::StoreDone{1ULL << 40U, {}},
          input::StoreDone{8, fail(Status::kStore, "disk full \xff")},
          input::NoticeEnded{"a/1", "ops", false, 3, "why"},
          input::NoticeDone{"a", 1},
          input::StoreFile{{"/state/compositord.db.corrupt-1"}, "it is cut off", true},
          input::StoreAnswered{7, some_rows()},
          input::StoreAnswered{8, fail(Status::kStore, "no disk")},
          input::Reloaded{3, input::Reloaded::Taken{an_unusual_config(), {"alerts.rules"}, {"bus", "feed"}}},
          input::Reloaded{0, fail(Status::kFailed, "x.yaml:1:1")},
          input::CalendarSet{-1'700'000'000'000},
          input::Stalled{std::chrono::hours(9'000)},
          input::Tick{std::chrono::microseconds(3), Duration{1}}};
}

CompositorRecord a_record() {
  return {"wall/wayland-1",          std::string("\x80\x00\xff", 3),    "hash", 1ULL << 63U, UnixMs{-5},
          UnixMs{1'700'000'000'000}, {{"site", "berlin\xff"}, {"", ""}}};
}

JobRecord a_job() {
  JobRecord job;
  job.id = "0123";
  job.service = "compositor/wall/wayland-1";
  job.plain = true;
  job.body = {std::string("\x00\xff", 2), ""};
  job.idem = "key";
  job.state = JobState::kCancelled;
  job.attempts = 1LL << 40;
  job.expires_at = UnixMs{-1};
  job.status = 65'535;
  job.result = {"result"};
  job.erased = true;
  return job;
}

std::string whole(const std::string& body) { return *whole_record(body); }

Result<TraceRecord> parse(const std::string& body) {
  const std::string record = whole(body);
  std::array<char, kRecordHeadBytes> head_bytes{};
  std::copy_n(record.begin(), head_bytes.size(), head_bytes.begin());
  const Result<RecordHead> head = parse_head(head_bytes);
  if (!head) return tl::unexpected<Error>(head.error());
  EXPECT_EQ(head->body_bytes, body.size());
  return parse_body(*head, std::string_view(record).substr(kRecordHeadBytes));
}

TEST(TraceFormat, RoundTripsEveryInput) {
  std::vector<bool> seen(std::variant_size_v<Input>);
  for (const Input& input : all_inputs()) {
    const std::string bytes = serialize_input(Instant::from_ns(-7), input);
    const Result<TraceRecord> parsed = parse(bytes);
    ASSERT_TRUE(parsed) << input_name(input) << ": " << parsed.error().text;
    const auto& step = std::get<TraceInput>(*parsed);
    EXPECT_EQ(step.at, Instant::from_ns(-7));
    EXPECT_EQ(step.input.index(), input.index());
    EXPECT_EQ(serialize_input(step.at, step.input), bytes) << input_name(input);
    seen[input.index()] = true;
  }
  for (std::size_t i = 0; i < seen.size(); ++i) EXPECT_TRUE(seen[i]) << "no case for alternative " << i << " of Input";
}

TEST(TraceFormat, KeepsBytesAsTheyAre) {
  const Result<TraceRecord> parsed = parse(serialize_input(Instant(), all_inputs()[0]));
  ASSERT_TRUE(parsed);
  const auto& received = std::get<input::Received>(std::get<TraceInput>(*parsed).input);
  EXPECT_EQ(received.peer, kPeer);
  EXPECT_EQ(received.frames, (wire::Frames{"", std::string("\x00\xff", 2), "MDPC02"}));
}

TEST(TraceFormat, RoundTripsWhatIsNoInput) {
  const TraceHeader header{"1.2.3", ~std::uint64_t{0}, an_unusual_config()};
  const Result<TraceRecord> parsed = parse(serialize(header));
  ASSERT_TRUE(parsed) << parsed.error().text;
  EXPECT_EQ(serialize(std::get<TraceHeader>(*parsed)), serialize(header));
  EXPECT_NE(serialize(header), serialize(TraceHeader{header.software, header.epoch, {}}));
  EXPECT_EQ(std::get<TraceHeader>(*parsed).config.limits.feed_prefixes_max, 12U);

  EXPECT_EQ(std::get<CompositorRecord>(*parse(serialize(a_record()))), a_record());
  EXPECT_EQ(std::get<JobRecord>(*parse(serialize(a_job()))), a_job());
  EXPECT_EQ(std::get<TraceLoad>(*parse(serialize(TraceLoad{Instant::from_ns(5)}))).at, Instant::from_ns(5));
  const OutputsDigest digest{~std::uint64_t{0}, 3};
  EXPECT_EQ(std::get<OutputsDigest>(*parse(serialize(digest))), digest);
}

// A record as another version of this program might write it.
Result<TraceRecord> parse_items(msg::Value::Array items) {
  const std::string body = msg::encode_msgpack(msg::Value(std::move(items)));
  Fnv fnv;
  fnv.add(body);
  return parse_body({static_cast<std::uint32_t>(body.size()), fnv.value()}, body);
}

TEST(TraceFormat, AConfigurationWithoutAKeyHasItsDefaultAndAnUnknownKeyIsRefused) {
  const msg::Value version = msg::Binary{"0.1.0"};
  const Result<TraceRecord> shorter = parse_items({"header", version, 7, msg::Value::map({{"agent_credit", 3}})});
  ASSERT_TRUE(shorter) << shorter.error().text;
  EXPECT_EQ(std::get<TraceHeader>(*shorter).config.agent_credit, 3);
  EXPECT_EQ(std::get<TraceHeader>(*shorter).config.heartbeat_liveness, BrokerConfig{}.heartbeat_liveness);
  EXPECT_FALSE(parse_items({"header", version, 7, msg::Value::map({{"unheard_of", 3}})}));
  EXPECT_FALSE(parse_items({"header", version, 7, msg::Value::map({{"agent_credit", "three"}})}));
}

TEST(TraceFormat, RefusesWhatItDoesNotKnow) {
  EXPECT_FALSE(parse_items({}));
  EXPECT_FALSE(parse_items({"novelty"}));
  EXPECT_FALSE(parse_items({"input", 1, "novelty"}));
  EXPECT_TRUE(parse_items({"input", 1, "tick", 0, 0}));
  EXPECT_FALSE(parse_items({"input", 1, "tick", 0, 0, "one field more"}));
  EXPECT_FALSE(parse_items({"input", 1, "disconnected"}));
  EXPECT_FALSE(parse_items({"input", 1, "send-failed", msg::Binary{"p"}, 77, 0}));
  EXPECT_TRUE(parse_items({"input", 1, "send-failed", msg::Binary{"p"}, 1, 0}));
}

// An answer of the store once had more values than a fixed limit let through. To decode so many takes two gigabytes: here few
// stand for them, each as small as a value can be.
TEST(TraceFormat, MayHaveAsManyValuesAsBytes) {
  EXPECT_GE(limits_of_body(20'000'000).nodes_max, 20'000'000U);
  constexpr std::size_t kValues = 5'000;
  const std::string dense = msg::encode_msgpack(msg::Value(msg::Value::Array(kValues, msg::Value(1))));
  EXPECT_EQ(dense.size(), kValues + 3) << "an array's head, and a byte for each";
  EXPECT_TRUE(msg::decode_msgpack(dense, limits_of_body(dense.size())));
}

TEST(OutputsDigest, SeesEveryDifference) {
  Outputs outputs;
  const auto digest = [&] { return digest_since({}, outputs); };
  std::vector<OutputsDigest> seen{digest()};
  const auto differs = [&] {
    for (const OutputsDigest& earlier : seen) EXPECT_NE(earlier.digest, digest().digest);
    seen.push_back(digest());
  };
  outputs.sends.push_back(Send{kPeer, {"ab", "c"}, 0});
  differs();
  outputs.sends[0].frames = {"a", "bc"};
  differs();
  outputs.sends[0].request = 1;
  differs();
  outputs.publishes.push_back({"topic"});
  differs();
  outputs.store_reads.push_back({1, RevisionsQuery{"a/b", {}}});
  differs();
  outputs.notices.emplace_back();
  differs();
  outputs.reloads.push_back(1);
  differs();
  outputs.reloads.clear();
  outputs.log_levels.push_back(Severity{1});
  differs();
  outputs.store_writes.push_back({1, a_record()});
  differs();
  std::get<CompositorRecord>(outputs.store_writes[0].record).labels["site"] = "bonn";
  differs();
  outputs.store_writes[0].record = a_job();
  differs();
  outputs.log.push_back(LogEvent(Severity::kInfo, "a.b").with("k", "v"));
  differs();
  outputs.log[0].severity = Severity::kError;
  differs();
  EXPECT_EQ(digest().count, 7U);
  const OutputsMark mark = mark_of(outputs);
  EXPECT_EQ(digest_since(mark, outputs), digest_since({}, Outputs{})) << "what stood there before doesn't count";
}

// Digests stand in traces: what a list gives may change only with the version of the format, and a list that is empty, as each
// is in traces from before it was added, gives nothing.
TEST(OutputsDigest, IsMadeOfTheListsThatHaveSomething) {
  Outputs outputs;
  EXPECT_EQ(digest_since({}, outputs), (OutputsDigest{Fnv().value(), 0}));
  Fnv expected;
  const auto text = [&](std::string_view bytes) {
    expected.add(std::uint64_t{bytes.size()});
    expected.add(bytes);
  };
  const auto begin = [&](std::uint64_t list) {
    expected.add(list);
    expected.add(std::uint64_t{1});  // item
  };
  outputs.sends.push_back(Send{kPeer, {"a"}, 7});
  begin(3), text(kPeer.value()), expected.add(std::uint64_t{1}), text("a"), expected.add(std::uint64_t{7});
  EXPECT_EQ(digest_since({}, outputs), (OutputsDigest{expected.value(), 1}));
  outputs.log.push_back(LogEvent(Severity::kInfo, "a.b").with("k", "v"));
  begin(6), expected.add(static_cast<std::uint64_t>(Severity::kInfo)), text("a.b");
  expected.add(std::uint64_t{1}), text("k"), text("v");
  EXPECT_EQ(digest_since({}, outputs), (OutputsDigest{expected.value(), 2}));
  outputs.reloads.push_back(9);
  begin(7), expected.add(std::uint64_t{9});
  EXPECT_EQ(digest_since({}, outputs), (OutputsDigest{expected.value(), 3}));
}

// A file, as the loop writes it: a worker, a client's request to it, a call, and bytes that mean nothing.
class Recorded : public testing::Test {
 protected:
  void SetUp() override {
    Result<std::unique_ptr<TraceWriter>> writer = TraceWriter::create(path(), {"1", 7, an_unusual_config()}, stored());
    ASSERT_TRUE(writer) << writer.error().text;
    record(**writer);
    (*writer)->finish();
    EXPECT_FALSE((*writer)->take_failure());
    bytes_ = contents();
  }

  std::filesystem::path path() const { return folder_.path() / "bus.trace"; }
  static StoredState stored() {
    StoredState stored;
    stored.epoch = 7;
    stored.compositors = {{"wall/wayland-1", "", "", 0, {}, UnixMs{1}, {}}};
    stored.jobs = {a_job()};
    stored.jobs[0].id = std::string(32, '6');
    stored.jobs[0].erased = false;
    return stored;
  }
  std::string contents() const {
    std::ifstream file(path(), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void write(const std::string& bytes) const { std::ofstream(path(), std::ios::binary) << bytes; }

  static std::vector<Input> inputs() {
    constexpr wire::Dialect k02{wire::MdpVersion::k02, false};
    const wire::RoutingId client("client");
    return {input::Received{kPeer, wire::serialize(k02, wire::mdp::WorkerReady{"echo"})},
            input::Received{client, wire::serialize(k02, wire::mdp::ClientRequest{"echo", {"hello"}})},
            input::Received{
                client,
                wire::serialize(k02, wire::mdp::ClientRequest{"bus.manifest", {R"({"v":1,"id":1,"method":"list"})"}})},
            input::Received{client, {"nonsense"}},
            input::Disconnected{kPeer},
            input::Tick{}};
  }

  static void record(TraceWriter& writer) {
    BrokerCore core(an_unusual_config(), 7);
    Instant now = Instant::from_ns(1'000'000'000);
    const auto step = [&](Input input) {
      Outputs out;
      writer.add(serialize_input(now, input));
      core.step(now, std::move(input), out);
      writer.add(serialize(digest_since({}, out)));
      now = now + std::chrono::milliseconds(3);
    };
    step(input::CalendarSet{1'700'000'000'000});
    Outputs out;
    writer.add(serialize(TraceLoad{now}));
    core.load(now, stored(), out);
    writer.add(serialize(digest_since({}, out)));
    for (Input& input : inputs()) step(std::move(input));
  }

  // How many steps are read, and how it ended: "", "cut off …" or the text of an error.
  std::pair<std::size_t, std::string> replay(bool* identical = nullptr) const {
    Result<Replay> replay = Replay::open(path());
    if (!replay) return {0, replay.error().text};
    for (std::size_t steps = 0;; ++steps) {
      const Result<std::optional<ReplayedStep>> step = replay->next();
      if (!step) return {steps, step.error().text};
      if (!*step) return {steps, replay->cut_off()};
      EXPECT_TRUE((*step)->invariants_hold);
      if (identical != nullptr) *identical = *identical && (*step)->is_identical();
    }
  }

  test::TempDir folder_;
  std::string bytes_;
};

TEST_F(Recorded, IsReplayedWithTheSameOutputs) {
  bool identical = true;
  EXPECT_EQ(replay(&identical), std::pair(inputs().size() + 2, std::string()));
  EXPECT_TRUE(identical);
}

TEST_F(Recorded, AnotherRunIsToldFromIt) {
  std::string other = bytes_;
  const std::size_t request = other.find("hello");
  ASSERT_NE(request, std::string::npos);
  // The request's body is changed and its record made whole again: the worker gets other bytes than it got then.
  const Input changed = input::Received{
      wire::RoutingId("client"),
      wire::serialize(wire::Dialect{wire::MdpVersion::k02, false}, wire::mdp::ClientRequest{"echo", {"hallo"}})};
  const std::string as_recorded = whole(serialize_input(Instant::from_ns(1'006'000'000), inputs()[1]));
  const std::size_t at = other.find(as_recorded);
  ASSERT_NE(at, std::string::npos);
  write(other.replace(at, as_recorded.size(), whole(serialize_input(Instant::from_ns(1'006'000'000), changed))));
  bool identical = true;
  EXPECT_EQ(replay(&identical).second, "");
  EXPECT_FALSE(identical);
}

TEST_F(Recorded, MayBeCutOffAnywhere) {
  const std::size_t whole = replay().first;
  std::size_t before = 0;
  for (std::size_t size = kTraceMagic.size(); size < bytes_.size(); ++size) {
    write(bytes_.substr(0, size));
    const auto [steps, end] = replay();
    const bool clean_end = end.empty() || end.starts_with("cut off") || end == "the trace has no header";
    EXPECT_TRUE(clean_end) << size << ": " << end;
    EXPECT_GE(steps, before) << "what is whole is read, at " << size;
    before = steps;
  }
  EXPECT_EQ(before, whole) << "the last step is whole even without the digest of its outputs";
}

TEST_F(Recorded, DamageIsNoticedWhereverItIs) {
  const std::size_t whole = replay().first;
  for (std::size_t at = 0; at < bytes_.size(); ++at) {
    std::string damaged = bytes_;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    write(damaged);
    const auto [steps, end] = replay();
    EXPECT_FALSE(end.empty()) << "byte " << at;
    EXPECT_FALSE(end.starts_with("cut off")) << "byte " << at << ": " << end;
    EXPECT_LE(steps, whole);
  }
}

TEST_F(Recorded, OtherFilesAreRefusedByName) {
  write("compositord trace 1\nand so on");
  EXPECT_NE(replay().second.find("in format 1, this program reads 2"), std::string::npos) << replay().second;
  write("something else, and long enough");
  EXPECT_NE(replay().second.find("bus.trace is no trace"), std::string::npos) << replay().second;
  write("");
  EXPECT_NE(replay().second.find("is no trace"), std::string::npos);
  std::filesystem::remove(path());
  EXPECT_NE(replay().second.find("can't be read"), std::string::npos);
}

TEST_F(Recorded, OnlyItsOwnerMayReadItAndAnOlderOneIsKept) {
  struct stat file {};
  ASSERT_EQ(stat(path().c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 0777U, 0600U);
  ASSERT_TRUE(TraceWriter::create(path(), {"1", 8, {}}, {}));
  EXPECT_EQ(std::filesystem::file_size(path().string() + ".old"), bytes_.size());
  EXPECT_LT(contents().size(), bytes_.size());
}

TEST_F(Recorded, WhatIsNoPlainFileIsLeftAlone) {
  std::filesystem::remove(path());
  std::filesystem::create_directory(path());
  const auto writer = TraceWriter::create(path(), {"1", 8, {}}, {});
  ASSERT_FALSE(writer);
  EXPECT_NE(writer.error().text.find("no regular file"), std::string::npos) << writer.error().text;
  EXPECT_FALSE(TraceWriter::create(folder_.path() / "nowhere" / "x", {"1", 8, {}}, {}));
}

// A limit on files stands for the full disk.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    EXPECT_EQ(getrlimit(RLIMIT_FSIZE, &before_), 0);
    handler_ = std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{bytes, before_.rlim_max};
    EXPECT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
  }
  ~FileSizeLimit() {
    EXPECT_EQ(setrlimit(RLIMIT_FSIZE, &before_), 0);
    std::signal(SIGXFSZ, handler_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  rlimit before_{};
  void (*handler_)(int) = nullptr;
};

TEST_F(Recorded, AFullDiskEndsItOnceAndLeavesTheGoodPart) {
  const FileSizeLimit limit(bytes_.size() + 100);
  auto writer = TraceWriter::create(path(), {"1", 7, an_unusual_config()}, stored());
  ASSERT_TRUE(writer);
  record(**writer);
  (*writer)->add(serialize_input(Instant(), input::Disconnected{wire::RoutingId(std::string(4'096, 'x'))}));
  (*writer)->finish();
  const std::optional<std::string> failure = (*writer)->take_failure();
  ASSERT_TRUE(failure);
  EXPECT_NE(failure->find("bus.trace: File too large"), std::string::npos) << *failure;
  EXPECT_FALSE((*writer)->take_failure()) << "once is enough";
  const auto [steps, end] = replay();
  EXPECT_EQ(steps, inputs().size() + 2);
  EXPECT_TRUE(end.starts_with("cut off")) << end;
}

TEST_F(Recorded, ARecordThatIsTooLargeEndsItWithThatReasonAndLeavesWhatCameBefore) {
  const std::string large(kBodyBytesMax + 1, 'x');  // made before, so that something still waits when it comes
  auto writer = TraceWriter::create(path(), {"1", 7, an_unusual_config()}, stored());
  ASSERT_TRUE(writer);
  record(**writer);
  (*writer)->add(large);
  (*writer)->add(serialize_input(Instant(), input::Tick{}));
  (*writer)->finish();
  EXPECT_EQ((*writer)->take_failure(),
            path().string() + ": a record of 129 MiB is more than the 128 MiB that one may have");
  EXPECT_EQ(contents(), bytes_) << "nothing before it is lost, and nothing behind it is there";
}

TEST_F(Recorded, WhatIsStoredAndTooLargeIsAReasonNotToBegin) {
  StoredState state = stored();
  state.compositors[0].manifest.assign(kBodyBytesMax, 'x');
  const auto writer = TraceWriter::create(path(), {"1", 7, {}}, state);
  ASSERT_FALSE(writer);
  EXPECT_EQ(writer.error().text,
            "trace " + path().string() + ": a record of 129 MiB is more than the 128 MiB that one may have");
}

TEST(TraceFormat, TakesTheLargestBodyAndNoLargerOne) {
  std::string body(kBodyBytesMax, 'x');
  const Result<std::string> record = whole_record(body);
  ASSERT_TRUE(record);
  EXPECT_EQ(record->size(), kRecordHeadBytes + kBodyBytesMax);
  const Result<std::string> larger = whole_record(body += 'x');
  ASSERT_FALSE(larger);
  EXPECT_EQ(larger.error().status, Status::kTooLarge);
}

// Without the wait the thread that writes would nearly always lose the race against the crash.
TEST_F(Recorded, ACrashWaitsForWhatLedToIt) {
  const Input culprit = input::Received{kPeer, {std::string(8U << 20U, 'x')}};
  const auto crash = [&] {
    auto writer = TraceWriter::create(path(), {"1", 7, {}}, {});
    (*writer)->add(serialize_input(Instant(), culprit));
    std::abort();
  };
  EXPECT_EXIT(crash(), testing::KilledBySignal(SIGABRT), "");
  Result<TraceReader> reader = TraceReader::open(path());
  ASSERT_TRUE(reader) << reader.error().text;
  ASSERT_TRUE(std::holds_alternative<TraceRecord>(*reader->next())) << "the header";
  const auto last = reader->next();
  ASSERT_TRUE(last);
  ASSERT_TRUE(std::holds_alternative<TraceRecord>(*last)) << std::get<TraceEnd>(*last).cut_off;
  const auto& step = std::get<TraceInput>(std::get<TraceRecord>(*last));
  EXPECT_EQ(serialize_input(Instant(), step.input), serialize_input(Instant(), culprit));
}

// A real broker's trace. A change that is meant to be seen in what the broker sends, stores or logs needs a new one.
TEST(RecordedLongAgo, GivesWhatItGaveThen) {
  Result<Replay> replay = Replay::open(COMPOSITORD_TRACES_DIR "/mixed.trace");
  ASSERT_TRUE(replay) << replay.error().text;
  std::size_t compared = 0;
  for (;;) {
    const Result<std::optional<ReplayedStep>> step = replay->next();
    ASSERT_TRUE(step) << step.error().text;
    if (!*step) break;
    EXPECT_TRUE((*step)->invariants_hold) << "step " << (*step)->number;
    ASSERT_TRUE((*step)->is_identical()) << "step " << (*step)->number << "; on purpose? See tests/trace/README.md";
    if ((*step)->recorded) ++compared;
  }
  EXPECT_EQ(replay->cut_off(), "");
  EXPECT_GT(compared, 50U);
}

}  // namespace
}  // namespace compositord::broker
