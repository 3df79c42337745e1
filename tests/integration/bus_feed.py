#!/usr/bin/python3
"""The feed when things go wrong. A subscriber's view (compositorctl watch, which is common/feed) equals the broker's table after
the broker was killed, the network cut, and its queue overflown; and a subscriber that does not read is seen and slows nobody."""

import json
import os
import signal
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "support", "py"))
import calls
import feed
import programs
import tcp_proxy

AGENTS = 12
MESSAGES = 6_000  # of some 9 KiB: more than the queues of both ends and what the kernel keeps for a connection
OUTPUTS = tuple((f"OUT-{i}", "on") for i in range(64))
UNPUBLISHED = ("observed_at", "round_trip_ms")  # what changes without a publication


def published(status):
    """The part of a status that a publication would have been made for."""
    if isinstance(status, dict):
        return {key: published(value) for key, value in status.items() if key not in UNPUBLISHED}
    return [published(item) for item in status] if isinstance(status, list) else status


def report(**facts):
    """With the right time: a clock that is wrong would be an alert of its own."""
    return calls.report(sent_at=int(time.time() * 1_000), **facts)


class View:
    """What the lines of `compositorctl -o json watch` add up to."""

    def __init__(self, stack, broker, feed_endpoint):
        self.program = stack.enter_context(programs.Program(
            [os.environ["COMPOSITORCTL"], "--broker", broker.bus, "--feed", feed_endpoint, "-o", "json", "watch"]))
        self.statuses, self.alerts, self.taken = {}, {}, 0

    def take(self):
        lines = self.program.out
        while self.taken < len(lines):
            line = json.loads(lines[self.taken])
            self.taken += 1
            if line["event"] == "status":
                self.statuses[line["status"]["id"]] = published(line["status"])
            elif line["event"] == "forgotten":
                del self.statuses[line["id"]]
            elif line["alert"]["state"] == "firing":
                self.alerts[line["alert"]["alert"]] = line["alert"]["change"]
            else:
                self.alerts.pop(line["alert"]["alert"], None)

    def said(self, text, times=1):
        return sum(text in line for line in self.program.err) >= times


class Feed(unittest.TestCase):
    def setUp(self):
        self.stack = programs.contextlib.ExitStack()
        self.addCleanup(self.stack.close)
        self.folder = self.stack.enter_context(programs.temporary_folder())

    def start(self, **options):
        self.broker = self.stack.enter_context(programs.Broker(self.folder, **options))
        self.caller = self.stack.enter_context(calls.Caller(self.broker.bus))
        self.agents = []
        for i in range(AGENTS):
            agent = self.stack.enter_context(calls.PythonAgent(self.broker.bus, f"wall-{i}/wayland-1"))
            agent.come_online(put=False)
            self.assertEqual(agent.ask("status", report()).status, 200)
            self.agents.append(agent)

    def table(self):
        compositors = self.caller.call("bus.status", "snapshot", {"limit": 500}).result["compositors"]
        alerts = self.caller.call("bus.alert", "list", {"limit": 500}).result["alerts"]
        return ({c["status"]["id"]: published(c["status"]) for c in compositors},
                {a["alert"]: a["change"] for a in alerts})

    def expect_equal(self, view):
        """Within the time that healing may take; looked at after each line of the view."""
        def equal():
            view.take()
            return (view.statuses, view.alerts) == table

        table = self.table()
        try:
            view.program.wait_for(equal, "the broker's table", 30)
        except AssertionError:
            self.assertEqual(view.alerts, table[1], view.program.err[-20:])
            self.assertEqual(view.statuses, table[0], view.program.err[-20:])

    def change_something(self, crashed):
        """A new status of each, an alert of one more, and one less."""
        for i, agent in enumerate(self.agents):
            kind = {"process": "killed", "signal": 9, "progress": "unknown"} if i in crashed else {}
            self.assertEqual(agent.ask("status", report(outputs=((f"OUT-{crashed}", "on"),), **kind)).status, 200)

    def publish_much(self, messages=MESSAGES):
        agent = self.agents[0]
        reports = [report(progress=progress, outputs=OUTPUTS) for progress in ("ok", "slow")]
        under_way = 0
        for i in range(messages):
            agent.ask_later("status", reports[i % 2])
            under_way += 1
            if under_way == 50:
                for _ in range(under_way):
                    self.assertEqual(agent.next_answer().status, 200)
                under_way = 0
        for _ in range(under_way):
            agent.next_answer()

    def test_the_broker_is_killed(self):
        self.start()
        view = View(self.stack, self.broker, self.broker.feed)
        self.expect_equal(view)
        self.change_something(crashed=(1, 2))
        self.expect_equal(view)
        for crashed in ((2, 3), (1, 4)):
            endpoints = {"bus": self.broker.bus, "feed": self.broker.feed}
            self.broker.kill()
            self.start(**endpoints)
            self.change_something(crashed)
            self.expect_equal(view)
        view.program.wait_for(lambda: view.said("the broker was restarted", 2), "that it has seen both restarts")

    def test_a_broker_that_has_forgotten_is_believed(self):
        self.start()
        view = View(self.stack, self.broker, self.broker.feed)
        self.expect_equal(view)
        endpoints = {"bus": self.broker.bus, "feed": self.broker.feed}
        self.broker.kill()
        self.folder = self.stack.enter_context(programs.temporary_folder())  # a new disk
        broker = self.stack.enter_context(programs.Broker(self.folder, **endpoints))
        self.caller = self.stack.enter_context(calls.Caller(broker.bus))
        self.expect_equal(view)
        self.assertEqual(view.statuses, {})

    def test_the_network_is_cut_and_heals(self):
        self.start()
        network = self.stack.enter_context(tcp_proxy.TcpProxy(self.broker.feed))
        view = View(self.stack, self.broker, network.endpoint)
        self.expect_equal(view)
        for count, crashed in enumerate(((1, 2), (2, 3)), 1):
            network.cut()
            view.program.wait_for(lambda: view.said("lost the feed", count), "that the feed is lost")
            self.change_something(crashed)
            network.heal()
            self.expect_equal(view)

    def test_the_network_passes_nothing_on_for_a_while(self):
        self.start()
        network = self.stack.enter_context(tcp_proxy.TcpProxy(self.broker.feed))
        view = View(self.stack, self.broker, network.endpoint)
        self.expect_equal(view)
        network.stall()
        self.change_something(crashed=(1, 2))
        view.program.wait_for(lambda: view.said("it was silent for 4 s"), "that the silence was noticed")
        self.change_something(crashed=(3,))
        network.heal()
        self.expect_equal(view)

    def test_a_subscriber_that_does_not_read_is_seen_heals_and_costs_nobody_a_message(self):
        self.start()
        healthy = self.stack.enter_context(feed.Subscriber(self.broker.feed, "status/", "alert/"))
        view = View(self.stack, self.broker, self.broker.feed)
        self.expect_equal(view)
        view.program.signal(signal.SIGSTOP)
        self.addCleanup(view.program.signal, signal.SIGCONT)
        began = time.monotonic()
        self.publish_much()
        print(f"{MESSAGES} reports in {time.monotonic() - began:.2f} s", file=sys.stderr)
        self.change_something(crashed=(1, 2))
        of_feed = lambda state: lambda m: (m.kind == "alert" and m.payload["about"] == "feed"
                                           and m.payload["state"] == state)
        firing = healthy.wait_for(of_feed("firing")).payload
        self.assertEqual((firing["id"], firing["kind"], firing["severity"]), ("@bus", "slow_subscriber", "warning"))
        self.assertRegex(firing["seen"], r"a queue was full \d+ times .* 1 take nothing now: 127\.0\.0\.1:\d+$")
        self.assertGreaterEqual(self.caller.counters()["feed_overflows"], 1)
        view.program.signal(signal.SIGCONT)
        healthy.wait_for(of_feed("resolved"), 40_000)
        self.expect_equal(view)
        view.program.wait_for(lambda: view.said("were missed; reading everything again"), "that it has missed something")
        for kind in ("status", "alert"):
            seqs = [m.header["seq"] for m in healthy.seen if m.kind == kind]
            self.assertEqual(seqs, list(range(seqs[0], seqs[0] + len(seqs))), "each once, and none was lost")
        self.assertGreater(sum(m.kind == "status" for m in healthy.seen), MESSAGES)


if __name__ == "__main__":
    unittest.main(verbosity=2)
