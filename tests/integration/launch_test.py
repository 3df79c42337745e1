#!/usr/bin/python3
"""`launch` with the whole system: a real program on a real sway and a real X server, through broker, agent and compositorctl.

usage: launch_test.py BIN_DIR [unittest arguments]
"""

import json
import os
import select
import signal
import subprocess
import sys
import time
import unittest

import zmq

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools", "story"))
from fleet import Fleet, Subscriber, call, unprivileged_user  # noqa: E402
from loopback import own_tcp  # noqa: E402

BIN = ""
PATIENCE = 60.0
ID = "wall-3/main"


def windows_of(node, pid):
    """How many windows of `pid` are in sway's tree."""
    children = node.get("nodes", []) + node.get("floating_nodes", [])
    return (node.get("pid") == pid) + sum(windows_of(child, pid) for child in children)


def state_of(pid):
    """As /proc has it: "S", "Z"; empty when it isn't there."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rpartition(") ")[2][0]
    except OSError:
        return ""


class LaunchTest(unittest.TestCase):
    def setUp(self):
        self.context = zmq.Context()
        self.fleet = Fleet(BIN)
        self.addCleanup(self.context.term)
        self.addCleanup(self.fleet.stop)
        self.fleet.start_broker(own_tcp(), own_tcp())
        self.feed = Subscriber(self.context, self.fleet.feed, ["status/", "manifest/"])
        self.addCleanup(self.feed.close)

    def start_agent(self, display, *extra):
        environment = dict(os.environ, XDG_RUNTIME_DIR=self.fleet.runtime_dir or self.fleet.dir)
        agent = self.fleet.start("compositor-agent", [
            os.path.join(BIN, "compositor-agent"), "--broker", self.fleet.bus, "--id", ID, "-w", display, *extra], environment)
        self.feed.wait_for(lambda topic, s: topic == "json/status/" + ID and s["verdict"] == "ok", PATIENCE, "verdict ok")
        return agent

    def call(self, method, params):
        return call(self.context, self.fleet.bus, "compositor/" + ID, method, params, PATIENCE)

    def manifest(self):
        return call(self.context, self.fleet.bus, "bus.manifest", "get", {"id": ID})["result"]["manifest"]

    def ctl(self, *arguments):
        return subprocess.run(self.fleet.ctl(*arguments), capture_output=True, text=True, timeout=PATIENCE, check=False)

    def sway_tree(self):
        user = unprivileged_user()
        identity = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}
        ipc = next(n for n in os.listdir(self.fleet.runtime_dir) if n.startswith("sway-ipc."))
        return json.loads(subprocess.run(
            ["swaymsg", "-r", "-s", os.path.join(self.fleet.runtime_dir, ipc), "-t", "get_tree"], capture_output=True,
            timeout=PATIENCE, check=True, cwd="/", **identity).stdout)

    def wait_windows(self, pid, wanted):
        deadline = time.monotonic() + PATIENCE
        while windows_of(self.sway_tree(), pid) != wanted:
            self.assertLess(time.monotonic(), deadline, f"never {wanted} windows of process {pid}")

    def wait_gone(self, pid):
        deadline = time.monotonic() + PATIENCE
        while os.path.exists(f"/proc/{pid}"):  # a zombie, too, is there
            self.assertLess(time.monotonic(), deadline, f"process {pid} is never gone")

    def wait_ended(self, pid):
        """The same for an orphan: the first process of a container may not reap what falls to it."""
        deadline = time.monotonic() + PATIENCE
        while state_of(pid) not in ("", "Z"):
            self.assertLess(time.monotonic(), deadline, f"process {pid} never ends")

    def test_a_program_shows_its_window_on_sway_and_outlives_the_agent(self):
        sway = self.fleet.start_sway()
        agent = self.start_agent("wayland-1", "--allow-launch", "weston-flower", "--allow-launch", "/nowhere/viewer")
        run = self.ctl("-o", "json", "run", ID, "launch", "--", "LANG=C", "weston-flower")
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
        first = json.loads(run.stdout)["result"]["pid"]
        second = self.call("launch", {"argv": ["/usr/bin/weston-flower"]})["result"]["pid"]
        for pid in (first, second):
            self.wait_windows(pid, 1)

        with self.subTest("what ends is reaped, and that is told"):
            os.kill(first, signal.SIGTERM)
            self.wait_gone(first)
            self.wait_windows(first, 0)
            deadline = time.monotonic() + PATIENCE
            while f"pid={first}" not in self.ended_in(agent):
                self.assertLess(time.monotonic(), deadline, agent.tail())

        with self.subTest("refusals"):
            for argv, status in ((["sh", "-c", "true"], 403), (["/nowhere/viewer"], 404), (["bin/viewer"], 400), ([], 400)):
                reply = self.call("launch", {"argv": argv})
                self.assertEqual(reply["status"], status, reply)

        with self.subTest("it lives on when the agent ends, and ends with its display"):
            self.fleet.end(agent, signal.SIGTERM)
            self.wait_windows(second, 1)
            self.fleet.end(sway, signal.SIGTERM)
            self.wait_ended(second)

    def ended_in(self, agent):
        with open(agent.log, encoding="utf-8") as log:
            return "".join(line for line in log if "launch.ended" in line)

    def test_a_program_that_does_not_get_on_ends_with_500(self):
        self.fleet.start_sway()
        self.start_agent("wayland-1", "--allow-launch", "weston-flower", "--allow-launch", "sh")
        reply = self.call("launch", {"argv": ["sh", "-c", "WAYLAND_DISPLAY=nobody exec weston-flower"]})
        self.assertEqual(reply["status"], 500, reply)
        self.assertIn("at once", reply["error"])
        # weston's clients end with a code, or with an assertion (weston-simple-shm always does on sway).
        self.assertEqual(len({"code", "signal"} & set(reply["result"])), 1, reply)

    def test_an_agent_that_was_not_told_launches_nothing(self):
        self.fleet.start_sway()
        self.start_agent("wayland-1")
        launch = next(c for c in self.manifest()["commands"] if c["name"] == "launch")
        self.assertFalse(launch["supported"])
        self.assertIn("--allow-launch", launch["reason"])
        reply = self.call("launch", {"argv": ["weston-flower"]})
        self.assertEqual((reply["status"], reply["error"]), (501, launch["reason"]))
        self.assertEqual(self.ctl("run", ID, "launch", "--", "weston-flower").returncode, 8)

    def test_a_program_on_an_x_server(self):
        display = self.start_xvfb()
        self.start_agent(display, "--allow-launch", "ALL")
        pid = self.call("launch", {"argv": ["xcompmgr"]})["result"]["pid"]
        # The agent itself is the witness: a compositing manager has come to the display that it watches.
        deadline = time.monotonic() + PATIENCE
        while ("xcompmgr", pid) not in [(part["name"], part.get("pid")) for part in self.manifest()["parts"]]:
            self.assertLess(time.monotonic(), deadline, self.manifest()["parts"])
        second = self.call("launch", {"argv": ["xcompmgr"]})
        self.assertEqual((second["status"], second["result"].get("code")), (500, 1), "there can be only one")

    def start_xvfb(self):
        read_end, write_end = os.pipe()
        server = subprocess.Popen(["Xvfb", "-displayfd", str(write_end), "-screen", "0", "1280x1024x24", "-nolisten", "tcp",
                                   "-noreset", "-ac"], pass_fds=[write_end], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(write_end)
        self.addCleanup(os.close, read_end)
        self.addCleanup(server.wait)
        self.addCleanup(server.terminate)
        number = b""
        while not number.endswith(b"\n"):
            self.assertTrue(select.select([read_end], [], [], PATIENCE)[0], "Xvfb did not start")
            chunk = os.read(read_end, 16)
            self.assertTrue(chunk, "Xvfb did not start")
            number += chunk
        return ":" + number.decode().strip()


if __name__ == "__main__":
    BIN = sys.argv.pop(1)
    unittest.main(verbosity=2)
