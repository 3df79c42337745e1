#!/usr/bin/python3
"""`compositor-agent run`: real compositors that the agent starts itself, through the real broker.

usage: supervision_test.py BIN_DIR [unittest arguments]
"""

import contextlib
import os
import select
import shutil
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
WESTON = ["weston", "--backend=headless-backend.so", "--use-pixman", "--width=640", "--height=480", "--idle-time=0",
          "--no-config"]


def runs(pid):
    """Whether the process lives; a zombie does not."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_for_end(pid):
    """Until the process, which is no child of ours, has ended."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    ended = select.poll()
    ended.register(pidfd, select.POLLIN)
    if not ended.poll(PATIENCE * 1000):
        raise AssertionError(f"process {pid} lives on")
    os.close(pidfd)


class SupervisionTest(unittest.TestCase):
    def setUp(self):
        self.context = zmq.Context()
        self.fleet = Fleet(BIN)
        self.addCleanup(self.context.term)
        self.addCleanup(self.fleet.stop)
        self.fleet.start_broker(own_tcp(), own_tcp())
        self.feed = Subscriber(self.context, self.fleet.feed, ["status/", "manifest/", "bus/tick"])
        self.addCleanup(self.feed.close)
        self.user = unprivileged_user()  # of agent and compositor: sway refuses root
        self.runtime_dir = os.path.join(self.fleet.dir, "runtime")
        os.mkdir(self.runtime_dir, 0o700)
        if self.user:
            os.chown(self.runtime_dir, self.user.pw_uid, self.user.pw_gid)

    def tearDown(self):
        result = self._outcome.result
        if any(test is self for test, _ in result.failures + result.errors):
            for program in self.fleet.programs:
                with open(program.log, encoding="utf-8", errors="replace") as log:
                    print(f"--- {program.name}:\n{log.read()[-6000:]}", file=sys.stderr)

    def environment(self):
        return {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "XDG_RUNTIME_DIR": self.runtime_dir,
                "WLR_BACKENDS": "headless", "WLR_LIBINPUT_NO_DEVICES": "1", "WLR_RENDERER": "pixman"}

    def run_agent(self, command, *options, display=None, **environment):
        watched = ["-w", display] if display else []
        return self.fleet.start("compositor-agent", [
            os.path.join(BIN, "compositor-agent"), "--broker", self.fleet.bus, "--id", ID, *watched, "run", *options, "--",
            *command], {**self.environment(), **environment}, self.user)

    def wait_status(self, wanted, what):
        return self.feed.wait_for(lambda topic, s: topic == "json/status/" + ID and wanted(s), PATIENCE, what)[0]

    def wait_verdict(self, verdict):
        return self.wait_status(lambda s: s["verdict"] == verdict, f"verdict {verdict}")

    def wait_crash(self):
        return self.wait_status(lambda s: "crash" in s, "a crash")

    def get(self, service):
        reply = call(self.context, self.fleet.bus, service, "get", {"id": ID})
        self.assertEqual(reply["status"], 200, reply)
        return reply["result"]

    def manifest(self):
        return self.get("bus.manifest")["manifest"]

    def command(self, method, params=None):
        return call(self.context, self.fleet.bus, "compositor/" + ID, method, params, PATIENCE)

    def sway(self, text="xwayland disable\n"):
        path = os.path.join(self.fleet.dir, "sway.config")
        with open(path, "w", encoding="utf-8") as config:
            config.write(text)
        return ["sway", "-c", path]

    def log_of(self, agent):
        with open(agent.log, encoding="utf-8", errors="replace") as log:
            return log.read()

    # -- the tests

    def test_sway_is_started_described_and_started_again_after_a_crash(self):
        agent = self.run_agent(self.sway())
        self.wait_verdict("ok")
        manifest = self.manifest()
        self.assertEqual((manifest["name"], manifest["driver"]), ("sway", "sway"))
        self.assertIn({"name": "restart", "supported": True, "reason": ""}, manifest["commands"])
        os.kill(manifest["pid"], signal.SIGKILL)
        crashed = self.wait_crash()
        self.assertEqual((crashed["verdict"], crashed["process"]["state"], crashed["process"]["signal"]),
                         ("down", "killed", 9))
        self.assertEqual(crashed["reason"], "the compositor was killed by signal 9 (SIGKILL); it will be started again")
        self.assertEqual((crashed["crash"]["pid"], crashed["crash"]["text"]),
                         (manifest["pid"], "killed by signal 9 (SIGKILL)"))
        events = " ".join(event["text"] for event in crashed["crash"]["events"])
        self.assertIn("compositor.up name=sway", events)
        up = self.wait_verdict("ok")
        self.assertNotIn("crash", up, "it is news once")
        self.assertNotEqual(self.manifest()["pid"], manifest["pid"])
        self.assertEqual(self.get("bus.status")["crash"]["pid"], manifest["pid"])
        shown = subprocess.run(self.fleet.ctl("show", ID), capture_output=True, text=True, timeout=PATIENCE, check=True).stdout
        self.assertRegex(shown, rf"last crash  process {manifest['pid']} killed by signal 9 \(SIGKILL\), .* ago")
        self.assertIsNone(agent.process.poll())

    def test_a_crash_is_told_with_the_last_lines_and_the_probes(self):
        self.run_agent(["sh", "-c", "exec " + " ".join(WESTON)])
        self.wait_verdict("ok")
        pid = self.manifest()["pid"]
        # Until a probe beyond the greeting was answered. That alone is no news, so look.
        deadline = time.monotonic() + PATIENCE
        started = self.get("bus.status")["progress"]
        while self.get("bus.status")["progress"]["round_trip_ms"] == started["round_trip_ms"]:
            self.assertLess(time.monotonic(), deadline, "no probe was answered")
            self.feed.wait_for(lambda topic, _: topic == "json/bus/tick", PATIENCE, "a second")
        os.kill(pid, signal.SIGSEGV)
        crash = self.wait_crash()["crash"]
        self.assertTrue(crash["probes"])
        self.assertLess(0, crash["probes"][0]["round_trip_ms"])
        self.assertLess(started["since"] - 60_000, crash["at"])
        self.assertEqual(crash["text"], "killed by signal 11 (SIGSEGV)")
        self.assertTrue(any("weston 10" in line for line in crash["log"]), crash["log"])
        self.assertLess(len(str(crash)), 40_000)
        self.wait_verdict("ok")
        self.assertNotEqual(self.manifest()["pid"], pid)

    def test_a_program_that_always_fails_is_a_crash_loop_until_a_restart(self):
        agent = self.run_agent(["/bin/false"], "--start-limit", "3")
        status = self.wait_status(lambda s: "crash loop" in s["reason"], "a crash loop")
        self.assertEqual(status["verdict"], "down")
        self.assertEqual(status["reason"], "the compositor exited with code 1; crash loop: started 3 times within 60 s; "
                                           "it stays down until a restart command")
        self.assertEqual(self.log_of(agent).count("supervisor.started"), 3)
        reply = self.command("restart")
        self.assertEqual(reply["status"], 500, reply)
        self.assertIn("exited with code 1 before it answered", reply["error"])
        self.assertEqual(self.log_of(agent).count("supervisor.started"), 4, "the restart was tried")
        self.wait_status(lambda s: "crash loop" in s["reason"], "a crash loop again")

    def test_a_sway_with_a_bad_command_line_tells_why(self):
        self.run_agent(["sway", "--no-such-option"], "--start-limit", "1")
        crash = self.wait_crash()["crash"]
        self.assertTrue(any("no-such-option" in line for line in crash["log"]), crash["log"])

    def test_a_program_that_is_not_there_is_named(self):
        self.run_agent(["/no/such/compositor"], "--start-limit", "2")
        status = self.wait_status(lambda s: "crash loop" in s["reason"], "a crash loop")
        self.assertIn("/no/such/compositor can't be executed: No such file or directory", status["reason"])
        reply = self.command("restart")
        self.assertEqual(reply["status"], 500, reply)
        self.assertIn("/no/such/compositor", reply["error"])

    def test_the_compositor_gets_its_arguments_as_they_are(self):
        arguments = ["[ 1 = 1 ]", "[a,b]", "[]", "--", "", "{}", "run"]
        agent = self.run_agent(["sh", "-c", 'printf "<%s>" "$0" "$@"; echo; false', *arguments], "--start-limit", "1")
        self.wait_status(lambda s: "crash loop" in s["reason"], "a crash loop")
        self.assertIn("".join(f"<{word}>" for word in arguments) + "\n", self.log_of(agent))

    def test_a_standard_error_that_nobody_reads_holds_nothing(self):
        unread = os.path.join(self.runtime_dir, "unread")
        os.mkfifo(unread)
        os.chmod(unread, 0o666)
        self.addCleanup(os.close, os.open(unread, os.O_RDWR | os.O_NONBLOCK))
        agent = self.fleet.start("compositor-agent", [
            "sh", "-c", 'exec "$@" 2>"$0"', unread, os.path.join(BIN, "compositor-agent"), "--broker", self.fleet.bus, "--id", ID,
            "run", "--start-limit", "2", "--", "sh", "-c", "head -c 300000 /dev/zero; exit 3"], self.environment(), self.user)
        self.wait_status(lambda s: "crash loop" in s["reason"], "a crash loop")
        self.assertEqual(self.command("restart")["status"], 500, "it answers, too")
        agent.signal(signal.SIGTERM)
        self.assertEqual(agent.process.wait(PATIENCE), 0)

    def test_a_display_that_is_a_folder_is_told_by_its_option(self):
        agent = [os.path.join(BIN, "compositor-agent"), "--broker", self.fleet.bus]
        for extra, environment, begin in ((["-w", "/tmp/folder/"], {}, "-w /tmp/folder/ names a folder and no display's socket"),
                                          ([], {"WAYLAND_DISPLAY": "/tmp/folder/"}, "WAYLAND_DISPLAY /tmp/folder/ names a folder"),
                                          (["--id", "wall/"], {}, "--id \"wall/\" is no compositor id")):
            ended = subprocess.run([*agent, *extra], env={**self.environment(), **environment}, capture_output=True, text=True,
                                   timeout=PATIENCE, check=False)
            self.assertEqual(ended.returncode, 1)
            self.assertTrue(ended.stderr.startswith("compositor-agent: " + begin), ended.stderr)
            self.assertEqual("--id" in ended.stderr, "--id" in extra)

    def test_stop_is_no_crash_and_restart_brings_it_back(self):
        agent = self.run_agent(WESTON)
        self.wait_verdict("ok")
        pid = self.manifest()["pid"]
        reply = self.command("stop")
        self.assertEqual(reply["status"], 200, reply)
        self.assertEqual(reply["result"], {"before": {"pid": pid}, "after": {"code": 0}})
        self.assertFalse(runs(pid))
        status = self.wait_verdict("down")
        self.assertEqual(status["reason"], "the compositor exited with code 0; it was stopped on request")
        self.assertNotIn("crash", self.get("bus.status"))
        self.assertEqual(self.command("stop")["status"], 200, "it is so already")
        reply = self.command("restart")
        self.assertEqual(reply["status"], 200, reply)
        after = reply["result"]["after"]["pid"]
        self.assertTrue(runs(after))
        self.wait_verdict("ok")
        self.assertEqual(self.manifest()["pid"], after)
        reply = self.command("restart")
        self.assertEqual((reply["status"], reply["result"]["before"]), (200, {"pid": after}), reply)
        self.assertNotEqual(reply["result"]["after"]["pid"], after)
        self.assertEqual(self.command("restart", {"now": True})["status"], 400)
        by_hand = subprocess.run(self.fleet.ctl("run", ID, "restart"), capture_output=True, text=True, timeout=PATIENCE,
                                 check=False)
        self.assertEqual(by_hand.returncode, 0, by_hand.stderr)
        self.assertIn("pid", by_hand.stdout)
        self.assertNotIn("supervisor.waiting", self.log_of(agent))

    def test_a_frozen_one_can_be_restarted(self):
        agent = self.run_agent(WESTON)
        self.wait_verdict("ok")
        pid = self.manifest()["pid"]
        os.kill(pid, signal.SIGSTOP)
        reply = self.command("restart")
        self.assertEqual((reply["status"], reply["result"]["before"]), (200, {"pid": pid}), reply)
        self.assertFalse(runs(pid))
        self.assertNotIn("supervisor.killing", self.log_of(agent), "it was continued, and could end by itself")

    def test_one_that_ignores_sigterm_is_killed_after_the_grace(self):
        fifo = os.path.join(self.runtime_dir, "deaf")
        os.mkfifo(fifo)
        os.chmod(fifo, 0o666)
        agent = self.run_agent(["sh", "-c", f"trap '' TERM; echo deaf > {fifo}; tail -f /dev/null"], "--stop-grace", "200")
        with open(fifo, encoding="utf-8") as deaf:
            self.assertEqual(deaf.read(), "deaf\n")
        self.wait_verdict("down")  # no display of it, and the agent is online
        reply = self.command("stop")
        self.assertEqual(reply["status"], 200, reply)
        self.assertEqual(reply["result"]["after"], {"signal": 9})
        self.assertIn("supervisor.killing", self.log_of(agent))

    def test_sigterm_to_the_agent_ends_both(self):
        agent = self.run_agent(WESTON)
        self.wait_verdict("ok")
        pid = self.manifest()["pid"]
        agent.signal(signal.SIGTERM)
        self.assertEqual(agent.process.wait(PATIENCE), 0)
        self.assertFalse(runs(pid))
        self.assertEqual(self.wait_verdict("unknown")["link"]["state"], "left")
        left = subprocess.run(["ps", "-o", "pid=", "-s", str(pid)], capture_output=True, text=True, check=False).stdout
        for helper in left.split():
            wait_for_end(int(helper))  # killed before the agent ended; its new parent may not have reaped it yet
        self.assertIn("exited with code 0", self.log_of(agent))

    def test_sighup_is_passed_on(self):
        agent = self.run_agent(self.sway())
        self.wait_verdict("ok")
        agent.signal(signal.SIGHUP)
        status = self.wait_crash()  # sway has no use for it, and dies of it
        self.assertEqual(status["process"]["signal"], signal.SIGHUP)
        self.wait_verdict("ok")

    def test_a_killed_agent_takes_its_compositor_along(self):
        agent = self.run_agent(WESTON)
        self.wait_verdict("ok")
        pid = self.manifest()["pid"]
        agent.signal(signal.SIGKILL)
        wait_for_end(pid)

    def test_a_killed_agent_leaves_its_compositor_when_that_is_wanted(self):
        for number in (signal.SIGKILL, signal.SIGTERM):
            agent = self.run_agent([*WESTON, f"--socket=kept-{number}"], "--keep-on-exit", "-w", f"kept-{number}")
            self.wait_verdict("ok")
            pid = self.manifest()["pid"]
            try:
                agent.signal(number)
                agent.process.wait(PATIENCE)
                self.assertTrue(runs(pid))
            finally:
                os.kill(pid, signal.SIGKILL)
            self.wait_verdict("unknown")

    def test_its_own_display_is_found_among_others(self):
        foreign = self.fleet.start("foreign", [*WESTON, "--socket=wayland-0"], self.environment(), self.user)
        self.run_agent(WESTON)
        self.wait_verdict("ok")
        manifest = self.manifest()
        self.assertNotEqual(manifest["pid"], foreign.pid)
        self.assertEqual(manifest["display"], "wayland-1")
        os.kill(manifest["pid"], signal.SIGKILL)
        self.wait_crash()
        self.wait_verdict("ok")
        self.assertNotIn(self.manifest()["pid"], (foreign.pid, manifest["pid"]))

    def test_without_run_nothing_can_be_restarted(self):
        self.fleet.start("weston", [*WESTON, "--socket=wayland-1"], self.environment(), self.user)
        self.fleet.start("compositor-agent", [os.path.join(BIN, "compositor-agent"), "--broker", self.fleet.bus, "--id", ID],
                         self.environment(), self.user)
        self.wait_verdict("ok")
        self.assertNotIn("restart", [c["name"] for c in self.manifest()["commands"]])
        for method in ("restart", "stop"):
            reply = self.command(method)
            self.assertEqual(reply["status"], 501, reply)
            self.assertIn("compositor-agent run -- COMMAND", reply["error"])

    # -- other compositors than sway and weston

    def session_bus(self):
        """Of the compositor's user, as a desktop's session has one; what to tell others of it."""
        address = f"unix:path={self.runtime_dir}/bus"
        bus = self.fleet.start("dbus-daemon", ["dbus-daemon", "--session", "--nofork", "--print-address", f"--address={address}"],
                               self.environment(), self.user)
        self.assertTrue(bus.process.stdout.readline(), bus.tail())
        return {"DBUS_SESSION_BUS_ADDRESS": address, "XDG_CONFIG_HOME": self.runtime_dir, "XDG_CACHE_HOME": self.runtime_dir}

    def crash_and_stop(self, name, end, command, *options, **environment):
        """Started, killed, started again, and stopped for good: it ends with `end`, which is then no crash."""
        agent = self.run_agent(command, *options, **environment)
        self.wait_verdict("ok")
        first = self.manifest()
        self.assertEqual(first["name"], name)
        os.kill(first["pid"], signal.SIGSEGV)
        crash = self.wait_crash()["crash"]
        # Some catch it and end in their own way; whichever it is, its parent was told.
        self.assertEqual(crash["pid"], first["pid"])
        self.assertRegex(crash["text"], r"killed by signal \d+ \(SIG\w+\)|exited with code \d+")
        self.wait_verdict("ok")
        second = self.manifest()
        self.assertNotEqual(second["pid"], first["pid"])
        reply = self.command("stop")
        self.assertEqual((reply["status"], reply["result"]["before"]), (200, {"pid": second["pid"]}), reply)
        self.assertEqual(reply["result"]["after"], end)
        self.assertFalse(runs(second["pid"]))
        # Mutter closes its socket a while before it ends, which is news before the news.
        status = self.wait_status(lambda s: s["reason"].endswith("; it was stopped on request"), "that it was stopped")
        self.assertEqual(status["verdict"], "down")
        self.assertNotIn("crash", status)
        self.assertEqual(self.get("bus.status")["crash"]["pid"], first["pid"], "the end that was asked for is none")
        self.assertNotIn("supervisor.killing", self.log_of(agent))

    def test_kwin_crashes_and_is_stopped(self):
        # The installed one has file capabilities, which containers forbid.
        copy = os.path.join(self.runtime_dir, "kwin_wayland")
        shutil.copyfile("/usr/bin/kwin_wayland", copy)
        os.chmod(copy, 0o755)
        self.crash_and_stop("kwin_wayland", {"code": 15}, [
            copy, "--virtual", "--width", "640", "--height", "480", "--no-lockscreen", "--no-global-shortcuts"],
            KWIN_COMPOSE="Q", **self.session_bus())

    def test_mutter_crashes_and_is_stopped(self):
        self.crash_and_stop("mutter", {"code": 0}, [
            "mutter", "--headless", "--wayland", "--no-x11", "--virtual-monitor", "640x480@60"], **self.session_bus())

    def test_phoc_crashes_and_is_stopped(self):
        config = os.path.join(self.runtime_dir, "phoc.ini")
        with open(config, "w", encoding="utf-8") as file:
            file.write("[core]\nxwayland=false\n")
        self.crash_and_stop("phoc", {"signal": 15}, ["phoc", "-C", config], WLR_HEADLESS_OUTPUTS="1")

    def test_an_x_server_crashes_and_is_stopped(self):
        number = next(n for n in range(400 + os.getpid() % 400, 900) if not os.path.exists(f"/tmp/.X11-unix/X{n}"))
        self.addCleanup(self.remove_traces_of, number)
        self.crash_and_stop("Xvfb", {"code": 0}, [
            "Xvfb", f":{number}", "-screen", "0", "640x480x24", "-nolisten", "tcp", "-noreset", "-ac"], display=f":{number}")

    def remove_traces_of(self, display):
        for path in (f"/tmp/.X11-unix/X{display}", f"/tmp/.X{display}-lock"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)


if __name__ == "__main__":
    BIN = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=2)
