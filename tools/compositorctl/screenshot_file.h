#pragma once
// Where a screenshot is kept: put together from its parts, and a file that is there whole or not at all.

#include <cstddef>
#include <string>
#include <string_view>

#include "common/base/instant.h"
#include "common/msg/envelope.h"
#include "tools/compositorctl/exit_code.h"

namespace compositord::ctl {

// A PNG as its parts come in.
class PngParts {
 public:
  // More than agents send is not kept.
  static constexpr std::size_t kBytesMax = 64U << 20U;

  // Failures: kLocal, when the part does not follow those before it, or is one too many.
  Outcome<void> add(const msg::Reply& part);
  // The PNG, when it is all that `result`, the final reply's, says. Failures: kLocal.
  Outcome<std::string> finish(const msg::Value& result);

 private:
  std::string bytes_;
};

// "wall-3-wayland-1-DP-1-20260301-120005.250.png", in local time; without `output` for the whole screen. No byte of it means anything
// to a shell or a file system.
std::string default_file_name(std::string_view id, std::string_view output, UnixMs now);

// Under another name first, which then becomes `path`; a device or a pipe is written to as it is. Failures: kLocal with the system's words; nothing is left behind.
Outcome<void> write_file(const std::string& path, std::string_view bytes);

}  // namespace compositord::ctl
