#include "tools/compositorctl/cli.h"

#include <map>
#include <utility>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "common/base/log_event.h"
#include "common/base/whole_words.h"
#include "common/log/log.h"
#include "tools/compositorctl/cli_alerts.h"
#include "tools/compositorctl/cli_checks.h"
#include "tools/compositorctl/exit_code.h"
#include "tools/compositorctl/text.h"

namespace compositord::ctl {

namespace {

// What CLI11 fills and this file then turns into Options.
struct Texts {
  std::string timeout;
  std::string format = "table";
  std::string log_level = "warning";
  std::string deadline;
  std::string ttl;
  std::string idem;
  std::string confirm_within;
  std::int64_t max_fail = -1;
  std::string run_for;
  std::string since;
  std::uint64_t count = 0;
  std::uint64_t revision = 0;
  AlertTexts alert;
};

std::string exit_codes_text() {
  std::string text = "Exit codes:\n";
  for (const ExitCodeInfo& info : exit_code_table()) {
    const std::string statuses = info.statuses.empty() ? "" : fmt::format(" ({})", info.statuses);
    text += fmt::format("  {:>3}  {}{}\n", to_number(info.code), info.meaning, statuses);
  }
  return text;
}

void declare_global(CLI::App& app, Options& options, Texts& texts) {
  app.set_version_flag("--version", std::string("compositorctl ") + COMPOSITORD_VERSION);
  app.add_option("--broker", options.broker, "The broker's bus")
      ->envname("COMPOSITORD_BROKER")
      ->capture_default_str()
      ->type_name("ENDPOINT");
  app.add_option("--feed", options.feed, "The broker's feed, for watch and sub; the bus is asked when it isn't given")
      ->type_name("ENDPOINT");
  app.add_option("--timeout", texts.timeout, "How long an answer may take, 5s if not given")
      ->check(is_duration())
      ->type_name("DURATION");
  app.add_option("-o,--output", texts.format, "table, for people, or json")
      ->check(CLI::IsMember({"table", "json"}))
      ->capture_default_str()
      ->type_name("FORMAT");
  app.add_option("--log-level", texts.log_level, "debug, info, warning or error, on standard error")
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}))
      ->capture_default_str()
      ->type_name("LEVEL");
  app.require_subcommand(1);
  app.fallthrough();  // the options above may also stand behind the command
  app.footer("\n" + exit_codes_text() +
             "\nExamples:\n"
             "  compositorctl ls\n"
             "  compositorctl manifest wall-3/wayland-1\n"
             "  compositorctl run wall-3/wayland-1 output.mode HEADLESS-1 1280x720@60\n"
             "  compositorctl --broker tcp://10.0.0.5:7755 watch\n"
             "Each command has its own --help; compositorctl(1) has everything.");
}

void declare_queries(CLI::App& app, std::map<const CLI::App*, Command>& commands, Options& options, Texts& texts) {
  CLI::App* ls = app.add_subcommand("ls", "List the compositors that the broker knows, and how they do");
  ls->add_option("-l,--label", options.labels, "Only those with this label; may be given several times")
      ->check(is_label())
      ->allow_extra_args(false)
      ->type_name("KEY=VALUE");
  ls->footer(
      "\nExamples:\n  compositorctl ls\n  compositorctl ls -l site=berlin -l wall=lobby\n  compositorctl -o json ls");
  commands[ls] = Command::kLs;

  CLI::App* show = app.add_subcommand("show", "Everything that is known of how one compositor does");
  show->add_option("id", options.id, "HOST/DISPLAY")->required()->type_name("");
  show->footer("\nExample:\n  compositorctl show wall-3/wayland-1");
  commands[show] = Command::kShow;

  CLI::App* manifest = app.add_subcommand("manifest", "What one compositor is, also while it is off");
  manifest->add_option("id", options.id, "HOST/DISPLAY")->required()->type_name("");
  manifest->footer(
      "\nExamples:\n  compositorctl manifest wall-3/wayland-1\n"
      "  compositorctl manifest --history wall-3/wayland-1\n"
      "  compositorctl -o json manifest wall-3/wayland-1");
  CLI::Option* history = manifest->add_flag("--history", options.history, "List the manifests that it had before");
  manifest->add_option("--revision", texts.revision, "The one that it had then")
      ->check(is_count_from(1))
      ->excludes(history)
      ->type_name("N");
  commands[manifest] = Command::kManifest;

  CLI::App* peers = app.add_subcommand("peers", "List the agents and workers that are connected to the broker");
  peers->footer("\nExamples:\n  compositorctl peers\n  compositorctl -o json peers");
  commands[peers] = Command::kPeers;
}

void declare_history(CLI::App& app, std::map<const CLI::App*, Command>& commands, Options& options, Texts& texts) {
  CLI::App* diff =
      app.add_subcommand("diff", "What differs between two manifests of one compositor, or two compositors");
  diff->add_option("words", options.arguments,
                   "HOST/DISPLAY, then nothing, one or two revisions, or another HOST/DISPLAY")
      ->required()
      ->expected(1, 3)
      ->type_name("");
  diff->footer(
      "\nExamples:\n  compositorctl diff wall-3/wayland-1\n  compositorctl diff wall-3/wayland-1 3 5\n"
      "  compositorctl diff wall-3/wayland-1 wall-4/wayland-1");
  commands[diff] = Command::kDiff;

  CLI::App* outages = app.add_subcommand("outages", "When compositors were not ok, for how long, and why");
  CLI::App* sla = app.add_subcommand("sla", "How much of the time compositors and their outputs were ok");
  for (CLI::App* one : {outages, sla}) {
    one->add_option("id", options.id, "HOST/DISPLAY, or a pattern of several: 'wall-*/*'; all if not given")
        ->type_name("");
    one->add_option("-l,--label", options.labels, "Only those with this label; may be given several times")
        ->check(is_label())
        ->allow_extra_args(false)
        ->type_name("KEY=VALUE");
  }
  outages->add_option("--since", texts.since, "How far back, 7d if not given")
      ->check(is_duration())
      ->type_name("DURATION");
  sla->add_option("--since", texts.since, "How far back, 30d if not given")
      ->check(is_duration())
      ->type_name("DURATION");
  outages->footer("\nExamples:\n  compositorctl outages\n  compositorctl outages 'wall-*/*' --since 1d");
  sla->footer("\nExamples:\n  compositorctl sla\n  compositorctl sla -l site=berlin --since 90d");
  commands[outages] = Command::kOutages;
  commands[sla] = Command::kSla;
}

void declare_calls(CLI::App& app, std::map<const CLI::App*, Command>& commands, Options& options, Texts& texts) {
  CLI::App* run = app.add_subcommand("run", "Have a compositor do something, and tell whether it was done");
  run->add_option("id", options.id, "HOST/DISPLAY, or a pattern of several: 'wall-*/*'")->required()->type_name("");
  run->add_option("command", options.method, "As the manifest names it: output.mode, output.scale, …")
      ->required()
      ->type_name("");
  run->add_option("arguments", options.arguments, "An output and a value, key=value, or a JSON object")->type_name("");
  run->add_option("--deadline", texts.deadline, "How long it may take; --timeout if not given")
      ->check(is_duration())
      ->type_name("DURATION");
  run->add_flag("--queue", options.queue, "Keep it until it can be carried out, and print the job's id");
  run->add_option("--ttl", texts.ttl, "With --queue: give it up when it has not begun by then; 1h if not given")
      ->check(is_duration())
      ->type_name("DURATION");
  run->add_flag("--idempotent", options.idempotent, "With --queue: it may be carried out more than once");
  run->add_option("--idem", texts.idem, "A key: the same call again under it is not carried out again")
      ->type_name("KEY");
  run->add_option("--confirm-within", texts.confirm_within,
                  "Of a change of outputs: it is taken back unless output.confirm comes in time; 1s to 10min")
      ->check(is_duration())
      ->type_name("DURATION");
  run->add_option("-l,--label", options.labels, "With a pattern: only those with this label")
      ->check(is_label())
      ->allow_extra_args(false)
      ->type_name("KEY=VALUE");
  run->add_option("--fact", options.facts,
                  "With a pattern: only those of which this holds; verdict=ok, compositor=sway")
      ->check(is_fact(FactsOf::kSelector))
      ->allow_extra_args(false)
      ->type_name("FACT=VALUE");
  run->add_option("--batch", options.batch, "With a pattern: so many at a time; all if not given")
      ->check(is_count_from(1))
      ->type_name("N");
  run->add_option("--max-fail", texts.max_fail, "With a pattern: begin no more when more than N have failed")
      ->check(is_count_from(0))
      ->type_name("N");
  run->add_flag("--force", options.force, "Send it though the manifest says that it isn't supported");
  run->footer(
      "\nExamples:\n"
      "  compositorctl run wall-3/wayland-1 output.mode HEADLESS-1 1280x720@60\n"
      "  compositorctl run wall-3/wayland-1 output.scale HEADLESS-1 1.5\n"
      "  compositorctl run wall-3/wayland-1 output.position HEADLESS-1 100,200\n"
      "  compositorctl run wall-3/wayland-1 output.transform HEADLESS-1 90\n"
      "  compositorctl run --confirm-within 15s wall-3/wayland-1 output.configure DP-1 1920x1080 0,0 DP-2 on 1920,0\n"
      "  compositorctl run 'wall-*/*' -l site=berlin --batch 10 --max-fail 2 output.scale HEADLESS-1 2\n"
      "  compositorctl run --queue --ttl 8h wall-3/wayland-1 output.scale HEADLESS-1 2\n"
      "  compositorctl run 'wall-*/*' identify seconds=30 text='left of the door?'\n"
      "  compositorctl run wall-3/wayland-1 launch -- LANG=de_DE weston-terminal --fullscreen\n"
      "  compositorctl run wall-3/wayland-1 output.scale output=HEADLESS-1 scale=2\n"
      "  compositorctl run wall-3/wayland-1 output.scale '{\"output\":\"HEADLESS-1\",\"scale\":2}'");
  commands[run] = Command::kRun;

  CLI::App* jobs = app.add_subcommand("jobs", "List the calls that were queued, and what became of them");
  jobs->footer("\nExample:\n  compositorctl jobs");
  commands[jobs] = Command::kJobs;
  CLI::App* job = app.add_subcommand("job", "Everything that is known of one queued call, its result included");
  CLI::App* cancel = app.add_subcommand("cancel", "Cancel a queued call that has not begun");
  for (CLI::App* one : {job, cancel}) one->add_option("job", options.job, "The job's id")->required()->type_name("");
  job->footer("\nExample:\n  compositorctl job 00000000692ff4c10000000000000001");
  cancel->footer("\nExample:\n  compositorctl cancel 00000000692ff4c10000000000000001");
  commands[job] = Command::kJob;
  commands[cancel] = Command::kCancel;

  CLI::App* req = app.add_subcommand("req", "Call any service of the bus and print the whole reply");
  req->add_option("service", options.service, "bus.status, compositor/wall-3/wayland-1, …")->required()->type_name("");
  req->add_option("call", options.body, "A method, or a call as JSON")->required()->type_name("");
  req->add_option("params", options.params, "With a method: its parameters, a JSON object")->type_name("");
  req->add_option("--deadline", texts.deadline, "How long it may take, for the broker")
      ->check(is_duration())
      ->type_name("DURATION");
  req->add_flag("--raw", options.raw, "Send the second word as a plain Majordomo body, print the answer as it is");
  req->footer(
      "\nExamples:\n"
      "  compositorctl req bus.manifest list\n"
      "  compositorctl req bus.status get '{\"id\":\"wall-3/wayland-1\"}'\n"
      "  compositorctl req bus.status '{\"method\":\"list\",\"params\":{\"limit\":10}}'\n"
      "  compositorctl req --raw mmi.service echo");
  commands[req] = Command::kReq;
}

void declare_screenshot(CLI::App& app, std::map<const CLI::App*, Command>& commands, Options& options, Texts& texts) {
  CLI::App* screenshot = app.add_subcommand("screenshot", "Write what a compositor shows to a PNG file");
  screenshot->add_option("id", options.id, "HOST/DISPLAY")->required()->type_name("");
  screenshot->add_option("--output", options.screenshot.output, "Only this output; all, as they lie, if not given")
      ->type_name("NAME");
  screenshot->add_option("--max-width", options.screenshot.max_width, "Make it smaller: no wider than N pixels")
      ->check(CLI::Range(1, 16'384))
      ->type_name("N");
  screenshot->add_option("--max-height", options.screenshot.max_height, "No higher than N pixels")
      ->check(CLI::Range(1, 16'384))
      ->type_name("N");
  screenshot
      ->add_option("-o", options.screenshot.file, "The file; - is standard output; ID-OUTPUT-TIME.png if not given")
      ->type_name("FILE");
  screenshot->add_option("--deadline", texts.deadline, "How long it may take; --timeout if not given")
      ->check(is_duration())
      ->type_name("DURATION");
  screenshot->footer(
      "\nBehind this command, -o is a file and --output an output; the format stands before it: -o json screenshot.\n"
      "\nExamples:\n"
      "  compositorctl screenshot wall-3/wayland-1\n"
      "  compositorctl screenshot wall-3/wayland-1 --output HEADLESS-1 -o wall.png\n"
      "  compositorctl screenshot wall-3/wayland-1 --max-width 320 -o - | display");
  commands[screenshot] = Command::kScreenshot;
}

void declare_subscribers(CLI::App& app, std::map<const CLI::App*, Command>& commands, Options& options, Texts& texts) {
  CLI::App* watch = app.add_subcommand("watch", "How all compositors do, then each change and each alert, as it comes");
  CLI::App* sub = app.add_subcommand("sub", "Print the feed's messages as JSON, one a line");
  sub->add_option("prefix", options.prefixes, "Beginnings of topics: status/, alert/critical/, \"\" for all")
      ->required()
      ->type_name("");
  CLI::App* top =
      app.add_subcommand("top", "How all compositors do, on the whole terminal, the worst first; q ends it");
  for (CLI::App* command : {watch, sub}) {
    command->add_option("--count", texts.count, "End after so many lines")->check(is_count_from(1))->type_name("N");
  }
  top->add_option("--count", texts.count, "End after so many frames")->check(is_count_from(1))->type_name("N");
  for (CLI::App* command : {watch, top, sub}) {
    command->add_option("--for", texts.run_for, "End after this time")->check(is_duration())->type_name("DURATION");
  }
  watch->footer("\nExamples:\n  compositorctl watch\n  compositorctl -o json watch --for 1h > changes.jsonl");
  sub->footer(
      "\nExamples:\n"
      "  compositorctl sub alert/\n"
      "  compositorctl sub status/wall-3/ output/wall-3/ --count 10");
  commands[watch] = Command::kWatch;
  top->footer(
      "\nWithout a terminal it says once how all do, and ends. As JSON a frame is one line: one frame, or with --count "
      "or\n"
      "--for one each second.\n"
      "\nExamples:\n  compositorctl top\n  compositorctl -o json top --for 1h > fleet.jsonl");
  commands[top] = Command::kTop;
  commands[sub] = Command::kSub;
}

void declare_dump(CLI::App& app, std::map<const CLI::App*, Command>& commands, Options& options, Texts& texts) {
  CLI::App* dump = app.add_subcommand("dump", "Print every message on the bus, decoded");
  dump->add_option("--listen", options.listen,
                   "Bind here, and pass all on to the broker and back: point clients, workers and agents here")
      ->type_name("ENDPOINT");
  dump->add_option("--trace", options.trace_file, "Read what compositord --trace has recorded")->type_name("FILE");
  dump->add_option("--service", options.dump.service_glob, "Only of services that fit: bus.*, compositor/wall-?/*")
      ->type_name("GLOB");
  dump->add_option("--command", options.dump.commands, "Only READY, REQUEST, PARTIAL, FINAL, HEARTBEAT or DISCONNECT")
      ->transform(CLI::IsMember({"READY", "REQUEST", "PARTIAL", "FINAL", "HEARTBEAT", "DISCONNECT"}, CLI::ignore_case))
      ->type_name("NAME");
  dump->add_option("--peer", options.dump.peers, "Only from and to this one: p1, or a routing id in hexadecimal")
      ->transform(is_peer())
      ->type_name("PEER");
  dump->add_flag("--no-heartbeats", options.dump.no_heartbeats, "Leave heartbeats out");
  dump->add_flag("--full", options.dump.full, "Shorten nothing");
  dump->add_option("--count", texts.count, "End after so many messages")->check(is_count_from(1))->type_name("N");
  dump->add_option("--for", texts.run_for, "With --listen: end after this time")
      ->check(is_duration())
      ->type_name("DURATION");
  dump->footer(
      "\nExamples:\n"
      "  compositorctl dump --listen tcp://127.0.0.1:7700 --no-heartbeats\n"
      "  compositorctl dump --trace bus.trace --service 'compositor/wall-3/*' --command REQUEST --command FINAL\n"
      "  compositorctl -o json dump --trace bus.trace > messages.jsonl");
  commands[dump] = Command::kDump;
}

// Duration texts were checked by the validators.
void take_duration(const std::string& text, std::optional<Duration>& into) {
  if (!text.empty()) into = *parse_duration(text);
}

void finish(const CLI::App& app, const std::map<const CLI::App*, Command>& commands, const Texts& texts,
            Options& options) {
  const CLI::App* chosen = app.get_subcommands().front();
  while (!chosen->get_subcommands().empty()) chosen = chosen->get_subcommands().front();
  options.command = commands.at(chosen);
  options.json = texts.format == "json";
  options.log_level = log::severity_from_name(texts.log_level).value_or(Severity::kWarning);
  std::optional<Duration> timeout;
  take_duration(texts.timeout, timeout);
  if (timeout) options.timeout = *timeout;
  take_duration(texts.deadline, options.deadline);
  take_duration(texts.run_for, options.run_for);
  take_duration(texts.ttl, options.ttl);
  take_duration(texts.confirm_within, options.confirm_within);
  if (!texts.idem.empty()) options.idem = texts.idem;
  if (texts.max_fail >= 0) options.max_fail = texts.max_fail;
  take_duration(texts.since, options.since);
  if (texts.revision > 0) options.revision = texts.revision;
  if (texts.count > 0) options.count = texts.count;
  take(texts.alert, options);
}

// Which of our words the first one that was not understood may have meant.
std::string did_you_mean(const CLI::App& app) {
  const std::vector<std::string> words = app.remaining(true);
  if (words.empty()) return {};
  const CLI::App* command = app.get_subcommands().empty() ? nullptr : app.get_subcommands().front();
  const bool is_option = words.front().starts_with('-');
  std::vector<std::string> known;
  for (const CLI::App* part : {&app, command}) {
    if (part == nullptr) continue;
    for (const CLI::Option* option : part->get_options()) {
      for (const std::string& name : option->get_lnames()) {
        if (is_option) known.push_back("--" + name);
      }
    }
  }
  if (!is_option && command == nullptr) {
    for (const CLI::App* subcommand : app.get_subcommands([](const CLI::App*) { return true; })) {
      known.push_back(subcommand->get_name());
    }
  }
  const std::vector<std::string> near = nearest(words.front(), known, 1);
  const std::string what = command == nullptr && !is_option ? "command" : is_option ? "option" : "argument";
  std::string text = fmt::format("unknown {} \"{}\"", what, escape_for_log(words.front()));
  if (!near.empty()) text += fmt::format(": did you mean \"{}\"?", near.front());
  return text + '\n';
}

CommandLine ended(const CLI::App& app, const CLI::ParseError& error) {
  CommandLine line;
  std::ostringstream out;
  std::ostringstream complaint;
  const bool complains = app.exit(error, out, complaint) != 0;
  line.exit_code = to_number(complains ? ExitCode::kUsage : ExitCode::kDone);
  line.text = out.str();
  if (complains) {
    const std::string hint = did_you_mean(app);
    line.text = "compositorctl: " + (hint.empty() ? complaint.str() : hint + "Run with --help for more information.\n");
  }
  return line;
}

}  // namespace

CommandLine parse_command_line(int argc, const char* const* argv) {
  CommandLine line;
  Texts texts;
  std::map<const CLI::App*, Command> commands;
  CLI::App app("compositorctl: sees and drives display compositors over the bus of compositord.", "compositorctl");
  declare_global(app, line.options, texts);
  declare_queries(app, commands, line.options, texts);
  declare_history(app, commands, line.options, texts);
  declare_subscribers(app, commands, line.options, texts);
  declare_calls(app, commands, line.options, texts);
  declare_screenshot(app, commands, line.options, texts);
  declare_dump(app, commands, line.options, texts);
  declare_alerts(app, commands, line.options, texts.alert);
  try {
    app.parse(with_whole_words(argc, argv, "run"));
    require_one_value_each("--label", line.options.labels);
    require_one_value_each("--fact", line.options.facts);
    require_one_value_each("--for", line.options.wait_for);
  } catch (const CLI::ParseError& error) {
    return ended(app, error);
  }
  for (std::string* word : {&line.options.id, &line.options.method}) unmark_whole_word(*word);
  unmark_whole_words(line.options.arguments);
  finish(app, commands, texts, line.options);
  return line;
}

}  // namespace compositord::ctl
