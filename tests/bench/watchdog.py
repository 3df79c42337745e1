#!/usr/bin/python3
"""The rival of bench_detection: what a user would write without us. Once a second it looks whether the process is still
there and runs a client that makes a round trip. Says "STATE SECONDS" at each change, by the clock of time.monotonic().

usage: watchdog.py PROBE_COMMAND...        the pid to watch comes as a line on standard input, again after each restart
"""

import os
import select
import subprocess
import sys
import time

INTERVAL_S = 1.0


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def state_of(pid, probe):
    if pid is None or not alive(pid):
        return "down"
    answered = subprocess.run(probe, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              check=False).returncode == 0
    if answered:
        return "up"
    return "frozen" if alive(pid) else "down"


def main():
    probe = sys.argv[1:]
    pid, said = None, None
    due = time.monotonic()
    pending = b""
    while True:
        # Until the next look is due; the end of the input is the end of who started us.
        while select.select([0], [], [], max(0.0, due - time.monotonic()))[0]:
            chunk = os.read(0, 4096)
            if not chunk:
                return
            *lines, pending = (pending + chunk).split(b"\n")
            if lines:
                pid = int(lines[-1])
        due += INTERVAL_S
        state = state_of(pid, probe)
        if state != said:
            print(state, repr(time.monotonic()), flush=True)
        said = state


if __name__ == "__main__":
    main()
