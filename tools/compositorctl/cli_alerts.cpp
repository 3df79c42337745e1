#include "tools/compositorctl/cli_alerts.h"

#include "tools/compositorctl/cli_checks.h"
#include "tools/compositorctl/text.h"

namespace compositord::ctl {

namespace {

void declare_who(CLI::App* command, Options& options) {
  command->add_option("id", options.alert.ids, "HOST/DISPLAY, or patterns: 'wall-*/*'")->type_name("");
  command->add_option("-l,--label", options.labels, "Only those with this label; may be given several times")
      ->check(is_label())
      ->allow_extra_args(false)
      ->type_name("KEY=VALUE");
}

void declare_why(CLI::App* command, Options& options) {
  command->add_option("--comment", options.alert.comment, "Why, for the others")->type_name("TEXT");
  command->add_option("--author", options.alert.author, "Who; you, if not given")->type_name("NAME");
}

CLI::Option* add_kind(CLI::App* command, Options& options, const char* meaning) {
  return command->add_option("--kind", options.alert.kinds, meaning)
      ->check(is_kind())
      ->allow_extra_args(false)
      ->type_name("KIND");
}

void declare_window(CLI::App* command, Options& options, AlertTexts& texts) {
  declare_who(command, options);
  command->add_option("--for", texts.length, "How long")->required()->check(is_duration())->type_name("DURATION");
  command->add_option("--in", texts.begins_in, "Begins then; now, if not given")
      ->check(is_duration())
      ->type_name("DURATION");
  declare_why(command, options);
}

void declare_end(CLI::App* command, Options& options) {
  command->add_option("window", options.alert.window, "Its id, as ls gives it")->required()->type_name("");
}

void declare_list(CLI::App& app, std::map<const CLI::App*, Command>& commands, Options& options, AlertTexts& texts) {
  CLI::App* alerts = app.add_subcommand("alerts", "What is wrong now, or what was");
  declare_who(alerts, options);
  alerts->add_option("--severity", options.alert.severity, "Only info, warning or critical")
      ->check(CLI::IsMember({"info", "warning", "critical"}))
      ->type_name("NAME");
  add_kind(alerts, options, "Only of this kind: agent_lost, 'output_*'")->expected(1);
  alerts->add_flag("--all", options.alert.all, "Also those that another alert or maintenance explains");
  alerts->add_option("--since", texts.since, "Only what changed in this time")
      ->check(is_duration())
      ->type_name("DURATION");
  CLI::Option* history = alerts->add_flag("--history", options.alert.history, "Those that have ended");
  alerts->add_flag("--watch", options.alert.watch, "Then each change as it comes")->excludes(history);
  alerts->footer(
      "\nExamples:\n"
      "  compositorctl alerts\n"
      "  compositorctl alerts 'wall-*/*' --severity critical\n"
      "  compositorctl alerts --history --since 24h -l site=berlin\n"
      "  compositorctl -o json alerts --watch > alerts.jsonl");
  alerts->callback([&] {
    if (!options.alert.watch || texts.since.empty()) return;
    throw CLI::ValidationError("alerts",
                               "--watch shows what fires now and then what changes: it takes no --since. "
                               "What has changed is told by alerts --since, with --history also what has ended");
  });
  commands[alerts] = Command::kAlerts;

  CLI::App* ack = app.add_subcommand("ack", "Say that you take care of an alert");
  ack->add_option("alert", options.alert.alert, "Its id, as alerts gives it")->required()->type_name("");
  declare_why(ack, options);
  ack->footer("\nExample:\n  compositorctl ack 00000000692ff4c10000000000000001 --comment 'on my way'");
  commands[ack] = Command::kAck;
}

void declare_windows(CLI::App& app, std::map<const CLI::App*, Command>& commands, Options& options, AlertTexts& texts) {
  CLI::App* silence = app.add_subcommand("silence", "Alerts of which nobody shall be notified for a while");
  silence->require_subcommand(1);
  CLI::App* add = silence->add_subcommand("add", "Notify nobody of these");
  declare_window(add, options, texts);
  add_kind(add, options, "Only alerts of this kind: slow_subscriber, 'output_*'; may be given several times");
  add->footer("\nExample:\n  compositorctl silence add 'wall-3/*' --kind 'output_*' --for 2h --comment 'new monitors'");
  commands[add] = Command::kSilenceAdd;
  commands[silence->add_subcommand("ls", "List the silences")] = Command::kSilenceLs;
  CLI::App* expire = silence->add_subcommand("expire", "End a silence");
  declare_end(expire, options);
  commands[expire] = Command::kSilenceExpire;

  CLI::App* maintenance = app.add_subcommand("maintenance", "Times in which nothing of some compositors is an alert");
  maintenance->require_subcommand(1);
  CLI::App* start = maintenance->add_subcommand("start", "Whatever happens to these is planned");
  declare_window(start, options, texts);
  start->footer("\nExample:\n  compositorctl maintenance start -l site=berlin --for 4h --comment 'power works'");
  commands[start] = Command::kMaintenanceStart;
  commands[maintenance->add_subcommand("ls", "List the maintenance windows")] = Command::kMaintenanceLs;
  CLI::App* stop = maintenance->add_subcommand("stop", "End a maintenance window");
  declare_end(stop, options);
  commands[stop] = Command::kMaintenanceStop;
}

}  // namespace

void declare_alerts(CLI::App& app, std::map<const CLI::App*, Command>& commands, Options& options, AlertTexts& texts) {
  declare_list(app, commands, options, texts);
  declare_windows(app, commands, options, texts);

  CLI::App* wait = app.add_subcommand("wait", "Wait until compositors are as they should be; --timeout says how long");
  declare_who(wait, options);
  wait->add_option("--for", options.wait_for, "verdict=ok, link=lost, …; of several all must hold")
      ->required()
      ->check(is_fact(FactsOf::kStatus))
      ->allow_extra_args(false)
      ->type_name("FACT=VALUE");
  wait->footer(
      "\nExamples:\n"
      "  compositorctl wait --for verdict=ok --timeout 60s wall-3/wayland-1\n"
      "  compositorctl wait --for verdict=ok --timeout 5min -l site=berlin");
  commands[wait] = Command::kWait;

  CLI::App* diagnose = app.add_subcommand("diagnose", "One likely cause of what is wrong, and what to try");
  diagnose->add_option("id", options.id, "HOST/DISPLAY")->required()->type_name("");
  diagnose->footer("\nExample:\n  compositorctl diagnose wall-3/wayland-1");
  commands[diagnose] = Command::kDiagnose;
}

// Duration texts were checked by the validators.
void take(const AlertTexts& texts, Options& options) {
  const auto read = [](const std::string& text, std::optional<Duration>& into) {
    if (!text.empty()) into = *parse_duration(text);
  };
  read(texts.length, options.alert.length);
  read(texts.begins_in, options.alert.begins_in);
  read(texts.since, options.alert.since);
  if (options.command == Command::kWait) options.run_for = options.timeout;
}

}  // namespace compositord::ctl
