#include "broker/core/request_table.h"

#include <utility>

#include "common/base/check.h"

namespace compositord::broker {

namespace {
constexpr std::size_t kAddressBytes = 8;
}

OpenRequest& RequestTable::add(Client client) {
  const RequestToken token = ++last_token_;
  OpenRequest& request = requests_[token];
  request.token = token;
  if (!client.peer.value().empty()) {
    request.use = &by_client_[client.peer];
    ++request.use->requests;
  }
  request.client = std::move(client);
  return request;
}

void RequestTable::remove(RequestToken token) {
  const auto it = requests_.find(token);
  CHECK(it != requests_.end());
  release_client(it->second);
  release_body(it->second);
  requests_.erase(it);
}

void RequestTable::release_client(OpenRequest& request) {
  ClientUse* use = std::exchange(request.use, nullptr);
  if (use == nullptr) return;
  CHECK(use->requests > 0);
  if (--use->requests == 0) by_client_.erase(request.client.peer);
}

bool RequestTable::keep_body(OpenRequest& request, std::size_t kept_bytes_max) {
  if (request.bytes > kept_bytes_max || kept_bytes_ > kept_bytes_max - request.bytes) return false;
  kept_bytes_ += request.bytes;
  request.body_kept = true;
  return true;
}

void RequestTable::release_body(OpenRequest& request) {
  if (!request.body_kept) return;
  kept_bytes_ -= request.bytes;
  request.body_kept = false;
}

OpenRequest* RequestTable::find(RequestToken token) {
  const auto it = requests_.find(token);
  return it == requests_.end() ? nullptr : &it->second;
}

ClientUse RequestTable::use_of(const wire::RoutingId& client) const {
  const auto it = by_client_.find(client);
  return it == by_client_.end() ? ClientUse() : it->second;
}

void RequestTable::add_waiting(const OpenRequest& request) {
  if (request.use != nullptr) request.use->waiting_bytes += request.bytes;
}

void RequestTable::remove_waiting(const OpenRequest& request) {
  if (request.use != nullptr) request.use->waiting_bytes -= request.bytes;
}

std::string address_of(RequestToken token) {
  std::string address(kAddressBytes, '\0');
  for (std::size_t i = 0; i < kAddressBytes; ++i) address[kAddressBytes - 1 - i] = static_cast<char>(token >> (8 * i));
  return address;
}

RequestToken token_of(std::string_view address) noexcept {
  if (address.size() != kAddressBytes) return 0;
  RequestToken token = 0;
  for (const char byte : address) token = (token << 8U) | static_cast<unsigned char>(byte);
  return token;
}

}  // namespace compositord::broker
