#!/usr/bin/python3
"""The npm package zmdp-suite 0.0.1, somebody else's client and worker of MDP 0.1 in JavaScript, against the real broker and our
other foreign peers. No test: it needs a package that Debian doesn't have. README.md says how to prepare the folder.

Usage: COMPOSITORD=… MDP01=… zmdp_by_hand.py FOLDER_WITH_NODE_MODULES"""

import os
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "support", "py"))
sys.path.insert(0, os.path.join(HERE, ".."))
import foreign_mdp
import mdp
import programs

CASE = foreign_mdp.Majordomo()
PEER = os.path.join(HERE, "zmdp_peer.mjs")


def node(folder, *arguments):
    return programs.Program(["node", PEER, *arguments], cwd=folder)


def zmdp_client(folder, service, module, fixed):
    with node(folder, "client", CASE.broker.bus, service, module, fixed, "1000") as client:
        client.wait()
        return client.out[-1:] or client.err


def our_client(version):
    with mdp.Client(CASE.broker.bus, version=version) as client:
        right = sum(client.ask(b"zmdp", b"module", b"echo", b"%d" % i) == [b"0", b"%d" % i] for i in range(1000))
        return [f"answered {right}"]


def main():
    folder = sys.argv[1]
    CASE.setUp()
    with node(folder, "worker", CASE.broker.bus, "zmdp", str(foreign_mdp.HEARTBEAT_MS)):
        CASE.broker.wait_for_log(r"worker\.ready service=zmdp")
        print("zmdp-suite client, zmdp-suite worker:", *zmdp_client(folder, "zmdp", "module", "echo"))
        for version in (1, 2):
            print(f"pyzmq client 0.{version}, zmdp-suite worker:", *our_client(version))
        for kind in foreign_mdp.KINDS:
            worker = CASE.worker(kind, f"echo-{kind}", kind)
            print(f"zmdp-suite client, {kind} worker:", *zmdp_client(folder, f"echo-{kind}", "0", ""))
        worker.wait_for_line("heartbeat", times=8)
        print("after 8 heartbeats, mmi.service:", *CASE.ask("guide", "mmi.service", "zmdp"))
        CASE.broker.kill()
        CASE.broker = CASE.start_broker(bus=CASE.broker.bus)
        worker.wait_for_line("heartbeat", times=worker.out.count("heartbeat") + 8)
        print("8 heartbeats after the broker was started anew, mmi.service:", *CASE.ask("guide", "mmi.service", "zmdp"))
    CASE.doCleanups()


if __name__ == "__main__":
    main()
