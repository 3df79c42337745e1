#!/usr/bin/python3
"""Alerts end to end: a life that outlives the broker, a site that vanishes, silences and maintenance, and what an operator's
commands say of them."""

import json
import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "support", "py"))
import calls
import feed
import programs

WALL = "wall-3/wayland-1"
SITE = 60  # agents


def is_alert(state, about, subject=WALL):
    return lambda m: (m.kind == "alert" and m.payload["state"] == state and m.payload["about"] == about
                      and m.payload["id"] == subject)


class Alerts(unittest.TestCase):
    def setUp(self):
        self.stack = programs.contextlib.ExitStack()
        self.addCleanup(self.stack.close)

    def start(self, config=""):
        self.folder = self.stack.enter_context(programs.temporary_folder())
        path = os.path.join(self.folder, "compositord.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(config)
        self.broker = self.stack.enter_context(programs.Broker(self.folder, "--config", path))
        self.caller = self.stack.enter_context(calls.Caller(self.broker.bus))
        self.subscriber = self.stack.enter_context(feed.Subscriber(self.broker.feed, "alert/", "status/"))

    def agent(self, compositor=WALL, labels=None, heartbeat_ms=60_000):
        agent = self.stack.enter_context(calls.PythonAgent(self.broker.bus, compositor))
        agent.ask("register", {"id": compositor, "labels": labels or {"site": "berlin"}, "heartbeat_ms": heartbeat_ms,
                               "software": {"name": "test", "version": "1"}})
        agent.ready()
        self.assertEqual(agent.ask("status", calls.report()).status, 200)
        return agent

    def ctl(self, *words, expect=0):
        run = subprocess.run([os.environ["COMPOSITORCTL"], "--broker", self.broker.bus, "--feed", self.broker.feed, *words],
                             capture_output=True, text=True, check=False, timeout=60)
        self.assertEqual(run.returncode, expect, run.stdout + run.stderr)
        return run.stdout

    def alerts(self, method="list"):
        return self.caller.call("bus.alert", method).result["alerts"]

    def test_an_operator_s_day(self):
        self.start()
        agent = self.agent()
        self.assertIn("Nothing is wrong", self.ctl("diagnose", WALL))
        agent.ask("status", calls.report(process="killed", signal=11, progress="unknown"))
        firing = self.subscriber.wait_for(is_alert("firing", "compositor")).payload
        self.assertEqual((firing["kind"], firing["severity"], firing["signal"]), ("compositor_crashed", "critical", 11))
        self.assertIn(firing["alert"], self.ctl("alerts"))
        self.assertIn("signal 11 (SIGSEGV)", self.ctl("alerts", "wall-*", "--severity", "critical"))
        self.assertEqual(self.ctl("alerts", "other/*"), "")
        diagnosis = self.ctl("diagnose", WALL)
        for word in ("Likely cause: the compositor was killed by signal 11", "Try: ", "Evidence:"):
            self.assertIn(word, diagnosis)
        self.assertIn("acknowledged by eve", self.ctl("ack", firing["alert"], "--author", "eve", "--comment", "mine"))
        self.assertEqual(json.loads(self.ctl("-o", "json", "alerts"))[0]["acked"]["comment"], "mine")
        waits = self.ctl("wait", "--for", "verdict=ok", "--timeout", "1s", WALL, expect=5)
        self.assertEqual(waits, "")
        agent.ask("status", calls.report())
        self.ctl("wait", "--for", "verdict=ok", "--timeout", "30s", "-l", "site=berlin")
        self.subscriber.wait_for(is_alert("resolved", "compositor"))
        self.assertIn("resolved", self.ctl("alerts", "--history"))
        self.ctl("ack", firing["alert"], expect=3)

    def test_silence_and_maintenance(self):
        self.start()
        agent = self.agent()
        silence = self.ctl("silence", "add", "wall-*", "--kind", "output_*", "--for", "1h", "--comment", "new monitors").strip()
        agent.ask("status", calls.report(outputs=(("HDMI-A-1", "off"),)))
        self.assertEqual(self.subscriber.wait_for(is_alert("firing", "output/HDMI-A-1")).payload["silenced_by"], silence)
        self.assertIn("new monitors", self.ctl("silence", "ls"))
        self.ctl("silence", "expire", silence)
        heard = lambda m: is_alert("firing", "output/HDMI-A-1")(m) and not m.payload["silenced_by"]
        self.subscriber.wait_for(heard)
        window = self.ctl("maintenance", "start", "-l", "site=berlin", "--for", "1h", "--author", "eve").strip()
        status = self.subscriber.wait_for_topic("status/" + WALL, lambda s: s["verdict"] == "maintenance").payload
        self.assertIn("in maintenance by eve", status["reason"])
        agent.ask("status", calls.report(process="killed", signal=9, progress="unknown"))
        self.subscriber.wait_for_topic("status/" + WALL, lambda s: s["process"]["state"] == "killed")
        self.assertEqual([a["about"] for a in self.alerts()], ["output/HDMI-A-1"])
        self.assertEqual(self.ctl("alerts"), "", "what maintenance explains is not shown")
        self.ctl("maintenance", "stop", window)
        self.subscriber.wait_for(is_alert("firing", "compositor"))
        self.ctl("maintenance", "stop", window, expect=3)

    def test_an_alert_outlives_the_broker(self):
        self.start()
        agent = self.agent()
        agent.ask("status", calls.report(progress="frozen"))
        firing = self.subscriber.wait_for(is_alert("firing", "compositor")).payload
        watch = self.stack.enter_context(programs.Program(
            [os.environ["COMPOSITORCTL"], "--broker", self.broker.bus, "--feed", self.broker.feed, "-o", "json", "alerts",
             "--watch"]))
        lines = lambda: [json.loads(line) for line in watch.out]
        watch.wait_for(lambda: len(watch.out) >= 1, "the alert")
        self.assertEqual(lines()[0]["alert"], firing["alert"])
        self.broker.kill()
        again = self.stack.enter_context(programs.Broker(self.folder, bus=self.broker.bus, feed=self.broker.feed))
        caller = self.stack.enter_context(calls.Caller(again.bus))
        self.assertEqual([a["alert"] for a in caller.call("bus.alert", "list").result["alerts"]], [firing["alert"]])
        self.broker = again
        self.agent()
        watch.wait_for(lambda: len(watch.out) >= 2, "its end")
        self.assertEqual((lines()[1]["alert"], lines()[1]["state"]), (firing["alert"], "resolved"))

    def test_a_site_that_vanishes_is_one_alert(self):
        # All connections are closed before the first agent is lost, however slow this machine closes them.
        self.start("heartbeat:\n  disconnect_grace: 2s\n")
        agents = [self.agent(f"host-{i:02}/0") for i in range(SITE)]
        self.agent("far/0", {"site": "rome"})
        for agent in agents:
            agent.socket.close()
        lost = self.subscriber.wait_for(is_alert("firing", "agent", "@site/berlin")).payload
        self.assertEqual((lost["kind"], lost["severity"]), ("agents_lost", "critical"))
        calls.ask_until(self.caller, "bus.status", "list", {}, lambda r: sum(
            c["link"]["state"] == "lost" for c in r.result["compositors"]) == SITE)
        self.assertEqual([a["id"] for a in self.alerts()], ["@site/berlin"], self.alerts()[0])
        self.assertEqual([m.payload["id"] for m in self.subscriber.seen if m.kind == "alert"], ["@site/berlin"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
