#pragma once
// How many programs are connected to the X server, the agent left out: what the extension X-Resource tells of each.
// Source: X-Resource 1.2, QueryClients.

#include <cstdint>
#include <optional>

#include "agent/driver.h"
#include "agent/x11/x_connection.h"

namespace compositord::agent::x11 {

// Of the reply to QueryClients, null when there was none. The server itself is in it, as the owner of base 0, and so is the
// connection that asked, as that of `own_base`. None: it can't be told.
std::optional<std::uint64_t> count_others(const void* reply, std::uint32_t own_base);

class ClientCounter {
 public:
  // The server has the extension, and was told our version of it.
  explicit ClientCounter(XConnection& connection) : connection_(connection) {}
  ClientCounter(const ClientCounter&) = delete;
  ClientCounter& operator=(const ClientCounter&) = delete;

  // Asks, unless an answer is still owed: a server that is frozen is asked once.
  void begin();
  void service(DriverOutputs& out);

 private:
  XConnection& connection_;
  bool is_asking_ = false;
  std::optional<driver_event::ClientsSeen> seen_;  // not said yet
};

}  // namespace compositord::agent::x11
