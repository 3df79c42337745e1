#include "tools/compositorctl/run_arguments.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <string_view>

#include <fmt/format.h>

#include "common/base/log_event.h"
#include "common/msg/manifest.h"

namespace compositord::ctl {

namespace {

tl::unexpected<Error> malformed(std::string_view word, std::string_view wanted) {
  return fail(Status::kMalformed, fmt::format("\"{}\": {}", escape_for_log(word, 128), wanted));
}

template <class T>
std::optional<T> whole_number(std::string_view text) {
  T number{};
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<double> number_of(std::string_view text) {
  double number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size() || !std::isfinite(number))
    return std::nullopt;
  return number;
}

// Adds it, unless it is there.
Result<void> put(msg::Value& params, const std::string& key, msg::Value value) {
  if (params.find(key) != nullptr) {
    return fail(Status::kMalformed, fmt::format("{} is given twice", escape_for_log(key, 64)));
  }
  params.set(key, std::move(value));
  return {};
}

Result<void> put_two(msg::Value& params, const std::string& key_a, msg::Value a, const std::string& key_b,
                     msg::Value b) {
  Result<void> first = put(params, key_a, std::move(a));
  return first ? put(params, key_b, std::move(b)) : first;
}

// WIDTHxHEIGHT[@HERTZ[Hz]]
Result<void> put_mode(msg::Value& params, std::string_view word) {
  constexpr std::string_view kWanted = "a mode WIDTHxHEIGHT[@HERTZ] expected, as in 1280x720@60";
  const std::size_t times = word.find('x');
  const std::size_t at = word.find('@');
  if (times == std::string_view::npos || at < times) return malformed(word, kWanted);
  const auto width = whole_number<std::uint32_t>(word.substr(0, times));
  const auto height =
      whole_number<std::uint32_t>(word.substr(times + 1, at == std::string_view::npos ? at : at - times - 1));
  if (!width || !height) return malformed(word, kWanted);
  Result<void> size = put_two(params, "width_px", *width, "height_px", *height);
  if (!size || at == std::string_view::npos) return size;
  std::string_view hertz = word.substr(at + 1);
  if (hertz.ends_with("Hz")) hertz.remove_suffix(2);
  const std::optional<double> refresh = number_of(hertz);
  constexpr double kHertzMax = 4'000'000.0;  // what millihertz in 32 bits hold
  if (!refresh || *refresh <= 0 || *refresh > kHertzMax) return malformed(word, kWanted);
  return put(params, "refresh_mhz", msg::Value(static_cast<std::uint32_t>(std::llround(*refresh * 1e3))));
}

// X,Y
Result<void> put_position(msg::Value& params, std::string_view word) {
  const std::size_t comma = word.find(',');
  const auto x = whole_number<std::int32_t>(word.substr(0, comma));
  const auto y = comma == std::string_view::npos ? std::nullopt : whole_number<std::int32_t>(word.substr(comma + 1));
  if (!x || !y) return malformed(word, "a position X,Y expected, as in 100,200");
  return put_two(params, "x", *x, "y", *y);
}

Result<void> put_transform(msg::Value& params, std::string_view word) {
  std::string names;
  for (const auto& entry : enum_names(msg::Transform{})) {
    if (entry.name == word) return put(params, "transform", msg::Value(word));
    names += (names.empty() ? "" : ", ") + std::string(entry.name);
  }
  if (word == "0") return put(params, "transform", msg::Value("normal"));
  return malformed(word, "a transform expected: " + names);
}

Result<void> put_power(msg::Value& params, std::string_view word) {
  if (word != "on" && word != "off") return malformed(word, "on or off expected");
  return put(params, "on", msg::Value(word == "on"));
}

// A word without '=' behind the output's name.
Result<void> put_output_value(const std::string& command, msg::Value& params, std::string_view word) {
  if (command == "output.mode") return put_mode(params, word);
  if (command == "output.position") return put_position(params, word);
  if (command == "output.transform") return put_transform(params, word);
  if (command == "output.power") return put_power(params, word);
  if (command == "output.scale") {
    const std::optional<double> scale = number_of(word);
    if (!scale) return malformed(word, "a scale expected, as in 1.5");
    return put(params, "scale", msg::Value(*scale));
  }
  return malformed(word, "key=value expected");
}

Result<void> put_object(msg::Value& params, const std::string& word) {
  const Result<msg::Value> object = msg::decode_json(word);
  if (!object) return malformed(word, object.error().text);
  for (const auto& [key, value] : *object->if_map()) {
    Result<void> added = put(params, key, value);
    if (!added) return added;
  }
  return {};
}

Result<void> put_pair(msg::Value& params, const std::string& word, std::size_t equals) {
  if (equals == 0) return malformed(word, "there is no key before the =");
  const std::string key = word.substr(0, equals);
  const std::string text = word.substr(equals + 1);
  if (key == "transform") return put(params, key, msg::Value(text));  // "90" is a name, not a number
  Result<msg::Value> value = msg::decode_json(text);
  return put(params, key, value ? std::move(*value) : msg::Value(text));
}

bool is_transform(std::string_view word) {
  const auto names = enum_names(msg::Transform{});
  return std::any_of(names.begin(), names.end(), [&](const auto& entry) { return entry.name == word; });
}

bool begins_a_number(std::string_view word) {
  if (word.starts_with('-')) word.remove_prefix(1);
  return !word.empty() && word.front() >= '0' && word.front() <= '9';
}

// NAME, then what is wanted of that output: on, off, a mode, a position, a transform, key=value; then the next NAME.
Result<msg::Value> parse_configure(const std::vector<std::string>& words) {
  msg::Value params = msg::Value::map();
  msg::Value outputs = msg::Value::array();
  for (const std::string& word : words) {
    const std::size_t equals = word.find('=');
    msg::Value* output = outputs.if_array()->empty() ? nullptr : &outputs.if_array()->back();
    Result<void> added;
    if (word.starts_with('{')) {
      added = put_object(params, word);
    } else if (equals != std::string::npos) {
      added = put_pair(output == nullptr ? params : *output, word, equals);
    } else if (output != nullptr && is_transform(word)) {
      added = put_transform(*output, word);
    } else if (output == nullptr || (word != "on" && word != "off" && !begins_a_number(word))) {
      outputs.push(msg::Value::map({{"output", word}}));
    } else if (!begins_a_number(word)) {
      added = put(*output, "enabled", msg::Value(word == "on"));
    } else if (word.find(',') != std::string::npos) {
      added = put_position(*output, word);
    } else {
      added = put_mode(*output, word);
    }
    if (!added) return tl::unexpected<Error>(added.error());
  }
  if (outputs.if_array()->empty()) return params;
  const Result<void> added = put(params, "outputs", std::move(outputs));
  if (!added) return tl::unexpected<Error>(added.error());
  return params;
}

// KEY=VALUE for its environment, as with env(1), then the program and its arguments as they are. Or a JSON object.
Result<msg::Value> parse_launch(const std::vector<std::string>& words) {
  msg::Value params = msg::Value::map();
  if (!words.empty() && words.front().starts_with('{')) {
    const Result<void> added = words.size() == 1 ? put_object(params, words.front())
                                                 : malformed(words[1], "nothing may follow the JSON object");
    if (!added) return tl::unexpected<Error>(added.error());
    return params;
  }
  msg::Value variables = msg::Value::map();
  msg::Value arguments = msg::Value::array();
  for (const std::string& word : words) {
    const std::size_t equals = word.find('=');
    if (!arguments.if_array()->empty() || equals == std::string::npos) {
      arguments.push(word);
      continue;
    }
    if (equals == 0) return malformed(word, "there is no name before the =");
    const Result<void> added = put(variables, word.substr(0, equals), word.substr(equals + 1));
    if (!added) return tl::unexpected<Error>(added.error());
  }
  if (arguments.if_array()->empty())
    return fail(Status::kMalformed, "launch: a program expected, as in: launch -- xterm");
  params.set("argv", std::move(arguments));
  if (!variables.if_map()->empty()) params.set("env", std::move(variables));
  return params;
}

// A mode and a position, which tell themselves apart, and key=value.
Result<msg::Value> parse_add(const std::vector<std::string>& words) {
  msg::Value params = msg::Value::map();
  for (const std::string& word : words) {
    const std::size_t equals = word.find('=');
    const Result<void> added = word.starts_with('{')                 ? put_object(params, word)
                               : equals != std::string::npos         ? put_pair(params, word, equals)
                               : word.find(',') != std::string::npos ? put_position(params, word)
                                                                     : put_mode(params, word);
    if (!added) return tl::unexpected<Error>(added.error());
  }
  return params;
}

}  // namespace

Result<msg::Value> parse_run_arguments(const std::string& command, const std::vector<std::string>& words) {
  if (command == "output.configure") return parse_configure(words);
  if (command == "output.add") return parse_add(words);
  if (command == "launch") return parse_launch(words);
  msg::Value params = msg::Value::map();
  const bool about_output = command.starts_with("output.");
  for (const std::string& word : words) {
    const std::size_t equals = word.find('=');
    Result<void> added;
    if (word.starts_with('{')) {
      added = put_object(params, word);
    } else if (equals != std::string::npos) {
      added = put_pair(params, word, equals);
    } else if (about_output && params.find("output") == nullptr) {
      added = put(params, "output", msg::Value(word));
    } else if (about_output) {
      added = put_output_value(command, params, word);
    } else {
      added = malformed(word, "key=value expected");
    }
    if (!added) return tl::unexpected<Error>(added.error());
  }
  return params;
}

}  // namespace compositord::ctl
