#include "tools/compositorctl/peers_text.h"

#include <algorithm>

#include <fmt/format.h>

#include "tools/compositorctl/text.h"

namespace compositord::ctl {

namespace {

Cell state_of(const Peer& peer) {
  if (peer.doubt != "none") return {safe_text(peer.doubt), Colour::kYellow};
  return {safe_text(peer.state), peer.state == "ready" ? Colour::kGreen : Colour::kNone};
}

}  // namespace

std::string peers_text(std::vector<Peer> peers, bool coloured) {
  std::stable_sort(peers.begin(), peers.end(), [](const Peer& a, const Peer& b) { return a.service < b.service; });
  Table table({"SERVICE", "STATE", "SILENT", "HEARTBEAT", "REQUESTS", "MDP", "PEER"});
  for (const Peer& peer : peers) {
    table.add({{safe_text(peer.service)},
               state_of(peer),
               {age_text(peer.silent_ms)},
               {fmt::format("{} s × {}", number_text(static_cast<double>(peer.heartbeat_ms) / 1e3), peer.liveness)},
               {fmt::format("{}/{}", peer.outstanding, peer.credit)},
               {safe_text(peer.mdp)},
               {safe_text(peer.peer)}});
  }
  return table.to_text(coloured);
}

}  // namespace compositord::ctl
