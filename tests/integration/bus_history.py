#!/usr/bin/python3
"""What was: earlier manifests and their differences, how compositors did, the known kinds; over a restart of the broker,
with a store that fails, and through compositorctl."""

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "support", "py"))
import calls
import programs

ID = "wall-3/wayland-1"
OTHER = "wall-4/wayland-1"


def ctl(broker, *arguments):
    done = subprocess.run([programs.program("compositorctl"), "--broker", broker.bus, *arguments], capture_output=True,
                          text=True, timeout=30, check=False, env={"PATH": "/usr/bin:/bin", "TZ": "UTC"})
    return done.returncode, done.stdout, done.stderr


def dark(name, planned):
    report = calls.report(outputs=(("HDMI-A-1", "on"), (name, "off")))
    if planned:
        report["outputs"][1]["planned"] = True
    return report


class Manifests(unittest.TestCase):
    def put(self, agent, **changes):
        reply = agent.ask("manifest.put", {"manifest": calls.manifest(**changes)})
        self.assertEqual(reply.status, 200, reply)
        return reply.result

    def test_revisions_their_differences_and_304(self):
        for as_json in (False, True):
            with self.subTest(as_json=as_json), programs.broker() as broker, \
                    calls.PythonAgent(broker.bus, ID, as_json) as agent, calls.Caller(broker.bus, as_json) as caller:
                agent.come_online()
                second = self.put(agent, version="10.0.2")
                self.assertEqual(self.put(agent, version="10.0.2")["revision"], second["revision"], "the same is no revision")
                now = caller.call("bus.manifest", "get", {"id": ID})
                self.assertEqual(now.result["manifest"]["version"], "10.0.2")
                same = caller.call("bus.manifest", "get", {"id": ID, "if_none_match": now.result["hash"]})
                self.assertEqual((same.status, same.result, "error" in same.header), (304, {}, False))
                self.assertEqual(caller.call("bus.manifest", "get", {"id": ID, "if_none_match": "0" * 32}).status, 200)
                first = caller.call("bus.manifest", "get", {"id": ID, "revision": 1})
                self.assertEqual((first.status, first.result["manifest"]), (200, calls.manifest()))
                again = caller.call("bus.manifest", "get", {"id": ID, "revision": 2})
                self.assertEqual((again.result["hash"], again.result["name"]), (now.result["hash"], "weston"))
                for revision, status in ((3, 404), (0, 400), ("one", 400)):
                    self.assertEqual(caller.call("bus.manifest", "get", {"id": ID, "revision": revision}).status, status)
                history = caller.call("bus.manifest", "history", {"id": ID}).result["revisions"]
                self.assertEqual([(r["revision"], r["version"]) for r in history], [(1, "10.0.1"), (2, "10.0.2")])
                for params in ({"id": ID}, {"id": ID, "from": 1, "to": 2}, {"id": ID, "from": 1}):
                    diff = caller.call("bus.manifest", "diff", params).result
                    self.assertEqual(diff["changes"], [{"path": "version", "old": "10.0.1", "new": "10.0.2"}])
                    self.assertEqual((diff["a"]["revision"], diff["b"]["revision"], diff["more"]), (1, 2, False))
                self.assertEqual(caller.call("bus.manifest", "diff", {"id": ID, "from": 2, "to": 2}).result["changes"], [])
                for params, status in (({}, 400), ({"id": ID, "to": 9}, 404), ({"a": ID, "b": OTHER}, 404), ({"a": ID}, 400),
                                       ({"id": "no/such"}, 404)):
                    self.assertEqual(caller.call("bus.manifest", "diff", params).status, status, params)

    def test_the_last_ten_are_kept_over_a_kill_and_contents_are_shared(self):
        with programs.temporary_folder() as folder:
            with programs.Broker(folder) as broker, calls.PythonAgent(broker.bus, ID) as agent, \
                    calls.PythonAgent(broker.bus, OTHER) as other:
                agent.come_online()
                other.come_online()
                for i in range(14):
                    self.put(agent, version=f"11.{i}")
                broker.signal(signal.SIGKILL)
                broker.wait()
            with contextlib.closing(sqlite3.connect(os.path.join(folder, "compositord.db"))) as db:
                self.assertEqual(db.execute("SELECT count(*) FROM manifest_content").fetchone(), (11,),
                                 "ten of the one, and the other's, which the one had first")
            with programs.Broker(folder) as broker, calls.Caller(broker.bus) as caller:
                kept = caller.call("bus.manifest", "history", {"id": ID}).result["revisions"]
                self.assertEqual([r["revision"] for r in kept], list(range(6, 16)))
                self.assertEqual(caller.call("bus.manifest", "get", {"id": ID, "revision": 5}).status, 404)
                old = caller.call("bus.manifest", "get", {"id": ID, "revision": 6})
                self.assertEqual(old.result["manifest"], calls.manifest(version="11.4"))
                diff = caller.call("bus.manifest", "diff", {"a": OTHER, "b": ID}).result
                self.assertEqual(diff["changes"], [{"path": "version", "old": "10.0.1", "new": "11.13"}])

    def test_lists_by_selector_and_fields(self):
        with programs.broker() as broker, calls.PythonAgent(broker.bus, ID) as agent, \
                calls.PythonAgent(broker.bus, OTHER) as other, calls.Caller(broker.bus) as caller:
            agent.come_online(labels={"site": "berlin"})
            other.come_online(labels={"site": "paris"})
            chosen = caller.call("bus.manifest", "list", {"selector": {"labels": {"site": "b*"}},
                                                          "fields": ["version", "manifest.outputs", "manifest.none"]})
            self.assertEqual(chosen.result, {"compositors": [
                {"id": ID, "version": "10.0.1", "manifest": {"outputs": calls.manifest()["outputs"]}}], "next": None})
            whole = caller.call("bus.manifest", "list", {"fields": ["manifest"], "limit": 1}).result
            self.assertEqual((whole["compositors"][0]["manifest"], whole["next"]), (calls.manifest(), ID))
            rest = caller.call("bus.manifest", "list", {"fields": ["id"], "after": ID}).result
            self.assertEqual(rest, {"compositors": [{"id": OTHER}], "next": None})
            for params in ({"fields": ["nme"]}, {"fields": "name"}, {"selector": {}}):
                self.assertEqual(caller.call("bus.manifest", "list", params).status, 400, params)

    def test_the_catalogue_and_the_operators_own(self):
        with programs.temporary_folder() as folder:
            own = os.path.join(folder, "own.json")
            config = os.path.join(folder, "compositord.yaml")
            entry = {"name": "our-shell", "kind": "wayland", "role": "compositor", "executables": ["our-shell"],
                     "detected_by": [], "versions_seen": [], "watched": [], "driven": []}
            with open(own, "w", encoding="utf-8") as file:
                json.dump([{**entry, "kind": "mir"}, entry], file)
            with open(config, "w", encoding="utf-8") as file:
                file.write(f"catalogue: {own}\n")
            with programs.broker("--config", config) as broker, calls.Caller(broker.bus) as caller, \
                    calls.Caller(broker.bus, True) as in_json:
                self.assertIn("own.json entry 1 (our-shell)", broker.wait_for_log(r"catalogue\.refused "))
                result = caller.call("bus.manifest", "catalogue").result
                self.assertEqual(result, in_json.call("bus.manifest", "catalogue").result)
                self.assertEqual(result["refused"], 1)
                self.assertIn(entry, result["compositors"])
                self.assertIn("sway", [e["name"] for e in result["compositors"]])


class Status(unittest.TestCase):
    def test_history_outages_and_sla_over_a_restart(self):
        with programs.temporary_folder() as folder:
            with programs.Broker(folder) as broker, calls.PythonAgent(broker.bus, ID) as agent, \
                    calls.Caller(broker.bus) as caller:
                agent.come_online()
                for report in (calls.report(process="killed", signal=9, progress="unknown"), calls.report(),
                               dark("DP-2", True), dark("DP-2", False), calls.report()):
                    self.assertEqual(agent.ask("status", report).status, 200)
                    # What was so for less than a millisecond is in no sum.
                    told = caller.call("bus.status", "get", {"id": ID}).result["process"]["observed_at"]
                    while time.time_ns() // 1_000_000 <= told:
                        pass
                changes = caller.call("bus.status", "history", {"id": ID}).result["changes"]
                self.assertEqual([c["verdict"] for c in changes],
                                 ["unknown", "ok", "down", "ok", "degraded", "degraded", "ok"])
                self.assertEqual((changes[2]["layer"], changes[2]["process"]), ("process", "killed"))
                self.assertIn({"name": "DP-2", "state": "off", "planned": True}, changes[4]["outputs"])
                page = caller.call("bus.status", "history", {"id": ID, "limit": 3}).result
                self.assertEqual(page["changes"], changes[:3])
                rest = caller.call("bus.status", "history", {"id": ID, "after": page["next"]}).result
                self.assertEqual((rest["changes"], rest["next"]), (changes[3:], None))
                sent = caller.call("bus.status", "snapshot").result
                self.assertEqual((changes[-1]["epoch"], changes[-1]["seq"]), (sent["epoch"], sent["compositors"][0]["seq"]))
                broker.signal(signal.SIGKILL)
                broker.wait()
            with programs.Broker(folder) as broker, calls.PythonAgent(broker.bus, ID) as agent, \
                    calls.Caller(broker.bus) as caller:
                agent.come_online()
                sla = caller.call("bus.status", "sla").result["compositors"]
                self.assertEqual([c["id"] for c in sla], [ID])
                shares = sla[0]["time"]
                self.assertEqual(sla[0]["since"], changes[0]["at"])
                self.assertGreater(shares["unknown_ms"], 0, "the broker was down")
                self.assertEqual({o["name"] for o in sla[0]["outputs"]}, {"HDMI-A-1", "DP-2"})
                outages = caller.call("bus.status", "outages", {"selector": {"ids": ["wall-*"]}}).result["outages"]
                self.assertEqual(outages[-1]["reason"], "the broker was not running")
                self.assertIsNotNone(outages[-1]["until"])
                self.assertEqual(caller.call("bus.status", "outages", {"selector": {"ids": ["x*"]}}).result["outages"], [])
                for params in ({"since": 5, "until": 4}, {"since": "yesterday"}, {"selector": {}}):
                    self.assertEqual(caller.call("bus.status", "sla", params).status, 400, params)
                self.assertEqual(caller.call("bus.status", "history", {"id": ID, "after": "x"}).status, 400)
                self.assertEqual(caller.call("bus.status", "history", {"id": OTHER}).status, 404)

    def test_a_store_that_is_damaged_under_the_broker_is_told(self):
        with programs.temporary_folder() as folder, programs.Broker(folder) as broker, \
                calls.PythonAgent(broker.bus, ID) as agent, calls.Caller(broker.bus) as caller:
            agent.come_online()
            self.assertEqual(caller.call("bus.status", "history", {"id": ID}).status, 200)
            database = os.path.join(folder, "compositord.db")
            os.rename(database, database + ".away")
            os.mkdir(database)
            refused = caller.call("bus.status", "history", {"id": ID})
            self.assertEqual(refused.status, 507, refused)
            self.assertIn("the history can't be read: the store ", refused.error)
            self.assertEqual(caller.call("bus.manifest", "get", {"id": ID}).status, 200, "what is in memory is answered")


@contextlib.contextmanager
def x_server():
    """A real one without a screen; the display is the server's own choice."""
    read_end, write_end = os.pipe()
    with programs.Program(["Xvfb", "-displayfd", str(write_end), "-screen", "0", "1280x1024x24", "-nolisten", "tcp", "-noreset", "-ac"],
                          pass_fds=(write_end,)):
        os.close(write_end)
        with os.fdopen(read_end) as told:
            yield ":" + told.readline().strip()


class Darkness(unittest.TestCase):
    """On a real X server, whose output the agent can switch off and anybody else, too."""

    def test_what_a_command_switched_off_is_planned_and_what_somebody_else_did_is_not(self):
        with programs.temporary_folder() as folder, programs.broker() as broker, x_server() as display, \
                calls.Caller(broker.bus) as caller, \
                programs.Agent(broker.bus, folder, ID, "-w", display):
            def seen(state, planned):
                calls.ask_until(caller, "bus.status", "get", {"id": ID}, lambda reply: reply.status == 200 and [
                    (o["state"], o.get("planned", False)) for o in reply.result["outputs"]] == [(state, planned)],
                                timeout_s=60)

            seen("on", False)
            for i, (method, state, planned) in enumerate((("output.disable", "off", True), ("output.enable", "on", False))):
                reply = caller.call("compositor/" + ID, method, {"output": "screen"})
                self.assertEqual(reply.status, 200, (i, reply))
                seen(state, planned)
            subprocess.run(["xrandr", "--display", display, "--fb", "1280x1024", "--output", "screen", "--off"], check=True, timeout=20)
            seen("off", False)
            changes = caller.call("bus.status", "history", {"id": ID}).result["changes"]
            self.assertEqual([o["planned"] for c in changes for o in c["outputs"] if o["state"] == "off"], [True, False])
            shares = caller.call("bus.status", "sla").result["compositors"][0]["outputs"][0]["time"]
            self.assertGreater(shares["planned_ms"], 0)


class Tool(unittest.TestCase):
    def test_as_a_user_sees_it(self):
        with programs.broker() as broker, calls.PythonAgent(broker.bus, ID) as agent, calls.Caller(broker.bus) as caller:
            agent.come_online()
            agent.ask("manifest.put", {"manifest": calls.manifest(version="10.0.2")})
            # A time without length is none: what follows would be the same outage.
            calls.ask_until(caller, "bus.status", "sla", {},
                            lambda reply: reply.result["compositors"][0]["time"]["ok_ms"] > 0)
            agent.ask("status", calls.report(process="killed", signal=9, progress="unknown"))
            code, out, err = ctl(broker, "manifest", "--history", ID)
            self.assertEqual((code, err), (0, ""))
            self.assertEqual([line.split()[0] for line in out.splitlines()], ["REVISION", "1", "2"])
            code, out, _ = ctl(broker, "manifest", "--revision", "1", ID)
            self.assertEqual(code, 0)
            self.assertIn('"version": "10.0.1"', out)
            code, out, err = ctl(broker, "manifest", "--revision", "9", ID)
            self.assertEqual(code, 3)
            self.assertIn("has no revision 9", err)
            code, out, _ = ctl(broker, "diff", ID)
            self.assertEqual((code, out.splitlines()[1].split()), (0, ["version", "10.0.1", "10.0.2"]))
            code, out, _ = ctl(broker, "diff", ID, "2", "2")
            self.assertIn("are the same", out)
            self.assertEqual(ctl(broker, "diff", ID, "2", "two")[0], 2)
            code, out, _ = ctl(broker, "outages", "--since", "1d")
            self.assertEqual(code, 0)
            self.assertIn("killed by signal 9", out)
            self.assertIn("goes on", out)
            code, out, err = ctl(broker, "sla", "wall-*", "--since", "30d")
            self.assertEqual((code, out.split()[0]), (0, "COMPOSITOR"))
            self.assertIn("HDMI-A-1", out)
            self.assertIn("OK is the part", err)
            code, out, _ = ctl(broker, "-o", "json", "sla")
            self.assertEqual(json.loads(out)["compositors"][0]["id"], ID)
            code, _, err = ctl(broker, "outages", "nobody/*")
            self.assertIn("no outage", err)


if __name__ == "__main__":
    unittest.main()
