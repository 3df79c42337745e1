#pragma once
// The broker's configuration: a YAML file in which everything is optional. config_keys.h lists the keys.

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "broker/config/environment.h"
#include "broker/core/broker_config.h"
#include "broker/notify/notifier_config.h"
#include "common/base/result.h"

namespace compositord::broker {

struct Config {
  std::vector<std::string> bus;                  // endpoints to bind, at least one
  std::vector<std::string> feed;                 // the same
  std::filesystem::path state_dir;               // empty when neither the file nor the environment names one
  std::vector<std::string> log_sinks{"stderr"};  // of "stderr", "file", "journald", "syslog"
  std::filesystem::path log_dir;                 // empty when neither the file nor the environment names one
  std::string log_format = "plain";              // or "json"
  std::size_t log_rotate_bytes = 16U << 20U;
  int log_rotate_files = 5;
  std::vector<NotifierConfig> notify;
  std::filesystem::path catalogue;  // the operator's own kinds of compositor; empty: only those that we ship
  BrokerConfig core;
};

// Errors: kMalformed, when the environment's runtime directory is too long for a socket's path.
Result<Config> default_config(const Environment& environment);

// `file_name` is only for the errors. All faults of the text are in one error, kMalformed, each in this form:
//
//   compositord.yaml:7:3: unknown key "heartbeet"
//       7 |   heartbeet: 1s
//         |   ^
//     did you mean "heartbeat"?
Result<Config> parse_config(std::string_view text, std::string_view file_name, const Environment& environment);

// Errors: also kNotFound or kFailed, when the file can't be read.
Result<Config> load_config(const std::filesystem::path& file, const Environment& environment);

// The effective configuration, every key written out; parse_config() reads the same Config from it.
std::string to_yaml(const Config& config);

// The file that explains every key and changes nothing: each has its default. Settings that depend on who runs the broker
// and where are commented out, with root's values. tools/packaging/compositord.yaml is this text.
std::string example_yaml();

}  // namespace compositord::broker
