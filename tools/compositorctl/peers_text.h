#pragma once
// Who is connected to the broker, as people read it.

#include <cstdint>
#include <string>
#include <vector>

namespace compositord::ctl {

// An entry of bus.admin peers.
struct Peer {
  std::string peer;
  std::string service;
  std::string mdp;
  std::string state;
  std::string doubt;
  std::int64_t heartbeat_ms = 0;
  std::int64_t liveness = 0;
  std::int64_t silent_ms = 0;
  std::int64_t credit = 0;
  std::int64_t outstanding = 0;

  template <class Self, class V>
  static void fields(Self& m, V& v) {
    v("peer", m.peer);
    v("service", m.service);
    v("mdp", m.mdp);
    v("state", m.state);
    v("doubt", m.doubt);
    v("heartbeat_ms", m.heartbeat_ms);
    v("liveness", m.liveness);
    v("silent_ms", m.silent_ms);
    v("credit", m.credit);
    v("outstanding", m.outstanding);
  }
};

// A table, by service. Whoever is believed to be gone is that first of all.
std::string peers_text(std::vector<Peer> peers, bool coloured);

}  // namespace compositord::ctl
