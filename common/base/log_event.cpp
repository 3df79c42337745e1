#include "common/base/log_event.h"

#include <fmt/format.h>

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

namespace {

// The length of the well-formed UTF-8 sequence at the front of `s` that is safe to print, or 0. C1 controls
// (U+0080–U+009F) are refused: terminals obey some of them.
std::size_t utf8_length(std::string_view s) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(s[i]); };
  const unsigned char b = byte(0);
  const std::size_t n = b >= 0xf0 && b <= 0xf4 ? 4 : b >= 0xe0 && b < 0xf0 ? 3 : b >= 0xc2 && b < 0xe0 ? 2 : 0;
  if (n == 0 || s.size() < n) return 0;
  for (std::size_t i = 1; i < n; ++i) {
    if ((byte(i) & 0xc0U) != 0x80) return 0;
  }
  if (b == 0xc2 && byte(1) < 0xa0) return 0;
  if ((b == 0xe0 && byte(1) < 0xa0) || (b == 0xed && byte(1) > 0x9f)) return 0;
  if ((b == 0xf0 && byte(1) < 0x90) || (b == 0xf4 && byte(1) > 0x8f)) return 0;
  return n;
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
    if (const std::size_t n = utf8_length(bytes.substr(i)); n > 0) {
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
