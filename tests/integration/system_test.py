#!/usr/bin/python3
"""The whole system with real compositors: broker, agent, weston or sway, subscriber, operator. No timing is judged here
(tools/quickstart --check does that); what must happen, happens within a generous time.

usage: system_test.py BIN_DIR [unittest arguments]
"""

import hashlib
import json
import os
import signal
import struct
import subprocess
import sys
import time
import unittest

import zmq

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools", "story"))
from fleet import Failure, Fleet, Subscriber, call, unprivileged_user  # noqa: E402
from loopback import own_tcp  # noqa: E402

BIN = ""
PATIENCE = 60.0
ID = "wall-3/wayland-1"


def png_size(png):
    assert png[:8] == b"\x89PNG\r\n\x1a\n", png[:32]
    return struct.unpack(">II", png[16:24])


class SystemTest(unittest.TestCase):
    def setUp(self):
        self.context = zmq.Context()
        self.fleet = Fleet(BIN)
        self.addCleanup(self.context.term)
        self.addCleanup(self.fleet.stop)
        self.broker = self.fleet.start_broker(own_tcp(), own_tcp())
        self.feed = Subscriber(self.context, self.fleet.feed, ["status/", "alert/", "manifest/"])
        self.addCleanup(self.feed.close)

    def tearDown(self):
        result = self._outcome.result
        if any(test is self for test, _ in result.failures + result.errors):
            for program in self.fleet.programs:
                print(f"--- {program.name}:\n{program.tail()}", file=sys.stderr)

    # -- what is started

    def make_runtime_dir(self):
        user = unprivileged_user()
        self.fleet.runtime_dir = os.path.join(self.fleet.dir, "runtime")
        os.mkdir(self.fleet.runtime_dir, 0o700)
        if user:
            os.chown(self.fleet.runtime_dir, user.pw_uid, user.pw_gid)

    def start_weston(self):
        environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent",
                       "XDG_RUNTIME_DIR": self.fleet.runtime_dir}
        return self.fleet.start("weston", [
            "weston", "--backend=headless-backend.so", "--use-pixman", "--width=1280", "--height=720", "--idle-time=0",
            "--socket=wayland-1"], environment, unprivileged_user())

    def start_agent(self, *extra):
        environment = dict(os.environ, XDG_RUNTIME_DIR=self.fleet.runtime_dir)
        environment.pop("WAYLAND_DISPLAY", None)
        return self.fleet.start("compositor-agent", [
            os.path.join(BIN, "compositor-agent"), "--broker", self.fleet.bus, "--id", ID, *extra], environment)

    def start_sway_and_agent(self):
        sway = self.fleet.start_sway()
        agent = self.start_agent("-w", "wayland-1")
        self.wait_verdict("ok")
        return sway, agent

    # -- what is seen

    def wait_status(self, wanted, what):
        return self.feed.wait_for(lambda topic, s: topic == "json/status/" + ID and wanted(s), PATIENCE, what)[0]

    def wait_verdict(self, verdict):
        return self.wait_status(lambda s: s["verdict"] == verdict, f"verdict {verdict}")

    def wait_manifest(self):
        self.feed.wait_for(lambda topic, _: topic == "json/manifest/" + ID, PATIENCE, "a manifest")
        return self.get_manifest()

    def get_manifest(self):
        reply = call(self.context, self.fleet.bus, "bus.manifest", "get", {"id": ID})
        self.assertEqual(reply["status"], 200, reply)
        return reply["result"]

    def get_status(self):
        return call(self.context, self.fleet.bus, "bus.status", "get", {"id": ID})["result"]

    def ctl(self, *arguments):
        return subprocess.run(self.fleet.ctl(*arguments), capture_output=True, text=True, timeout=PATIENCE, check=False)

    # -- the tests

    def test_an_agent_waits_for_the_only_display_and_describes_weston(self):
        self.make_runtime_dir()
        self.start_agent()  # neither -w nor WAYLAND_DISPLAY: the only one in the runtime directory
        status = self.wait_verdict("down")
        self.assertEqual(status["layer"], "process")
        self.assertIn("finds no compositor", status["reason"])
        self.start_weston()
        answer = self.wait_manifest()  # the manifest comes before the status that says ok
        self.wait_verdict("ok")
        manifest = answer["manifest"]
        self.assertEqual((manifest["name"], manifest["kind"], manifest["display"]), ("weston", "wayland", "wayland-1"))
        self.assertTrue(manifest["version"].startswith("10."), manifest["version"])
        self.assertEqual(os.path.basename(manifest["executable"]), "weston")
        self.assertEqual(len(manifest["outputs"]), 1)
        mode = manifest["outputs"][0]["current_mode"]
        self.assertEqual((mode["width_px"], mode["height_px"]), (1280, 720))
        self.assertIn("weston_desktop_shell", [p["name"] for p in manifest["protocols"]])
        self.assertEqual(answer["link"], "connected")
        deadline = time.monotonic() + PATIENCE
        while not self.get_manifest()["stored"]:  # it is answered from memory before the disk has it, and says so
            self.assertLess(time.monotonic(), deadline, "the manifest was never stored")

        with self.subTest("a command that weston can't do is refused, with the reason"):
            reply = call(self.context, self.fleet.bus, "compositor/" + ID, "output.mode",
                         {"output": manifest["outputs"][0]["name"], "width_px": 800, "height_px": 600})
            self.assertEqual(reply["status"], 501)
            self.assertIn("weston", reply["error"])
            self.assertEqual(self.ctl("run", ID, "output.mode", manifest["outputs"][0]["name"], "800x600").returncode, 8)

    def test_a_screenshot_of_sway_is_a_file_a_pipe_or_a_thumbnail(self):
        self.start_sway_and_agent()
        folder = os.path.join(self.fleet.dir, "shots")
        os.mkdir(folder)
        path = os.path.join(folder, "sway.png")
        run = self.ctl("-o", "json", "screenshot", ID, "-o", path)
        self.assertEqual(run.returncode, 0, run.stderr)
        told = json.loads(run.stdout)
        with open(path, "rb") as file:
            png = file.read()
        self.assertEqual(png_size(png), (told["width"], told["height"]))
        self.assertEqual((told["file"], told["bytes"], told["sha256"]), (path, len(png), hashlib.sha256(png).hexdigest()))
        self.assertEqual(os.listdir(folder), ["sway.png"], "nothing else is left there")

        output = told["outputs"][0]
        named = subprocess.run(self.fleet.ctl("screenshot", ID, "--output", output), capture_output=True, text=True,
                               timeout=PATIENCE, check=False, cwd=folder)
        self.assertEqual(named.returncode, 0, named.stderr)
        self.assertRegex(named.stdout, rf"^wall-3-wayland-1-{output}-\d{{8}}-\d{{6}}\.\d{{3}}\.png: \d+x\d+ px, \d+ bytes$")
        self.assertTrue(os.path.exists(os.path.join(folder, named.stdout.split(":")[0])))

        piped = subprocess.run(self.fleet.ctl("screenshot", ID, "--output", output, "--max-width", "160", "-o", "-"),
                               capture_output=True, timeout=PATIENCE, check=False)
        self.assertEqual(piped.returncode, 0, piped.stderr)
        self.assertEqual(png_size(piped.stdout)[0], 160)

        with self.subTest("what goes wrong leaves no file"):
            missing = self.ctl("screenshot", ID, "--output", "DP-9", "-o", os.path.join(folder, "none.png"))
            self.assertEqual(missing.returncode, 3)
            self.assertIn(output, missing.stderr)
            nowhere = self.ctl("screenshot", ID, "-o", os.path.join(folder, "no", "such.png"))
            self.assertEqual(nowhere.returncode, 1)
            self.assertIn("can't be written", nowhere.stderr)
            self.assertNotIn("none.png", os.listdir(folder))
        with self.subTest("a terminal gets no PNG"):
            outer, inner = os.openpty()
            refused = subprocess.run(self.fleet.ctl("screenshot", ID, "-o", "-"), stdout=inner, stderr=subprocess.PIPE,
                                     text=True, timeout=PATIENCE, check=False)
            os.close(inner)
            os.close(outer)
            self.assertEqual(refused.returncode, 2)
            self.assertIn("not for a terminal", refused.stderr)

    def test_a_screenshot_of_a_frozen_weston_ends_in_time_and_its_agent_stays(self):
        self.make_runtime_dir()
        weston = self.start_weston()
        self.start_agent("--display", "wayland-1")
        self.wait_verdict("ok")
        weston.signal(signal.SIGSTOP)
        begin = time.monotonic()
        late = self.ctl("screenshot", ID, "--deadline", "1s")
        self.assertEqual(late.returncode, 5, late.stderr)
        self.assertIn("504", late.stderr)
        self.assertLess(time.monotonic() - begin, 10)
        frozen = self.wait_status(lambda s: s["progress"]["state"] == "frozen", "frozen")
        self.assertEqual(frozen["link"]["state"], "connected")
        weston.signal(signal.SIGCONT)
        self.wait_verdict("ok")
        # This one was started without --debug: it says no, and from then on the manifest says so.
        refused = self.ctl("screenshot", ID)
        self.assertEqual(refused.returncode, 8, refused.stderr)
        self.assertIn("--debug", refused.stderr)
        self.feed.wait_for(lambda topic, _: topic == "json/manifest/" + ID and not self.can_take_screenshots(), PATIENCE,
                           "a manifest without screenshots")

    def can_take_screenshots(self):
        commands = {c["name"]: c["supported"] for c in self.get_manifest()["manifest"]["commands"]}
        return commands["screenshot"]

    def test_weston_freezes_crashes_and_comes_back(self):
        self.make_runtime_dir()
        weston = self.start_weston()
        self.start_agent("--display", "wayland-1")
        self.wait_verdict("ok")
        weston.signal(signal.SIGSTOP)
        frozen = self.wait_status(lambda s: s["progress"]["state"] == "frozen", "frozen")
        self.assertEqual((frozen["verdict"], frozen["process"]["state"]), ("down", "stopped"))
        self.assertEqual(frozen["link"]["state"], "connected", "a frozen compositor must not silence its agent")
        weston.signal(signal.SIGCONT)
        self.wait_verdict("ok")
        self.fleet.end(weston, signal.SIGTERM)
        down = self.wait_verdict("down")
        self.assertIn(down["process"]["state"], ("exited", "killed"))
        self.assertIn(down["process"].get("code"), (0, None), "weston ends with code 0 when asked to")
        self.assertEqual(self.get_manifest()["manifest"]["name"], "weston", "the manifest is answered while it is off")
        self.start_weston()
        self.wait_verdict("ok")

    def test_an_x_server_that_lost_its_compositing_manager_is_not_well_until_it_is_back(self):
        self.make_runtime_dir()
        number = 30_000 + os.getpid() % 10_000  # as good as free: what else runs uses small ones
        display = f":{number}"
        self.fleet.start("Xvfb", ["Xvfb", display, "-screen", "0", "640x480x24", "-nolisten", "tcp"])
        self.start_agent("-w", display)
        self.wait_verdict("ok")  # bare

        def start_picom():
            return self.fleet.start("picom", ["picom", "--backend", "xrender", "--config", "/dev/null"],
                                    {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "DISPLAY": display})

        picom = start_picom()
        self.feed.wait_for(lambda topic, _: topic == "json/manifest/" + ID, PATIENCE, "picom's manifest")
        self.assertEqual(self.get_manifest()["manifest"]["name"], "picom")
        self.fleet.end(picom, signal.SIGKILL)
        down = self.wait_status(lambda s: s["process"].get("note"), "that a part is lost")
        self.assertEqual((down["verdict"], down["process"]["state"], down["process"]["signal"]), ("down", "killed", 9))
        self.assertIn("killed by signal 9 (SIGKILL); picom is not back, Xvfb goes on without it", down["reason"])
        picom = start_picom()
        self.wait_verdict("ok")
        self.fleet.end(picom, signal.SIGTERM)
        self.wait_status(lambda s: s["verdict"] == "ok" and s["process"]["state"] == "running", "peace after a wanted end")

    def test_a_command_to_a_frozen_sway_ends_at_its_deadline_and_the_agent_goes_on(self):
        sway, _ = self.start_sway_and_agent()
        sway.signal(signal.SIGSTOP)
        run = self.ctl("run", ID, "--deadline", "1s", "output.mode", "HEADLESS-1", "800x600")
        self.assertEqual(run.returncode, 5, run.stdout + run.stderr)
        self.wait_status(lambda s: s["progress"]["state"] == "frozen", "frozen")
        self.assertEqual(self.get_status()["link"]["state"], "connected")
        sway.signal(signal.SIGCONT)
        self.wait_verdict("ok")
        run = self.ctl("-o", "json", "run", ID, "output.scale", "HEADLESS-2", "1.5")
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
        self.assertIn('"scale"', run.stdout)

    def test_a_change_that_nobody_confirms_is_taken_back(self):
        self.start_sway_and_agent()

        def wait_manifest_width(wanted):
            deadline = time.monotonic() + PATIENCE
            while True:
                outputs = {o["name"]: o["current_mode"]["width_px"] for o in self.get_manifest()["manifest"]["outputs"]}
                if outputs["HEADLESS-1"] == wanted:
                    return
                self.assertLess(time.monotonic(), deadline, outputs)

        change = ("output.configure", "HEADLESS-1", "800x600", "HEADLESS-2", "scale=2")
        run = self.ctl("run", "--confirm-within", "1s", ID, *change)
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
        self.assertIn("HEADLESS-2: scale 1 → 2", run.stdout.replace("1.0", "1").replace("2.0", "2"))
        self.assertIn("taken back in 1.0 s unless you confirm it: compositorctl run " + ID + " output.confirm", run.stderr)
        wait_manifest_width(1280)
        late = self.ctl("run", ID, "output.confirm")
        self.assertEqual(late.returncode, 3, late.stdout + late.stderr)
        kept = self.ctl("run", "--confirm-within", "10min", ID, *change)
        self.assertEqual(kept.returncode, 0, kept.stdout + kept.stderr)
        second = self.ctl("run", ID, "output.scale", "HEADLESS-1", "3")
        self.assertIn("waits for output.confirm", second.stderr)
        self.assertEqual(self.ctl("run", ID, "output.confirm").returncode, 0)
        self.assertEqual(self.ctl("run", ID, "output.scale", "HEADLESS-1", "3").returncode, 0)
        wait_manifest_width(800)

    def test_every_output_command_is_read_back_and_reaches_the_manifest(self):
        self.start_sway_and_agent()
        for command, key, wanted in (
                (("output.mode", "HEADLESS-1", "1024x768@50"), "current_mode", {"width_px": 1024, "height_px": 768,
                                                                               "refresh_mhz": 50000}),
                (("output.scale", "HEADLESS-1", "1.5"), "scale", 1.5),
                (("output.transform", "HEADLESS-1", "90"), "transform", "90"),
                (("output.position", "HEADLESS-1", "3000,200"), "x", 3000)):
            with self.subTest(command[0]):
                run = self.ctl("run", ID, *command)
                self.assertEqual(run.returncode, 0, run.stdout + run.stderr)

                def shown(manifest, wanted=wanted, key=key):
                    output = next(o for o in manifest["outputs"] if o["name"] == "HEADLESS-1")
                    seen = output[key]
                    return wanted.items() <= seen.items() if isinstance(wanted, dict) else seen == wanted
                deadline = time.monotonic() + PATIENCE
                while not shown(self.get_manifest()["manifest"]):
                    left = deadline - time.monotonic()
                    self.assertGreater(left, 0, f"the manifest never showed {key} {wanted}")
                    self.feed.wait_for(lambda topic, _: topic == "json/manifest/" + ID, left, f"{key} in the manifest")

    def test_parameters_that_make_no_sense_are_refused_with_a_sentence(self):
        self.start_sway_and_agent()
        for params, word in (({"output": "HEADLESS-1", "width_px": 99999, "height_px": 1}, "width_px"),
                             ({"output": "HEADLESS-1", "width_px": 800}, "height_px"),
                             ({"output": 7, "width_px": 800, "height_px": 600}, "output")):
            reply = call(self.context, self.fleet.bus, "compositor/" + ID, "output.mode", params)
            self.assertEqual(reply["status"], 400, reply)
            self.assertIn(word, reply["error"])

    def test_an_agent_that_is_asked_to_end_leaves(self):
        _, agent = self.start_sway_and_agent()
        agent.signal(signal.SIGTERM)
        status = self.wait_verdict("unknown")
        self.assertEqual(status["link"]["state"], "left")
        self.assertEqual(agent.process.wait(PATIENCE), 0)

    def test_a_second_agent_of_one_id_takes_over_and_the_first_is_told(self):
        self.start_sway_and_agent()
        second = self.start_agent("-w", "wayland-1")
        stats = {}
        deadline = time.monotonic() + PATIENCE
        while not stats.get("agents_taken_over"):
            self.assertLess(time.monotonic(), deadline, "no takeover")
            self.feed.wait_for(lambda topic, _: topic.startswith("json/status/"), PATIENCE, "a status after the takeover")
            stats = call(self.context, self.fleet.bus, "bus.admin", "stats")["result"]["counters"]
        self.assertIsNone(second.process.poll())

    def test_what_changed_while_the_broker_was_down_is_there_when_it_is_back(self):
        self.start_sway_and_agent()
        before = self.get_manifest()
        deadline = time.monotonic() + PATIENCE
        while not before["stored"]:  # what isn't on disk yet may be gone after a SIGKILL
            self.assertLess(time.monotonic(), deadline, "the manifest is never stored")
            before = self.get_manifest()
        bus, feed = self.fleet.bus, self.fleet.feed
        self.fleet.end(self.broker, signal.SIGKILL)
        self.swaymsg("output", "HEADLESS-2", "mode", "640x480")
        self.fleet.start_broker(bus, feed)
        self.feed = Subscriber(self.context, feed, ["status/", "manifest/"])
        self.addCleanup(self.feed.close)
        answer = self.get_manifest()
        self.assertGreaterEqual(answer["revision"], before["revision"])
        if answer["revision"] == before["revision"]:
            answer = self.wait_manifest()
        mode = next(o for o in answer["manifest"]["outputs"] if o["name"] == "HEADLESS-2")["current_mode"]
        self.assertEqual((mode["width_px"], mode["height_px"]), (640, 480))

    def swaymsg(self, *arguments):
        user = unprivileged_user()
        identity = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}
        ipc = next(n for n in os.listdir(self.fleet.runtime_dir) if n.startswith("sway-ipc."))
        subprocess.run(["swaymsg", "-s", os.path.join(self.fleet.runtime_dir, ipc), *arguments], capture_output=True,
                       timeout=PATIENCE, check=True, cwd="/", **identity)

    def test_compositorctl_lists_shows_and_describes(self):
        self.start_sway_and_agent()
        listed = self.ctl("-o", "json", "ls")
        self.assertEqual(listed.returncode, 0, listed.stderr)
        self.assertIn(ID, listed.stdout)
        json.loads(listed.stdout)
        for command in ("show", "manifest"):
            text = self.ctl(command, ID)
            self.assertEqual(text.returncode, 0, text.stderr)
            self.assertIn("sway" if command == "manifest" else "ok", text.stdout)
        self.assertEqual(self.ctl("show", "nobody/here").returncode, 3)
        self.assertEqual(self.ctl("req", "bus.status", '{"method":"list"}').returncode, 0)


if __name__ == "__main__":
    BIN = sys.argv.pop(1)
    unittest.main(verbosity=2)
