#!/usr/bin/python3
"""weston comes and goes many times under one agent and one broker, which must be afterwards what they were: descriptors,
children, memory.

usage: crash_cycles_test.py BIN_DIR [--cycles N] [--sanitized] [unittest arguments]

--cycles N     how often; the suite does 25, a long run 1000
--sanitized    the programs are built with a sanitizer, which keeps freed memory: memory isn't judged
"""

import argparse
import collections
import os
import re
import signal
import sys
import time
import unittest

import zmq

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "..", "tools", "story"), os.path.join(HERE, "..", "support", "py")]
from compositors import BY_NAME, Desktop  # noqa: E402
from fleet import Caller, Fleet, Subscriber  # noqa: E402
from loopback import own_tcp  # noqa: E402

PATIENCE = 60.0
ID = "wall-3/weston"
OPTIONS = argparse.Namespace(bin="", cycles=25, sanitized=False)
# What the heap may still grow after the warm-up, however long it goes on: a leak of 1 KiB per cycle breaks it in a long run.
GROWTH_KIB_MAX = 768


def descriptors(pid):
    """What the process has open, counted by kind."""
    kinds = collections.Counter()
    for number in os.listdir(f"/proc/{pid}/fd"):
        try:
            kinds[re.sub(r"\d+", "N", os.readlink(f"/proc/{pid}/fd/{number}"))] += 1
        except FileNotFoundError:
            continue
    return kinds


def children(pid):
    """Its children, zombies included."""
    found = set()
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as file:
            found.update(int(child) for child in file.read().split())
    return found


def resident_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return int(re.search(r"VmRSS:\s+(\d+)", file.read())[1])


def warm_up_cycles():
    return min(100, max(10, OPTIONS.cycles // 5))


class CrashCycles(unittest.TestCase):
    def setUp(self):
        self.context = zmq.Context()
        self.fleet = Fleet(OPTIONS.bin)
        self.addCleanup(self.context.term)
        self.addCleanup(self.fleet.stop)
        self.broker = self.fleet.start_broker(own_tcp(), own_tcp())
        self.feed = Subscriber(self.context, self.fleet.feed, ["status/", "manifest/", "bus/tick"])
        self.addCleanup(self.feed.close)
        # One connection for all that is asked: those of single calls are closed some time after, and a count of descriptors would
        # find some of them and not others.
        self.caller = Caller(self.context, self.fleet.bus)
        self.addCleanup(self.caller.close)
        self.desktop = Desktop(self.fleet, BY_NAME["weston"])
        self.begun = time.monotonic()

    def tearDown(self):
        result = self._outcome.result
        if any(test is self for test, _ in result.failures + result.errors):
            for program in self.fleet.programs:
                print(f"--- {program.name}:\n{program.tail()}", file=sys.stderr)

    # -- what is seen

    def wait_status(self, wanted, what):
        return self.feed.wait_for(lambda topic, s: topic == "json/status/" + ID and wanted(s), PATIENCE, what)[0]

    def wait_up(self):
        """After a manifest that is new: each weston is another process."""
        self.feed.wait_for(lambda topic, _: topic == "json/manifest/" + ID, PATIENCE, "a manifest")
        self.wait_status(lambda s: s["verdict"] == "ok", "verdict ok")

    def wait_killed(self):
        return self.wait_status(lambda s: s["process"]["state"] == "killed", "killed")

    def manifest(self):
        reply = self.caller.call("bus.manifest", "get", {"id": ID}, PATIENCE)
        self.assertEqual(reply["status"], 200, reply)
        return reply["result"]["manifest"]

    def of_both(self, agent):
        """Descriptors of both programs and the agent's children, once its compositor is fully described: what asks for the
        version is a child with a pipe, and it comes and goes."""
        while not self.manifest()["version"]:
            self.feed.wait_for(lambda topic, _: topic == "json/manifest/" + ID, PATIENCE, "a version")
        return descriptors(agent.pid), descriptors(self.broker.pid), len(children(agent.pid))

    def go_round(self, agent, cycle):
        """The cycles, and the judgement."""
        warm_up = warm_up_cycles()
        for _ in range(warm_up):
            cycle()
        before = self.of_both(agent)
        memory = [resident_kib(p.pid) for p in (agent, self.broker)]
        for _ in range(OPTIONS.cycles):
            cycle()
        after = self.of_both(agent)
        deadline = time.monotonic() + 10
        while after != before and time.monotonic() < deadline:  # a connection that is being closed isn't leaked
            self.feed.wait_for(lambda topic, _: topic == "json/bus/tick", PATIENCE, "a second")
            after = self.of_both(agent)
        grown = [resident_kib(p.pid) - kib for p, kib in zip((agent, self.broker), memory)]
        print(f"\n{self.id().rsplit('.', 1)[1]}: {OPTIONS.cycles} cycles after {warm_up} in "
              f"{time.monotonic() - self.begun:.0f} s; descriptors: agent {before[0].total()} -> {after[0].total()}, broker "
              f"{before[1].total()} -> {after[1].total()}; children of the agent {before[2]} -> {after[2]}; VmRSS: agent "
              f"{memory[0]} {grown[0]:+} KiB, broker {memory[1]} {grown[1]:+} KiB", flush=True)
        with self.subTest("descriptors and children"):
            self.assertEqual(after, before)
        with self.subTest("memory"):
            self.assertTrue(OPTIONS.sanitized or max(grown) < GROWTH_KIB_MAX, f"grew by {grown} KiB")

    # -- the tests

    def test_a_weston_that_somebody_else_starts_and_kills(self):
        agent = self.desktop.start_agent(ID)
        self.wait_status(lambda s: s["link"]["state"] == "connected", "the agent")

        def cycle():  # it ends up: then the agent holds all that it ever holds
            if self.desktop.program is not None:
                self.desktop.program.signal(signal.SIGKILL)
                self.desktop.ended()
                self.assertEqual(self.wait_killed()["process"]["signal"], signal.SIGKILL)
            self.desktop.start()
            self.wait_up()

        self.go_round(agent, cycle)
        self.assertEqual(len(children(agent.pid)), 0)

    def test_a_weston_that_the_agent_starts_again_itself(self):
        environment = dict(self.desktop.environment)
        agent = self.fleet.start("agent", [
            os.path.join(OPTIONS.bin, "compositor-agent"), "--broker", self.fleet.bus, "--id", ID, "run", "--start-limit", "0",
            "--", *self.desktop.kind.arguments], environment, self.desktop.user)
        self.wait_up()
        pids = set()

        def cycle():
            pid = self.manifest()["pid"]
            pids.add(pid)
            os.kill(pid, signal.SIGKILL)
            self.assertEqual(self.wait_killed()["process"]["signal"], signal.SIGKILL)
            self.wait_up()
            # An end that was wanted, too; it also forgets the back-off, which would grow to half a minute.
            reply = self.caller.call("compositor/" + ID, "restart", None, PATIENCE)
            self.assertEqual(reply["status"], 200, reply)
            self.wait_up()

        self.go_round(agent, cycle)
        self.assertEqual(len(pids), OPTIONS.cycles + warm_up_cycles())
        self.assertEqual(children(agent.pid), {self.manifest()["pid"]})


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("bin", type=os.path.abspath)
    parser.add_argument("--cycles", type=int, default=25)
    parser.add_argument("--sanitized", action="store_true")
    rest = parser.parse_known_args(namespace=OPTIONS)[1]
    unittest.main(argv=[sys.argv[0], *rest], verbosity=2)


if __name__ == "__main__":
    main()
