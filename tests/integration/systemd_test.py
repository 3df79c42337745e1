#!/usr/bin/python3
"""How a compositor ended, by systemd's word: a real `systemd --user` with weston as its unit, and an agent that its kernel tells
nothing (older_kernel.py).

systemd runs only where it was booted, so it gets a mount, pid and cgroup namespace of its own in which that seems so. That takes root.
Nothing outside is touched but two cgroups, which are removed.

usage: systemd_test.py BIN_DIR [unittest arguments]
"""

import os
import signal
import socket
import subprocess
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
INSIDE = "COMPOSITORD_TEST_INSIDE"
PATIENCE = 60.0
ID = "kiosk/main"
RUNTIME_DIR = "/run/user/0"
BUS = f"unix:path={RUNTIME_DIR}/bus"
NOBODYS_BUS = "unix:path=/nonexistent/bus"
BIN = ""


# -- outside: the namespaces


def systemd_hierarchies():
    """(mount point, our cgroup in it) of the hierarchies that systemd works in."""
    with open("/proc/self/mountinfo", encoding="utf-8") as mounts:
        lines = [line.split() for line in mounts]
    with open("/proc/self/cgroup", encoding="utf-8") as cgroups:
        ours = dict(line.strip().split(":", 2)[1:] for line in cgroups)
    for fields in lines:
        kind, options = fields[fields.index("-") + 1], fields[-1]
        if kind == "cgroup2":
            yield fields[4], fields[4] + ours[""]
        elif kind == "cgroup" and "name=systemd" in options:
            yield fields[4], fields[4] + ours["name=systemd"]


def run_inside():
    folders = [os.path.join(path, f"compositord-test-{os.getpid()}") for _, path in systemd_hierarchies()]
    for folder in folders:
        os.mkdir(folder)

    def enter():
        for folder in folders:
            with open(os.path.join(folder, "cgroup.procs"), "w", encoding="utf-8") as processes:
                processes.write(str(os.getpid()))
    try:
        return subprocess.run(
            ["unshare", "--mount", "--propagation", "private", "--cgroup", "--pid", "--fork", "--kill-child", "--mount-proc",
             sys.executable, *sys.argv], env=dict(os.environ, **{INSIDE: "1"}), preexec_fn=enter, check=False).returncode
    finally:
        for folder in folders:
            for path, _, _ in os.walk(folder, topdown=False):
                os.rmdir(path)


# -- inside


def mount(*arguments):
    subprocess.run(["mount", *arguments], check=True)


def pretend_that_systemd_was_booted():
    points = [point for point, _ in systemd_hierarchies()]
    kinds = ["cgroup2" if os.path.exists(os.path.join(point, "cgroup.controllers")) else "cgroup" for point in points]
    mount("-t", "tmpfs", "tmpfs", "/run")
    if len(points) > 1:
        mount("-t", "tmpfs", "tmpfs", "/sys/fs/cgroup")
    for point, kind in zip(points, kinds):
        os.makedirs(point, exist_ok=True)
        mount("-t", kind, *(["-o", "none,name=systemd"] if kind == "cgroup" else []), kind, point)
    os.makedirs("/run/systemd/system")
    os.makedirs(RUNTIME_DIR, 0o700)
    os.environ.update({"XDG_RUNTIME_DIR": RUNTIME_DIR, "DBUS_SESSION_BUS_ADDRESS": BUS, "HOME": "/nonexistent"})


def systemctl(*arguments):
    return subprocess.run(["systemctl", "--user", *arguments], check=True, capture_output=True, text=True, timeout=PATIENCE)


class SystemdTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.bus = subprocess.Popen(["dbus-daemon", "--session", "--nofork", "--nosyslog", "--address=" + BUS, "--print-address"],
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        cls.bus.stdout.readline()
        ready = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        cls.addClassCleanup(ready.close)
        ready.bind("/run/ready")
        ready.settimeout(PATIENCE)
        with open("/run/systemd.log", "wb") as log:
            cls.systemd = subprocess.Popen(
                ["/lib/systemd/systemd", "--user", "--unit=basic.target"], stdout=log, stderr=log,
                env=dict(os.environ, NOTIFY_SOCKET="/run/ready", SYSTEMD_LOG_TARGET="console"))
        try:
            while b"READY=1" not in ready.recv(4096):
                pass
        except TimeoutError:
            with open("/run/systemd.log", encoding="utf-8") as log:
                raise AssertionError("systemd --user did not start:\n" + log.read()[-4000:]) from None

    @classmethod
    def tearDownClass(cls):
        for process in (cls.systemd, cls.bus):
            process.send_signal(signal.SIGCONT)
            process.terminate()
            process.wait(PATIENCE)
        cls.bus.stdout.close()

    def setUp(self):
        self.context = zmq.Context()
        self.fleet = Fleet(BIN)
        self.addCleanup(self.context.term)
        self.addCleanup(self.fleet.stop)
        self.fleet.start_broker(own_tcp(), own_tcp())
        self.feed = Subscriber(self.context, self.fleet.feed, ["status/", "bus/tick"])
        self.addCleanup(self.feed.close)
        self.unit = self._testMethodName[5:]
        self.addCleanup(subprocess.run, ["systemctl", "--user", "stop", self.unit + ".service", self.unit + ".scope"],
                        stderr=subprocess.DEVNULL, check=False, timeout=PATIENCE)

    def tearDown(self):
        self.systemd.send_signal(signal.SIGCONT)
        result = self._outcome.result
        if any(test is self for test, _ in result.failures + result.errors):
            for program in self.fleet.programs:
                with open(program.log, encoding="utf-8", errors="replace") as log:
                    print(f"--- {program.name}:\n{log.read()[-6000:]}", file=sys.stderr)

    def start_weston(self, *properties):
        weston = ["weston", "--backend=headless-backend.so", "--use-pixman", "--idle-time=0", "--no-config", "--socket=" + self.unit]
        subprocess.run(["systemd-run", "--user", "--quiet", "--unit=" + self.unit,
                        *properties, *weston], check=True, timeout=PATIENCE)

    def start_agent(self, **environment):
        self.agent = self.fleet.start(
            "compositor-agent", [sys.executable, os.path.join(HERE, "..", "support", "py", "older_kernel.py"),
                                 os.path.join(BIN, "compositor-agent"), "--broker", self.fleet.bus, "--id", ID, "-w", self.unit,
                                 "--heartbeat", "200"],
            {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": NOBODYS_BUS, **environment})
        self.wait_status(lambda s: s["verdict"] == "ok", "a compositor that is well")
        return call(self.context, self.fleet.bus, "bus.manifest", "get", {"id": ID})["result"]["manifest"]["pid"]

    def wait_status(self, wanted, what):
        return self.feed.wait_for(lambda topic, s: topic == "json/status/" + ID and wanted(s), PATIENCE, what)

    def wait_until_it_has_its_unit(self):
        deadline = time.monotonic() + PATIENCE
        while True:
            with open(self.agent.log, encoding="utf-8") as log:
                if f"systemd.unit unit={self.unit}.service" in log.read():
                    return
            self.assertLess(time.monotonic(), deadline, "it does not find its unit")
            self.feed.wait_for(lambda topic, _: topic == "json/bus/tick", PATIENCE, "a second")

    # -- the tests

    def test_a_signal_is_in_the_first_status_after_the_end(self):
        self.start_weston()
        pid = self.start_agent()
        self.wait_until_it_has_its_unit()
        begin = time.monotonic()
        os.kill(pid, signal.SIGSEGV)
        status, at = self.wait_status(lambda s: s["verdict"] == "down", "a status that says down")
        process = status["process"]
        self.assertEqual((process["state"], process.get("signal")), ("killed", 11), status)
        self.assertEqual(process["note"], f"told by systemd, whose unit {self.unit}.service it was")
        self.assertLess(at - begin, 1.0)  # promised: 0.2 s, on a machine that has the time
        print(f"{self._testMethodName}: {(at - begin) * 1000:.0f} ms", file=sys.stderr)

    def test_a_unit_that_is_started_again_at_once_has_told_its_end(self):
        self.start_weston("-p", "Restart=always")
        pid = self.start_agent()
        self.wait_until_it_has_its_unit()
        os.kill(pid, signal.SIGKILL)
        status, _ = self.wait_status(lambda s: s["verdict"] == "down", "a status that says down")
        self.assertEqual((status["process"]["state"], status["process"].get("signal")), ("killed", 9), status)
        self.wait_status(lambda s: s["verdict"] == "ok", "the next one")

    def test_a_code_is_told_by_the_systems_manager_as_well(self):
        self.start_weston("-p", "RemainAfterExit=yes")
        pid = self.start_agent(DBUS_SESSION_BUS_ADDRESS=NOBODYS_BUS, DBUS_SYSTEM_BUS_ADDRESS=BUS)
        self.wait_until_it_has_its_unit()
        os.kill(pid, signal.SIGTERM)
        status, _ = self.wait_status(lambda s: s["verdict"] == "down", "a status that says down")
        self.assertEqual((status["process"]["state"], status["process"].get("code")), ("exited", 0), status)
        self.assertIn("told by systemd", status["process"]["note"])

    def test_a_systemd_that_hangs_delays_nothing_and_is_heard_later(self):
        self.start_weston()
        pid = self.start_agent()
        self.wait_until_it_has_its_unit()
        self.systemd.send_signal(signal.SIGSTOP)
        begin = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        status, at = self.wait_status(lambda s: s["verdict"] == "down", "a status that says down")
        self.assertEqual(status["process"]["state"], "exited", status)
        self.assertFalse({"signal", "code"} & set(status["process"]), status)
        self.assertLess(at - begin, 1.0)
        print(f"{self._testMethodName}: {(at - begin) * 1000:.0f} ms", file=sys.stderr)
        for _ in range(2):  # a second, so that `since` can be told apart from now
            self.feed.wait_for(lambda topic, _: topic == "json/bus/tick", PATIENCE, "a second")
        self.systemd.send_signal(signal.SIGCONT)
        later, _ = self.wait_status(lambda s: s["process"]["state"] == "killed", "how it ended")
        self.assertEqual(later["process"]["signal"], 9)
        self.assertLess(abs(later["process"]["since"] - status["process"]["since"]), 100, "it ended when it ended")
        self.assertIn(f"{self.unit}.service", later["reason"])
        self.assertEqual(later["link"]["state"], "connected")
        self.assertEqual(later["link"]["since"], status["link"]["since"], "no heartbeat was missed meanwhile")

    def test_a_scope_has_no_end_to_tell(self):
        scope = ["systemd-run", "--user", "--quiet", "--scope", "--unit=" + self.unit, "weston",
                 "--backend=headless-backend.so", "--use-pixman", "--idle-time=0", "--no-config", "--socket=" + self.unit]
        weston = subprocess.Popen(scope, stderr=subprocess.DEVNULL)
        self.addCleanup(weston.wait)
        pid = self.start_agent()
        os.kill(pid, signal.SIGKILL)
        status, _ = self.wait_status(lambda s: s["verdict"] == "down", "a status that says down")
        self.assertEqual(status["process"]["state"], "exited", status)
        self.assertFalse({"signal", "code", "note"} & set(status["process"]), status)


if __name__ == "__main__":
    if INSIDE not in os.environ:
        sys.exit(run_inside())
    pretend_that_systemd_was_booted()
    sys.path.insert(0, os.path.join(HERE, "..", "..", "tools", "story"))
    import zmq
    from fleet import Fleet, Subscriber, call
    from loopback import own_tcp
    BIN = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=2)
