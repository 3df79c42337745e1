#include "common/net/connection_monitor.h"

#include <zmq.h>

#include <array>
#include <cstring>

#include <fmt/format.h>

#include "common/base/check.h"

namespace compositord::net {

ConnectionMonitor::ConnectionMonitor(ZmqContext& context, ZmqSocket& socket)
    : pair_(zmq_socket(context.handle(), ZMQ_PAIR)) {
  CHECK(pair_ != nullptr);
  // A name of its own for each: a closed socket keeps its monitor's name until libzmq's own thread has buried it, so an
  // address in memory, which the next monitor may get again at once, would not do.
  const std::string endpoint = fmt::format("inproc://monitor-{}", context.next_number());
  constexpr int kEvents = ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED;
  CHECK(zmq_socket_monitor(socket.handle(), endpoint.c_str(), kEvents) == 0);
  const int linger = 0;
  CHECK(zmq_setsockopt(pair_, ZMQ_LINGER, &linger, sizeof(linger)) == 0);
  const int unbounded = 0;  // a lost DISCONNECTED would cost seconds; the events are few and small
  CHECK(zmq_setsockopt(pair_, ZMQ_RCVHWM, &unbounded, sizeof(unbounded)) == 0);
  CHECK(zmq_connect(pair_, endpoint.c_str()) == 0);
}

ConnectionMonitor::~ConnectionMonitor() { zmq_close(pair_); }

std::optional<ConnectionEvent> ConnectionMonitor::receive() {
  // Frame 1: event number (16 bit) and value (32 bit), host order. Frame 2: the endpoint. Source: zmq_socket_monitor(3).
  constexpr std::size_t kEventBytes = 6;
  for (;;) {
    std::array<char, kEventBytes> event{};
    if (zmq_recv(pair_, event.data(), event.size(), ZMQ_DONTWAIT) < 0) return std::nullopt;
    std::array<char, 1> ignored{};
    zmq_recv(pair_, ignored.data(), ignored.size(), ZMQ_DONTWAIT);  // the endpoint; cut to nothing
    std::uint16_t number = 0;
    std::int32_t value = 0;
    std::memcpy(&number, event.data(), sizeof(number));
    std::memcpy(&value, event.data() + sizeof(number), sizeof(value));
    if (number == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) return ConnectionEvent{ConnectionChange::kReady, -1};
    if (number == ZMQ_EVENT_ACCEPTED) return ConnectionEvent{ConnectionChange::kAccepted, value};
    if (number == ZMQ_EVENT_DISCONNECTED) return ConnectionEvent{ConnectionChange::kDisconnected, value};
    if (number == ZMQ_EVENT_MONITOR_STOPPED) return std::nullopt;
  }
}

}  // namespace compositord::net
