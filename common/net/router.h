#pragma once
// The broker's bus: a ROUTER socket without encryption, over TCP and Unix sockets. It reads, routes and writes in the caller's
// thread, never blocks, and says what became of a send. In place of libzmq's ROUTER, which hands each message from thread to thread,
// keeps 29 KiB for a connection that does nothing, and does not tell whose connection has ended. Peers notice no difference, but
// that a routing id which is in use is refused to others, where libzmq lets them wait for an answer for ever.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/base/instant.h"
#include "common/base/result.h"
#include "common/net/epoll.h"
#include "common/net/listener.h"
#include "common/net/send_outcome.h"
#include "common/net/send_queue.h"
#include "common/wire/frames.h"
#include "common/wire/zmtp.h"

namespace compositord::net {

struct QueueLimits {
  // Of what waits to be written to a peer. A message is taken while there is less, and so goes beyond the bytes at most once.
  std::size_t messages_per_peer_max = 1'000;  // libzmq's default
  std::size_t bytes_per_peer_max = 64U << 20U;
  // Of all peers together: what waits to be written to them and, counted by itself, what is incomplete of what they have sent. Beyond
  // it nobody may have more than an equal share, or `fair_bytes` if that is less: both together, it is twice this at most.
  std::size_t bytes_max = 512U << 20U;
  std::size_t fair_bytes = 1U << 20U;
};

struct RouterLoad {
  std::uint64_t connections = 0;
  std::uint64_t send_bytes = 0;      // that wait for peers to read
  std::uint64_t incoming_bytes = 0;  // of messages that are not complete
};

struct RouterEvent {
  enum class Kind : std::uint8_t {
    kNothing,   // nothing for now
    kMessage,   // one whole message of `peer`
    kTooLarge,  // one that broke a limit; its bytes are gone
    kClosed,    // `peer` is gone: all that it had sent was told before. A new connection has another routing id, unless
                // the peer chooses it
    kRefused,   // a connection was ended that is no peer's, or broke the rules: `text` is a sentence for people
  };
  Kind kind = Kind::kNothing;
  wire::RoutingId peer;
  wire::Frames frames;  // without the routing id
  std::string text;
};

class Router {
 public:
  // `epoll` must outlive it, and tells it of its descriptors by way of take().
  Router(Epoll& epoll, const wire::MessageLimits& limits, const QueueLimits& queue_limits = {});
  ~Router();  // waits a little until what was sent is written
  Router(const Router&) = delete;
  Router& operator=(const Router&) = delete;

  // Listens at one more endpoint and returns it as it became. Errors as Listener::open().
  Result<std::string> bind(const std::string& endpoint);

  bool owns(int fd) const noexcept;
  // What epoll says of a descriptor that it owns. What came in is to be had from next().
  void take(const Epoll::Ready& ready);
  RouterEvent next(Instant now);
  // False: next() has nothing until epoll tells of more.
  bool has_more() const noexcept { return reading_ != nullptr || !ready_.empty() || !events_.empty(); }

  // Puts a message into the peer's queue. kFull: it does not read, and a limit is reached.
  SendOutcome send(const wire::RoutingId& peer, wire::Frames&& frames);
  // Ends the peer's connection when what was sent to it is written; kClosed tells when that is done, and the peer's messages
  // still come until then. From now on nothing can be sent to it.
  void close_peer(const wire::RoutingId& peer);
  RouterLoad load() const noexcept { return {connections_, queued_bytes_, kept_bytes_}; }
  // Writes what was sent since the last call.
  void flush();
  // Ends connections that don't finish their handshake, accepts again where descriptors had run out, and gives memory back. To be
  // called about once a second.
  void look_after_connections(Instant now);

 private:
  struct Connection;
  // What a descriptor is to us: one of the two, or nothing.
  struct Place {
    std::unique_ptr<Listener> listener;
    std::unique_ptr<Connection> connection;
    std::uint32_t events = 0;  // what epoll told of it; not 0: it is in ready_
  };
  struct Handshake {
    Instant began;
    int fd = -1;
  };

  Place& place_of(int fd);
  void accept_from(const Listener& listener, Instant now);
  void add_connection(Listener::Accepted accepted, Instant now);
  void let_accept(bool accepts);
  void look_at(Connection& connection, std::uint32_t events);
  bool read_on(RouterEvent& event);
  void count_kept(Connection& connection);
  std::size_t fair_share() const noexcept;
  void answer(Connection& connection);
  void welcome(Connection& connection);
  wire::RoutingId new_routing_id();
  void refuse(Connection& connection, std::string_view why);
  void will_write(Connection& connection);
  void write(Connection& connection);
  void end_stream(const Connection& connection);
  void close(Connection& connection);

  Epoll& epoll_;
  wire::MessageLimits limits_;
  QueueLimits queue_limits_;
  std::size_t connections_max_;
  std::size_t connections_ = 0;
  std::vector<Place> places_;  // by descriptor
  std::unordered_map<wire::RoutingId, Connection*> peers_;
  std::deque<Handshake> handshakes_;  // the oldest first; some have ended
  std::deque<int> ready_;             // descriptors that were not looked at yet, each once
  std::deque<RouterEvent> events_;    // not told yet
  std::vector<int> unwritten_;        // connections to which something was sent since the last flush
  std::vector<int> roomy_;            // whose queues have used much memory since the last look
  std::vector<char> buffer_;
  Connection* reading_ = nullptr;  // whose bytes are in unread_
  std::string_view unread_;        // a part of buffer_
  std::string answer_;
  std::size_t queued_bytes_ = 0;   // of all queues
  std::size_t kept_bytes_ = 0;     // of all incomplete messages
  std::uint32_t last_number_ = 0;  // of a routing id
  bool accepts_ = true;
};

}  // namespace compositord::net
