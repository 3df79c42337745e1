#!/usr/bin/python3
"""The running part of tools/quickstart: start a small fleet and watch it, or play the checked story on it."""

import argparse
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

import zmq

import fleet as fleet_module
from fleet import Failure, Fleet, Subscriber, call
from loopback import own_tcp

# What is promised (seconds), per step of the story; README.md "Promises". Steps without a number here are not promises:
# they only have to happen before the time-out.
PROMISES = {
    "frozen: suspect": 3.0,
    "frozen: frozen": 5.0,
    "killed: down": 0.2,
    "agent killed: unknown": 0.1,
}
TIME_OUT = 20.0


def host_name():
    return re.sub(r"[^A-Za-z0-9._:-]", "-", socket.gethostname())[:64] or "host"


# ---- the checked story


class Story:
    def __init__(self, fleet, timed):
        self.fleet = fleet
        self.timed = timed
        self.context = zmq.Context()
        self.id = host_name() + "/wayland-1"
        self.missed = []
        self.subscriber = None

    def say(self, step, seen, seconds=None):
        promise = PROMISES.get(step)
        took = "" if seconds is None else f"{seconds:7.3f} s"
        promised = "" if promise is None else f"promised {promise:.1f} s"
        late = self.timed and promise is not None and seconds > 2 * promise
        if late:
            self.missed.append(step)
        print(f"  {'LATE' if late else 'ok  '} {step:<26} {took:>10}  {promised:<15} {seen}", flush=True)

    def status(self, step, since, wanted, what, seconds=TIME_OUT):
        """Waits for a status of our compositor on the feed and prints how long after `since` it was in our hands."""
        def matches(topic, payload):
            return topic == "json/status/" + self.id and wanted(payload)
        message, now = self.subscriber.wait_for(matches, seconds, f"{step}: {what}")
        self.say(step, f"{message['verdict']}: {message['reason']}" if message["reason"] else message["verdict"], now - since)
        return message

    def require(self, condition, text):
        if not condition:
            raise Failure(text)

    def play(self):
        sway, broker, agent = self.rise()
        self.describe()
        self.change_mode()
        self.freeze(sway)
        sway = self.crash(sway)
        agent = self.lose_agent(agent)
        self.restart_broker(broker)

    def rise(self):
        broker = self.fleet.start_broker(own_tcp(), own_tcp())
        self.subscriber = Subscriber(self.context, self.fleet.feed, ["status/", "alert/"])
        began = time.monotonic()
        sway = self.fleet.start_sway()
        agent = self.fleet.start_agent(self.id)
        self.status("up", began, lambda s: s["verdict"] == "ok", "verdict ok")
        return sway, broker, agent

    def manifest(self):
        reply = call(self.context, self.fleet.bus, "bus.manifest", "get", {"id": self.id})
        self.require(reply["status"] == 200, f"bus.manifest get: {reply}")
        return reply["result"]

    def describe(self):
        began = time.monotonic()
        answer = self.manifest()
        manifest = answer["manifest"]
        outputs = [output["name"] for output in manifest["outputs"]]
        self.require(manifest["name"] == "sway" and len(outputs) == 2, f"not a sway with two outputs: {manifest}")
        self.say("manifest", f"{manifest['name']} {manifest['version']}, {len(manifest['protocols'])} protocols, "
                 f"outputs {' '.join(outputs)}", time.monotonic() - began)

    def change_mode(self):
        began = time.monotonic()
        run = subprocess.run(self.fleet.ctl("-o", "json", "run", self.id, "output.mode", "HEADLESS-1", "800x600"),
                             capture_output=True, text=True, timeout=TIME_OUT, check=False)
        self.require(run.returncode == 0, f"compositorctl run output.mode: {run.stdout}{run.stderr}")
        took = time.monotonic() - began
        self.require(self.sway_mode("HEADLESS-1") == (800, 600), "sway itself does not show the mode 800x600")
        self.say("mode changed, read back", "HEADLESS-1 800x600, and swaymsg agrees", took)

    def sway_mode(self, output):
        """What sway says of an output's mode, asked without any of our own code."""
        user = fleet_module.unprivileged_user()
        identity = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}
        ipc = [n for n in os.listdir(self.fleet.runtime_dir) if n.startswith("sway-ipc.")]
        self.require(len(ipc) == 1, f"one sway IPC socket expected: {ipc}")
        asked = subprocess.run(["swaymsg", "-s", os.path.join(self.fleet.runtime_dir, ipc[0]), "-r", "-t", "get_outputs"],
                               capture_output=True, text=True, timeout=TIME_OUT, check=True, cwd="/", **identity)
        mode = next(o["current_mode"] for o in json.loads(asked.stdout) if o["name"] == output)
        return mode["width"], mode["height"]

    def freeze(self, sway):
        began = time.monotonic()
        sway.signal(signal.SIGSTOP)
        self.status("frozen: suspect", began, lambda s: s["progress"]["state"] == "suspect", "progress suspect")
        self.status("frozen: frozen", began, lambda s: s["progress"]["state"] == "frozen", "progress frozen")
        began = time.monotonic()
        sway.signal(signal.SIGCONT)
        self.status("continued: ok", began, lambda s: s["verdict"] == "ok", "verdict ok")

    def crash(self, sway):
        began = time.monotonic()
        sway.signal(signal.SIGKILL)
        status = self.status("killed: down", began, lambda s: s["verdict"] == "down", "verdict down")
        # How a process ended is told to whom is not its parent only by newer kernels; a wrong signal is never right.
        self.require(status["process"].get("signal") in (9, None), f"not signal 9: {status['process']}")
        self.fleet.end(sway, signal.SIGKILL)
        began = time.monotonic()
        sway = self.fleet.start_sway()
        self.status("restarted: ok", began, lambda s: s["verdict"] == "ok", "verdict ok")
        return sway

    def lose_agent(self, agent):
        began = time.monotonic()
        agent.signal(signal.SIGKILL)
        self.status("agent killed: unknown", began, lambda s: s["verdict"] == "unknown", "verdict unknown")
        self.fleet.end(agent, signal.SIGKILL)
        began = time.monotonic()
        agent = self.fleet.start_agent(self.id)
        self.status("agent back: ok", began, lambda s: s["verdict"] == "ok", "verdict ok")
        return agent

    def restart_broker(self, broker):
        before = self.manifest()
        bus, feed = self.fleet.bus, self.fleet.feed
        self.fleet.end(broker, signal.SIGKILL)
        self.subscriber.close()
        began = time.monotonic()
        self.fleet.start_broker(bus, feed)
        after = self.manifest()
        self.require(after["manifest"] == before["manifest"], "the manifest is not what it was before the restart")
        self.say("broker restarted: manifest", f"still there, link {after['link']}", time.monotonic() - began)
        self.subscriber = Subscriber(self.context, feed, ["status/"])
        self.wait_until_ok("agent back with it: ok", began)

    def wait_until_ok(self, step, began):
        """Asks first: the agent may have been back before we were subscribed."""
        reply = call(self.context, self.fleet.bus, "bus.status", "get", {"id": self.id})
        if reply["result"]["verdict"] == "ok":
            self.say(step, "ok", time.monotonic() - began)
        else:
            self.status(step, began, lambda s: s["verdict"] == "ok", "verdict ok")


def check(fleet, timed):
    print("quickstart: the story of one screen, on a headless sway")
    story = Story(fleet, timed)
    try:
        story.play()
    except (Failure, subprocess.TimeoutExpired, subprocess.CalledProcessError) as failure:
        print(f"quickstart: FAILED: {failure}", file=sys.stderr)
        for program in fleet.programs:
            print(f"--- {program.name}:\n{program.tail()}", file=sys.stderr)
        return 1
    if story.missed:
        print("quickstart: more than twice as late as promised: " + ", ".join(story.missed), file=sys.stderr)
        return 1
    print("quickstart: all as promised")
    return 0


# ---- the live view


def start_for_watching(fleet):
    try:
        fleet.start_broker("tcp://127.0.0.1:7755", "tcp://127.0.0.1:7756")
    except Failure:
        # Somebody has the usual ports: a broker of this machine's own, most likely. Ours takes others.
        fleet.programs.pop().stop()
        fleet.start_broker("tcp://127.0.0.1:*", "tcp://127.0.0.1:*")
    found = fleet_module.accepting_display()
    if found:
        fleet.runtime_dir, fleet.display = found
        print(f"quickstart: watching this session's compositor on {fleet.display}")
    else:
        fleet.start_sway()
        print("quickstart: this session has no Wayland compositor; watching a headless sway with two outputs")
    compositor_id = f"{host_name()}/{fleet.display}"
    fleet.start_agent(compositor_id)
    ctl = os.path.relpath(os.path.join(fleet.bin, "compositorctl"))
    print(f"quickstart: in another terminal, try\n"
          f"  {ctl} --broker {fleet.bus} ls\n"
          f"  {ctl} --broker {fleet.bus} manifest {compositor_id}\n"
          + ("" if found else f"  {ctl} --broker {fleet.bus} run {compositor_id} output.mode HEADLESS-1 800x600\n")
          + "quickstart: Ctrl-C ends everything that was started here\n", flush=True)


def watch(fleet):
    start_for_watching(fleet)
    view = subprocess.Popen(fleet.ctl("watch"))
    try:
        return view.wait()
    except KeyboardInterrupt:
        return view.wait()  # it had the same Ctrl-C


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", required=True, help="where compositord, compositor-agent and compositorctl are")
    parser.add_argument("--check", action="store_true", help="play the story and check it")
    parser.add_argument("--untimed", action="store_true", help="with --check: print times, fail only on what happens")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    fleet = Fleet(options.bin)
    try:
        return check(fleet, not options.untimed) if options.check else watch(fleet)
    except Failure as failure:
        print(f"quickstart: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        fleet.stop()


if __name__ == "__main__":
    sys.exit(main())
