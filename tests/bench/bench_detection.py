#!/usr/bin/python3
"""How fast a fault of each compositor is in a subscriber's hands: compositor -> agent -> broker -> SUB socket, all of them
the real programs, beside two rivals that watch the same compositor in the same run:

  watchdog  a script that looks once a second, with kill(pid, 0) and a client that makes a round trip (watchdog.py)
  waitpid   its parent, as a service manager is: knows of ends at once, and of nothing else

Each promise of the README that is broken makes the exit status 1. What is measured is in tests/bench/README.md.

usage: bench_detection.py --bin DIR [--trials N] [--only NAME[,NAME…]] [--json FILE] [--seed N]
"""

import argparse
import dataclasses
import json
import math
import os
import random
import select
import signal
import subprocess
import sys
import threading
import time

import zmq

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "..", "tools", "story"), os.path.join(HERE, "..", "support", "py")]
from compositors import BY_NAME, KINDS, Desktop  # noqa: E402
from fleet import Failure, Fleet, Subscriber  # noqa: E402
from loopback import own_tcp  # noqa: E402

PATIENCE_S = 30.0
# Longer than a watchdog needs for anything that it can see: one interval and its probe's second, and the processes it starts.
RIVAL_PATIENCE_S = 4.0
# fault -> seconds: README.md "Promises". What isn't here is measured, and nothing is promised of it.
KILLED, ASKED, UP = "killed", "asked to end", "started: up"
DEGRADED, SUSPECT, FROZEN = "stopped: degraded", "stopped: suspect", "stopped: frozen"
FAULTS = [KILLED, DEGRADED, SUSPECT, FROZEN, ASKED, UP]
PROMISES = {KILLED: 0.2, SUSPECT: 3.0, FROZEN: 5.0, ASKED: 0.2}


def percentile(values, p):
    """The nearest-rank percentile: a value that was really measured."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(p / 100 * len(ordered)) - 1)]


class Rival:
    """A watchdog.py process and what it said."""

    def __init__(self, probe_command):
        self.process = subprocess.Popen([sys.executable, os.path.join(HERE, "watchdog.py"), *probe_command],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.said = []  # (state, seconds)
        self.pending = b""

    def watch(self, pid):
        self.process.stdin.write(b"%d\n" % pid)
        self.process.stdin.flush()

    def saw(self, state, since):
        """When it said `state` after `since`, or None after its time."""
        deadline = since + RIVAL_PATIENCE_S
        while True:
            found = next((at for said, at in self.said if said == state and at >= since), None)
            if found is not None:
                return found
            if not select.select([self.process.stdout], [], [], max(0.0, deadline - time.monotonic()))[0]:
                return None
            chunk = os.read(self.process.stdout.fileno(), 4096)
            if not chunk:
                raise Failure("the watchdog ended by itself")
            *lines, self.pending = (self.pending + chunk).split(b"\n")
            self.said += [(state.decode(), float(at)) for state, at in (line.split() for line in lines)]

    def stop(self):
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


class Parent(threading.Thread):
    """Waits for a child as a service manager does."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid = pid
        self.at = None
        self.start()

    def run(self):
        os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        self.at = time.monotonic()


@dataclasses.dataclass
class Subject:
    """A compositor under test."""
    desktop: Desktop
    rival: Rival
    id: str
    status: dict = None
    stopped_at: float = None
    seen: set = dataclasses.field(default_factory=set)  # of what is said of a stopped one
    manifest_name: str = ""
    ours: dict = dataclasses.field(default_factory=lambda: {fault: [] for fault in FAULTS})
    watchdog: dict = dataclasses.field(default_factory=lambda: {fault: [] for fault in FAULTS})  # None: never saw it
    waitpid: list = dataclasses.field(default_factory=list)
    called_a_crash: list = dataclasses.field(default_factory=list)  # reasons given for ends that were asked for

    @property
    def name(self):
        return self.desktop.kind.name


def is_crash(status):
    """Whether a reader of this status would take the end for a crash: it died, and neither of being asked to nor as it
    always does when it is."""
    process = status["process"]
    if "when it is asked to" in process.get("note", ""):
        return False
    return process.get("signal", 0) not in (0, signal.SIGTERM) or process.get("code", 0) != 0


class Bench:
    def __init__(self, bin_dir, kinds, seed):
        self.random = random.Random(seed)
        self.context = zmq.Context()
        self.fleet = Fleet(bin_dir)
        self.subjects = []
        self.feed = None
        try:
            self.fleet.start_broker(own_tcp(), own_tcp())
            self.feed = Subscriber(self.context, self.fleet.feed, ["status/", "manifest/"])
            for kind in kinds:
                self._add(kind)
        except BaseException:
            self.stop()
            raise

    def _add(self, kind):
        desktop = Desktop(self.fleet, kind)
        subject = Subject(desktop, Rival(desktop.probe_command()), "bench/" + kind.name)
        self.subjects.append(subject)
        desktop.start_agent(subject.id)
        self.wait(subject, lambda s: s.status is not None, "its agent")

    def stop(self):
        for subject in self.subjects:
            subject.rival.stop()
        if self.feed is not None:
            self.feed.close()
        self.fleet.stop()
        self.context.term()

    # -- the feed

    def take(self, topic, payload):
        """Keeps what the feed said; the subject that it was about."""
        kind, _, of = topic.removeprefix("json/").partition("/")
        subject = next((s for s in self.subjects if s.id == of), None)
        if subject is not None and kind == "status":
            subject.status = payload
            if subject.stopped_at is not None:
                self.note_freeze(subject, payload)
        elif subject is not None and kind == "manifest":
            subject.manifest_name = payload["name"]
        return subject

    def wait(self, subject, wanted, what):
        """Until a message about `subject` makes `wanted` true; when that message was in our hands."""
        try:
            return self.feed.wait_for(lambda topic, payload: self.take(topic, payload) is subject and wanted(subject),
                                      PATIENCE_S, what)[1]
        except Failure as failure:
            raise Failure(f"{subject.name}: {failure}; its last status: {subject.status}") from failure

    def quiet(self, seconds):
        """Lets some time go by, so that faults begin at any moment of an agent's and a watchdog's second."""
        try:
            self.feed.wait_for(lambda topic, payload: self.take(topic, payload) is None, seconds, "nothing")
        except Failure:
            pass

    # -- one fault of one compositor

    def start(self, subject):
        subject.manifest_name = ""
        if subject.desktop.kind.is_x_client:
            subject.manifest_name = "Xvfb"
        since = time.monotonic()
        program = subject.desktop.start()
        subject.rival.watch(program.pid)
        at = self.wait(subject, lambda s: s.manifest_name == s.name and s.status["verdict"] == "ok", "up, with its manifest")
        subject.ours[UP].append(at - since)
        return since

    def end(self, subject, fault, number, wanted):
        """Sends a signal that ends it; when it was sent."""
        parent = Parent(subject.desktop.pid)
        subject.manifest_name = ""
        since = time.monotonic()
        subject.desktop.program.signal(number)
        at = self.wait(subject, wanted, fault)
        subject.ours[fault].append(at - since)
        reported = subject.status
        parent.join(PATIENCE_S)  # before its child is taken
        subject.desktop.ended()
        subject.waitpid.append(max(0.0, parent.at - since))
        if fault == ASKED and is_crash(reported):
            subject.called_a_crash.append(reported["reason"])
        if subject.desktop.kind.is_x_client and subject.manifest_name != "Xvfb":
            self.wait(subject, lambda s: s.manifest_name == "Xvfb", "the server that is left")  # its next driver
        return since

    def ask_rivals(self, fault, state, begun):
        """`begun`: when the fault began, for each subject that has one now."""
        for subject, since in begun:
            at = subject.rival.saw(state, since)
            subject.watchdog[fault].append(None if at is None else at - since)

    # -- a round: each fault once for each compositor

    def each(self, act):
        begun = []
        for subject in self.random.sample(self.subjects, len(self.subjects)):
            self.quiet(self.random.uniform(0, 1.0 / len(self.subjects)))
            begun.append((subject, act(subject)))
        return begun

    def round(self):
        self.ask_rivals(UP, "up", self.each(self.start))
        self.freeze()
        self.ask_rivals(KILLED, "down", self.each(lambda s: self.end(
            s, KILLED, signal.SIGKILL,
            lambda s: s.status["process"]["state"] == "killed" and s.status["process"]["signal"] == signal.SIGKILL)))
        self.ask_rivals(UP, "up", self.each(self.start))
        self.ask_rivals(ASKED, "down", self.each(lambda s: self.end(
            s, ASKED, signal.SIGTERM, lambda s: s.status["process"]["state"] in ("exited", "killed"))))

    def freeze(self):
        """All at once: what follows is waiting."""
        for subject in self.random.sample(self.subjects, len(self.subjects)):
            self.quiet(self.random.uniform(0, 1.0 / len(self.subjects)))
            subject.seen.clear()
            subject.stopped_at = time.monotonic()
            subject.desktop.program.signal(signal.SIGSTOP)
        for subject in self.subjects:
            if FROZEN not in subject.seen:
                self.wait(subject, lambda s: FROZEN in s.seen, "frozen")
        self.ask_rivals(DEGRADED, "frozen", [(s, s.stopped_at) for s in self.subjects])
        for subject in self.subjects:
            # It knows one state only: a single missed round trip.
            for fault in (SUSPECT, FROZEN):
                subject.watchdog[fault].append(subject.watchdog[DEGRADED][-1])
            subject.stopped_at = None
            subject.desktop.program.signal(signal.SIGCONT)
        for subject in self.subjects:
            if subject.status["verdict"] != "ok":
                self.wait(subject, lambda s: s.status["verdict"] == "ok", "well again")

    @staticmethod
    def note_freeze(subject, status):
        at = time.monotonic() - subject.stopped_at
        state = status["progress"]["state"]
        for fault, is_so in ((DEGRADED, status["verdict"] != "ok"), (SUSPECT, state == "suspect"), (FROZEN, state == "frozen")):
            if is_so and fault not in subject.seen:
                subject.seen.add(fault)
                subject.ours[fault].append(at)


# ---- what comes out


def figures(values):
    seen = [value for value in values if value is not None]
    summary = {"n": len(values), "seen": len(seen)}
    if seen:
        summary["each_ms"] = [round(1000 * value, 2) for value in seen]
        summary.update({f"p{p}_ms": round(1000 * percentile(seen, p), 2) for p in (50, 99)}, max_ms=round(1000 * max(seen), 2))
    return summary


def summarize(subjects):
    return {subject.name: {
        "faults": {fault: {"ours": figures(subject.ours[fault]), "watchdog": figures(subject.watchdog[fault]),
                           "promised_ms": 1000 * PROMISES[fault] if fault in PROMISES else None} for fault in FAULTS},
        "waitpid": figures(subject.waitpid),
        "called_a_crash": subject.called_a_crash} for subject in subjects}


def broken_promises(summary):
    for name, of in summary.items():
        for fault, values in of["faults"].items():
            slowest = values["ours"].get("max_ms", 0)
            if values["promised_ms"] is not None and slowest > values["promised_ms"]:
                yield f"{name}, {fault}: {slowest} ms; promised {values['promised_ms']:.0f} ms"
        for reason in sorted(set(of["called_a_crash"])):
            yield f"{name}: an end that was asked for looks like a crash: {reason}"


def three(values):
    if not values["seen"]:
        return f"{'never':>8} {'':>8} {'':>8}"
    text = " ".join(f"{values[key]:8.1f}" for key in ("p50_ms", "p99_ms", "max_ms"))
    return text if values["seen"] == values["n"] else f"{text} ({values['seen']} of {values['n']})"


def print_table(summary):
    print(f"{'milliseconds':<13} {'':<17} {'agent to SUB: p50':>17} {'p99':>8} {'max':>8} {'promised':>9}   "
          f"{'watchdog: p50':>13} {'p99':>8} {'max':>8}")
    for name, of in summary.items():
        for fault, values in of["faults"].items():
            promised = "-" if values["promised_ms"] is None else f"{values['promised_ms']:.0f}"
            print(f"{name:<13} {fault:<17} {'':>8} {three(values['ours'])} {promised:>9}   {'':>4} {three(values['watchdog'])}")
        print(f"{'':<13} {'(ends, waitpid)':<17} {'':>8} {three(of['waitpid'])}")


def main():
    parser = argparse.ArgumentParser(description="How fast faults of each compositor are in a subscriber's hands.")
    parser.add_argument("--bin", required=True, help="where compositord and compositor-agent are")
    parser.add_argument("--trials", type=int, default=20, help="of each fault of each compositor (default: 20)")
    parser.add_argument("--only", default="", help="these compositors, separated by commas; all: " + ",".join(BY_NAME))
    parser.add_argument("--json", help="write the figures to this file, too")
    parser.add_argument("--seed", type=int, default=None, help="of the moments at which faults begin")
    parser.add_argument("--untimed", action="store_true", help="judge what is reported, not how fast")
    options = parser.parse_args()
    wanted = [name for name in options.only.split(",") if name] or list(BY_NAME)
    if unknown := [name for name in wanted if name not in BY_NAME]:
        parser.error(f"--only {','.join(unknown)}: there are {', '.join(BY_NAME)}")
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}, {options.trials} trials of {', '.join(wanted)}", flush=True)
    bench = Bench(options.bin, [kind for kind in KINDS if kind.name in wanted], seed)
    begun = time.monotonic()
    try:
        for number in range(options.trials):
            bench.round()
            print(f"round {number + 1}: {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)
        summary = summarize(bench.subjects)
    except Failure:
        for program in bench.fleet.programs:
            print(f"--- {program.name}:\n{program.tail()}", file=sys.stderr)
        raise
    finally:
        bench.stop()
    print_table(summary)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"seed": seed, "trials": options.trials, "compositors": summary}, file, indent=1)
    if options.untimed:
        broken = [line for line in broken_promises(summary) if "looks like a crash" in line]
    else:
        broken = list(broken_promises(summary))
    for line in broken:
        print("BROKEN " + line)
    return 1 if broken else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as failure:
        sys.exit(f"bench_detection: {failure}")
