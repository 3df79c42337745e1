#pragma once
// The name of a compositor on the bus: `<host>/<display>`, each part 1–64 of A-Z a-z 0-9 . _ : -
// Source: schemas/PROTOCOL.md "Compositor id".

#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/base/strong_type.h"

namespace compositord::msg {

using CompositorId = StrongType<std::string, struct CompositorIdTag>;

// Errors: kMalformed, naming the part and the first character that isn't allowed.
Result<CompositorId> parse_compositor_id(std::string_view text);

inline constexpr std::string_view kCompositorServicePrefix = "compositor/";
// The MDP service name of a compositor, "compositor/wall-3/wayland-1".
std::string service_name(const CompositorId& id);

}  // namespace compositord::msg
