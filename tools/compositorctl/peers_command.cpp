// peers: who is connected to the broker and works for it.

#include <utility>
#include <vector>

#include "tools/compositorctl/fleet.h"
#include "tools/compositorctl/peers_text.h"
#include "tools/compositorctl/session.h"
#include "tools/compositorctl/text.h"

namespace compositord::ctl {

Outcome<ExitCode> run_peers(Session& session) {
  Outcome<std::vector<msg::Value>> raw = fetch_all(session.bus, "bus.admin", "peers");
  if (!raw) return tl::unexpected<Failure>(std::move(raw.error()));
  if (session.options.json) {
    return done(session.console.print_line(safe_json(msg::Value::array(std::move(*raw)), 2)));
  }
  std::vector<Peer> peers;
  for (const msg::Value& one : *raw) {
    Outcome<Peer> peer = read_as<Peer>(one, "bus.admin peers");
    if (!peer) return tl::unexpected<Failure>(std::move(peer.error()));
    peers.push_back(std::move(*peer));
  }
  if (peers.empty()) session.console.note("neither an agent nor a worker is connected");
  return done(session.console.print(peers_text(std::move(peers), session.console.coloured())));
}

}  // namespace compositord::ctl
