// The command line, and what stands behind run and req.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <utility>

#include <fmt/format.h>

#include "tools/compositorctl/cli.h"
#include "tools/compositorctl/exit_code.h"
#include "tools/compositorctl/req_call.h"
#include "tools/compositorctl/run_arguments.h"
#include "tools/compositorctl/run_command.h"

namespace compositord::ctl {
namespace {

using testing::HasSubstr;

std::string run_json(const std::string& command, const std::vector<std::string>& words) {
  const Result<msg::Value> params = parse_run_arguments(command, words);
  return params ? msg::encode_json(*params) : "error: " + params.error().text;
}

TEST(CtlRunArguments, ReadsOutputCommands) {
  EXPECT_EQ(run_json("output.mode", {"DP-1", "1280x720@60"}),
            R"({"output":"DP-1","width_px":1280,"height_px":720,"refresh_mhz":60000})");
  EXPECT_EQ(run_json("output.mode", {"DP-1", "1280x720@59.951Hz"}),
            R"({"output":"DP-1","width_px":1280,"height_px":720,"refresh_mhz":59951})");
  EXPECT_EQ(run_json("output.mode", {"DP-1", "1280x720"}), R"({"output":"DP-1","width_px":1280,"height_px":720})");
  EXPECT_EQ(run_json("output.scale", {"DP-1", "1.5"}), R"({"output":"DP-1","scale":1.5})");
  EXPECT_EQ(run_json("output.position", {"DP-1", "-100,200"}), R"({"output":"DP-1","x":-100,"y":200})");
  EXPECT_EQ(run_json("output.transform", {"DP-1", "flipped-90"}), R"({"output":"DP-1","transform":"flipped-90"})");
  EXPECT_EQ(run_json("output.transform", {"DP-1", "0"}), R"({"output":"DP-1","transform":"normal"})");
  EXPECT_EQ(run_json("output.disable", {"DP-1"}), R"({"output":"DP-1"})");
  EXPECT_EQ(run_json("output.power", {"DP-1", "off"}), R"({"output":"DP-1","on":false})");
  EXPECT_EQ(run_json("output.power", {"DP-1", "on"}), R"({"output":"DP-1","on":true})");
  EXPECT_THAT(run_json("output.power", {"DP-1", "standby"}), HasSubstr("\"standby\": on or off expected"));
}

TEST(CtlRunArguments, ReadsSeveralOutputs) {
  EXPECT_EQ(
      run_json("output.configure", {"DP-1", "1920x1080@60", "0,0", "DP-2", "on", "90", "scale=1.5", "HDMI-1", "off"}),
      R"({"outputs":[{"output":"DP-1","width_px":1920,"height_px":1080,"refresh_mhz":60000,"x":0,"y":0},)"
      R"({"output":"DP-2","enabled":true,"transform":"90","scale":1.5},{"output":"HDMI-1","enabled":false}]})");
  EXPECT_EQ(run_json("output.configure", {"confirm_within_ms=5000", "DP-1", "transform=180"}),
            R"({"confirm_within_ms":5000,"outputs":[{"output":"DP-1","transform":"180"}]})");
  EXPECT_EQ(run_json("output.configure", {R"({"outputs":[]})"}), R"({"outputs":[]})");
  EXPECT_THAT(run_json("output.configure", {"DP-1", "1920by1080"}), HasSubstr("a mode WIDTHxHEIGHT"));
  EXPECT_THAT(run_json("output.configure", {"DP-1", "on", "off"}), HasSubstr("enabled is given twice"));
  EXPECT_THAT(run_json("output.configure", {R"({"outputs":[]})", "DP-1", "on"}), HasSubstr("outputs is given twice"));
}

TEST(CtlRunArguments, ReadsWhatANewOutputShallBe) {
  EXPECT_EQ(run_json("output.add", {}), "{}");
  EXPECT_EQ(run_json("output.add", {"100,200", "800x600", "scale=2"}),
            R"({"x":100,"y":200,"width_px":800,"height_px":600,"scale":2})");
  EXPECT_THAT(run_json("output.add", {"HEADLESS-2"}), HasSubstr("a mode WIDTHxHEIGHT"));
}

TEST(CtlRunArguments, ReadsAProgramAndItsEnvironment) {
  EXPECT_EQ(run_json("launch", {"xterm", "-e", "a=b", "{x}"}), R"({"argv":["xterm","-e","a=b","{x}"]})");
  EXPECT_EQ(run_json("launch", {"A=1", "B=", "xterm"}), R"({"argv":["xterm"],"env":{"A":"1","B":""}})");
  EXPECT_EQ(run_json("launch", {R"({"argv":["xterm"]})"}), R"({"argv":["xterm"]})");
  EXPECT_THAT(run_json("launch", {R"({"argv":["xterm"]})", "more"}), HasSubstr("nothing may follow"));
  EXPECT_THAT(run_json("launch", {"A=1"}), HasSubstr("a program expected"));
  EXPECT_THAT(run_json("launch", {"A=1", "A=2", "x"}), HasSubstr("A is given twice"));
}

TEST(CtlRunArguments, ReadsKeysAsJsonElseAsText) {
  EXPECT_EQ(run_json("x", {"a=1", "b=true", "c=hello", "d=[1,2]", "e=\"7\"", "f=", "g=a=b"}),
            R"({"a":1,"b":true,"c":"hello","d":[1,2],"e":"7","f":"","g":"a=b"})");
}

TEST(CtlRunArguments, MixesObjectsKeysAndWords) {
  EXPECT_EQ(run_json("output.scale", {R"({"output":"DP-1"})", "2"}), R"({"output":"DP-1","scale":2.0})");
  EXPECT_EQ(run_json("output.scale", {"output=DP-1", "scale=2"}), R"({"output":"DP-1","scale":2})");
}

TEST(CtlRunArguments, RefusesWithTheWordThatIsWrong) {
  EXPECT_THAT(run_json("output.mode", {"DP-1", "720p"}), HasSubstr("\"720p\": a mode WIDTHxHEIGHT"));
  for (const char* mode :
       {"x720", "1280x", "1280x720@", "1280x720@-1", "1280x720@0", "60@1280x720", "1280x720@9e9", "-1x2"}) {
    EXPECT_THAT(run_json("output.mode", {"DP-1", mode}), HasSubstr("error: ")) << mode;
  }
  EXPECT_THAT(run_json("output.scale", {"DP-1", "big"}), HasSubstr("a scale expected"));
  EXPECT_THAT(run_json("output.position", {"DP-1", "100"}), HasSubstr("a position X,Y expected"));
  EXPECT_THAT(run_json("output.transform", {"DP-1", "45"}), HasSubstr("normal, 90, 180"));
  EXPECT_THAT(run_json("output.scale", {"DP-1", "2", "3"}), HasSubstr("scale is given twice"));
  EXPECT_THAT(run_json("reload", {"now"}), HasSubstr("key=value expected"));
  EXPECT_THAT(run_json("reload", {"=x"}), HasSubstr("no key"));
  EXPECT_THAT(run_json("reload", {"{\"a\":"}), HasSubstr("JSON line 1"));
  EXPECT_THAT(run_json("output.mode", {"DP-1", "a\x1b[2J"}), testing::Not(HasSubstr("\x1b")));
}

TEST(CtlRun, RefusesWhatTheManifestSaysIsUnsupported) {
  msg::Manifest manifest;
  manifest.commands = {{"output.mode", true, ""}, {"output.scale", false, "weston can't"}};
  EXPECT_FALSE(objection(manifest, "a/b", "output.mode").has_value());
  const std::optional<Failure> unsupported = objection(manifest, "a/b", "output.scale");
  ASSERT_TRUE(unsupported.has_value());
  EXPECT_EQ(unsupported->code, ExitCode::kUnsupported);
  EXPECT_THAT(unsupported->text, HasSubstr("weston can't"));
  const std::optional<Failure> unknown = objection(manifest, "a/b", "output.mod");
  ASSERT_TRUE(unknown.has_value());
  EXPECT_EQ(unknown->code, ExitCode::kRefused);
  EXPECT_THAT(unknown->text, HasSubstr("did you mean output.mode?"));
}

TEST(CtlRun, ShowsWhatChanged) {
  const auto result = [](const char* text) { return result_text(*msg::decode_json(text)); };
  EXPECT_EQ(
      result(R"({"before":{"name":"DP-1","scale":1.0,"current_mode":{"width_px":8,"height_px":6,"refresh_mhz":60000}},
                       "after":{"name":"DP-1","scale":1.5,"current_mode":{"width_px":9,"height_px":6,"refresh_mhz":0}}})"),
      "DP-1: scale 1 → 1.5\nDP-1: current_mode 8x6@60Hz → 9x6\n");
  EXPECT_EQ(result(R"({"before":{"name":"DP-1"},"after":{"name":"DP-1"}})"),
            "DP-1: nothing changed: before and after are the same\n");
  EXPECT_EQ(result(R"({"before":{},"after":{"x":1}})"), "x none → 1\n");
  EXPECT_EQ(result("{}"), "");
  EXPECT_EQ(result(R"({"a":1})"), "{\n  \"a\": 1\n}\n");
  EXPECT_EQ(result(R"({"before":[],"after":7})"), "{\n  \"before\": [],\n  \"after\": 7\n}\n");
}

TEST(CtlReq, ReadsAMethodOrAWholeCall) {
  const Result<RequestedCall> method = parse_requested_call("list", R"({"limit":3})");
  ASSERT_TRUE(method.has_value());
  EXPECT_EQ(method->method, "list");
  EXPECT_EQ(msg::encode_json(method->params), R"({"limit":3})");
  EXPECT_FALSE(method->id.has_value());

  const Result<RequestedCall> call =
      parse_requested_call(R"({"id":"x7","method":"get","params":{"id":"a/b"},"deadline_ms":250})", "");
  ASSERT_TRUE(call.has_value()) << call.error().text;
  EXPECT_EQ(call->method, "get");
  EXPECT_EQ(call->id, msg::Value("x7"));
  EXPECT_EQ(call->deadline, Duration{std::chrono::milliseconds(250)});
  EXPECT_EQ(msg::encode_json(call->params), R"({"id":"a/b"})");

  const Result<RequestedCall> bare = parse_requested_call(R"({"method":"list"})", "");
  ASSERT_TRUE(bare.has_value()) << bare.error().text;
  EXPECT_FALSE(bare->id.has_value());
}

TEST(CtlReq, RefusesWhatIsNoCall) {
  EXPECT_FALSE(parse_requested_call("{", "").has_value());
  EXPECT_FALSE(parse_requested_call("{}", "").has_value());
  EXPECT_FALSE(parse_requested_call(R"({"v":2,"method":"list"})", "").has_value());
  EXPECT_FALSE(parse_requested_call(R"({"method":"list"})", "{}").has_value());
  EXPECT_FALSE(parse_requested_call("list", "[]").has_value());
  EXPECT_FALSE(parse_requested_call("list", "{").has_value());
}

TEST(CtlReq, TakesACallForJsonThatHasBlanksInFront) {
  const Result<RequestedCall> call = parse_requested_call("\n {\"method\":\"list\"}", "");
  ASSERT_TRUE(call.has_value()) << call.error().text;
  EXPECT_EQ(call->method, "list");
}

// They would not be sent, and nobody would know.
TEST(CtlReq, RefusesFieldsThatNoCallHas) {
  for (const auto& [field, meant] : {std::pair("parms", "params"), {"deadline", "deadline_ms"}, {"Method", "method"}}) {
    const Result<RequestedCall> call = parse_requested_call(fmt::format(R"({{"method":"list","{}":{{}}}})", field), "");
    ASSERT_FALSE(call.has_value()) << field;
    EXPECT_EQ(call.error().text, fmt::format("the call: it has no field \"{}\": did you mean \"{}\"?", field, meant));
  }
  const Result<RequestedCall> call = parse_requested_call(R"({"method":"list","\u001b[2J":1})", "");
  ASSERT_FALSE(call.has_value());
  EXPECT_EQ(call.error().text.find('\x1b'), std::string::npos);
}

CommandLine parse(std::vector<const char*> words) {
  words.insert(words.begin(), "compositorctl");
  return parse_command_line(static_cast<int>(words.size()), words.data());
}

TEST(CtlCommandLine, TakesGlobalOptionsOnBothSidesOfTheCommand) {
  for (const auto& words : {std::vector<const char*>{"--timeout", "250ms", "-o", "json", "ls"},
                            std::vector<const char*>{"ls", "--timeout", "250ms", "-o", "json"}}) {
    const CommandLine line = parse(words);
    ASSERT_FALSE(line.exit_code.has_value()) << line.text;
    EXPECT_EQ(line.options.command, Command::kLs);
    EXPECT_EQ(line.options.timeout, Duration{std::chrono::milliseconds(250)});
    EXPECT_TRUE(line.options.json);
  }
}

TEST(CtlCommandLine, TakesNegativeNumbersAndJsonAsArguments) {
  const CommandLine line = parse({"run", "a/b", "output.position", "DP-1", "-100,200", "{\"a\":[1]}", "--force"});
  ASSERT_FALSE(line.exit_code.has_value()) << line.text;
  EXPECT_EQ(line.options.arguments, (std::vector<std::string>{"DP-1", "-100,200", "{\"a\":[1]}"}));
  EXPECT_TRUE(line.options.force);
}

TEST(CtlCommandLine, TakesEachWordBehindTheDashesAsItIs) {
  const std::vector<std::string> program{"sh", "-c",   "[ 1 = 1 ]", "[a,b]", "[]", "[",
                                         "]",  "[a,b", "--",        "",      "{}", "run"};
  std::vector<const char*> words{"run", "--force", "t/x", "launch", "--"};
  for (const std::string& word : program) words.push_back(word.c_str());
  const CommandLine line = parse(words);
  ASSERT_FALSE(line.exit_code.has_value()) << line.text;
  EXPECT_EQ(line.options.id, "t/x");
  EXPECT_EQ(line.options.method, "launch");
  EXPECT_EQ(line.options.arguments, program);

  const CommandLine all = parse({"run", "--", "[t]/[x]", "[launch]", "[a,b]"});
  ASSERT_FALSE(all.exit_code.has_value()) << all.text;
  EXPECT_EQ(all.options.id, "[t]/[x]");
  EXPECT_EQ(all.options.method, "[launch]");
  EXPECT_EQ(all.options.arguments, std::vector<std::string>{"[a,b]"});
}

TEST(CtlCommandLine, TakesTheEmptyPrefixAndRawArrays) {
  const CommandLine sub = parse({"sub", "", "--count", "2"});
  ASSERT_FALSE(sub.exit_code.has_value()) << sub.text;
  EXPECT_EQ(sub.options.prefixes, std::vector<std::string>{""});
  EXPECT_EQ(sub.options.count, 2U);
  const CommandLine raw = parse({"req", "--raw", "echo", "[1,2]"});
  ASSERT_FALSE(raw.exit_code.has_value()) << raw.text;
  EXPECT_EQ(raw.options.body, "[1,2]");
}

TEST(CtlCommandLine, SuggestsWhatWasMeant) {
  const CommandLine command = parse({"lss"});
  EXPECT_EQ(command.exit_code, to_number(ExitCode::kUsage));
  EXPECT_THAT(command.text, HasSubstr("unknown command \"lss\": did you mean \"ls\"?"));
  EXPECT_THAT(parse({"watch", "--cuont", "3"}).text, HasSubstr("did you mean \"--count\"?"));
  EXPECT_THAT(parse({"l\x1b[2J"}).text, testing::Not(HasSubstr("\x1b")));
}

TEST(CtlCommandLine, RefusesWithTheUsageCode) {
  for (const auto& words :
       {std::vector<const char*>{}, std::vector<const char*>{"show"},
        std::vector<const char*>{"ls", "--timeout", "soon"}, std::vector<const char*>{"ls", "-l", "x"},
        std::vector<const char*>{"-o", "xml", "ls"}, std::vector<const char*>{"watch", "--count", "0"},
        std::vector<const char*>{"show", "a/b", "c/d"}}) {
    EXPECT_EQ(parse(words).exit_code, to_number(ExitCode::kUsage));
  }
}

TEST(CtlCommandLine, RefusesAPastForWhatIsToCome) {
  const CommandLine line = parse({"alerts", "--since", "1h", "--watch"});
  EXPECT_EQ(line.exit_code, to_number(ExitCode::kUsage));
  EXPECT_THAT(line.text, HasSubstr("--watch shows what fires now and then what changes: it takes no --since"));
  EXPECT_FALSE(parse({"alerts", "--watch"}).exit_code.has_value());
  EXPECT_FALSE(parse({"alerts", "--since", "1h"}).exit_code.has_value());
}

TEST(CtlCommandLine, RefusesKindsAndFactsThatCanNeverBe) {
  const auto refused = [](const std::vector<const char*>& words) {
    const CommandLine line = parse(words);
    EXPECT_EQ(line.exit_code, to_number(ExitCode::kUsage)) << words[2];
    EXPECT_THAT(line.text, testing::Not(HasSubstr("\x1b")));
    return line.text;
  };
  EXPECT_THAT(refused({"alerts", "--kind", "compositor_frosen"}),
              HasSubstr("no kind of alert fits \"compositor_frosen\": did you mean compositor_frozen?"));
  EXPECT_THAT(refused({"alerts", "--kind", "nonsense"}), HasSubstr("\"nonsense\". There are agent_lost, agent_left, "));
  EXPECT_THAT(refused({"alerts", "--watch", "--kind", "outputs_*"}), HasSubstr("no kind of alert fits \"outputs_*\""));
  EXPECT_THAT(refused({"silence", "add", "*", "--for", "1h", "--kind", "queue_fall"}), HasSubstr("queue_full"));
  EXPECT_THAT(refused({"alerts", "--kind", "l\x1b[2J"}), HasSubstr("\\x1b"));
  EXPECT_THAT(
      refused({"wait", "--for", "verdict=okk"}),
      HasSubstr("no verdict fits \"okk\": did you mean ok? There are ok, degraded, down, unknown, maintenance"));
  EXPECT_THAT(refused({"wait", "--for", "link=conected"}), HasSubstr("did you mean connected?"));
  EXPECT_THAT(refused({"wait", "--for", "process=runing"}), HasSubstr("did you mean running?"));
  EXPECT_THAT(refused({"wait", "--for", "progress=zzzzzzzz"}),
              HasSubstr("There are ok, slow, suspect, frozen, unknown"));
  EXPECT_THAT(refused({"wait", "--for", "verdict="}), HasSubstr("no verdict fits \"\""));
  EXPECT_THAT(refused({"wait", "--for", "verdit=ok"}),
              HasSubstr("verdict=…, link=…, process=… or progress=… expected"));
  EXPECT_THAT(refused({"wait", "--for", "compositor=sway"}), HasSubstr("or progress=… expected"));
  EXPECT_THAT(
      refused({"run", "*", "--fact", "verdict=okk", "output.list"}),
      HasSubstr("no verdict fits \"okk\": did you mean ok? There are ok, degraded, down, unknown, maintenance"));
  EXPECT_THAT(refused({"run", "*", "--fact", "link=conected", "output.list"}), HasSubstr("did you mean connected?"));
  EXPECT_THAT(refused({"run", "*", "--fact", "verdit=ok", "output.list"}),
              HasSubstr("compositor=…, version=…, verdict=…, link=…, process=… or progress=… expected"));
  for (const auto& words :
       {std::vector<const char*>{"alerts", "--kind", "output_*"},
        std::vector<const char*>{"alerts", "--kind", "*_lost"},
        std::vector<const char*>{"wait", "--for", "verdict=d*", "--for", "link=connected"},
        std::vector<const char*>{"wait", "--for", "process=killed", "--for", "progress=s?ow"},
        std::vector<const char*>{"run", "*", "--fact", "compositor=nosuch", "output.list"},
        std::vector<const char*>{"run", "*", "--fact", "verdict=d*", "--fact", "version=1.*", "output.list"}}) {
    EXPECT_FALSE(parse(words).exit_code.has_value()) << words[2];
  }
}

TEST(CtlCommandLine, RefusesTwoValuesOfWhatHasOne) {
  const auto refused = [](const std::vector<const char*>& words) {
    const CommandLine line = parse(words);
    EXPECT_EQ(line.exit_code, to_number(ExitCode::kUsage)) << words.front();
    EXPECT_THAT(line.text, testing::Not(HasSubstr("\x1b")));
    return line.text;
  };
  EXPECT_THAT(
      refused({"ls", "-l", "site=rome", "-l", "wall=a", "--label", "site=berlin"}),
      HasSubstr("compositorctl: --label: site=rome and site=berlin exclude each other: all must fit, and site has "
                "one value. A pattern fits several: * is any text, ? one character\n"));
  for (const auto& words :
       {std::vector<const char*>{"alerts"}, std::vector<const char*>{"silence", "add", "--for", "1h"},
        std::vector<const char*>{"maintenance", "start", "--for", "1h"},
        std::vector<const char*>{"wait", "--for", "verdict=ok"}, std::vector<const char*>{"sla"},
        std::vector<const char*>{"outages"}, std::vector<const char*>{"run", "*", "output.list"}}) {
    std::vector<const char*> all = words;
    all.insert(all.end(), {"-l", "a=1", "-l", "a=2"});
    EXPECT_THAT(refused(all), HasSubstr("--label: a=1 and a=2 exclude each other"));
  }
  EXPECT_THAT(refused({"run", "*", "output.list", "--fact", "verdict=ok", "--fact", "verdict=down"}),
              HasSubstr("--fact: verdict=ok and verdict=down exclude each other"));
  EXPECT_THAT(refused({"wait", "--for", "link=lost", "--for", "link=left"}),
              HasSubstr("--for: link=lost and link=left exclude each other"));
  EXPECT_THAT(refused({"ls", "-l", "a=\x1b[2J", "-l", "a=b"}), HasSubstr("a=\\x1b[2J"));
  for (const auto& words : {std::vector<const char*>{"ls", "-l", "site=rome", "-l", "wall=rome"},
                            std::vector<const char*>{"ls", "-l", "site=rome", "-l", "site=rome"},
                            std::vector<const char*>{"ls", "-l", "site=", "-l", "sit=e"}}) {
    EXPECT_FALSE(parse(words).exit_code.has_value()) << words.back();
  }
}

TEST(CtlCommandLine, HelpsAndTellsItsVersion) {
  EXPECT_EQ(parse({"--help"}).exit_code, 0);
  EXPECT_EQ(parse({"--version"}).exit_code, 0);
  EXPECT_THAT(parse({"--version"}).text, HasSubstr("compositorctl 0."));
  for (const char* command : {"ls", "show", "manifest", "watch", "run", "req", "sub"}) {
    const CommandLine line = parse({command, "--help"});
    EXPECT_EQ(line.exit_code, 0);
    EXPECT_THAT(line.text, HasSubstr("Example")) << command;
    EXPECT_THAT(line.text, HasSubstr(std::string("compositorctl ") + command)) << command;
  }
}

TEST(CtlCommandLine, SaysWhatANumberMustBe) {
  for (const char* word : {"0", "-1", "1.5", "x", "99999999999999999999999"}) {
    const CommandLine line = parse({"sub", "x", "--count", word});
    EXPECT_EQ(line.exit_code, 2) << word;
    EXPECT_THAT(line.text, HasSubstr("--count: a whole number from 1 on expected")) << word;
    EXPECT_EQ(line.text.find("000000"), std::string::npos);
  }
  EXPECT_THAT(parse({"run", "*", "x", "--max-fail", "-1"}).text,
              HasSubstr("--max-fail: a whole number from 0 on expected"));
  EXPECT_EQ(parse({"sub", "x", "--count", "7"}).options.count, 7U);
  EXPECT_EQ(parse({"run", "*", "x", "--max-fail", "0"}).options.max_fail, 0);
}

TEST(CtlCommandLine, TakesAPeerAsPeopleWriteIt) {
  const auto peers = [](const char* word) {
    return parse({"dump", "--trace", "x", "--peer", word}).options.dump.peers;
  };
  EXPECT_EQ(peers("p12"), std::vector<std::string>{"p12"});
  EXPECT_EQ(peers("P1"), std::vector<std::string>{"p1"});
  EXPECT_EQ(peers("006B8B4567"), std::vector<std::string>{"006b8b4567"});
  EXPECT_EQ(peers("00 6b 8b 45 67"), std::vector<std::string>{"006b8b4567"}) << "as dump writes a client's address";
  for (const char* word : {"foo", "", "p", "p0", "p1x", "006b8", "0x00", "pp1"}) {
    const CommandLine line = parse({"dump", "--trace", "x", "--peer", word});
    EXPECT_EQ(line.exit_code, 2) << word;
    EXPECT_THAT(line.text, HasSubstr("--peer: p1, p2, … or a routing id in hexadecimal expected")) << word;
  }
}

}  // namespace
}  // namespace compositord::ctl
