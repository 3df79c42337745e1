#!/usr/bin/python3
"""How fast a fault's alert is in a subscriber's hands, beside the status that tells of the same fault: compositor -> agent ->
broker (verdict, alert engine, its journal on the disk) -> SUB socket, all of them the real programs.

Several compositors of each kind at once, so that a hundred trials take minutes. Each promise of the README that is broken makes
the exit status 1. What is measured is in tests/bench/README.md.

usage: bench_alerts.py --bin DIR [--trials N] [--only NAME[,NAME…]] [--json FILE] [--seed N]
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time

import zmq

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "..", "tools", "story"), os.path.join(HERE, "..", "support", "py"), HERE]
from bench_detection import figures, three  # noqa: E402
from compositors import BY_NAME, Desktop  # noqa: E402
from fleet import Failure, Fleet, Subscriber  # noqa: E402
from loopback import own_tcp  # noqa: E402

PATIENCE_S = 30.0
USUAL = ("sway", "weston", "openbox")
HEARTBEAT_S = 1.0
# fault -> seconds: README.md "Promises".
KILLED, FROZEN, OFF = "killed", "frozen", "output off"
AGENT_SILENT, AGENT_KILLED = "agent silent", "agent killed"
PROMISES = {KILLED: 0.2, FROZEN: 5.0, OFF: 0.5, AGENT_SILENT: 3 * HEARTBEAT_S + 0.2, AGENT_KILLED: 0.1}


class Subject:
    """A compositor and its agent. Each life of the agent has an id of its own and sees one fault: several would be flapping."""

    def __init__(self, fleet, kind, number):
        self.fleet = fleet
        self.kind = kind
        self.desktop = Desktop(fleet, kind, f"{kind.name}-{number}")
        self.lives = 0
        self.id = None
        self.agent = None
        self.status = None
        self.firing = {}  # about -> severity
        self.began = None
        self.wanted_status = self.wanted_alert = None
        self.seen = {}  # "status" and "alert" -> seconds

    def start_agent(self):
        self.lives += 1
        self.id = f"{self.desktop.name}/{self.lives}"
        self.status, self.firing = None, {}
        self.agent = self.desktop.start_agent(self.id, "--label", "site=" + self.id)  # or many would be one alert

    def begin(self, act, status, alert):
        """Does what `act` does; from then on the first status and the first alert that are as wanted are taken down."""
        self.wanted_status, self.wanted_alert, self.seen = status, alert, {}
        self.began = time.monotonic()
        act()

    def take(self, topic, payload, at):
        if topic.startswith("status/"):
            self.status = payload
            if self.began is not None and self.wanted_status(payload):
                self.seen.setdefault("status", at - self.began)
        else:
            if payload["state"] == "resolved":
                self.firing.pop(payload["about"], None)
                return
            self.firing[payload["about"]] = payload["severity"]
            if self.began is not None and self.wanted_alert(payload):
                self.seen.setdefault("alert", at - self.began)

    def done(self):
        return len(self.seen) == 2

    def xrandr(self, *words):
        """X11 only, as a user would. The size of the whole is given: a screen without outputs would have none."""
        subprocess.run(["xrandr", "--display", self.desktop.display, "--fb", "1280x1024", "--output", "screen", *words],
                       check=True)

    def well(self):
        return self.status is not None and self.status["verdict"] == "ok" and not self.firing


class Bench:
    def __init__(self, bin_dir, names, each, seed):
        self.random = random.Random(seed)
        self.context = zmq.Context()
        self.fleet = Fleet(bin_dir)
        self.feed = None
        self.times = {name: {fault: {"status": [], "alert": []} for fault in PROMISES} for name in names}
        try:
            self.fleet.start_broker(own_tcp(), own_tcp())
            self.feed = Subscriber(self.context, self.fleet.feed, ["status/", "alert/"])
            self.subjects = [Subject(self.fleet, BY_NAME[name], number) for name in names for number in range(each)]
            for subject in self.subjects:
                subject.desktop.start()
        except BaseException:
            self.stop()
            raise

    def stop(self):
        if self.feed is not None:
            self.feed.close()
        self.fleet.stop()
        self.context.term()

    def until(self, wanted, seconds, what):
        """Takes what the feed says until `wanted` is true."""
        deadline = time.monotonic() + seconds
        while not wanted():
            left = deadline - time.monotonic()
            if left <= 0:
                return what is None
            if not self.feed.socket.poll(left * 1000):
                continue
            topic, _, payload = self.feed.socket.recv_multipart()
            at = time.monotonic()
            payload = json.loads(payload)
            subject = next((s for s in self.subjects if s.id == payload.get("id")), None)
            if subject is not None:
                subject.take(topic.decode().removeprefix("json/"), payload, at)
        return True

    def all_of(self, subjects, is_so, what):
        if self.until(lambda: all(is_so(s) for s in subjects), PATIENCE_S, what):
            return
        late = next(s for s in subjects if not is_so(s))
        raise Failure(f"{late.id}: {what}; seen {late.seen}, firing {late.firing}, status {late.status}")

    def round(self, fault, subjects, begin, end):
        """Begins the fault at each of them, at any moment of its agent's second; then ends it."""
        for subject in self.random.sample(subjects, len(subjects)):
            self.until(lambda: False, self.random.uniform(0.02, 0.3), None)
            begin(subject)
        self.all_of(subjects, Subject.done, fault)
        for subject in subjects:
            subject.began = None
            for kind, seconds in subject.seen.items():
                self.times[subject.kind.name][fault][kind].append(seconds)
            end(subject)

    def rounds(self):
        for fault in (self.freeze, self.kill, self.switch_off, self.silence_agents, self.kill_agents):
            for subject in self.subjects:
                if subject.agent is not None:
                    self.fleet.end(subject.agent, signal.SIGTERM)
                subject.start_agent()
            self.all_of(self.subjects, Subject.well, "up and well")
            fault()

    def freeze(self):
        self.round(FROZEN, self.subjects, lambda s: s.begin(
            lambda: s.desktop.program.signal(signal.SIGSTOP),
            lambda status: status["progress"]["state"] == "frozen",
            lambda alert: alert["about"] == "compositor" and alert["severity"] == "critical"),
            lambda s: s.desktop.program.signal(signal.SIGCONT))

    def kill(self):
        def start_again(subject):
            subject.desktop.ended()
            subject.desktop.start()

        self.round(KILLED, self.subjects, lambda s: s.begin(
            lambda: s.desktop.program.signal(signal.SIGKILL),
            lambda status: status["process"]["state"] == "killed",
            lambda alert: alert["kind"] == "compositor_crashed"), start_again)

    def switch_off(self):
        subjects = [s for s in self.subjects if s.kind.x11]
        self.round(OFF, subjects, lambda s: s.begin(
            lambda: s.xrandr("--off"), lambda status: status["verdict"] == "degraded",
            lambda alert: alert["kind"] == "output_off"), lambda s: s.xrandr("--auto"))

    def silence_agents(self):
        self.round(AGENT_SILENT, self.subjects, lambda s: s.begin(
            lambda: s.agent.signal(signal.SIGSTOP), lambda status: status["link"]["state"] == "lost",
            lambda alert: alert["kind"] == "agent_lost"), lambda s: s.agent.signal(signal.SIGCONT))

    def kill_agents(self):
        def end(subject):
            self.fleet.end(subject.agent, signal.SIGKILL)
            subject.agent = None

        self.round(AGENT_KILLED, self.subjects, lambda s: s.begin(
            lambda: s.agent.signal(signal.SIGKILL), lambda status: status["link"]["state"] == "lost",
            lambda alert: alert["kind"] == "agent_lost"), end)


def summarize(times):
    return {name: {fault: {**{kind: figures(values) for kind, values in of.items()}, "promised_ms": 1000 * PROMISES[fault]}
                   for fault, of in faults.items() if of["alert"]} for name, faults in times.items()}


def main():
    parser = argparse.ArgumentParser(description="How fast alerts are in a subscriber's hands.")
    parser.add_argument("--bin", required=True, help="where compositord and compositor-agent are")
    parser.add_argument("--trials", type=int, default=100, help="of each fault of each kind of compositor (default: 100)")
    parser.add_argument("--each", type=int, default=10, help="so many compositors of each kind at once (default: 10)")
    parser.add_argument("--only", default=",".join(USUAL), help="these compositors, separated by commas")
    parser.add_argument("--json", help="write the figures to this file, too")
    parser.add_argument("--seed", type=int, default=None, help="of the moments at which faults begin")
    parser.add_argument("--untimed", action="store_true", help="judge whether all is told, not how fast")
    options = parser.parse_args()
    names = options.only.split(",")
    if unknown := [name for name in names if name not in BY_NAME]:
        parser.error(f"--only {','.join(unknown)}: there are {', '.join(BY_NAME)}")
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 32)
    rounds = -(-options.trials // options.each)
    print(f"seed {seed}, {rounds * options.each} trials of {', '.join(names)}", flush=True)
    bench = Bench(options.bin, names, options.each, seed)
    begun = time.monotonic()
    try:
        for number in range(rounds):
            bench.rounds()
            print(f"round {number + 1} of {rounds}: {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)
    except Failure:
        for program in bench.fleet.programs:
            print(f"--- {program.name}:\n{program.tail()}", file=sys.stderr)
        raise
    finally:
        bench.stop()
    summary = summarize(bench.times)
    print(f"{'milliseconds':<13} {'':<17} {'alert at SUB: p50':>17} {'p99':>8} {'max':>8} {'promised':>9}   "
          f"{'status: p50':>13} {'p99':>8} {'max':>8}")
    broken = []
    for name, faults in summary.items():
        for fault, values in faults.items():
            promised = values["promised_ms"]
            print(f"{name:<13} {fault:<17} {'':>8} {three(values['alert'])} {promised:9.0f}   {'':>4} {three(values['status'])}")
            if values["alert"]["max_ms"] > promised:
                broken.append(f"{name}, {fault}: {values['alert']['max_ms']} ms; promised {promised:.0f} ms")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"seed": seed, "trials": rounds * options.each, "compositors": summary}, file, indent=1)
    for line in broken:
        print("BROKEN " + line)
    return 1 if broken and not options.untimed else 0


if __name__ == "__main__":
    sys.exit(main())
