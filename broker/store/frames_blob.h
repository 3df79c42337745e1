#pragma once
// The frames of a message as one blob: each frame's length in four bytes, most significant first, then its bytes.

#include <optional>
#include <string>
#include <string_view>

#include "broker/core/record.h"

namespace compositord::broker {

std::string blob_of(const wire::Frames& frames);
// Nothing when the blob was not written by blob_of().
std::optional<wire::Frames> frames_of(std::string_view blob);

}  // namespace compositord::broker
