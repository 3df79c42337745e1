#!/usr/bin/python3
"""The broker tells people: an agent and a compositor that are killed, and real receivers, good ones and bad ones."""

import json
import os
import select
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "support", "py"))
import calls
import programs

RECEIVER = os.path.join(os.path.dirname(os.path.realpath(programs.__file__)), "http_receiver.py")


class HttpReceiver(programs.Program):
    """tests/support/py/http_receiver.py, which says what each path does."""

    def __init__(self):
        super().__init__([sys.executable, RECEIVER])
        self.wait_for(lambda: self.out, "its port")
        self._read_requests = 0

    def url(self, path):
        return f"http://127.0.0.1:{self.out[0]}{path}"

    def next_alert(self):
        """The alert of the next request."""
        self._read_requests += 1
        self.wait_for(lambda: len(self.out) > self._read_requests, f"request {self._read_requests}")
        request = json.loads(self.out[self._read_requests])
        alert = json.loads(request["body"])
        assert request["headers"]["idempotency-key"] == f'"{alert["dedupe"]}"', request
        return alert

    def requests(self):
        return len(self.out) - 1


def end_if_there(pidfd):
    with programs.contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)


class Notify(unittest.TestCase):
    def setUp(self):
        self.stack = programs.contextlib.ExitStack()
        self.addCleanup(self.stack.close)
        self.folder = self.stack.enter_context(programs.temporary_folder())
        self.receiver = self.stack.enter_context(HttpReceiver())

    def start(self, *notifiers):
        """A broker with these notifiers and a status log."""
        self.config = os.path.join(self.folder, "compositord.yaml")
        with open(self.config, "w", encoding="utf-8") as file:
            json.dump({"log": {"sinks": ["stderr", "file"], "dir": os.path.join(self.folder, "log")},
                       "notify": notifiers}, file)
        environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        self.broker = programs.Broker(os.path.join(self.folder, "state"), "--config", self.config, env=environment)
        self.stack.enter_context(self.broker)
        return self.broker

    def agent(self, identity="wall-3/wayland-1"):
        agent = calls.PythonAgent(self.broker.bus, identity)
        self.addCleanup(agent.close)
        agent.come_online(labels={"site": "berlin"})
        agent.ask("status", calls.report())
        return agent

    def caller(self):
        caller = calls.Caller(self.broker.bus)
        self.addCleanup(caller.close)
        return caller

    def wait_until_delivered(self, count):
        self.broker.wait_for(lambda: sum("notify.delivered" in line for line in self.broker.err) == count,
                             f"{count} notices delivered")

    def status_log(self):
        with open(os.path.join(self.folder, "log", "compositord.log"), encoding="utf-8") as file:
            return file.read().splitlines()

    def test_a_killed_agent_is_one_alert_that_fires_and_one_that_is_over(self):
        self.start({"name": "ops", "kind": "webhook", "url": self.receiver.url("/ok")})
        with programs.temporary_folder() as runtime_dir, programs.Sway(runtime_dir):
            with programs.Agent(self.broker.bus, runtime_dir, "wall/main") as agent:
                self.broker.wait_for_log("verdict.changed id=wall/main to=ok")
                agent.signal(signal.SIGKILL)
                fired = self.receiver.next_alert()
            self.assertEqual((fired["id"], fired["layer"], fired["state"]), ("wall/main", "link", "firing"))
            with programs.Agent(self.broker.bus, runtime_dir, "wall/main"):
                over = self.receiver.next_alert()
                self.assertEqual((over["id"], over["layer"], over["state"]), ("wall/main", "link", "resolved"))
                self.assertNotEqual(over["dedupe"], fired["dedupe"])
                self.wait_until_delivered(2)
                counters = self.caller().counters()
                self.assertEqual((counters["notices_delivered"], counters["notices_failed"]), (2, 0))
        self.assertEqual(self.broker.stop(), 0)
        told = [line.split(" ", 3)[3] for line in self.status_log() if "COMPOSITE_" in line]
        self.assertIn("COMPOSITE_OK wall/main", told)
        self.assertIn("COMPOSITE_ERROR wall/main link the agent is lost", told)

    def test_a_receiver_that_hangs_delays_neither_the_others_nor_the_bus(self):
        self.start({"name": "hanging", "kind": "webhook", "url": self.receiver.url("/hang"), "timeout": "10min"},
                   {"name": "program", "kind": "exec", "timeout": "10min", "command": ["cat", "/dev/zero"]},
                   {"name": "told", "kind": "exec", "command": [
                       "/bin/sh", "-c", 'cat >> "$1"; echo "$COMPOSITORD_STATE" >> "$1"', "sh", self.folder + "/told"]})
        agent = self.agent()
        for count, progress in enumerate(("frozen", "ok"), start=1):
            agent.ask("status", calls.report(progress=progress))
            self.wait_until_delivered(count)
        with open(self.folder + "/told", encoding="utf-8") as file:
            lines = file.read().splitlines()
        self.assertEqual(lines[1::2], ["firing", "resolved"])
        self.assertEqual([json.loads(line)["state"] for line in lines[::2]], ["firing", "resolved"])
        self.assertEqual(self.caller().call("bus.status", "get", {"id": agent.id}).result["verdict"], "ok")
        self.assertEqual(self.broker.stop(), 0)

    def test_a_program_that_hangs_does_not_outlive_a_broker_that_is_killed(self):
        fifo = os.path.join(self.folder, "pid")
        os.mkfifo(fifo)
        self.start({"name": "hanging", "kind": "exec", "timeout": "10min",
                    "command": ["/bin/sh", "-c", 'echo $$ > "$1"; exec cat /dev/zero', "sh", fifo]})
        self.agent().ask("status", calls.report(progress="frozen"))
        with open(fifo, encoding="ascii") as file:
            pid = int(file.read())
        program = os.pidfd_open(pid)
        self.addCleanup(os.close, program)
        self.addCleanup(end_if_there, program)
        ended = select.poll()
        ended.register(program, select.POLLIN)
        self.assertEqual(ended.poll(0), [], "it hangs")
        self.broker.signal(signal.SIGKILL)
        self.assertEqual(len(ended.poll(programs.PATIENCE_S * 1_000)), 1)

    def test_who_refuses_is_a_dead_letter_a_log_event_and_a_count(self):
        self.start({"name": "ops", "kind": "webhook", "url": self.receiver.url("/status/404") + "?token=sesame",
                    "selector": {"labels": {"site": "ber*"}}},
                   {"name": "others", "kind": "webhook", "url": self.receiver.url("/ok"),
                    "selector": {"labels": {"site": "paris"}}})
        agent = self.agent()
        agent.ask("status", calls.report(progress="frozen"))
        line = self.broker.wait_for_log("notify.failed")
        self.assertRegex(line, r"error notify.failed notifier=ops notice=[0-9a-f]{32}/1 attempts=1 "
                               r'why="127.0.0.1 answered HTTP 404"')
        self.assertEqual(self.caller().counters()["notices_failed"], 1)
        with open(os.path.join(self.folder, "state", "dead-letters.jsonl"), encoding="utf-8") as file:
            letter = json.loads(file.read())
        self.assertEqual((letter["notifier"], letter["attempts"], letter["alert"]["state"]), ("ops", 1, "firing"))
        self.assertEqual(letter["dedupe"], letter["alert"]["dedupe"])
        self.assertEqual(self.receiver.requests(), 1)
        self.assertEqual(self.broker.stop(), 0)
        self.assertNotIn("sesame", "\n".join(self.broker.err) + json.dumps(letter) + "\n".join(self.status_log()))

    def test_check_config_shows_them_and_a_wrong_one_is_refused(self):
        self.start({"name": "ops", "kind": "exec", "command": ["page"]})
        run = subprocess.run([programs.program("compositord"), "--config", self.config, "--check-config"],
                             capture_output=True, text=True, check=True)
        self.assertIn('notify:\n  - {name: "ops", kind: exec, command: ["page"]}\n', run.stdout)
        with open(self.config, "w", encoding="utf-8") as file:
            file.write("notify:\n  - name: ops\n    kind: exec\n    comand: [page]\n")
        run = subprocess.run([programs.program("compositord"), "--config", self.config], capture_output=True, text=True,
                             check=False)
        self.assertEqual(run.returncode, 1)
        self.assertIn('compositord.yaml:4:5: unknown key "comand" in a notifier', run.stderr)
        self.assertIn('did you mean "command"?', run.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
