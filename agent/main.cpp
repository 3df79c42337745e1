// compositor-agent: runs beside one compositor. Wiring only: options, display, session, loop.

#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "agent/io/agent_loop.h"
#include "agent/kernel/kernel_driver.h"
#include "agent/process/pidfd_info.h"
#include "agent/run_options.h"
#include "agent/sway/driver_factory.h"
#include "agent/x11/x11_driver.h"
#include "agent/x11/x_display_name.h"
#include "common/base/clock.h"
#include "common/base/log_event.h"
#include "common/net/hangup_signal.h"
#include "common/net/stop_signal.h"

namespace compositord::agent {
namespace {

constexpr const char* kDrmFolder = "/sys/class/drm";
constexpr std::string_view kDefaultBroker = "tcp://127.0.0.1:7755";

struct Options {
  std::string broker{kDefaultBroker};
  std::string id;
  std::string display;
  std::vector<std::string> labels;
  std::optional<int> heartbeat_ms;
  std::string log_level = "info";
  std::vector<std::string> allow_launch;
  int frame_probe_s = 0;
  RunOptions run;
};

void declare(CLI::App& app, Options& options) {
  app.set_version_flag("--version", std::string("compositor-agent ") + COMPOSITORD_VERSION);
  app.add_option("--broker", options.broker, "The broker's bus")
      ->type_name("ENDPOINT")
      ->capture_default_str()
      ->envname("COMPOSITORD_BROKER");
  app.add_option("--id", options.id, "This compositor's name on the bus; default: this host's name and the display's")
      ->type_name("HOST/DISPLAY");
  app.add_option("-w,--display", options.display,
                 "The display: a Wayland name or path, or an X11 name like :0; default: $WAYLAND_DISPLAY, else "
                 "$DISPLAY, else the "
                 "only Wayland display in $XDG_RUNTIME_DIR")
      ->type_name("DISPLAY");
  app.add_option("-l,--label", options.labels, "A label, for selecting groups; may be given several times")
      ->type_name("KEY=VALUE");
  app.add_option("--heartbeat", options.heartbeat_ms, "Heartbeat interval to ask the broker for, in milliseconds")
      ->check(CLI::Range(msg::kHeartbeatMsMin, msg::kHeartbeatMsMax))
      ->type_name("MS");
  app.add_option("--log-level", options.log_level, "debug, info, warning or error")
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}))
      ->capture_default_str()
      ->type_name("LEVEL");
  app.add_option(
         "--allow-launch", options.allow_launch,
         "A program that `launch` may start here: an absolute path, or a name in $PATH; ALL: any. May be given several "
         "times; default: none")
      ->allow_extra_args(false)
      ->type_name("PROGRAM");
  app.add_option(
         "--frame-probe", options.frame_probe_s,
         "Look every so many seconds whether a Wayland compositor draws frames, with a pixel that nobody sees; 0: "
         "never")
      ->check(CLI::Range(0, 86'400))
      ->capture_default_str()
      ->type_name("SECONDS");
  declare_run(app, options.run);
  app.footer(
      "The compositor need not be there yet: the agent waits for it, and goes on when it dies and returns.\n"
      "Example: compositor-agent --broker tcp://10.0.0.5:7755 --id wall-3/wayland-1 -l site=berlin -l wall=lobby");
}

std::string env(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

// What is not allowed in an id becomes '-'.
std::string id_part(std::string text) {
  for (char& c : text) {
    const bool allowed =
        std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '_' || c == ':' || c == '-';
    if (!allowed) c = '-';
  }
  return text.substr(0, 64);
}

// Which display to watch, and what kind of driver it gets.
struct DisplayChoice {
  DisplaySettings settings;
  std::string x11;  // ":0"; empty for Wayland
};

DisplayChoice choose_display(const Options& options) {
  // A display that the environment names is the session that we run in; a compositor that we start is another one.
  const auto session = [&](const char* name) { return options.run.chosen ? std::string() : env(name); };
  DisplayChoice choice{{env("XDG_RUNTIME_DIR"), options.display, session("WAYLAND_DISPLAY"), false}, {}};
  // A display on another machine, as ssh -X makes them, has no process here to watch: then $DISPLAY says nothing.
  const bool wayland_is_named = !options.display.empty() || !choice.settings.env_display.empty();
  const auto x11 = x11::local_x_display(wayland_is_named ? options.display : session("DISPLAY"));
  if (!x11) return choice;
  choice.x11 = *x11;
  choice.settings.wanted = x11::x_socket_path(*x11);
  choice.settings.abstract_too = true;
  return choice;
}

// What -w or $WAYLAND_DISPLAY says, or nothing.
const std::string& named_display(const DisplayChoice& choice) {
  const DisplaySettings& display = choice.settings;
  return display.wanted.empty() ? display.env_display : display.wanted;
}

std::string default_id(const DisplayChoice& choice) {
  std::array<char, 256> host{};
  gethostname(host.data(), host.size() - 1);
  if (!choice.x11.empty()) return id_part(host.data()) + "/" + choice.x11;
  const std::string& named = named_display(choice);
  // With "the only one there is" no name is known before it is there, and an id must not change.
  const std::string part = named.empty() ? "wayland" : std::filesystem::path(named).filename().string();
  return id_part(host.data()) + "/" + id_part(part);
}

// Why default_id() is none.
std::string no_default_id(const DisplayChoice& choice) {
  const std::string& named = named_display(choice);
  if (!named.ends_with('/')) return "this host has no name that an id may have: give one with --id HOST/DISPLAY";
  return fmt::format("{} {} names a folder and no display's socket: give the socket's path, as in -w {}wayland-1",
                     choice.settings.wanted.empty() ? "WAYLAND_DISPLAY" : "-w", escape_for_log(named),
                     escape_for_log(named));
}

Result<std::map<std::string, std::string>> parse_labels(const std::vector<std::string>& texts) {
  std::map<std::string, std::string> labels;
  for (const std::string& text : texts) {
    const std::size_t equals = text.find('=');
    if (equals == 0 || equals == std::string::npos) {
      return fail(Status::kMalformed, fmt::format("--label {}: KEY=VALUE expected, as in site=berlin", text));
    }
    labels[text.substr(0, equals)] = text.substr(equals + 1);
  }
  return labels;
}

Result<AgentConfig> configure(const Options& options, const DisplayChoice& display) {
  AgentConfig config;
  const Result<msg::CompositorId> id = msg::parse_compositor_id(options.id.empty() ? default_id(display) : options.id);
  if (!id) return fail(Status::kMalformed, options.id.empty() ? no_default_id(display) : "--id " + id.error().text);
  config.id = *id;
  Result<std::map<std::string, std::string>> labels = parse_labels(options.labels);
  if (!labels) return tl::unexpected<Error>(labels.error());
  config.labels = std::move(*labels);
  config.software = {"compositor-agent", COMPOSITORD_VERSION};
  if (options.heartbeat_ms) config.heartbeat_interval = std::chrono::milliseconds(*options.heartbeat_ms);
  if (display.settings.runtime_dir.empty() && !display.settings.wanted.starts_with('/')) {
    return fail(
        Status::kMalformed,
        "XDG_RUNTIME_DIR is not set: set it, or give the display's path with -w /PATH, or an X11 display with -w :0");
  }
  config.may_launch = !options.allow_launch.empty();
  if (options.run.chosen) {
    config.supervisor = supervisor_config(options.run);
    config.compositor_lives_on = options.run.keep_on_exit;
  }
  return config;
}

Result<void> serve(const Options& options) {
  const DisplayChoice choice = choose_display(options);
  Result<AgentConfig> config = configure(options, choice);
  if (!config) return tl::unexpected<Error>(config.error());

  const net::StopSignal stop;
  std::optional<net::HangupSignal> hangup;
  if (options.run.chosen) hangup.emplace();
  log::Logger logger("compositor-agent", log::severity_from_name(options.log_level).value_or(Severity::kInfo));
  net::ZmqContext context;
  Result<BrokerLink> link = BrokerLink::open(context, options.broker);
  if (!link) return tl::unexpected<Error>(link.error());
  logger.write(
      LogEvent(Severity::kInfo, "agent.started").with("id", config->id.value()).with("broker", options.broker));

  const Duration frame_probe = std::chrono::seconds(options.frame_probe_s);
  DisplayWatch display(choice.settings, [&choice, frame_probe](ConnectedDisplay socket, Instant now) {
    if (!choice.x11.empty()) return add_kernel_facts(x11::make_x11_driver(std::move(socket), now), kDrmFolder);
    return add_kernel_facts(make_wayland_family_driver(std::move(socket), now, frame_probe), kDrmFolder);
  });
  std::random_device seed;
  AgentCore core(std::move(*config), seed(), monotonic_now());
  AgentLoop loop(context, options.broker, std::move(*link), display, logger, stop.fd());
  if (hangup) loop.supervise(ChildCommand{options.run.command, options.run.keep_on_exit}, hangup->fd());
  if (!options.allow_launch.empty()) {
    const ProgramList programs(options.allow_launch, env("PATH"));
    loop.allow_launch(LaunchSettings{programs, choice.x11, choice.settings.runtime_dir});
  }
  // Of what it starts itself the agent is the parent.
  if (!options.run.chosen && !pidfd_tells_exit_status()) loop.ask_systemd();
  loop.run(core);
  logger.write(LogEvent(Severity::kInfo, "agent.stopped"));
  return {};
}

int program(int argc, char** argv) {
  CLI::App app("compositor-agent: watches, describes and drives one compositor for compositord.");
  Options options;
  declare(app, options);
  try {
    parse_run(app, options.run, argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : 2;  // --help and --version end here too
  }
  const Result<void> served = serve(options);
  if (served) return 0;
  fmt::print(stderr, "compositor-agent: {}\n", served.error().text);
  return 1;
}

}  // namespace
}  // namespace compositord::agent

int main(int argc, char** argv) { return compositord::agent::program(argc, argv); }
