#include "tools/compositorctl/cli_checks.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <map>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "common/base/glob.h"
#include "common/base/log_event.h"
#include "common/msg/alert.h"
#include "common/msg/status.h"
#include "tools/compositorctl/text.h"

namespace compositord::ctl {

namespace {

template <class E>
std::vector<std::string> names_of() {
  std::vector<std::string> names;
  for (const auto& entry : enum_names(E{})) names.emplace_back(entry.name);
  return names;
}

// Empty when the pattern fits one of the known names at least; else what is wrong with it.
std::string fault_of(std::string_view what, std::string_view pattern, const std::vector<std::string>& known) {
  const auto fits = [&](const std::string& name) { return glob_matches(pattern, name); };
  if (std::any_of(known.begin(), known.end(), fits)) return {};
  const std::vector<std::string> near = nearest(pattern, known, 1);
  return fmt::format("no {} fits \"{}\"{} There are {}", what, escape_for_log(pattern, 64),
                     near.empty() ? "." : fmt::format(": did you mean {}?", near.front()), fmt::join(known, ", "));
}

// "p12".
bool is_peer_name(std::string_view text) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  return text.size() > 1 && text[0] == 'p' && text[1] != '0' && std::all_of(text.begin() + 1, text.end(), is_digit);
}

bool is_hex(std::string_view text) {
  const auto is_digit = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  return !text.empty() && text.size() % 2 == 0 && std::all_of(text.begin(), text.end(), is_digit);
}

}  // namespace

CLI::Validator is_duration() {
  return CLI::Validator(
      [](const std::string& text) {
        const Result<Duration> parsed = parse_duration(text);
        return parsed ? std::string() : parsed.error().text;
      },
      "");
}

CLI::Validator is_label() {
  return CLI::Validator(
      [](const std::string& text) {
        const std::size_t equals = text.find('=');
        return equals == 0 || equals == std::string::npos ? "KEY=VALUE expected, as in site=berlin" : std::string();
      },
      "");
}

CLI::Validator is_count_from(std::uint64_t min) {
  return CLI::Validator(
      [min](const std::string& text) {
        std::uint64_t number = 0;
        const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
        const bool fits = parsed.ec == std::errc() && parsed.ptr == text.data() + text.size() && number >= min;
        return fits ? std::string() : fmt::format("a whole number from {} on expected", min);
      },
      "");
}

CLI::Validator is_peer() {
  return CLI::Validator(
      [](std::string& text) {
        std::erase(text, ' ');  // dump shows the address of a client as 00 6b 8b 45 67
        for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
        if (is_peer_name(text) || is_hex(text)) return std::string();
        return std::string("p1, p2, … or a routing id in hexadecimal expected, as in 006b8b4567");
      },
      "");
}

CLI::Validator is_kind() {
  return CLI::Validator(
      [](const std::string& text) { return fault_of("kind of alert", text, names_of<msg::AlertKind>()); }, "");
}

CLI::Validator is_fact(FactsOf where) {
  return CLI::Validator(
      [where](const std::string& text) {
        const std::size_t equals = text.find('=');
        const std::string fact = text.substr(0, equals);
        const std::string value = equals == std::string::npos ? std::string() : text.substr(equals + 1);
        const bool selects = where == FactsOf::kSelector;
        if (equals != std::string::npos) {
          if (fact == "verdict") return fault_of(fact, value, names_of<msg::Verdict>());
          if (fact == "link") return fault_of("state of a link", value, names_of<msg::Link>());
          if (fact == "process") return fault_of("state of a process", value, names_of<msg::Process>());
          if (fact == "progress") return fault_of("state of progress", value, names_of<msg::Progress>());
          if (selects && (fact == "compositor" || fact == "version")) return std::string();
        }
        return fmt::format("{}verdict=…, link=…, process=… or progress=… expected, as in verdict=ok",
                           selects ? "compositor=…, version=…, " : "");
      },
      "");
}

void require_one_value_each(const std::string& option, const std::vector<std::string>& pairs) {
  std::map<std::string, std::string> seen;
  for (const std::string& pair : pairs) {
    const auto [it, is_new] = seen.emplace(pair.substr(0, pair.find('=')), pair);
    if (is_new || it->second == pair) continue;
    throw CLI::ValidationError(
        option, fmt::format("{} and {} exclude each other: all must fit, and {} has one value. "
                            "A pattern fits several: * is any text, ? one character",
                            escape_for_log(it->second, 64), escape_for_log(pair, 64), escape_for_log(it->first, 64)));
  }
}

}  // namespace compositord::ctl
