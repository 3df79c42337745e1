#include "common/base/log_event.h"

#include <fmt/format.h>

#include "common/base/utf8.h"

namespace compositord {

std::string_view severity_name(Severity severity) noexcept {
  switch (severity) {
    case Severity::kDebug: return "debug";
    case Severity::kInfo: return "info";
    case Severity::kWarning: return "warning";
    case Severity::kError: return "error";
  }
  return "error";
}

std::optional<Severity> severity_from_name(std::string_view name) noexcept {
  for (const Severity severity : {Severity::kDebug, Severity::kInfo, Severity::kWarning, Severity::kError}) {
    if (severity_name(severity) == name) return severity;
  }
  return std::nullopt;
}

namespace {

// The length of the character at the front of `s` that is safe to print beyond ASCII, or 0. The C1 controls (U+0080–U+009F)
// are not: terminals obey some of them.
std::size_t printable_length(std::string_view s) {
  const bool c1_control = s.size() > 1 && s[0] == '\xc2' && static_cast<unsigned char>(s[1]) < 0xa0;
  const std::size_t n = utf8_length(s);
  return c1_control || n < 2 ? 0 : n;
}

}  // namespace

std::string escape_for_log(std::string_view bytes, std::size_t length_max) {
  std::string out;
  for (std::size_t i = 0; i < bytes.size();) {
    if (out.size() >= length_max) return out + "…";
    const auto c = static_cast<unsigned char>(bytes[i]);
    if (c == '\\') {  // doubled, or the peer could write what looks like one of our escapes
      out += "\\\\";
      ++i;
      continue;
    }
    if (c >= 0x20 && c < 0x7f) {
      out += bytes[i++];
      continue;
    }
    if (const std::size_t n = printable_length(bytes.substr(i)); n > 0) {
      out += bytes.substr(i, n);
      i += n;
      continue;
    }
    out += fmt::format("\\x{:02x}", c);
    ++i;
  }
  return out;
}

std::string to_text(const LogEvent& event) {
  std::string line(event.name);
  for (const auto& [key, value] : event.fields) {
    const std::string safe = escape_for_log(value);
    const bool quote = safe.empty() || safe.find_first_of(" =\"") != std::string::npos;
    line += ' ';
    line += key;
    line += '=';
    if (!quote) {
      line += safe;
      continue;
    }
    line += '"';
    for (const char c : safe) {
      if (c == '"') line += '\\';
      line += c;
    }
    line += '"';
  }
  return line;
}

}  // namespace compositord
