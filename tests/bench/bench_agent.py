#!/usr/bin/python3
"""What an agent costs beside its compositor: memory of its own beyond that of its libraries, and processor time while it
probes once a second. Exit status 1 when that is more than promised. What is measured is in tests/bench/README.md.

usage: bench_agent.py --bin DIR [--nothing PROGRAM] [--seconds N] [--only NAME[,NAME…]] [--json FILE] [--untimed]
"""

import argparse
import json
import os
import re
import subprocess
import sys
import time

import zmq

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "..", "tools", "story"), os.path.join(HERE, "..", "support", "py")]
from compositors import BY_NAME, Desktop  # noqa: E402
from fleet import Failure, Fleet, Subscriber, call  # noqa: E402
from loopback import own_tcp  # noqa: E402

PATIENCE_S = 30.0
OWN_KIB_PROMISED = 5 * 1024
CORE_PERCENT_PROMISED = 0.5
KEYS = ("Rss", "Pss", "Private_Dirty")


def libraries_of(program):
    """The files that the loader takes for it."""
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    if "not found" in listed:
        raise Failure(f"{program}: a library is missing:\n{listed}")
    return re.findall(r"=> (/\S+)", listed)


def memory_kib(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        text = file.read()
    return {key: int(re.search(rf"^{key}:\s+(\d+) kB", text, re.MULTILINE)[1]) for key in KEYS}


def memory_of_libraries(nothing, libraries):
    """Of a program that has these libraries loaded, relocated and initialized, and never calls them."""
    environment = {"PATH": "/usr/bin:/bin", "LD_PRELOAD": " ".join(libraries)}
    with subprocess.Popen([nothing], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env=environment) as process:
        if process.stdout.readline() != b"ready\n":
            raise Failure(f"{nothing} does not run: {process.stderr.read().decode()}")
        with open(f"/proc/{process.pid}/maps", encoding="utf-8") as file:
            loaded = {os.path.realpath(line.split()[5]) for line in file if "/" in line}
        if missing := {os.path.realpath(library) for library in libraries} - loaded:
            raise Failure(f"{nothing} was to load {', '.join(sorted(missing))}, and did not")
        found = memory_kib(process.pid)
        process.stdin.close()
        process.wait(10)
    return found


def processor_seconds(pid):
    """Of all its threads, as the scheduler counted them."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as file:
            total += int(file.read().split()[0])
    return total / 1e9


class Bench:
    def __init__(self, bin_dir, names):
        self.context = zmq.Context()
        self.fleet = Fleet(bin_dir)
        self.feed = None
        self.agents = {}
        try:
            self.fleet.start_broker(own_tcp(), own_tcp())
            self.feed = Subscriber(self.context, self.fleet.feed, ["manifest/", "bus/tick"])
            for name in names:
                desktop = Desktop(self.fleet, BY_NAME[name])
                desktop.start()
                self.agents[name] = desktop.start_agent("bench/" + name)
            for name in names:
                self._wait_until_described(name)
        except BaseException:
            self.stop()
            raise

    def _wait_until_described(self, name):
        deadline = time.monotonic() + PATIENCE_S
        while True:
            reply = call(self.context, self.fleet.bus, "bus.manifest", "get", {"id": "bench/" + name})
            manifest = reply["result"]["manifest"] if reply["status"] == 200 else {}
            # What asks an executable for its version is a child, gone once it is known; xcompmgr has none.
            if manifest.get("name") == name and (manifest["version"] or name == "xcompmgr"):
                return
            if time.monotonic() > deadline:
                raise Failure(f"{name} was not described: {reply}")
            self.feed.wait_for(lambda topic, _: True, PATIENCE_S, "anything")

    def measure(self, seconds):
        """{name: (processor time in per cent of a core, memory)}, all at once."""
        begun = time.monotonic()
        before = {name: processor_seconds(agent.pid) for name, agent in self.agents.items()}
        while time.monotonic() - begun < seconds:
            self.feed.wait_for(lambda topic, _: topic == "json/bus/tick", PATIENCE_S, "the broker's second")
        percent = {name: 100 * (processor_seconds(agent.pid) - before[name]) / (time.monotonic() - begun)
                   for name, agent in self.agents.items()}
        return {name: (percent[name], memory_kib(agent.pid)) for name, agent in self.agents.items()}

    def stop(self):
        if self.feed is not None:
            self.feed.close()
        self.fleet.stop()
        self.context.term()


def main():
    parser = argparse.ArgumentParser(description="What an agent costs beside its compositor.")
    parser.add_argument("--bin", required=True, help="where compositord and compositor-agent are")
    parser.add_argument("--nothing", help="the program without work; default: bench_nothing in --bin")
    parser.add_argument("--seconds", type=float, default=30, help="of idle watching (default: 30)")
    parser.add_argument("--only", default="sway,weston,Xvfb,xcompmgr", help="compositors, separated by commas")
    parser.add_argument("--json", help="write the figures to this file, too")
    parser.add_argument("--untimed", action="store_true", help="report; break no promise")
    options = parser.parse_args()
    names = options.only.split(",")
    if unknown := [name for name in names if name not in BY_NAME]:
        parser.error(f"--only {','.join(unknown)}: there are {', '.join(BY_NAME)}")
    libraries = libraries_of(os.path.join(options.bin, "compositor-agent"))
    base = memory_of_libraries(options.nothing or os.path.join(options.bin, "bench_nothing"), libraries)
    bench = Bench(options.bin, names)
    try:
        measured = bench.measure(options.seconds)
    finally:
        bench.stop()

    print(f"{'agent beside':<14} {'of a core':>10}   {'own Rss':>9} {'Pss':>9} {'Priv_Dirty':>11}   {'all Rss':>9} {'Pss':>9}  (KiB)")
    print(f"{'its libraries':<14} {'':>10}   {'':>9} {'':>9} {'':>11}   {base['Rss']:>9} {base['Pss']:>9}  ({len(libraries)} libraries)")
    summary, broken = {"libraries_kib": base, "agents": {}}, []
    for name, (percent, memory) in measured.items():
        own = {key: memory[key] - base[key] for key in KEYS}
        print(f"{name:<14} {percent:>8.3f} %   {own['Rss']:>9} {own['Pss']:>9} {own['Private_Dirty']:>11}   "
              f"{memory['Rss']:>9} {memory['Pss']:>9}")
        summary["agents"][name] = {"core_percent": round(percent, 4), "own_kib": own, "all_kib": memory}
        if percent >= CORE_PERCENT_PROMISED:
            broken.append(f"{name}: {percent:.2f} % of a core; promised < {CORE_PERCENT_PROMISED} %")
        for key in ("Rss", "Private_Dirty"):
            if own[key] >= OWN_KIB_PROMISED:
                broken.append(f"{name}: {own[key]} KiB of {key} beyond its libraries; promised < {OWN_KIB_PROMISED} KiB")
    print(f"promised: < {CORE_PERCENT_PROMISED} % of a core, < {OWN_KIB_PROMISED} KiB beyond its libraries")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(summary, file, indent=1)
    for line in broken:
        print("BROKEN " + line)
    return 1 if broken and not options.untimed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as failure:
        sys.exit(f"bench_agent: {failure}")
