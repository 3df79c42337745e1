// Commands on sway with read-back, against a sway made of strings: no socket, no clock.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "agent/ipc/ipc_command_runner.h"
#include "agent/output/output_command.h"
#include "agent/output/output_request.h"
#include "agent/sway/ipc_line.h"
#include "agent/sway/sway_dialect.h"

namespace compositord::agent::sway {
namespace {

using driver_event::CommandFinished;
using msg::Value;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

Value mode_params(const std::string& output, std::int32_t width, std::int32_t height) {
  return Value::map({{"output", output}, {"width_px", width}, {"height_px", height}});
}

// GET_OUTPUTS of a sway with one output of this width.
std::string outputs_json(int width) {
  return R"([{"name":"HEADLESS-1","active":true,"scale":1.0,"transform":"normal","rect":{"x":0,"y":0},"modes":[],)"
         R"("current_mode":{"height":600,"refresh":60000,"width":)" +
         std::to_string(width) + "}}]";
}

constexpr const char* kSuccess = R"([{"success":true}])";

// --- parameters ---

struct BadParams {
  std::string method;
  Value params;
  Status status;
  std::string says;
};

TEST(OutputCommand, RefusesWrongParametersWithASentence) {
  const auto scale = [](Value v) { return Value::map({{"output", "A"}, {"scale", std::move(v)}}); };
  const auto place = [](Value x) { return Value::map({{"output", "A"}, {"x", std::move(x)}, {"y", 0}}); };
  Value refresh_zero = mode_params("A", 1, 1);
  refresh_zero.set("refresh_mhz", Value(60));
  Value refresh_hz = mode_params("A", 1, 1);
  refresh_hz.set("refresh_hz", Value(60));
  const std::vector<BadParams> all{
      {"output.paint", Value::map(), Status::kNotFound, "output.paint"},
      {"output.mode", Value::map(), Status::kMalformed, "output: missing"},
      {"output.mode", Value(7), Status::kMalformed, "map"},
      {"output.mode", Value::map({{"output", "A"}, {"width_px", 8}}), Status::kMalformed, "height_px: missing"},
      {"output.mode", mode_params("A", 0, 5), Status::kMalformed, "width_px: 0 is out of range"},
      {"output.mode", mode_params("A", -5, 5), Status::kMalformed, "width_px"},
      {"output.mode", mode_params("A", 5, 99999), Status::kMalformed, "height_px: 99999 is out of range 1…16384"},
      {"output.mode", refresh_zero, Status::kMalformed, "refresh_mhz: 60 is below 1000"},
      {"output.mode", refresh_hz, Status::kMalformed, "refresh_hz: output.mode has no such parameter"},
      {"output.scale", scale(0.0), Status::kMalformed, "scale: 0 is out of range"},
      {"output.scale", scale(-1), Status::kMalformed, "scale"},
      {"output.scale", scale(1e300), Status::kMalformed, "scale"},
      {"output.scale", scale("2"), Status::kMalformed, "scale: a number expected"},
      {"output.position", place(2147483647), Status::kMalformed, "x: 2147483647 is out of range"},
      {"output.position", place(1.5), Status::kMalformed, "x: an integer expected"},
      {"output.transform", Value::map({{"output", "A"}}), Status::kMalformed, "transform: missing"},
      {"output.transform", Value::map({{"output", "A"}, {"transform", "upside-down"}}), Status::kMalformed,
       "upside-down"},
  };
  for (const BadParams& bad : all) {
    const auto command = parse_output_command(bad.method, bad.params);
    ASSERT_FALSE(command) << bad.method << " " << msg::encode_json(bad.params);
    EXPECT_EQ(command.error().status, bad.status) << command.error().text;
    EXPECT_THAT(command.error().text, HasSubstr(bad.says));
  }
}

TEST(OutputCommand, SwitchesOutputsAndTheirPower) {
  const auto line = [](const char* method, Value params) {
    params.set("output", "DP-1");
    return to_ipc_line(*parse_output_command(method, params));
  };
  EXPECT_EQ(line("output.enable", Value::map()), "output \"DP-1\" enable");
  EXPECT_EQ(line("output.disable", Value::map()), "output \"DP-1\" disable");
  EXPECT_EQ(line("output.power", Value::map({{"on", false}})), "output \"DP-1\" dpms off");
  EXPECT_EQ(line("output.power", Value::map({{"on", true}})), "output \"DP-1\" dpms on");
  EXPECT_EQ(parse_output_command("output.power", Value::map({{"output", "DP-1"}})).error().text, "on: missing");
  EXPECT_THAT(parse_output_command("output.enable", Value::map({{"output", "DP-1"}, {"on", true}})).error().text,
              HasSubstr("on: output.enable has no such parameter (output)"));
}

TEST(OutputCommand, LetsNoNameIntoSwaysLanguage) {
  for (const std::string name : {"", "A\"; exec reboot; \"", "A;exec x", "A,exec x", "$mod", "A B", "*", "A\\",
                                 "A\nexec x", "[app_id=x]", "ä"}) {
    const auto command = parse_output_command("output.mode", mode_params(name, 8, 8));
    ASSERT_FALSE(command) << name;
    EXPECT_EQ(command.error().status, Status::kMalformed);
  }
  EXPECT_FALSE(parse_output_command("output.mode", mode_params(std::string(65, 'a'), 8, 8)));
  EXPECT_TRUE(parse_output_command("output.mode", mode_params("HEADLESS-1", 8, 8)));
}

TEST(OutputCommand, SaysItInSwaysWords) {
  const auto line = [](const std::string& method, Value params) {
    const auto command = parse_output_command(method, params);
    return command ? to_ipc_line(*command) : command.error().text;
  };
  Value with_refresh = mode_params("A", 800, 600);
  with_refresh.set("refresh_mhz", Value(59951));
  EXPECT_EQ(line("output.mode", mode_params("A", 800, 600)), "output \"A\" mode 800x600");
  EXPECT_EQ(line("output.mode", with_refresh), "output \"A\" mode 800x600@59.951Hz");
  EXPECT_EQ(line("output.scale", Value::map({{"output", "A"}, {"scale", 1.25}})), "output \"A\" scale 1.25000");
  EXPECT_EQ(line("output.position", Value::map({{"output", "A"}, {"x", -1}, {"y", 2}})), "output \"A\" position -1 2");
  EXPECT_EQ(line("output.transform", Value::map({{"output", "A"}, {"transform", "90"}})), "output \"A\" transform 270");
}

Value configure(std::vector<Value> outputs) { return Value::map({{"outputs", Value::array(std::move(outputs))}}); }

TEST(OutputRequest, IsAListOfWishes) {
  Value moved = mode_params("A", 800, 600);
  moved.set("x", Value(0));
  moved.set("y", Value(10));
  moved.set("scale", Value());  // null: as it is
  const auto request =
      parse_output_request("output.configure", configure({moved, Value::map({{"output", "B"}, {"enabled", false}})}));
  ASSERT_TRUE(request) << request.error().text;
  std::vector<std::string> lines;
  for (const OutputCommand& wish : request->wishes) lines.push_back(to_ipc_line(wish));
  EXPECT_THAT(
      lines, ::testing::ElementsAre("output \"A\" mode 800x600", "output \"A\" position 0 10", "output \"B\" disable"));
  EXPECT_TRUE(switches(*request, "B"));
  EXPECT_FALSE(switches(*request, "A"));
}

TEST(OutputRequest, NamesThePlaceOfWhatIsWrong) {
  const Value good = Value::map({{"output", "A"}, {"scale", 2}});
  struct Bad {
    Value params;
    const char* says;
  };
  const std::vector<Bad> all{
      {Value::map(), "outputs: a list of 1 to 64 outputs expected"},
      {configure({}), "outputs: a list of 1 to 64"},
      {configure(std::vector<Value>(65, good)), "outputs: a list of 1 to 64"},
      {configure({Value("A")}), "outputs[0].a string where an output's map belongs"},
      {configure({good, Value::map({{"output", "B"}, {"scale", 99}})}), "outputs[1].scale: 99 is out of range"},
      {configure({Value::map({{"output", "A"}, {"width_px", 8}})}), "outputs[0].height_px: missing"},
      {configure({Value::map({{"output", "A"}, {"x", 8}})}), "outputs[0].y: missing"},
      {configure({Value::map({{"output", "A"}, {"colour", 8}})}), "outputs[0].colour: output.configure has no such"},
      {configure({Value::map({{"output", "A"}, {"", 8}})}), "outputs[0].: output.configure has no such"},
      {configure({Value::map({{"output", "A"}})}), "outputs[0].nothing is asked of this output"},
      {configure({Value::map({{"scale", 2}})}), "outputs[0].output: missing"},
      {configure({Value::map({{"output", "A;exec x"}, {"scale", 2}})}), "outputs[0].output: \"A;exec x\" can't be"},
      {configure({Value::map({{"output", "A"}, {"enabled", "no"}})}), "outputs[0].enabled: true or false expected"},
      {configure({Value::map({{"output", "A"}, {"enabled", false}, {"scale", 2}})}),
       "outputs[0].enabled: an output that"},
      {configure({good, good}), "outputs[1].output: A is in the list already"},
  };
  for (const Bad& bad : all) {
    const auto request = parse_output_request("output.configure", bad.params);
    ASSERT_FALSE(request) << msg::encode_json(bad.params);
    EXPECT_EQ(request.error().status, Status::kMalformed);
    EXPECT_THAT(request.error().text, ::testing::StartsWith(bad.says));
  }
  Value more = configure({good});
  more.set("force", Value(true));
  EXPECT_THAT(parse_output_request("output.configure", more).error().text, HasSubstr("force"));
}

TEST(OutputCommand, RefusesAModeThatAMonitorDoesNotHave) {
  KnownOutput monitor;
  monitor.output.name = "DP-1";
  monitor.output.modes = {msg::Mode{1920, 1080, 60000, true}, msg::Mode{1280, 720, 59940, false}};
  const auto missing =
      find_output(*parse_output_command("output.mode", mode_params("DP-1", 800, 600)), {monitor}, "sway");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().status, Status::kNotFound);
  EXPECT_EQ(missing.error().text, "DP-1 has no such mode; it has 1920x1080@60.000Hz, 1280x720@59.940Hz");
  EXPECT_TRUE(find_output(*parse_output_command("output.mode", mode_params("DP-1", 1280, 720)), {monitor}, "sway"));
}

// --- the order of things ---

class Runner : public ::testing::Test {
 protected:
  void execute(std::uint64_t id, milliseconds deadline = seconds(10)) {
    runner_.execute(id, "output.mode", mode_params("HEADLESS-1", 800, 600), now_, now_ + deadline, out_);
  }
  // What is asked now, as one word; empty for nothing.
  std::string asked() {
    const auto ask = runner_.next_ask(now_);
    if (!ask) return {};
    return ask->question == IpcQuestion::kOutputs ? "outputs" : ask->text;
  }
  void reply(const std::string& payload) { runner_.on_reply(payload, now_, out_); }
  void pass(milliseconds time) {
    now_ = now_ + time;
    runner_.tick(now_, out_);
  }
  // As if a whole command had been sent and sway had said success.
  void begin(std::uint64_t id, milliseconds deadline = seconds(10)) {
    execute(id, deadline);
    ASSERT_EQ(asked(), "outputs");
    reply(outputs_json(1280));
    ASSERT_EQ(asked(), "output \"HEADLESS-1\" mode 800x600");
    reply(kSuccess);
  }
  const CommandFinished* finished(std::size_t index = 0) const {
    return index < out_.events.size() ? std::get_if<CommandFinished>(&out_.events[index]) : nullptr;
  }
  Value width(std::string_view when) const {
    const Value* fields = finished()->result.find(when);
    const Value* mode = fields == nullptr ? nullptr : fields->find("current_mode");
    const Value* found = mode == nullptr ? nullptr : mode->find("width_px");
    return found == nullptr ? Value() : *found;
  }
  SwayDialect dialect_;
  IpcCommandRunner runner_{dialect_};
  DriverOutputs out_;
  Instant now_ = Instant::from_ns(1'000'000'000);
};

TEST_F(Runner, IsDoneWhenTheReadBackShowsIt) {
  begin(5);
  EXPECT_EQ(asked(), "outputs");
  reply(outputs_json(1280));
  EXPECT_EQ(asked(), "") << "not at once again";
  EXPECT_EQ(runner_.next_ask_at(), now_ + IpcCommandRunner::kReadBackInterval);
  pass(milliseconds(20));
  EXPECT_EQ(asked(), "outputs");
  ASSERT_TRUE(out_.events.empty());
  reply(outputs_json(800));
  ASSERT_NE(finished(), nullptr);
  EXPECT_EQ(finished()->command_id, 5U);
  EXPECT_EQ(finished()->status, Status::kDone);
  EXPECT_EQ(width("before"), Value(1280));
  EXPECT_EQ(width("after"), Value(800));
  EXPECT_EQ(finished()->result.find("before")->find("modes"), nullptr);
}

TEST_F(Runner, SaysThatAnOutputWasAddedThoughItIsNotAsWished) {
  runner_.execute(1, "output.add", Value::map({{"width_px", 800}, {"height_px", 600}}), now_, now_ + seconds(10), out_);
  ASSERT_EQ(asked(), "outputs");
  reply("[]");
  ASSERT_EQ(asked(), "create_output");
  reply(kSuccess);
  ASSERT_EQ(asked(), "outputs");
  reply("[]");
  EXPECT_EQ(asked(), "") << "not at once again";
  pass(milliseconds(20));
  ASSERT_EQ(asked(), "outputs");
  reply(outputs_json(1280));
  ASSERT_EQ(asked(), "output \"HEADLESS-1\" mode 800x600");
  reply(kSuccess);
  while (out_.events.empty()) {
    if (!asked().empty()) reply(outputs_json(1280));
    pass(milliseconds(20));
  }
  EXPECT_EQ(finished()->status, Status::kFailed);
  EXPECT_EQ(finished()->error, "HEADLESS-1 was added, but: sway said success and did not do it");
  EXPECT_EQ(width("after"), Value(1280));
}

TEST_F(Runner, SaysThatNoOutputWasAdded) {
  runner_.execute(1, "output.add", Value::map(), now_, now_ + seconds(10), out_);
  asked();
  reply(outputs_json(1280));
  ASSERT_EQ(asked(), "create_output");
  reply(kSuccess);
  while (out_.events.empty()) {
    if (!asked().empty()) reply(outputs_json(1280));
    pass(milliseconds(20));
  }
  EXPECT_EQ(finished()->status, Status::kFailed);
  EXPECT_EQ(finished()->error, "sway said success and no output was added");
  out_.events.clear();
  runner_.execute(2, "output.add", Value::map(), now_, now_ + seconds(10), out_);
  asked();
  reply("[]");
  asked();
  reply(R"([{"success":false,"error":"Can only create outputs for Wayland, X11 or headless backends"}])");
  ASSERT_NE(finished(), nullptr);
  EXPECT_THAT(finished()->error, HasSubstr("headless backends"));
}

TEST_F(Runner, FailsWhenSuccessIsNeverShown) {
  begin(1);
  const Instant begun = now_;
  while (out_.events.empty() && now_ - begun < seconds(2)) {
    if (!asked().empty()) reply(outputs_json(1280));
    pass(milliseconds(20));
  }
  ASSERT_NE(finished(), nullptr);
  EXPECT_EQ(finished()->status, Status::kFailed);
  EXPECT_EQ(finished()->error, "sway said success and did not do it");
  EXPECT_EQ(width("before"), Value(1280));
  EXPECT_EQ(width("after"), Value(1280));
  EXPECT_LE(now_ - begun, IpcCommandRunner::kReadBackTime + milliseconds(40));
}

TEST_F(Runner, TellsSwaysOwnRefusal) {
  execute(1);
  asked();
  reply(outputs_json(1280));
  asked();
  reply(R"([{"success":false,"parse_error":true,"error":"Unknown/invalid command 'mode'"}])");
  EXPECT_EQ(asked(), "outputs");
  reply(outputs_json(1280));
  ASSERT_NE(finished(), nullptr);
  EXPECT_EQ(finished()->status, Status::kFailed);
  EXPECT_EQ(finished()->error, "sway refused: Unknown/invalid command 'mode'");
  EXPECT_EQ(width("after"), Value(1280));
}

TEST_F(Runner, SendsNothingForAnOutputThatIsNotThere) {
  runner_.execute(1, "output.mode", mode_params("NOPE-1", 800, 600), now_, now_ + seconds(1), out_);
  asked();
  reply(outputs_json(1280));
  ASSERT_NE(finished(), nullptr);
  EXPECT_EQ(finished()->status, Status::kNotFound);
  EXPECT_EQ(finished()->error, "there is no output \"NOPE-1\"; sway has HEADLESS-1");
  EXPECT_EQ(asked(), "");
}

TEST_F(Runner, FailsWhenTheOutputVanishesUnderIt) {
  begin(1);
  asked();
  reply("[]");
  pass(seconds(1));
  asked();
  reply("[]");
  ASSERT_NE(finished(), nullptr);
  EXPECT_EQ(finished()->status, Status::kFailed);
  EXPECT_EQ(finished()->error, "sway said success, and the output is gone");
}

TEST_F(Runner, EndsEachStepAtItsDeadline) {
  for (int replies = 0; replies <= 2; ++replies) {
    runner_ = IpcCommandRunner(dialect_);
    out_ = DriverOutputs();
    execute(1, milliseconds(100));
    asked();
    if (replies > 0) {
      reply(outputs_json(1280));
      asked();
    }
    if (replies > 1) {
      reply(kSuccess);
      asked();
    }
    pass(milliseconds(99));
    ASSERT_TRUE(out_.events.empty()) << replies;
    EXPECT_EQ(runner_.next_deadline(), now_ + milliseconds(1));
    pass(milliseconds(1));
    ASSERT_EQ(out_.events.size(), 1U) << replies;
    EXPECT_EQ(finished()->status, Status::kDeadline);
    EXPECT_THAT(finished()->error, HasSubstr(replies == 0 ? "nothing was changed" : "its outcome is unknown"));
    // The reply that was still owed is dropped, and the next command is not confused by it.
    execute(2);
    EXPECT_EQ(asked(), "") << "a reply is owed";
    reply(replies == 1 ? kSuccess : outputs_json(800));
    EXPECT_EQ(out_.events.size(), 1U);
    EXPECT_EQ(asked(), "outputs");
  }
}

TEST_F(Runner, RunsOneCommandAtATimeInOrder) {
  begin(1);
  execute(2);
  execute(3);
  EXPECT_EQ(asked(), "outputs");
  reply(outputs_json(800));
  EXPECT_EQ(asked(), "outputs") << "now the second reads the state before it";
  reply(outputs_json(800));
  asked();
  reply(kSuccess);
  asked();
  reply(outputs_json(800));
  ASSERT_EQ(out_.events.size(), 2U);
  EXPECT_EQ(finished(0)->command_id, 1U);
  EXPECT_EQ(finished(1)->command_id, 2U);
}

TEST_F(Runner, RefusesTheSeventeenthCommand) {
  for (std::uint64_t id = 1; id <= OutputCommandQueue::kQueuedMax; ++id) execute(id);
  ASSERT_TRUE(out_.events.empty());
  execute(99);
  ASSERT_NE(finished(), nullptr);
  EXPECT_EQ(finished()->command_id, 99U);
  EXPECT_EQ(finished()->status, Status::kLimit);
}

TEST_F(Runner, EndsWaitingCommandsByTheirOwnDeadlines) {
  begin(1, seconds(10));
  execute(2, milliseconds(50));
  execute(3, seconds(5));
  pass(milliseconds(60));
  ASSERT_EQ(out_.events.size(), 1U);
  EXPECT_EQ(finished()->command_id, 2U);
  EXPECT_EQ(finished()->status, Status::kDeadline);
}

TEST_F(Runner, RefusesACommandThatComesTooLate) {
  execute(1, milliseconds(0));
  ASSERT_NE(finished(), nullptr);
  EXPECT_EQ(finished()->status, Status::kDeadline);
}

TEST_F(Runner, EndsEverythingWhenTheCompositorIsGone) {
  begin(1);
  execute(2);
  runner_.on_gone(out_);
  ASSERT_EQ(out_.events.size(), 2U);
  EXPECT_EQ(finished(0)->status, Status::kGone);
  EXPECT_EQ(finished(1)->status, Status::kGone);
  EXPECT_EQ(runner_.next_deadline(), kNever);
}

TEST_F(Runner, EndsAllCommandsWithALostConnection) {
  begin(1);
  execute(2);
  asked();
  runner_.on_connection_lost(out_);
  ASSERT_EQ(out_.events.size(), 2U);
  EXPECT_EQ(finished(0)->status, Status::kFailed);
  EXPECT_THAT(finished(0)->error, HasSubstr("outcome is unknown"));
  EXPECT_EQ(finished(1)->status, Status::kFailed) << "it would wait for a connection that may not come back";
  EXPECT_THAT(finished(1)->error, HasSubstr("nothing was changed"));
}

TEST_F(Runner, FailsOnNonsenseInsteadOfAnAnswer) {
  execute(1);
  asked();
  reply("{");
  ASSERT_NE(finished(), nullptr);
  EXPECT_EQ(finished()->status, Status::kFailed);
  reply("[]");  // an answer that nobody asked for
  EXPECT_EQ(out_.events.size(), 1U);
}

}  // namespace
}  // namespace compositord::agent::sway
