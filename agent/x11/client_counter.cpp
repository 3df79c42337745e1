#include "agent/x11/client_counter.h"

#include <xcb/res.h>

#include <algorithm>
#include <utility>

namespace compositord::agent::x11 {

std::optional<std::uint64_t> count_others(const void* reply, std::uint32_t own_base) {
  if (reply == nullptr) return std::nullopt;
  const auto* list = static_cast<const xcb_res_query_clients_reply_t*>(reply);
  // The reply has this many bytes behind its head, however many clients it claims to tell of.
  const std::size_t room = std::size_t{list->length} * 4 / sizeof(xcb_res_client_t);
  const xcb_res_client_t* first = xcb_res_query_clients_clients(list);
  const xcb_res_client_t* end = first + std::min<std::size_t>(list->num_clients, room);
  return static_cast<std::uint64_t>(std::count_if(first, end, [&](const xcb_res_client_t& client) {
    return client.resource_base != 0 && client.resource_base != own_base;
  }));
}

void ClientCounter::begin() {
  if (std::exchange(is_asking_, true)) return;
  connection_.expect(xcb_res_query_clients(connection_.xcb()), [this](const void* reply) {
    is_asking_ = false;
    seen_ = driver_event::ClientsSeen{count_others(reply, connection_.setup()->resource_id_base)};
  });
}

void ClientCounter::service(DriverOutputs& out) {
  if (seen_) out.events.emplace_back(*seen_);
  seen_.reset();
}

}  // namespace compositord::agent::x11
