#!/usr/bin/python3
"""An agent as a process of its own, to be killed and stopped by a test: agent_process.py BUS ID HEARTBEAT_MS.

Prints "online" each time it has registered, said READY and reported. Comes back on a new socket after DISCONNECT.
"""

import sys
import time

import calls
import mdp


def serve(agent, interval_s):
    """Heartbeats until the broker says DISCONNECT."""
    next_beat = time.monotonic()
    while True:
        if time.monotonic() >= next_beat:
            agent.command("HEARTBEAT")
            next_beat = time.monotonic() + interval_s
        try:
            name, _ = agent.next_command(patience_ms=max(1, int((next_beat - time.monotonic()) * 1_000)))
        except mdp.Nothing:
            continue
        if name == "DISCONNECT":
            return


def main():
    bus, identity, heartbeat_ms = sys.argv[1], sys.argv[2], int(sys.argv[3])
    while True:
        with calls.PythonAgent(bus, identity) as agent:
            agent.come_online(heartbeat_ms=heartbeat_ms)
            print("online", flush=True)
            serve(agent, heartbeat_ms / 1_000)


if __name__ == "__main__":
    main()
