#!/usr/bin/python3
"""What bus.admin changes of a broker that runs: the log's level, and the configuration when it is read again."""

import os
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "support", "py"))
import calls
import programs


class WithConfig(unittest.TestCase):
    def setUp(self):
        stack = programs.contextlib.ExitStack()
        self.addCleanup(stack.close)
        self.stack = stack
        self.folder = stack.enter_context(programs.temporary_folder())
        self.file = os.path.join(self.folder, "compositord.yaml")

    def start(self, text=None, *arguments, **options):
        """A broker with this configuration, or without a file."""
        if text is not None:
            self.write(text)
            arguments = ("--config", self.file, *arguments)
        options = {"log_level": None, **options}
        self.broker = self.stack.enter_context(programs.Broker(os.path.join(self.folder, "state"), *arguments, **options))
        self.caller = self.stack.enter_context(calls.Caller(self.broker.bus))

    def write(self, text):
        with open(self.file, "w", encoding="utf-8") as file:
            file.write(text)

    def reload(self):
        return self.caller.call("bus.admin", "reload")

    def agent(self, name):
        agent = self.stack.enter_context(calls.PythonAgent(self.broker.bus, name))
        agent.come_online()
        return agent

    def skewed(self):
        alerts = self.caller.call("bus.alert", "list", {"kind": "clock_skew"}).result["alerts"]
        return [alert["id"] for alert in alerts]


class LogLevel(WithConfig):
    def level(self, **params):
        return self.caller.call("bus.admin", "log.level", params)

    def test_it_is_read_and_set_and_the_change_is_logged(self):
        self.start()
        self.assertEqual(self.level().result, {"level": "info", "configured": "info"})
        self.assertEqual(self.level(level="error").result, {"level": "error", "configured": "info"})
        self.broker.wait_for_log("log.level_changed from=info to=error")
        self.agent("a/b")
        self.assertEqual(self.level(level="warning").result["level"], "warning")
        # It is said though info is below both levels, and the agent between them is not.
        self.broker.wait_for_log("log.level_changed from=error to=warning")
        self.assertFalse([line for line in self.broker.err if "agent.registered" in line], self.broker.err)
        self.level(level="info")
        self.agent("a/c")
        self.broker.wait_for_log("agent.registered id=a/c")
        self.assertEqual(self.level(level=None).result["level"], "info")

    def test_a_level_that_is_none_is_refused_with_a_sentence(self):
        self.start()
        for wrong, text in (("loud", 'level: debug, info, warning or error expected, not "loud"'),
                            ("", 'level: debug, info, warning or error expected, not ""'),
                            (3, "level: a string expected")):
            reply = self.level(level=wrong)
            self.assertEqual((reply.status, reply.error), (400, text))
        self.assertEqual(self.level().result["level"], "info")

    def test_a_reload_brings_the_configured_one_back(self):
        self.start("log: {level: warning}\n")
        self.assertEqual(self.level(level="debug").result, {"level": "debug", "configured": "warning"})
        self.assertEqual(self.reload().result, {"applied": [], "restart": []})
        self.assertEqual(self.level().result, {"level": "warning", "configured": "warning"})
        self.write("log: {level: info}\n")
        self.assertEqual(self.reload().result["applied"], ["log.level"])
        self.assertEqual(self.level().result, {"level": "info", "configured": "info"})


class Reload(WithConfig):
    def test_a_good_one_changes_what_is_told(self):
        self.start("alerts: {clock_skew_max: 10s}\n")
        agent = self.agent("a/b")
        agent.ask("status", calls.report(sent_at=calls.SENT_AT - 100_000_000))
        calls.ask_until(self.caller, "bus.alert", "list", {}, lambda reply: self.skewed() == ["a/b"])
        self.write("alerts:\n  rules:\n    - {kind: output_*, enabled: false}\n  clock_skew_max: 24h\n")
        agent.ask("status", calls.report(sent_at=calls.SENT_AT - 60_000_000))
        self.assertEqual(self.skewed(), ["a/b"], "nobody has asked for a reload")
        reply = self.reload()
        self.assertEqual((reply.status, reply.result),
                         (200, {"applied": ["alerts.clock_skew_max", "alerts.rules"], "restart": []}))
        calls.ask_until(self.caller, "bus.alert", "list", {}, lambda reply: self.skewed() == [])
        agent.ask("status", calls.report(outputs=(("DP-1", "off"),)))
        self.assertEqual(self.caller.call("bus.alert", "list").result["alerts"], [])
        self.broker.wait_for_log('config.reloaded applied="alerts.clock_skew_max, alerts.rules"')
        self.assertEqual(self.reload().result, {"applied": [], "restart": []})

    def test_a_bad_one_changes_nothing_and_says_where(self):
        self.start("heartbeat: {interval: 2s}\n")
        self.write("heartbeat:\n  interval: 3s\nalerts:\n  repeet: 1s\n")
        reply = self.reload()
        self.assertEqual(reply.status, 500)
        self.assertIn(f'{self.file}:4:3: unknown key "repeet"', reply.error)
        self.assertIn('did you mean "repeat"?', reply.error)
        self.broker.wait_for_log("config.refused")
        self.assertEqual(self.caller.call("bus.admin", "config").result["heartbeat_ms"], 2_000)
        os.unlink(self.file)
        reply = self.reload()
        self.assertEqual(reply.status, 500)
        self.assertIn(f"{self.file} can't be read: No such file", reply.error)
        self.write("heartbeat: {interval: 4s}\n")
        self.assertEqual(self.reload().result["applied"], ["heartbeat.interval"])
        self.assertEqual(self.caller.call("bus.admin", "config").result["heartbeat_ms"], 4_000)

    def test_what_needs_a_restart_is_named_and_stays(self):
        # The command line goes before the file: of the sockets nothing has changed.
        self.start(f"bus: ipc://{self.folder}/x\n")
        before = self.caller.call("bus.admin", "config").result
        self.write(f"bus: ipc://{self.folder}/y\nlog: {{format: json}}\nalerts: {{site_label: town}}\nagents: {{credit: 9}}\n")
        for _ in range(2):
            reply = self.reload()
            self.assertEqual(reply.status, 200, reply)
            self.assertEqual(reply.result["restart"], ["log.format", "alerts.site_label"])
        self.assertEqual(reply.result["applied"], [], "it is in force since the first time")
        self.assertEqual(self.caller.call("bus.admin", "config").result, before)
        agent = self.stack.enter_context(calls.PythonAgent(self.broker.bus, "a/b"))
        self.assertEqual(agent.come_online().result["credit"], 9)

    def test_a_changed_endpoint_needs_a_restart(self):
        first, second = (f"ipc://{self.folder}/{name}" for name in ("first", "second"))
        self.start(f"bus: {first}\nfeed: {first}-feed\n", bus=None, feed=None)
        self.write(f"bus: {second}\nfeed: {first}-feed\n")
        self.assertEqual(self.reload().result, {"applied": [], "restart": ["bus"]})
        self.assertEqual(self.caller.call("bus.admin", "config").result["bus"], [first])

    def test_sighup_is_the_same(self):
        self.start("heartbeat: {interval: 2s}\n")
        self.write("heartbeat: {interval: 3s}\n")
        self.broker.signal(signal.SIGHUP)
        self.broker.wait_for_log("config.reloaded applied=heartbeat.interval")
        self.assertEqual(self.caller.call("bus.admin", "config").result["heartbeat_ms"], 3_000)
        self.write("heartbeat: 3s\n")
        self.broker.signal(signal.SIGHUP)
        self.broker.wait_for_log("config.refused why=.*compositord.yaml:1:12: ")
        self.assertEqual(self.caller.call("bus.admin", "config").result["heartbeat_ms"], 3_000)

    def test_without_a_file_there_is_nothing_to_read(self):
        self.start()
        reply = self.reload()
        self.assertEqual(reply.status, 409)
        self.assertIn("without --config", reply.error)

    def test_others_are_told_from_then_on(self):
        notify = "notify:\n  - {name: %s, kind: exec, command: [/usr/bin/true]}\n"
        self.start(notify % "old", log_level="debug")
        agent = self.agent("a/b")
        agent.ask("status", calls.report(progress="frozen"))
        self.broker.wait_for_log("notify.delivered notifier=old")
        self.write(notify % "new")
        self.assertEqual(self.reload().result, {"applied": ["notify"], "restart": []})
        agent.ask("status", calls.report())
        self.broker.wait_for_log("notify.delivered notifier=new")
        self.write("notify: []\n")
        self.assertEqual(self.reload().result["applied"], ["notify"])
        self.assertEqual(self.broker.stop(), 0)

    def test_a_trace_has_it_too(self):
        trace = os.path.join(self.folder, "trace")
        self.start("alerts: {clock_skew_max: 10s}\n", "--trace", trace)
        self.write("alerts: {clock_skew_max: 24h}\nservices: {rules: [{match: \"*\", credit: 3}]}\nlog: {dir: /x}\n")
        self.assertEqual(self.reload().status, 200)
        self.write("alerts: {clock_skew_max: never}\n")
        self.assertEqual(self.reload().status, 500)
        self.caller.call("bus.admin", "log.level", {"level": "debug"})
        self.agent("a/b").ask("status", calls.report(sent_at=calls.SENT_AT - 60_000_000))
        self.assertEqual(self.broker.stop(), 0)
        again = subprocess.run([programs.program("trace_replay"), trace], capture_output=True, text=True, check=False,
                               timeout=programs.PATIENCE_S)
        self.assertEqual(again.returncode, 0, again.stdout + again.stderr)

    def test_the_catalogue_is_read_again(self):
        kinds = os.path.join(self.folder, "kinds.json")
        with open(kinds, "w", encoding="utf-8") as file:
            file.write("[]")
        self.start(f"catalogue: {kinds}\n")
        self.assertEqual(self.caller.call("bus.manifest", "catalogue").result["refused"], 0)
        with open(kinds, "w", encoding="utf-8") as file:
            file.write("[7]")
        self.reload()
        self.assertEqual(self.caller.call("bus.manifest", "catalogue").result["refused"], 1)
        self.broker.wait_for_log("catalogue.refused")


if __name__ == "__main__":
    unittest.main()
