#!/usr/bin/python3
"""Heartbeats while what the agent asks over D-Bus and PipeWire does not answer: the session bus, the compositor, the PipeWire server
and its session manager are stopped in turn, each under a screenshot and an output command.

usage: frozen_bus_test.py BIN_DIR [unittest arguments]
"""

import json
import os
import shutil
import signal
import sys
import time
import unittest

import zmq

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools", "story"))
from fleet import Fleet, Subscriber, call, unprivileged_user  # noqa: E402
from loopback import own_tcp  # noqa: E402

BIN = ""
PATIENCE = 60.0
ID = "desk/main"
HEARTBEAT_MS = 200  # three missed ones, and the broker calls the agent lost


class FrozenBusTest(unittest.TestCase):
    def setUp(self):
        self.context = zmq.Context()
        self.fleet = Fleet(BIN)
        self.addCleanup(self.context.term)
        self.addCleanup(self.fleet.stop)
        self.fleet.start_broker(own_tcp(), own_tcp())
        self.feed = Subscriber(self.context, self.fleet.feed, ["status/", "manifest/", "bus/tick"])
        self.addCleanup(self.feed.close)
        self.user = unprivileged_user()
        self.runtime_dir = os.path.join(self.fleet.dir, "runtime")
        os.mkdir(self.runtime_dir, 0o700)
        if self.user:
            os.chown(self.runtime_dir, self.user.pw_uid, self.user.pw_gid)
        self.links = []
        self.bus = self.start("dbus-daemon", "--session", "--nofork", "--print-address",
                              f"--address=unix:path={self.runtime_dir}/bus")
        self.assertTrue(self.bus.process.stdout.readline(), self.bus.tail())

    def start(self, *command, **environment):
        common = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "XDG_RUNTIME_DIR": self.runtime_dir,
                  "XDG_CONFIG_HOME": self.runtime_dir, "XDG_CACHE_HOME": self.runtime_dir,
                  "DBUS_SESSION_BUS_ADDRESS": f"unix:path={self.runtime_dir}/bus"}
        return self.fleet.start(os.path.basename(command[0]), list(command), {**common, **environment}, self.user)

    def wait(self, wanted, what):
        """Until `wanted` of the manifest, looked at whenever something is on the feed; keeps what is said of the link."""
        deadline = time.monotonic() + PATIENCE
        while not wanted(self.manifest()):
            self.assertLess(time.monotonic(), deadline, what)
            self.next_second()

    def next_second(self):
        def seen(topic, message):
            if topic == "json/status/" + ID:
                self.links.append(message["link"]["state"])
            return topic == "json/bus/tick"
        self.feed.wait_for(seen, PATIENCE, "a second")

    def manifest(self):
        reply = call(self.context, self.fleet.bus, "bus.manifest", "get", {"id": ID}, PATIENCE)
        return reply["result"]["manifest"] if reply["status"] == 200 else {"commands": []}

    def beats_on_while_stopped(self, stopped, *commands):
        agent = self.start(os.path.join(BIN, "compositor-agent"), "--broker", self.fleet.bus, "--id", ID, "-w", "wayland-0",
                           "--heartbeat", str(HEARTBEAT_MS))
        self.wait(lambda m: any(c["name"] == "screenshot" and c["supported"] for c in m["commands"]), "screenshots")
        for program in stopped:
            with self.subTest(stopped=program.name):
                self.links.clear()
                program.signal(signal.SIGSTOP)
                for method, params in commands:
                    begin = time.monotonic()
                    with self.context.socket(zmq.DEALER) as dealer:
                        dealer.linger = 0
                        dealer.connect(self.fleet.bus)
                        dealer.send_multipart([b"MDPC02", b"\x01", b"compositor/" + ID.encode(), json.dumps(
                            {"v": 1, "id": 1, "method": method, "params": params, "deadline_ms": 1500}).encode()])
                        status = self.last_status(dealer)
                    self.assertIn(status, (200, 500, 504))
                    self.assertLess(time.monotonic() - begin, 5)
                for _ in range(2):
                    self.next_second()
                program.signal(signal.SIGCONT)
                self.assertEqual(set(self.links) - {"connected"}, set(), self.links)
        with open(agent.log, encoding="utf-8", errors="replace") as log:
            text = log.read()
        self.assertNotIn("loop.stalled", text)
        self.assertEqual(text.count("to=online"), 1, "one session all the while")
        # And that this would have been seen:
        agent.signal(signal.SIGSTOP)
        deadline = time.monotonic() + PATIENCE
        while "lost" not in self.links:
            self.assertLess(time.monotonic(), deadline, "a stopped agent is not lost")
            self.next_second()

    def last_status(self, dealer):
        """Of the FINAL: PARTIALs with the picture come before it."""
        while True:
            self.assertTrue(dealer.poll(PATIENCE * 1000), "no answer")
            reply = json.loads(dealer.recv_multipart()[3])
            if not reply.get("more"):
                return reply["status"]

    def test_mutters(self):
        pipewire = self.start("pipewire")
        manager = self.start("wireplumber")
        mutter = self.start("mutter", "--headless", "--wayland", "--no-x11", "--virtual-monitor", "640x480@60")
        self.beats_on_while_stopped([self.bus, mutter, pipewire, manager], ("screenshot", {}),
                                    ("output.power", {"output": "Meta-0", "on": False}),
                                    ("output.scale", {"output": "Meta-0", "scale": 1}))

    def test_kwins(self):
        copy = os.path.join(self.runtime_dir, "kwin_wayland")  # the installed one has file capabilities, which containers forbid
        shutil.copyfile("/usr/bin/kwin_wayland", copy)
        os.chmod(copy, 0o755)
        kwin = self.start(copy, "--virtual", "--width", "640", "--height", "480", "--no-lockscreen", "--no-global-shortcuts",
                          KWIN_COMPOSE="O2", LIBGL_ALWAYS_SOFTWARE="1", KWIN_SCREENSHOT_NO_PERMISSION_CHECKS="1")
        self.beats_on_while_stopped([self.bus, kwin], ("screenshot", {}), ("reload", {}))


if __name__ == "__main__":
    BIN = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=2)
