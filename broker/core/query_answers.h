#pragma once
// What the answers of several of the bus's own services have in common.

#include <string>
#include <string_view>

#include "broker/core/bus_services.h"

namespace compositord::broker {

// 404, with the methods that there are.
Result<Answer> no_method(std::string_view service, const std::string& method, std::string_view known);

// The compositor that a parameter names. Errors: kMalformed, kNotFound.
Result<const Compositor*> find_compositor(const BusContext& bus, const msg::Value& params, std::string_view key = "id");

// When the compositor's agent was last heard.
UnixMs last_seen(const BusContext& bus, const Compositor& compositor);

// An answer that comes when the store has answered `query`.
Answer answer_after(const BusContext& bus, StoreQuery query, Outputs& out);

}  // namespace compositord::broker
