#include "common/msg/compositor_id.h"

#include "common/base/log_event.h"

namespace compositord::msg {

namespace {

bool allowed(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
         c == ':' || c == '-';
}

// Empty when the part is right.
std::string fault(std::string_view part, std::string_view which) {
  constexpr std::size_t kLengthMax = 64;
  if (part.empty()) return "its " + std::string(which) + " is empty";
  if (part.size() > kLengthMax) return "its " + std::string(which) + " is longer than 64 characters";
  for (const char c : part) {
    if (!allowed(c)) {
      return "'" + escape_for_log(std::string_view(&c, 1)) + "' is not allowed in its " + std::string(which) +
             " (only A-Z a-z 0-9 . _ : -)";
    }
  }
  return {};
}

}  // namespace

Result<CompositorId> parse_compositor_id(std::string_view text) {
  const auto refuse = [&](const std::string& why) {
    return fail(Status::kMalformed, "\"" + escape_for_log(text, 140) + "\" is no compositor id HOST/DISPLAY: " + why);
  };
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return refuse("there is no '/'");
  if (std::string why = fault(text.substr(0, slash), "host"); !why.empty()) return refuse(why);
  if (std::string why = fault(text.substr(slash + 1), "display"); !why.empty()) return refuse(why);
  return CompositorId(std::string(text));
}

std::string service_name(const CompositorId& id) { return std::string(kCompositorServicePrefix) + id.value(); }

}  // namespace compositord::msg
