#include "broker/notify/body_template.h"

#include <fmt/format.h>

#include <array>
#include <chrono>
#include <optional>

#include "common/msg/value.h"

namespace compositord::broker {

namespace {

constexpr std::string_view kLabels = "labels.";
constexpr const char* kAllowed =
    "allowed: title, text, subject, layer, severity, state, dedupe, since, at, labels.<name>, json";

// As it stands between the quotes of a JSON string.
std::string escaped(const std::string& text) {
  const std::string quoted = msg::encode_json(msg::Value(text));
  return quoted.substr(1, quoted.size() - 2);
}

// What stands for a variable; nothing when there is no such.
std::optional<std::string> value_of(std::string_view name, const Notification& n) {
  const std::array<std::pair<std::string_view, const std::string*>, 7> texts{{{"title", &n.title},
                                                                              {"text", &n.text},
                                                                              {"subject", &n.subject},
                                                                              {"layer", &n.layer},
                                                                              {"severity", &n.severity},
                                                                              {"state", &n.state},
                                                                              {"dedupe", &n.dedupe}}};
  for (const auto& [known, text] : texts) {
    if (name == known) return escaped(*text);
  }
  if (name == "json") return n.json;
  if (name == "since") return rfc3339(n.since_ms);
  if (name == "at") return rfc3339(n.at_ms);
  if (!name.starts_with(kLabels) || name.size() == kLabels.size()) return std::nullopt;
  const auto label = n.labels.find(std::string(name.substr(kLabels.size())));
  return label == n.labels.end() ? std::string() : escaped(label->second);
}

struct Filled {
  std::string text;
  std::string fault;
};

Filled fill(std::string_view form, const Notification& n) {
  Filled filled;
  for (;;) {
    const std::size_t open = form.find("{{");
    filled.text += form.substr(0, open);
    if (open == std::string_view::npos) return filled;
    form.remove_prefix(open + 2);
    const std::size_t close = form.find("}}");
    if (close == std::string_view::npos) {
      filled.fault = "a variable begins with {{ and has no }}";
      return filled;
    }
    std::string_view name = form.substr(0, close);
    while (name.starts_with(' ')) name.remove_prefix(1);
    while (name.ends_with(' ')) name.remove_suffix(1);
    const auto value = value_of(name, n);
    if (!value && filled.fault.empty()) filled.fault = fmt::format("there is no variable \"{}\"; {}", name, kAllowed);
    filled.text += value.value_or("");
    form.remove_prefix(close + 2);
  }
}

}  // namespace

std::string fill_template(std::string_view form, const Notification& notification) {
  return fill(form, notification).text;
}

std::string template_fault(std::string_view form) {
  Notification sample;
  sample.title = sample.text = "a \"quoted\" text";
  sample.json = "{}";
  const Filled filled = fill(form, sample);
  if (!filled.fault.empty()) return filled.fault;
  const auto json = msg::decode_json(filled.text);
  return json ? std::string() : "what comes out is no JSON: " + json.error().text;
}

std::string rfc3339(std::int64_t unix_ms) {
  using std::chrono::milliseconds;
  const std::chrono::sys_time<milliseconds> time{milliseconds(unix_ms)};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::int64_t of_day = (time - day).count();
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), of_day / 3'600'000,
                     of_day / 60'000 % 60, of_day / 1'000 % 60, of_day % 1'000);
}

}  // namespace compositord::broker
