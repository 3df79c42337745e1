#!/usr/bin/python3
"""compositorctl against a real broker, with agents written here in pyzmq, without our code.

Usage: ctl_test.py BIN_FOLDER
"""

import contextlib
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
import unittest

import msgpack
import zmq

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools", "story"))
from loopback import own_tcp  # noqa: E402

BIN = ""
DEADLINE_S = 20
BUS = own_tcp()
MANIFEST = {
    "name": "sway", "version": "1.7", "version_source": "ipc", "kind": "wayland", "display": "wayland-1", "pid": 4242,
    "executable": "/usr/bin/sway", "driver": "sway", "protocols": [{"name": "wl_output", "version": 4}],
    "outputs": [{"name": "HEADLESS-1", "current_mode": {"width_px": 1280, "height_px": 720, "refresh_mhz": 60000},
                 "scale": 1.0, "x": 0, "y": 0, "transform": "normal"}],
    "inputs": [], "commands": [{"name": "output.mode", "supported": True},
                               {"name": "output.scale", "supported": False, "reason": "this one can't scale"}],
}


def now_ms():
    return int(time.time() * 1000)


def wait_until(true, what):
    """Looks again until true() or the deadline; select() keeps the looks apart."""
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        if true():
            return
        select.select([], [], [], 0.01)
    raise AssertionError(f"not within {DEADLINE_S} s: {what}")


def free_port_endpoint():
    """An endpoint at which nobody listens: bound once and given back."""
    with zmq.Context() as context, context.socket(zmq.REP) as socket:
        socket.bind(BUS)
        return socket.get(zmq.LAST_ENDPOINT).decode()


class Broker:
    def __init__(self, state_dir, bus=BUS, feed=BUS):
        self.process = subprocess.Popen(
            [os.path.join(BIN, "compositord"), "--bus", bus, "--feed", feed, "--state-dir", state_dir, "--log-level",
             "error"], stdout=subprocess.PIPE, text=True)
        said = {}
        for line in self.process.stdout:
            words = line.split()
            said.setdefault(words[0], words[-1])
            if words[0] == "ready":
                break
        else:
            raise AssertionError("compositord ended before it was ready")
        self.bus, self.feed = said["bus"], said["feed"]

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        code = self.process.wait(DEADLINE_S)
        self.process.stdout.close()
        assert code == (0 if how == signal.SIGTERM else -how), f"compositord ended with {code}"


class Agent(threading.Thread):
    """One compositor's agent: a DEALER that registers, tells what it is told to tell, and answers commands."""

    def __init__(self, endpoint, name, labels=None, manifest=MANIFEST, answers=None):
        super().__init__(daemon=True)
        self.endpoint, self.name_, self.labels, self.manifest = endpoint, name, labels or {}, manifest
        self.answers = answers or {}  # command -> (status, error, result), or None: never
        self.received = []
        self.context = zmq.Context()
        self.wake, self.woken = self.context.socket(zmq.PAIR), self.context.socket(zmq.PAIR)
        self.wake.bind(f"inproc://{id(self)}")
        self.woken.connect(f"inproc://{id(self)}")
        self.replies = {}
        self.failure = None
        self.start()
        wait_until(lambda: "register" in self.replies and ("manifest.put" in self.replies or manifest is None),
                   f"registration of {name}")

    # --- used by the tests' thread
    def report(self, **facts):
        self.replies.pop("status", None)
        self.wake.send_json(facts)
        wait_until(lambda: "status" in self.replies, "the answer to a status")
        assert self.replies["status"] == 200, self.replies

    def end(self, leave=False):
        self.wake.send_json({"end": True, "leave": leave})
        self.join(DEADLINE_S)
        self.wake.close()
        self.context.term()
        if self.failure:
            raise self.failure

    # --- the agent's own thread
    def call(self, method, params):
        header = {"v": 1, "id": method, "method": method}
        self.socket.send_multipart([b"MDPC02", b"\x01", b"bus.agent", msgpack.packb(header), msgpack.packb(params)])

    def run(self):
        try:
            self.socket = self.context.socket(zmq.DEALER)
            self.socket.linger = 200
            self.socket.connect(self.endpoint)
            self.call("register", {"id": self.name_, "labels": self.labels, "heartbeat_ms": 200, "liveness": 10})
            self.loop()
        except Exception as failure:  # shown by end()
            self.failure = failure
        finally:
            self.woken.close()
            self.socket.close()

    def loop(self):
        poller = zmq.Poller()
        poller.register(self.socket, zmq.POLLIN)
        poller.register(self.woken, zmq.POLLIN)
        while True:
            ready = dict(poller.poll(100))
            if self.woken in ready:
                wish = self.woken.recv_json()
                if wish.get("end"):
                    if wish["leave"]:
                        self.call("leave", {})
                        wait = zmq.Poller()
                        wait.register(self.socket, zmq.POLLIN)
                        while "leave" not in self.replies and wait.poll(1000 * DEADLINE_S):
                            self.take(self.socket.recv_multipart())
                    return
                self.call("status", self.status(**wish))
            if self.socket in ready:
                self.take(self.socket.recv_multipart())
            if "register" in self.replies:
                self.socket.send_multipart([b"MDPW02", b"\x05"])

    def status(self, process="running", progress="ok", outputs=None, metrics=None, **more):
        now = now_ms()
        since = {"since": now, "observed_at": now}
        return {"sent_at": now, "process": {"state": process, **since, **more},
                "progress": {"state": progress, "round_trip_ms": 0.5, **since},
                "outputs": [{"name": n, "state": s, **since} for n, s in (outputs or {"HEADLESS-1": "on"}).items()],
                **({"metrics": metrics} if metrics else {})}

    def take(self, frames):
        if frames[0] == b"MDPC02":
            header = msgpack.unpackb(frames[3])
            if header["id"] == "register":
                self.socket.send_multipart([b"MDPW02", b"\x01", b"compositor/" + self.name_.encode()])
                if self.manifest is not None:
                    self.call("manifest.put", {"manifest": self.manifest})
            self.replies[header["id"]] = header["status"]
        elif frames[1] == b"\x02":
            self.answer(frames)

    def answer(self, frames):
        header, params = msgpack.unpackb(frames[4]), msgpack.unpackb(frames[5])
        self.received.append((header["method"], params))
        answer = self.answers.get(header["method"], (200, None, {}))
        if answer is None:
            return
        status, error, result = answer
        reply = {"v": 1, "id": header["id"], "status": status}
        if error:
            reply["error"] = error
        self.socket.send_multipart([b"MDPW02", b"\x04", frames[2], b"", msgpack.packb(reply), msgpack.packb(result)])


class Running:
    """A compositorctl that goes on: its lines as they come."""

    def __init__(self, arguments, **more):
        environment = {**os.environ, "TZ": "UTC"}
        environment.pop("COMPOSITORD_BROKER", None)
        self.process = subprocess.Popen([os.path.join(BIN, "compositorctl"), *arguments], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, env=environment, **more)
        self.out, self.err = [], []
        self.threads = [threading.Thread(target=self.read, args=pair, daemon=True)
                        for pair in ((self.process.stdout, self.out), (self.process.stderr, self.err))]
        for thread in self.threads:
            thread.start()

    @staticmethod
    def read(pipe, lines):
        for line in pipe:
            lines.append(line.rstrip("\n"))

    def wait_for(self, pattern, where=None):
        lines = self.out if where is None else where
        try:
            wait_until(lambda: any(re.search(pattern, line) for line in list(lines)), pattern)
        except AssertionError as problem:
            raise AssertionError(f"{problem}\nstdout: {self.out}\nstderr: {self.err}") from None

    def end(self, how=signal.SIGTERM):
        if how is not None:
            self.process.send_signal(how)
        code = self.process.wait(DEADLINE_S)
        for thread in self.threads:
            thread.join(DEADLINE_S)
        self.process.stdout.close()
        self.process.stderr.close()
        return code


class CtlCase(unittest.TestCase):
    def setUp(self):
        self.state = tempfile.TemporaryDirectory()
        self.addCleanup(self.state.cleanup)
        self.broker = Broker(self.state.name)
        self.addCleanup(lambda: self.broker.stop())
        self.agents = []
        self.addCleanup(lambda: [agent.end() for agent in self.agents])

    def agent(self, name="wall-3/wayland-1", **more):
        agent = Agent(self.broker.bus, name, **more)
        self.agents.append(agent)
        return agent

    def running(self, *arguments, **more):
        running = Running(["--broker", self.broker.bus, *arguments], **more)
        self.addCleanup(lambda: running.process.poll() is None and running.end(signal.SIGKILL))
        return running

    def ctl(self, *arguments, code=0, broker=None):
        run = subprocess.run([os.path.join(BIN, "compositorctl"), "--broker", broker or self.broker.bus, *arguments],
                             capture_output=True, text=True, timeout=DEADLINE_S, check=False)
        self.assertEqual(run.returncode, code, f"{arguments}\n{run.stdout}\n{run.stderr}")
        return run

    def json(self, *arguments, code=0):
        return json.loads(self.ctl("-o", "json", *arguments, code=code).stdout)


class Questions(CtlCase):
    def test_ls_shows_every_compositor_and_selects_by_label(self):
        self.agent(labels={"site": "berlin"}).report()
        self.agent("lab/:0", labels={"site": "rome"}).report(progress="frozen")
        lines = self.ctl("ls").stdout.splitlines()
        self.assertRegex(lines[0], r"^ID +VERDICT +LINK +PROCESS +PROGRESS +OUTPUTS +COMPOSITOR +SINCE +LABELS$")
        self.assertRegex(lines[1], r"^lab/:0 +down +connected +running +frozen +1/1 +sway 1.7 +\d.* s +site=rome$")
        self.assertRegex(lines[2], r"^wall-3/wayland-1 +ok +connected +running +ok +1/1 +sway 1.7 +.*site=berlin$")
        self.assertEqual([c["id"] for c in self.json("ls", "-l", "site=berlin")], ["wall-3/wayland-1"])
        self.assertIn("none of the 2", self.ctl("ls", "-l", "site=oslo").stderr)

    def test_ls_of_an_empty_bus_says_so(self):
        self.assertIn("no compositor has registered yet", self.ctl("ls").stderr)
        self.assertEqual(self.json("ls"), [])

    def test_peers_are_listed_with_what_they_have_agreed(self):
        self.assertIn("neither an agent nor a worker", self.ctl("peers").stderr)
        self.assertEqual(self.json("peers"), [])
        self.agent().report()
        self.agent("lab/:0").report()
        lines = self.ctl("peers").stdout.splitlines()
        self.assertRegex(lines[0], r"^SERVICE +STATE +SILENT +HEARTBEAT +REQUESTS +MDP +PEER$")
        self.assertRegex(lines[1], r"^compositor/lab/:0 +ready +\d\.\d s +0\.2 s × 10 +0/\d+ +0\.2 +([0-9a-f]{2})+$")
        self.assertRegex(lines[2], r"^compositor/wall-3/wayland-1 +ready ")
        peers = self.json("peers")
        self.assertEqual([p["service"] for p in peers], ["compositor/wall-3/wayland-1", "compositor/lab/:0"])
        self.assertEqual((peers[0]["heartbeat_ms"], peers[0]["liveness"]), (200, 10))

    @contextlib.contextmanager
    def many_registered(self, ids):
        """Each id on a connection of its own, which stay while the block runs. Nobody hears of them again."""
        with zmq.Context() as context:
            sockets = []
            for compositor in ids:
                socket = context.socket(zmq.DEALER)
                socket.linger = 0
                socket.connect(self.broker.bus)
                # Not given up before the test is over.
                params = {"id": compositor, "heartbeat_ms": 60_000, "liveness": 10}
                header = {"v": 1, "id": 1, "method": "register"}
                socket.send_multipart([b"MDPC02", b"\x01", b"bus.agent", msgpack.packb(header), msgpack.packb(params)])
                sockets.append(socket)
            try:
                for socket in sockets:
                    self.assertTrue(socket.poll(1000 * DEADLINE_S))
                yield
            finally:
                for socket in sockets:
                    socket.close()

    def test_peers_and_ls_go_through_all_pages(self):
        ids = [f"host-{i:03}/:0" for i in range(520)]  # a page has at most 500
        with self.many_registered(ids):
            peers = self.json("peers")
            listed = self.json("ls")
            watched = [json.loads(line) for line in self.ctl("-o", "json", "watch", "--count", "520").stdout.splitlines()]
        self.assertEqual({peer["service"] for peer in peers}, {f"compositor/{compositor}" for compositor in ids})
        self.assertEqual({peer["state"] for peer in peers}, {"admitted"})
        self.assertEqual([c["id"] for c in listed], ids)
        self.assertEqual([event["status"]["id"] for event in watched], ids)
        self.assertTrue(all(event["snapshot"] for event in watched))

    def test_show_tells_the_four_facts_and_why(self):
        self.agent().report(process="killed", signal=9)
        text = self.ctl("show", "wall-3/wayland-1").stdout
        for part in ("is down since", "killed by signal 9 (SIGKILL)", "layer process", "COMPOSITE_ERROR", "killed(9)",
                     "output HEADLESS-1"):
            self.assertIn(part, text)
        self.assertEqual(self.json("show", "wall-3/wayland-1")["process"]["signal"], 9)

    def test_an_unknown_id_is_answered_with_those_there_are(self):
        self.agent()
        self.agent("lab/:0")
        for command in ("show", "manifest"):
            said = self.ctl(command, "wall-3/wayland-2", code=3).stderr
            self.assertIn("404 not_found", said)
            self.assertIn("did you mean wall-3/wayland-1?", said)
            self.assertIn("lab/:0", said)
        self.assertIn("there is no '/'", self.ctl("show", "wall-3", code=3).stderr)
        self.assertIn("did you mean", self.ctl("run", "wall-3/wayland-2", "output.mode", code=3).stderr)

    def test_manifest_of_a_running_compositor(self):
        self.agent().report()
        text = self.ctl("manifest", "wall-3/wayland-1").stdout
        for part in ("link connected, verdict ok", "This is what it is", "sway 1.7", "HEADLESS-1", "1280x720@60Hz",
                     "this one can't scale", "wl_output", "4242 /usr/bin/sway"):
            self.assertIn(part, text)
        self.assertEqual(self.json("manifest", "wall-3/wayland-1")["manifest"]["name"], "sway")

    def test_manifest_of_a_compositor_that_is_off_says_so(self):
        agent = self.agent()
        agent.report(process="exited", code=1)
        self.assertRegex(self.ctl("manifest", "wall-3/wayland-1").stdout,
                         r"The compositor is off \(exited\(1\)\); this is what it was \d\.\d s ago")
        agent.end(leave=True)
        self.agents.clear()
        self.assertIn("Its agent has signed off: whether the compositor is still like this is not known",
                      self.ctl("manifest", "wall-3/wayland-1").stdout)

    def test_manifest_survives_the_broker(self):
        self.agent()
        self.agents.pop().end()
        self.broker.stop()
        self.broker = Broker(self.state.name)
        text = self.ctl("manifest", "wall-3/wayland-1").stdout
        self.assertIn("Its agent is lost", text)
        self.assertIn("HEADLESS-1", text)

    def test_manifest_never_described(self):
        self.agent(manifest=None)
        self.assertIn("never described", self.ctl("manifest", "wall-3/wayland-1", code=3).stderr)
        self.assertIn("never described", self.ctl("show", "wall-3/wayland-1").stdout)

    def test_text_from_the_network_cannot_drive_the_terminal(self):
        evil = "\x1b[2J\x07\u009b31m"
        manifest = {**MANIFEST, "name": evil, "executable": evil + "\nfoo",
                    "commands": [{"name": "output.mode", "supported": False, "reason": evil}]}
        agent = self.agent(manifest=manifest, labels={"a": evil})
        agent.report(outputs={evil: "off"})
        runs = [self.ctl("ls"), self.ctl("show", "wall-3/wayland-1"), self.ctl("manifest", "wall-3/wayland-1"),
                self.ctl("-o", "json", "ls"), self.ctl("-o", "json", "manifest", "wall-3/wayland-1"),
                self.ctl("run", "wall-3/wayland-1", "output.mode", "X", "1x1", code=8),
                self.ctl("watch", "--count", "1"), self.ctl("req", "bus.manifest", "list")]
        for run in runs:
            for character in "\x1b\x07\u009b":
                self.assertNotIn(character, run.stdout + run.stderr)


class Commands(CtlCase):
    def test_run_shows_before_and_after(self):
        before = {"name": "HEADLESS-1", "current_mode": {"width_px": 1280, "height_px": 720, "refresh_mhz": 60000}}
        after = {"name": "HEADLESS-1", "current_mode": {"width_px": 800, "height_px": 600, "refresh_mhz": 60000}}
        agent = self.agent(answers={"output.mode": (200, None, {"before": before, "after": after})})
        run = self.ctl("run", "wall-3/wayland-1", "output.mode", "HEADLESS-1", "800x600@60")
        self.assertEqual(run.stdout, "HEADLESS-1: current_mode 1280x720@60Hz → 800x600@60Hz\n")
        wanted = {"output": "HEADLESS-1", "width_px": 800, "height_px": 600, "refresh_mhz": 60000}
        self.assertEqual(agent.received, [("output.mode", wanted)])
        self.assertEqual(self.json("run", "wall-3/wayland-1", "output.mode", json.dumps(wanted))["status"], 200)

    def test_run_refuses_before_sending_what_the_manifest_says_is_unsupported(self):
        agent = self.agent(answers={"output.scale": (501, "really not", {})})
        run = self.ctl("run", "wall-3/wayland-1", "output.scale", "HEADLESS-1", "2", code=8)
        self.assertIn("this one can't scale", run.stderr)
        self.assertIn("not sent", run.stderr)
        self.assertEqual(agent.received, [])
        self.assertIn("really not",
                      self.ctl("run", "wall-3/wayland-1", "output.scale", "HEADLESS-1", "2", "--force", code=8).stderr)
        self.assertEqual(len(agent.received), 1)
        self.assertIn("did you mean output.mode?", self.ctl("run", "wall-3/wayland-1", "output.mod", code=3).stderr)

    def test_exit_code_follows_the_status(self):
        for status, code in ((400, 3), (404, 3), (409, 3), (408, 5), (504, 5), (410, 6), (500, 7), (501, 8), (503, 4)):
            with self.subTest(status=status):
                agent = self.agent(f"host/{status}", answers={"output.mode": (status, "because", {})})
                run = self.ctl("run", f"host/{status}", "output.mode", "output=X", code=code)
                self.assertIn(f"{status} ", run.stderr)
                self.assertIn("because", run.stderr)
                self.assertEqual(len(agent.received), 1)

    def test_a_deadline_ends_a_command_that_is_never_answered(self):
        self.agent(answers={"output.mode": None})
        begin = time.monotonic()
        run = self.ctl("run", "wall-3/wayland-1", "output.mode", "output=X", "--deadline", "300ms", code=5)
        self.assertIn("504 deadline", run.stderr)
        self.assertLess(time.monotonic() - begin, 5)

    def test_a_compositor_without_agent_is_not_connected(self):
        self.agent()
        self.agents.pop().end(leave=True)
        run = self.ctl("run", "wall-3/wayland-1", "output.mode", "output=X", code=4)
        self.assertIn("not connected", run.stderr)

    def test_an_agent_that_dies_under_the_command(self):
        agent = self.agent(answers={"output.mode": None})
        running = self.running("run", "wall-3/wayland-1", "output.mode", "output=X")
        wait_until(lambda: agent.received, "the command")
        self.agents.remove(agent)
        agent.end(leave=True)
        self.assertEqual(running.end(None), 6, running.err)

    def test_wrong_arguments_are_not_sent(self):
        agent = self.agent()
        self.assertIn("a mode WIDTHxHEIGHT",
                      self.ctl("run", "wall-3/wayland-1", "output.mode", "HEADLESS-1", "big", code=2).stderr)
        self.assertEqual(agent.received, [])

    def test_req_takes_a_method_or_a_whole_call(self):
        for arguments in (("list",), ("list", '{"limit":5}'), ('{"method":"list","params":{}}',),
                          ('{"v":1,"id":"mine","method":"list"}',)):
            reply = json.loads(self.ctl("req", "bus.status", *arguments).stdout)
            self.assertEqual(reply["status"], 200)
            self.assertEqual(reply["result"]["compositors"], [])
            self.assertEqual(reply["id"], "mine" if "mine" in arguments[0] else 1)
        refused = self.ctl("req", "bus.status", "get", '{"id":"a/b"}', code=3)
        self.assertEqual(json.loads(refused.stdout)["status"], 404)
        self.assertIn("JSON line 1", self.ctl("req", "bus.status", '{"method"', code=2).stderr)
        self.assertIn("1 to 255 bytes, and this one has 0", self.ctl("req", "", "list", code=2).stderr)
        for words in (("list",), ("--raw", "x")):
            self.assertIn("this one has 256", self.ctl("req", "s" * 256, *words, code=2).stderr)
        self.assertIn("no worker offers", self.ctl("req", "s" * 255, "list", code=3).stderr)

    def test_req_raw_speaks_plain_majordomo(self):
        self.assertEqual(self.ctl("req", "--raw", "mmi.service", "bus.status").stdout, "200\n")
        self.assertEqual(self.ctl("req", "--raw", "mmi.service", "nobody").stdout, "404\n")
        with zmq.Context() as context, context.socket(zmq.DEALER) as worker:
            worker.linger = 0
            worker.connect(self.broker.bus)
            worker.send_multipart([b"MDPW02", b"\x01", b"echo"])
            running = self.running("req", "--raw", "echo", "[1,2]")
            while True:
                self.assertTrue(worker.poll(1000 * DEADLINE_S))
                frames = worker.recv_multipart()
                if frames[1] == b"\x02":
                    break
            self.assertEqual(frames[4:], [b"[1,2]"])
            worker.send_multipart([b"MDPW02", b"\x03", frames[2], b"", b"one"])
            worker.send_multipart([b"MDPW02", b"\x04", frames[2], b"", b"two", b"three"])
            self.assertEqual(running.end(None), 0)
            self.assertEqual(running.out, ["one", "two", "three"])
        self.assertIn("did not answer within 0.3 s",
                      self.ctl("--timeout", "300ms", "req", "--raw", "nobody", "x", code=5).stderr)

    def test_run_with_a_pattern_tells_the_end_of_each(self):
        for name in ("wall-1/wayland-1", "wall-2/wayland-1"):
            self.agent(name, labels={"site": "berlin"})
        self.agent("wall-3/wayland-1", labels={"site": "berlin"}, answers={"output.mode": (500, "it broke", {})})
        others = [self.agent("wall-4/wayland-1", labels={"site": "paris"}), self.agent("lab/wayland-1")]
        command = ("run", "wall-*", "-l", "site=ber*", "output.mode", "output=X")
        run = self.ctl(*command, code=7)
        self.assertEqual(sorted(run.stdout.splitlines()), [
            "wall-1/wayland-1  200 done", "wall-2/wayland-1  200 done", "wall-3/wayland-1  500 failed: it broke"])
        self.assertIn("2 done, 1 failed, 0 not begun", run.stderr)
        rows = [json.loads(line) for line in self.ctl("-o", "json", *command, code=7).stdout.splitlines()]
        self.assertEqual({row["id"]: row["status"] for row in rows},
                         {"wall-1/wayland-1": 200, "wall-2/wayland-1": 200, "wall-3/wayland-1": 500})
        run = self.ctl("run", "wall-*", "--fact", "link=connected", "--batch", "1", "--max-fail", "0", "output.mode",
                       "output=X", code=7)
        self.assertIn("wall-4/wayland-1  not begun", run.stdout)
        self.assertEqual([len(other.received) for other in others], [0, 0])
        self.ctl("run", "wall-[12]*", "--fact", "verdict=ok", "output.mode", "output=X", code=3)

    def test_options_of_a_group_or_a_job_do_not_go_with_each_other(self):
        for arguments, sentence in ((("wall-*", "output.mode", "--queue"), "not for a pattern"),
                                    (("a/b", "output.mode", "--ttl", "1h"), "how --queue is meant"),
                                    (("wall-*", "output.mode", "-l", "site"), "KEY=VALUE expected")):
            with self.subTest(arguments=arguments):
                self.assertIn(sentence, self.ctl("run", *arguments, code=2).stderr)

    def test_a_queued_command_waits_for_its_compositor(self):
        self.agent()
        self.agents.pop().end(leave=True)
        self.assertIn("nothing was queued", self.ctl("jobs").stderr)
        run = self.ctl("run", "--queue", "--ttl", "1h", "wall-3/wayland-1", "output.mode", "output=X")
        job = re.fullmatch(r"queued as ([0-9a-f]{32}): runs at most once, and not after [-0-9:. ]+\n", run.stdout)[1]
        self.assertRegex(self.ctl("job", job).stdout, r"(?s)state +waiting.*guarantee +at_most_once")
        agent = self.agent(answers={"output.mode": (200, None, {"seen": True})})
        wait_until(lambda: self.json("job", job)["state"] == "done", "the job's end")
        self.assertEqual(agent.received, [("output.mode", {"output": "X"})])
        self.assertEqual(self.json("job", job)["result"], {"seen": True})
        self.assertRegex(self.ctl("jobs").stdout, rf"(?m)^{job} +done +200 +compositor/wall-3/wayland-1 +output.mode +1 ")
        self.assertIn("409", self.ctl("cancel", job, code=3).stderr)

    def test_a_queued_command_can_be_cancelled(self):
        self.agent()
        self.agents.pop().end(leave=True)
        queued = self.json("run", "--queue", "--idempotent", "wall-3/wayland-1", "output.mode", "output=X")
        self.assertEqual((queued["status"], queued["result"]["guarantee"]), (202, "at_least_once"))
        self.assertRegex(self.ctl("cancel", queued["result"]["job"]).stdout, r"state +cancelled")
        self.assertIn("404", self.ctl("job", "0" * 32, code=3).stderr)

    def test_a_call_under_the_same_key_is_carried_out_once(self):
        agent = self.agent(answers={"output.mode": (200, None, {"seen": 1})})
        first, second = (self.json("run", "--idem", "k1", "wall-3/wayland-1", "output.mode", "output=X")
                         for _ in range(2))
        self.assertEqual(first["result"], second["result"])
        self.assertEqual(len(agent.received), 1)
        header = '{"method":"output.mode","params":{"output":"X"},"idem":"k1"}'
        self.assertEqual(json.loads(self.ctl("req", "compositor/wall-3/wayland-1", header).stdout)["status"], 200)
        self.assertEqual(len(agent.received), 1)

    def test_req_prints_every_part_of_a_stream(self):
        self.agent("wall-1/wayland-1")
        self.agent("wall-2/wayland-1")
        run = self.ctl("req", "bus.group", "call", '{"selector":{"ids":["wall-*"]},"method":"output.mode","params":{}}')
        parts = json.loads("[" + run.stdout.replace("\n}\n{", "\n},{") + "]")
        self.assertEqual(sorted(part["result"]["id"] for part in parts[:-1]), ["wall-1/wayland-1", "wall-2/wayland-1"])
        self.assertEqual(parts[-1]["result"]["done"], 2)

    def test_no_broker_is_said_with_its_endpoint(self):
        endpoint = free_port_endpoint()
        for command in (("ls",), ("watch",), ("sub", "x"), ("run", "a/b", "c"), ("req", "bus.status", "list")):
            run = self.ctl("--timeout", "300ms", *command, code=9, broker=endpoint)
            self.assertIn(f"no broker answered at {endpoint} within 0.3 s", run.stderr)
        self.assertIn("not an endpoint", self.ctl("ls", code=2, broker="nonsense").stderr)

    def test_the_feeds_endpoint_is_no_bus(self):
        self.assertIn("no broker answered",
                      self.ctl("--timeout", "500ms", "ls", code=9, broker=self.broker.feed).stderr)

    def test_a_broker_that_dies_under_a_request(self):
        self.agent(answers={"output.mode": None})
        running = self.running("--timeout", "60s", "run", "wall-3/wayland-1", "output.mode", "output=X")
        wait_until(lambda: self.agents[0].received, "the command")
        self.broker.stop(signal.SIGKILL)
        self.assertEqual(running.end(None), 6)
        self.assertIn("broke before", running.err[0])
        self.broker = Broker(self.state.name)

    def test_a_signal_ends_a_waiting_call(self):
        self.agent(answers={"output.mode": None})
        running = self.running("--timeout", "60s", "run", "wall-3/wayland-1", "output.mode", "output=X")
        wait_until(lambda: self.agents[0].received, "the command")
        self.assertEqual(running.end(signal.SIGINT), 130)


class Feed(CtlCase):
    def test_watch_shows_the_snapshot_then_changes_and_alerts(self):
        agent = self.agent()
        agent.report()
        running = self.running("watch")
        running.wait_for(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}  wall-3/wayland-1  ok$")
        agent.report(process="killed", signal=9)
        running.wait_for(r"wall-3/wayland-1  ok → down  the compositor was killed by signal 9")
        running.wait_for(r"wall-3/wayland-1  critical alert firing  compositor: the compositor was killed")
        agent.report()
        running.wait_for(r"down → ok$")
        running.wait_for(r"critical alert resolved")
        self.assertEqual(running.end(signal.SIGINT), 0)
        self.assertEqual(running.err, [])

    def test_watch_as_json(self):
        agent = self.agent()
        agent.report()
        running = self.running("-o", "json", "watch", "--count", "3")
        running.wait_for('"snapshot":true')
        agent.report(progress="frozen")
        self.assertEqual(running.end(None), 0)
        events = [json.loads(line) for line in running.out]
        self.assertEqual([event["event"] for event in events], ["status", "status", "alert"])
        self.assertEqual(events[0]["status"]["verdict"], "ok")
        self.assertEqual(events[1]["status"]["verdict"], "down")
        self.assertEqual(events[2]["alert"]["layer"], "progress")

    def test_watch_ends_after_its_time(self):
        begin = time.monotonic()
        self.ctl("watch", "--for", "700ms")
        self.assertGreater(time.monotonic() - begin, 0.6)

    def test_watch_heals_when_the_broker_returns_at_the_same_place(self):
        self.heals(lambda: Broker(self.state.name, self.broker.bus, self.broker.feed))

    def test_watch_finds_a_feed_that_has_moved(self):
        self.heals(lambda: Broker(self.state.name, self.broker.bus))

    def heals(self, start_again):
        agent = self.agent()
        agent.report()
        running = self.running("watch")
        running.wait_for("wall-3/wayland-1  ok$")
        self.agents.remove(agent)
        self.broker.stop(signal.SIGKILL)
        running.wait_for("lost the feed .*: its connection closed; connecting again", running.err)
        agent.end()
        self.broker = start_again()
        running.wait_for(r"the broker was restarted \(epoch \d+ → \d+\)", running.err)
        running.wait_for("wall-3/wayland-1  ok → unknown  the agent is lost")
        self.agent().report()
        running.wait_for("unknown → ok$")
        self.assertEqual(running.end(), 0)

    def test_watch_shows_each_change_of_many(self):
        agent = self.agent()
        agent.report()
        running = self.running("-o", "json", "watch")
        running.wait_for('"snapshot":true')
        for i in range(100):
            agent.report(progress="ok" if i % 2 else "slow")
        agent.report(process="exited", code=7)
        running.wait_for('"code":7')
        self.assertEqual(running.end(), 0)
        statuses = [json.loads(line) for line in running.out if '"event":"status"' in line]
        seqs = [event["seq"] for event in statuses]
        self.assertEqual(seqs, list(range(seqs[0], seqs[0] + 102)))
        self.assertEqual(running.err, [])

    def test_sub_prints_messages_of_its_prefixes_only(self):
        agent = self.agent()
        running = self.running("--log-level", "info", "sub", "status/", "json/manifest/", "--count", "2")
        running.wait_for("feed.subscribed", running.err)
        agent.report()
        wait_until(lambda: running.out, "the status")
        self.agent("lab/:0")  # a status and a manifest
        self.assertEqual(running.end(None), 0)
        messages = [json.loads(line) for line in running.out]
        self.assertEqual(messages[0]["topic"], "status/wall-3/wayland-1")
        self.assertEqual(set(messages[0]["header"]), {"epoch", "kind", "seq", "time"})
        self.assertEqual(messages[0]["payload"]["verdict"], "ok")
        self.assertTrue(all(m["topic"].startswith(("status/", "json/manifest/")) for m in messages))

    def test_sub_of_everything_hides_its_own_handshake(self):
        run = self.ctl("sub", "", "--count", "2")
        topics = [json.loads(line)["topic"] for line in run.stdout.splitlines()]
        self.assertEqual(topics, ["bus/tick", "bus/tick"])

    def test_feed_that_is_none_is_said_with_its_endpoint(self):
        endpoint = free_port_endpoint()
        run = self.ctl("--feed", endpoint, "--timeout", "500ms", "watch", code=9)
        self.assertIn(f"no feed answered at {endpoint}", run.stderr)

    def test_a_reader_that_has_left_already_is_no_error(self):
        for arguments in (["ls"], ["watch"], ["req", "bus.status", "list"]):
            with self.subTest(arguments=arguments):
                reader, writer = os.pipe()
                os.close(reader)
                run = subprocess.run([os.path.join(BIN, "compositorctl"), "--broker", self.broker.bus, *arguments],
                                     stdout=writer, stderr=subprocess.PIPE, text=True, timeout=DEADLINE_S, check=False)
                os.close(writer)
                self.assertEqual(run.returncode, 0)
                self.assertNotIn("written", run.stderr)

    def test_a_reader_that_leaves_ends_it_quietly(self):
        for arguments in (["watch"], ["sub", "bus/"]):
            with self.subTest(arguments=arguments):
                self.agents or self.agent().report()
                running = subprocess.Popen([os.path.join(BIN, "compositorctl"), "--broker", self.broker.bus, *arguments],
                                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
                running.stdout.readline()
                running.stdout.close()
                self.assertEqual(running.wait(DEADLINE_S), 0)
                self.assertEqual(running.stderr.read(), "")
                running.stderr.close()


class Trouble(CtlCase):
    """diagnose, alerts, outages and wait: what an operator is told, and of what."""

    def with_a_fault_of_the_bus(self):
        """A broker whose store was damaged: an alert of the bus itself that stays."""
        self.broker.stop()
        with open(os.path.join(self.state.name, "compositord.db"), "wb") as file:
            file.write(b"this is no database\n" * 500)
        self.broker = Broker(self.state.name)
        wait_until(lambda: [a["id"] for a in self.json("alerts")] == ["@bus"], "the alert of the bus")

    def test_diagnose_of_one_that_is_ok_says_so_whatever_ails_the_bus(self):
        self.with_a_fault_of_the_bus()
        self.agent().report()
        text = self.ctl("diagnose", "wall-3/wayland-1").stdout
        self.assertIn("wall-3/wayland-1 is ok\nNothing is wrong with it as far as the bus can see.\n", text)
        self.assertNotIn("Likely cause", text)
        self.assertNotIn("Try:", text)
        self.assertRegex(text, r"Also \(of the bus itself, or mere news\):\n  - critical alert of @bus store_file for")
        said = self.json("diagnose", "wall-3/wayland-1")
        self.assertEqual((said["cause"], said["advice"], said["alerts"]), ("", "", []))
        self.assertEqual([alert["id"] for alert in said["also"]], ["@bus"])

    def test_diagnose_takes_the_status_for_the_cause_rather_than_an_alert_of_the_bus(self):
        self.with_a_fault_of_the_bus()
        self.agent().report(process="killed", signal=9)
        wait_until(lambda: len(self.json("alerts")) == 2, "the alert of the one that was killed")
        said = self.json("diagnose", "wall-3/wayland-1")
        self.assertIn("killed by signal 9", said["cause"])
        self.assertEqual([alert["kind"] for alert in said["alerts"]], ["compositor_crashed"])
        self.assertIn("Likely cause: the compositor was killed by signal 9",
                      self.ctl("diagnose", "wall-3/wayland-1").stdout)
        # What is planned fires no alert: only the status knows.
        self.agent("lab/:0").report(process="killed", signal=9)
        self.ctl("maintenance", "start", "lab/*", "--for", "1h")
        self.ctl("wait", "--for", "verdict=maintenance", "lab/:0")
        reason = self.json("show", "lab/:0")["reason"]
        text = self.ctl("diagnose", "lab/:0").stdout
        self.assertIn(reason, text)
        self.assertNotIn("Likely cause: the store", text)

    def test_diagnose_does_not_take_news_for_a_cause(self):
        self.agent()
        self.agents.pop().end(leave=True)
        agent = self.agent(manifest={**MANIFEST, "outputs": [*MANIFEST["outputs"], {"name": "HEADLESS-2"}]})
        agent.report(outputs={"HEADLESS-1": "on", "HEADLESS-2": "on"})
        wait_until(lambda: [a["kind"] for a in self.json("alerts")] == ["output_new"], "the news")
        text = self.ctl("diagnose", "wall-3/wayland-1").stdout
        self.assertIn("is ok\nNothing is wrong with it as far as the bus can see.\n", text)
        self.assertIn("HEADLESS-2", text)
        said = self.json("diagnose", "wall-3/wayland-1")
        self.assertEqual((said["cause"], [alert["kind"] for alert in said["also"]]), ("", ["output_new"]))
        agent.report(outputs={"HEADLESS-1": "off", "HEADLESS-2": "on"})
        wait_until(lambda: len(self.json("alerts")) == 2, "the alert of the output")
        text = self.ctl("diagnose", "wall-3/wayland-1").stdout
        self.assertRegex(text, "Likely cause: .*HEADLESS-1")
        self.assertRegex(text, "(?m)^  - verdict degraded .*HEADLESS-1")

    def test_patterns_of_kinds_and_labels_mean_the_same_to_us_and_to_the_broker(self):
        agent = self.agent(labels={"site": "berlin"})
        self.agent("lab/:0", labels={"site": "rome"}).report(process="killed", signal=9)
        agent.report(process="killed", signal=9)
        wait_until(lambda: len(self.json("alerts")) == 2, "both alerts")
        for words in (("--kind", "compositor_*"), ("--kind", "compositor_crash?d", "-l", "site=b*"), ("-l", "site=*lin")):
            listed = {alert["alert"] for alert in self.json("alerts", *words)}
            watched = self.running("-o", "json", "alerts", "--watch", *words)
            wait_until(lambda: len(watched.out) == len(listed), f"what fires and fits {words}")
            self.assertEqual({json.loads(line)["alert"] for line in watched.out}, listed)
            self.assertEqual(len(listed), 1 if "-l" in words else 2)
            self.assertEqual(watched.end(), 0)
        self.assertEqual([c["id"] for c in self.json("ls", "-l", "site=b*")], ["wall-3/wayland-1"])
        self.assertEqual(self.json("ls", "-l", "sit*=berlin"), [], "only the value is a pattern")
        self.ctl("wait", "--for", "verdict=down", "--timeout", "5s", "-l", "site=b?rlin")

    def test_a_filter_that_nothing_fits_is_no_good_news(self):
        self.agent().report(process="killed", signal=9)
        wait_until(lambda: self.json("alerts"), "the alert")
        said = self.ctl("alerts", "nosuch/x").stderr
        self.assertIn("no alert fires that fits nosuch/x", said)
        self.assertIn("no compositor fits that: the bus knows wall-3/wayland-1", said)
        self.assertIn("did you mean wall-3/wayland-1?", self.ctl("alerts", "wall-3/wayland-2").stderr)
        self.assertEqual(self.ctl("alerts", "wall-*", "--kind", "output_*", "-l", "a=b", "--severity", "info").stderr,
                         "compositorctl: no alert fires that fits wall-* -l a=b --severity info --kind output_*\n"
                         "compositorctl: no compositor fits that: the bus knows wall-3/wayland-1\n")
        self.assertEqual(self.ctl("alerts", "wall-*", "--kind", "output_*").stderr,
                         "compositorctl: no alert fires that fits wall-* --kind output_*\n")
        self.assertEqual(self.ctl("alerts", "@bus").stderr, "compositorctl: no alert fires that fits @bus\n")
        self.assertEqual(self.ctl("alerts", "--history", "wall-*").stderr,
                         "compositorctl: no alert has ended yet that fits wall-*\n")
        self.assertEqual(self.ctl("alerts", "--history").stderr, "compositorctl: no alert has ended yet\n")
        for command in ("outages", "sla"):
            self.assertIn("no compositor fits that: the bus knows wall-3/wayland-1", self.ctl(command, "nosuch/x").stderr)
            self.assertIn("no compositor fits that", self.ctl(command, "-l", "site=nosuch").stderr)
            self.assertNotIn("no compositor fits", self.ctl(command, "wall-*").stderr)
        self.assertIn("no outage to tell of: no compositor fits that: ", self.ctl("outages", "nosuch/x").stderr)
        self.agent("lab/:0").report()
        # Until its first report it was unknown, which is an outage, too.
        self.assertIn("no outage of lab/* from ", self.ctl("outages", "--since", "1ms", "lab/*").stderr)

    def test_what_fires_and_is_hidden_is_not_denied(self):
        agent = self.agent()
        agent.report(process="killed", signal=9)
        wait_until(lambda: self.json("alerts"), "the alert of the compositor")
        self.ctl("maintenance", "start", "wall-*", "--for", "1h")
        none = "compositorctl: no alert fires"
        wait_until(lambda: self.json("alerts") == [], "the alert that maintenance hides")
        self.assertEqual(self.ctl("alerts").stderr, f"{none} except 1 in maintenance (--all shows it)\n")
        self.assertEqual(self.ctl("alerts", "--all", "--severity", "info").stderr, f"{none} that fits --severity info\n")
        self.ctl("maintenance", "stop", self.json("maintenance", "ls")[0]["window"])
        wait_until(lambda: self.json("alerts"), "the alert that is back")
        self.agents.remove(agent)
        agent.end()
        crashed = ("alerts", "wall-*", "--kind", "compositor_*")
        wait_until(lambda: self.json(*crashed) == [], "the alert that the lost agent explains")
        self.assertEqual(self.ctl(*crashed).stderr, f"{none} that fits wall-* --kind compositor_* "
                                                    "except 1 explained by another (--all shows it)\n")


class Terminal(CtlCase):
    def on_terminal(self, **environment):
        """What `ls` writes to a terminal."""
        master, slave = pty.openpty()
        plain = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
        process = subprocess.Popen([os.path.join(BIN, "compositorctl"), "--broker", self.broker.bus, "ls"],
                                   stdout=slave, stderr=subprocess.DEVNULL, env={**plain, "TERM": "xterm", **environment})
        os.close(slave)
        fcntl.fcntl(master, fcntl.F_SETFL, os.O_NONBLOCK)
        text = b""
        while select.select([master], [], [], DEADLINE_S)[0]:
            try:
                text += os.read(master, 65536)
            except OSError:  # EIO: the last writer is gone
                break
        os.close(master)
        self.assertEqual(process.wait(DEADLINE_S), 0)
        return text.decode()

    def test_colours_on_a_terminal_only_and_not_against_no_color(self):
        self.agent().report()
        self.assertIn("\x1b[32mok\x1b[0m", self.on_terminal())
        self.assertNotIn("\x1b", self.on_terminal(NO_COLOR="1"))
        self.assertNotIn("\x1b", self.on_terminal(TERM="dumb"))
        self.assertNotIn("\x1b", self.ctl("ls").stdout)


    def test_top_as_json_is_a_line_for_each_frame(self):
        good, bad = self.agent("wall-1/wayland-1"), self.agent("wall-2/wayland-1")
        good.report(metrics={"clients": 3})
        bad.report(process="killed", signal=9)
        wait_until(lambda: self.json("alerts"), "the alert of the one that was killed")
        lines = self.ctl("-o", "json", "top").stdout.splitlines()
        self.assertEqual(len(lines), 1)
        frame = json.loads(lines[0])
        self.assertTrue(frame["complete"])
        self.assertGreater(frame["up_to"], 0)
        self.assertEqual(frame["verdicts"], {"ok": 1, "down": 1, "degraded": 0, "unknown": 0, "maintenance": 0})
        self.assertEqual(frame["alerts"], {"firing": 1, "critical": 1})
        self.assertEqual([c["id"] for c in frame["compositors"]], ["wall-2/wayland-1", "wall-1/wayland-1"])
        self.assertEqual(frame["compositors"][1], self.json("show", "wall-1/wayland-1") | {
            "link": frame["compositors"][1]["link"]})
        running = self.running("-o", "json", "top", "--for", "1min")
        running.wait_for('"clients":3')
        good.report(metrics={"clients": 4})
        running.wait_for('"clients":4')
        self.assertEqual(running.end(), 0)
        self.assertEqual({len(json.loads(line)["compositors"]) for line in running.out}, {2})
        counted = self.ctl("-o", "json", "top", "--count", "2").stdout.splitlines()
        self.assertEqual(len(counted), 2)

    def test_top_is_live_and_gives_the_terminal_back(self):
        one, two, three = (self.agent(f"wall-{i}/wayland-1") for i in (1, 2, 3))
        for agent in (one, two, three):
            agent.report()
        one.report(metrics={"probe_p99_us": 4_800, "rss_bytes": 142 << 20, "clients": 12})
        plain = self.ctl("top").stdout
        self.assertIn("4.8 ms  142 MiB       12  ", plain)
        self.assertIn("3 compositors, 3 ok; 0 alerts", plain)
        self.assertIn("complete up to", plain)
        self.assertNotIn("\x1b", plain)
        master, slave = pty.openpty()
        self.addCleanup(os.close, master)
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 7, 60, 0, 0))
        before = termios.tcgetattr(slave)
        process = subprocess.Popen([os.path.join(BIN, "compositorctl"), "--broker", self.broker.bus, "top"],
                                   stdin=slave, stdout=slave, stderr=slave, env={**os.environ, "TERM": "xterm"})
        self.addCleanup(os.close, slave)
        text = ""

        def read_until(wanted):
            nonlocal text
            deadline = time.monotonic() + DEADLINE_S
            while wanted not in text and time.monotonic() < deadline and select.select([master], [], [], DEADLINE_S)[0]:
                text += os.read(master, 65536).decode()
            self.assertIn(wanted, text)

        try:
            read_until("3 compositors, 3 ok; 0 alerts")
            two.report(process="killed", signal=9)
            read_until("1 down")
            text = text[text.rindex("1 down"):]
            read_until("wall-2/wayland-1")  # the worst is what there is room for
            read_until("… and 2 more")
            self.assertNotIn("MEMORY", text)
            fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 20, 120, 0, 0))
            text = ""
            read_until("wall-1/wayland-1")
            read_until("P99   MEMORY  CLIENTS  WHY")
            read_until("4.8 ms  142 MiB       12  ")
            one.report(metrics={"probe_p99_us": 4_800, "rss_bytes": 142 << 20, "clients": 13})
            read_until("4.8 ms  142 MiB       13  ")  # that is no news, and shown nevertheless
            os.write(master, b"q")
            read_until("\x1b[?25h\x1b[?1049l")
            self.assertEqual(process.wait(DEADLINE_S), 0)
        finally:
            process.kill()
            process.wait()
        self.assertEqual(termios.tcgetattr(slave), before)


if __name__ == "__main__":
    BIN = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=2)
