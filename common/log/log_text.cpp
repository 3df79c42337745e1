#include "common/log/log_text.h"

#include <fmt/format.h>

#include <cstddef>
#include <cstdint>

#include "common/base/utf8.h"

namespace compositord::log {

namespace {

constexpr std::size_t kReasonBytesMax = 1'024;

std::string_view field(const LogEvent& event, std::string_view name) {
  for (const auto& [key, value] : event.fields) {
    if (key == name) return value;
  }
  return {};
}

bool is_verdict(const LogEvent& event) { return event.name == "verdict.changed"; }
std::string_view summary(const LogEvent& event) {
  return field(event, "to") == "ok" ? "COMPOSITE_OK" : "COMPOSITE_ERROR";
}

// The numbers of syslog(3), which journald has taken over.
int priority_of(Severity severity) noexcept {
  switch (severity) {
    case Severity::kDebug: return 7;
    case Severity::kInfo: return 6;
    case Severity::kWarning: return 4;
    case Severity::kError: return 3;
  }
  return 3;
}

void append_json_string(std::string_view text, std::string& out) {
  out += '"';
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    const std::size_t length = utf8_length(text.substr(i));
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
      ++i;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == '\x7f') {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
      ++i;
    } else if (length == 0) {
      out += "\\ufffd";
      ++i;
    } else {
      out += text.substr(i, length);
      i += length;
    }
  }
  out += '"';
}

void append_member(std::string_view key, std::string_view value, std::string& out) {
  if (!out.empty()) out += ',';
  append_json_string(key, out);
  out += ':';
  append_json_string(value, out);
}

// "id" -> "COMPOSITORD_ID": A–Z, 0–9 and underscores are all that journald takes.
std::string journal_name(std::string_view key) {
  std::string name = "COMPOSITORD_";
  for (const char c : key) {
    const bool is_lower = c >= 'a' && c <= 'z';
    const bool is_kept = (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    name += is_lower ? static_cast<char>(c - 'a' + 'A') : is_kept ? c : '_';
  }
  return name;
}

// "If the value includes a newline [you need to] write the field name, plus a newline, then the size (64bit little endian value),
// followed by the field data and a final newline."
void append_journal_field(std::string_view name, std::string_view value, std::string& out) {
  out += name;
  if (value.find('\n') == std::string_view::npos) {
    out += '=';
  } else {
    out += '\n';
    std::uint64_t size = value.size();
    for (int i = 0; i < 8; ++i, size >>= 8U) out += static_cast<char>(size & 0xffU);
  }
  out += value;
  out += '\n';
}

}  // namespace

std::string status_text(const LogEvent& event) {
  if (!is_verdict(event)) return to_text(event);
  std::string line = fmt::format("{} {}", summary(event), escape_for_log(field(event, "id")));
  const std::string_view layer = field(event, "layer");
  const std::string_view reason = field(event, "why");
  if (!layer.empty()) line += ' ' + escape_for_log(layer);
  if (!reason.empty()) line += ' ' + escape_for_log(reason, kReasonBytesMax);
  return line;
}

std::string json_members(const LogEvent& event) {
  std::string out;
  append_member("event", event.name, out);
  if (is_verdict(event)) append_member("summary", summary(event), out);
  for (const auto& [key, value] : event.fields) append_member(key, value, out);
  return out;
}

std::string journal_datagram(std::string_view program, const LogEvent& event) {
  std::string out;
  append_journal_field("MESSAGE", status_text(event), out);
  append_journal_field("PRIORITY", std::to_string(priority_of(event.severity)), out);
  append_journal_field("SYSLOG_IDENTIFIER", program, out);
  append_journal_field("COMPOSITORD_EVENT", event.name, out);
  for (const auto& [key, value] : event.fields) append_journal_field(journal_name(key), value, out);
  return out;
}

std::string syslog_datagram(std::string_view program, int pid, const LogEvent& event) {
  constexpr int kFacilityDaemon = 3;
  return fmt::format("<{}>{}[{}]: {}", kFacilityDaemon * 8 + priority_of(event.severity), program, pid,
                     status_text(event));
}

}  // namespace compositord::log
