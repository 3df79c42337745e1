#pragma once
// Where the feed of a bus is.

#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace compositord::feed {

// The feed endpoint that belongs to the bus endpoint that we reached: of the same transport, with the broker's host where
// the feed is bound to every address. Errors: kNotFound, naming what there is.
Result<std::string> choose_feed(std::string_view bus_endpoint, const std::vector<std::string>& feed_endpoints);

}  // namespace compositord::feed
