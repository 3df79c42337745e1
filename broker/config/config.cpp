#include "broker/config/config.h"

#include <fmt/format.h>

#include <cerrno>
#include <fstream>
#include <system_error>

#include "broker/config/config_keys.h"
#include "broker/config/config_reader.h"
#include "broker/config/diagnostics.h"
#include "broker/config/endpoint.h"
#include "broker/config/yaml_tree.h"

namespace compositord::broker {

namespace {

constexpr std::size_t kFileBytesMax = 1U << 20U;
constexpr const char* kBusPort = "7755";
constexpr const char* kFeedPort = "7756";

Config with_endpoints(const std::filesystem::path& runtime) {
  Config config;
  config.bus.push_back(fmt::format("tcp://127.0.0.1:{}", kBusPort));
  config.feed.push_back(fmt::format("tcp://127.0.0.1:{}", kFeedPort));
  if (runtime.empty()) return config;
  config.bus.push_back("ipc://" + (runtime / "bus").string());
  config.feed.push_back("ipc://" + (runtime / "feed").string());
  return config;
}

std::string indented(const std::string& text, std::string_view indent) {
  std::string out;
  for (const char c : text) {
    out += c;
    if (c == '\n') out += indent;
  }
  return out;
}

std::string line_of(const ConfigKey& key, const Config& config, std::string_view indent) {
  const std::string value = value_text(key, config);
  const std::string_view blank = value.starts_with('\n') ? "" : " ";
  return fmt::format("{}{}:{}{}\n", indent, key.name(), blank, indented(value, std::string(indent) + "  "));
}

// What depends on who runs the broker and where.
bool is_environments(const ConfigKey& key) {
  return (key.section().empty() && key.path != "notify") || key.path == "log.dir";
}

bool is_no_directory(const ConfigKey& key, const Config& config) {
  return (key.path == "state_dir" && config.state_dir.empty()) || (key.path == "log.dir" && config.log_dir.empty());
}

std::string commented_out(const std::string& lines) {
  std::string out = "#";
  for (std::size_t i = 0; i < lines.size(); ++i) {
    out += lines[i];
    if (lines[i] == '\n' && i + 1 < lines.size()) out += '#';
  }
  return out;
}

}  // namespace

Result<Config> default_config(const Environment& environment) {
  Config config = with_endpoints(runtime_dir(environment));
  config.state_dir = default_state_dir(environment);
  config.log_dir = default_log_dir(environment);
  for (const std::vector<std::string>* list : {&config.bus, &config.feed}) {
    for (const std::string& endpoint : *list) {
      const std::string fault = endpoint_fault(endpoint);
      if (fault.empty()) continue;
      return fail(
          Status::kMalformed,
          fmt::format("the default endpoint \"{}\", made from $RUNTIME_DIRECTORY or $XDG_RUNTIME_DIR, can't be: {}; "
                      "set bus and feed in the configuration",
                      endpoint, fault));
    }
  }
  return config;
}

Result<Config> parse_config(std::string_view text, std::string_view file_name, const Environment& environment) {
  const auto root = parse_yaml(text);
  if (!root) return fail(Status::kMalformed, to_text({root.error()}, file_name, text));
  // The defaults as they come: a file that sets bus and feed is the way out of a bad default, which is judged below.
  Config config = with_endpoints(runtime_dir(environment));
  config.state_dir = default_state_dir(environment);
  config.log_dir = default_log_dir(environment);
  auto defaults = default_config(environment);
  const Config untouched = config;
  std::vector<Diagnostic> found = read_config(*root, config);
  if (!found.empty()) return fail(Status::kMalformed, to_text(std::move(found), file_name, text));
  if (!defaults && (config.bus == untouched.bus || config.feed == untouched.feed)) return defaults;
  return config;
}

Result<Config> load_config(const std::filesystem::path& file, const Environment& environment) {
  std::ifstream in(file, std::ios::binary);
  if (!in) {
    const int why = errno;
    return fail(
        why == ENOENT ? Status::kNotFound : Status::kFailed,
        fmt::format("the configuration {} can't be read: {}", file.string(), std::generic_category().message(why)));
  }
  std::string text(kFileBytesMax + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (in.bad() || (text.empty() && !in.eof())) {
    return fail(Status::kFailed, fmt::format("the configuration {} can't be read: is it a directory?", file.string()));
  }
  if (text.size() > kFileBytesMax) {
    return fail(Status::kMalformed, fmt::format("the configuration {} is longer than 1 MiB", file.string()));
  }
  return parse_config(text, file.string(), environment);
}

std::string to_yaml(const Config& config) {
  std::string out;
  std::string_view section;
  for (const ConfigKey& key : config_keys()) {
    if (is_no_directory(key, config)) continue;  // there is no way to write "none"
    if (key.section() != section) {
      section = key.section();
      if (!section.empty()) out += fmt::format("{}:\n", section);
    }
    out += line_of(key, config, section.empty() ? "" : "  ");
  }
  return out;
}

std::string example_yaml() {
  Environment root;
  root.is_root = true;
  Config config = with_endpoints(runtime_dir(root));
  config.state_dir = default_state_dir(root);
  config.log_dir = default_log_dir(root);
  std::string out =
      "# The configuration of compositord, with every key at its default. A key that is left out has its default, "
      "too.\n"
      "# Durations are whole numbers with a unit (ms, s, min, h), sizes likewise (B, KiB, MiB, GiB).\n"
      "# To check a changed file: compositord --config FILE --check-config\n"
      "#\n"
      "# The first three and log.dir depend on who runs the broker; what is shown is for root. Others have their "
      "sockets in\n"
      "# $XDG_RUNTIME_DIR/compositord and their store in $XDG_STATE_HOME/compositord or ~/.local/state/compositord, "
      "with\n"
      "# the status log in the folder log there. Under systemd they follow the unit's RuntimeDirectory=, "
      "StateDirectory=\n"
      "# and LogsDirectory=.\n";
  std::string_view section;
  for (const ConfigKey& key : config_keys()) {
    const bool is_new_section = key.section() != section;
    section = key.section();
    if (is_new_section || section.empty()) out += '\n';
    if (is_new_section && !section.empty()) out += fmt::format("{}:\n", section);
    const std::string_view indent = section.empty() ? "" : "  ";
    const std::string range = range_text(key);
    out += fmt::format("{}# {}{}\n", indent, key.meaning, range.empty() ? "" : fmt::format(" ({})", range));
    const std::string line = line_of(key, config, indent);
    out += !is_environments(key) ? line : section.empty() ? commented_out(line) : "  #" + line.substr(indent.size());
  }
  return out;
}

}  // namespace compositord::broker
