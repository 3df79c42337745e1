#pragma once
// Small pictures that tests write by hand.

#include <cstdint>
#include <initializer_list>
#include <vector>

#include "agent/capture/shot.h"

namespace compositord::test {

// XRGB8888 words, row by row; the stride is a little longer than it needs to be.
agent::Pixels pixels_of(std::uint32_t width_px, const std::vector<std::uint32_t>& words);
// All of one colour, at a place.
agent::Picture plain_picture(std::uint32_t width_px, std::uint32_t height_px, std::uint32_t colour,
                             agent::LogicalRect place = {});

}  // namespace compositord::test
