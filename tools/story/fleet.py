"""The programs of a small fleet on this machine: a broker, an agent, and a headless sway. Loopback only.

Everything that is started here is ended here, by pid, and nothing else is.
"""

import contextlib
import ctypes
import glob
import json
import os
import pwd
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import zmq

START_SECONDS = 15.0


class Failure(Exception):
    """Something did not happen; the text says what."""


def unprivileged_user():
    """The user for programs that refuse root (sway does), or None when we are not root anyway."""
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None


def die_with_parent():
    """In the child: the kernel ends it when this process is killed, so that nothing is left behind."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


class Program:
    """A child process with its log in a file. It is its own session: a Ctrl-C of the terminal reaches only us."""

    def __init__(self, name, arguments, log_dir, environment=None, user=None):
        self.name = name
        self.log = os.path.join(log_dir, name + ".log")
        identity = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, cwd="/",
                env=environment, start_new_session=True, preexec_fn=die_with_parent, **identity)

    @property
    def pid(self):
        return self.process.pid

    def signal(self, number):
        self.process.send_signal(number)

    def lines_until(self, last, seconds=START_SECONDS):
        """Lines of its standard output up to the line `last`."""
        deadline = time.monotonic() + seconds
        text = b""
        while not text.endswith(last.encode() + b"\n"):
            left = deadline - time.monotonic()
            ready = select.select([self.process.stdout], [], [], max(0.0, left))[0]
            chunk = os.read(self.process.stdout.fileno(), 4096) if ready else b""
            if not chunk:
                raise Failure(f"{self.name} did not start; the end of its log:\n{self.tail()}")
            text += chunk
        return text.decode().splitlines()

    def tail(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return "".join(log.readlines()[-10:])

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)  # a stopped process does not hear SIGTERM
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()
        self.process.stdout.close()


class Fleet:
    def __init__(self, bin_dir):
        self.bin = os.path.abspath(bin_dir)
        self.dir = tempfile.mkdtemp(prefix="compositord-quickstart-")
        os.chmod(self.dir, 0o711)  # sway's user must reach its folder below
        self.runtime_dir = None
        self.display = None
        self.programs = []
        self.bus = None
        self.feed = None

    def start(self, name, arguments, environment=None, user=None):
        program = Program(name, arguments, self.dir, environment, user)
        self.programs.append(program)
        return program

    def stop(self):
        for program in reversed(self.programs):
            program.stop()
        self.programs.clear()
        shutil.rmtree(self.dir, ignore_errors=True)

    def end(self, program, number):
        """Sends a signal that ends `program`, and forgets it."""
        program.signal(number)
        program.stop()
        self.programs.remove(program)

    # -- the programs

    def start_sway(self):
        user = unprivileged_user()
        if self.runtime_dir is None:
            self.runtime_dir = os.path.join(self.dir, "runtime")
            os.mkdir(self.runtime_dir, 0o700)
            if user:
                os.chown(self.runtime_dir, user.pw_uid, user.pw_gid)
            self.display = "wayland-1"  # sway's first choice in an empty folder
            with open(os.path.join(self.dir, "sway.config"), "w", encoding="utf-8") as config:
                config.write("xwayland disable\n")
        # No home: a helper of sway makes its cache there, late, and would leave it in a folder that was just removed.
        environment = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": "/nonexistent",
            "XDG_RUNTIME_DIR": self.runtime_dir, "WLR_BACKENDS": "headless", "WLR_HEADLESS_OUTPUTS": "2",
            "WLR_LIBINPUT_NO_DEVICES": "1", "WLR_RENDERER": "pixman"}
        return self.start("sway", ["sway", "-c", os.path.join(self.dir, "sway.config")], environment, user)

    def start_broker(self, bus, feed):
        broker = self.start("compositord", [
            os.path.join(self.bin, "compositord"), "--bus", bus, "--feed", feed, "--state-dir",
            os.path.join(self.dir, "state")])
        endpoints = dict(line.split(" ", 1) for line in broker.lines_until("ready") if " " in line)
        self.bus, self.feed = endpoints["bus"], endpoints["feed"]
        return broker

    def start_agent(self, compositor_id):
        environment = dict(os.environ, XDG_RUNTIME_DIR=self.runtime_dir)
        environment.pop("WAYLAND_DISPLAY", None)
        return self.start("compositor-agent", [
            os.path.join(self.bin, "compositor-agent"), "--broker", self.bus, "--id", compositor_id,
            "--display", self.display, "--label", "started-by=quickstart"], environment)

    def ctl(self, *arguments):
        return [os.path.join(self.bin, "compositorctl"), "--broker", self.bus, *arguments]


def accepting_display():
    """(runtime dir, display) of this session's Wayland compositor, or None."""
    runtime_dir = os.environ.get("XDG_RUNTIME_DIR", "")
    named = os.environ.get("WAYLAND_DISPLAY", "")
    paths = [os.path.join(runtime_dir, named)] if named else sorted(glob.glob(os.path.join(runtime_dir, "wayland-*")))
    for path in paths:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.setblocking(False)
            try:
                probe.connect(path)
            except OSError:
                continue
            return os.path.dirname(path), os.path.basename(path)
    return None


class Subscriber:
    """Reads the feed as JSON."""

    def __init__(self, context, endpoint, prefixes):
        self.socket = context.socket(zmq.SUB)
        self.socket.linger = 0
        self.socket.setsockopt(zmq.RECONNECT_IVL, 20)
        self.socket.connect(endpoint)
        for prefix in prefixes:
            self.socket.subscribe("json/" + prefix)
        # Receiving this topic proves that the subscriptions before it are in force.
        self.socket.subscribe("json/hello/quickstart")
        self.wait_for(lambda topic, payload: topic == "json/hello/quickstart", START_SECONDS, "the feed's hello")

    def wait_for(self, wanted, seconds, what):
        """The first (topic, payload) that `wanted` accepts, and the moment it was in our hands."""
        deadline = time.monotonic() + seconds
        while True:
            left = deadline - time.monotonic()
            if left <= 0 or not self.socket.poll(left * 1000):
                raise Failure(f"no message on the feed within {seconds:.1f} s: {what}")
            topic, _, payload = self.socket.recv_multipart()
            now = time.monotonic()
            message = json.loads(payload)
            if wanted(topic.decode(), message):
                return message, now

    def close(self):
        self.socket.close()


class Caller:
    """A client of the bus that stays connected."""

    def __init__(self, context, endpoint):
        self.dealer = context.socket(zmq.DEALER)
        self.dealer.linger = 0
        self.dealer.connect(endpoint)

    def call(self, service, method, params=None, seconds=5.0):
        """One JSON call; returns the reply, whatever its status."""
        body = json.dumps({"v": 1, "id": 1, "method": method, "params": params or {}}).encode()
        self.dealer.send_multipart([b"MDPC02", b"\x01", service.encode(), body])
        if not self.dealer.poll(seconds * 1000):
            raise Failure(f"{service} {method}: no answer within {seconds:.0f} s")
        return json.loads(self.dealer.recv_multipart()[3])

    def close(self):
        self.dealer.close()


def call(context, endpoint, service, method, params=None, seconds=5.0):
    """One JSON call over a connection of its own; returns the reply, whatever its status."""
    with contextlib.closing(Caller(context, endpoint)) as caller:
        return caller.call(service, method, params, seconds)
