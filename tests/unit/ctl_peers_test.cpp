// What `peers` shows: what was agreed, and who is believed to be gone.

#include <gtest/gtest.h>

#include "tools/compositorctl/peers_text.h"

namespace compositord::ctl {
namespace {

TEST(CtlPeers, AreListedByServiceWithWhoIsBelievedToBeGone) {
  const Peer agent{"0a1b", "compositor/wall-3/wayland-1", "0.2", "ready", "silent", 1'000, 3, 2'400, 8, 2};
  const Peer worker{"ff\x1b", "compositor", "0.1", "admitted", "none", 2'500, 4, 100, 1, 0};
  EXPECT_EQ(peers_text({agent, worker}, false),
            "SERVICE                      STATE     SILENT  HEARTBEAT  REQUESTS  MDP  PEER\n"
            "compositor                   admitted  0.1 s   2.5 s × 4  0/1       0.1  ff\\x1b\n"
            "compositor/wall-3/wayland-1  silent    2.4 s   1 s × 3    2/8       0.2  0a1b\n");
}

}  // namespace
}  // namespace compositord::ctl
