#!/usr/bin/python3
"""Who is who: two agents with one id, one routing id on two sockets, connections that come and go beside a quiet agent,
heartbeat intervals far apart, and answers that come too late."""

import os
import signal
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "support", "py"))
import calls
import feed
import mdp
import programs

WALL = "wall-3/wayland-1"
OTHER = "wall-4/wayland-1"
AGENT = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "support", "py", "agent_process.py")


class WithBroker(unittest.TestCase):
    def setUp(self):
        self.stack = programs.contextlib.ExitStack()
        self.addCleanup(self.stack.close)
        self.start()

    def start(self, *arguments, **options):
        self.broker = self.stack.enter_context(programs.broker(*arguments, **options))
        self.subscriber = self.open(feed.Subscriber(self.broker.feed, "status/", "manifest/", "alert/"))
        self.caller = self.open(calls.Caller(self.broker.bus))

    def open(self, peer):
        self.addCleanup(peer.close)
        return peer

    def agent(self, identity=WALL, **options):
        agent = self.open(calls.PythonAgent(self.broker.bus, identity))
        agent.come_online(**options)
        return agent

    def links(self, identity):
        """The states of the link that were published so far, without repetition."""
        # Publications to one subscriber keep their order, so its hello comes after all that was published before.
        topic = f"hello/{identity}-{len(self.subscriber.seen)}"
        self.subscriber.socket.subscribe(topic)
        self.subscriber.wait_for(lambda message: message.topic == topic)
        states = []
        for message in self.subscriber.seen:
            if message.topic == "status/" + identity and states[-1:] != [message.payload["link"]["state"]]:
                states.append(message.payload["link"]["state"])
        return states

    def wait_for_link(self, identity, state):
        return self.subscriber.wait_for_topic("status/" + identity, lambda status: status["link"]["state"] == state)


class Takeover(WithBroker):
    def test_an_agent_that_restarts_faster_than_it_is_missed(self):
        old = self.agent()
        self.caller.start("compositor/" + WALL, "output.scale")
        old_request = old.next_request()
        new = self.open(calls.PythonAgent(self.broker.bus, WALL))
        registered = new.register(heartbeat_ms=60_000)
        self.assertEqual(registered.status, 200)
        gone = self.caller.finish()
        self.assertEqual(gone.status, 410)
        self.assertIn("unknown", gone.error)
        kept = self.caller.call("bus.manifest", "get", {"id": WALL}).result
        self.assertEqual((kept["manifest"], kept["revision"]), (calls.manifest(), 1))
        self.assertEqual(registered.result["manifest_hash"], kept["hash"])
        new.ready()
        self.assertEqual(old.next_command(), ("DISCONNECT", []))
        # The old one's last words and its end are nobody's any more.
        self.assertEqual(old.ask("status", calls.report(progress="frozen")).status, 403)
        old.answer(old_request[0], b"too late")
        self.assertEqual(old.next_command(), ("DISCONNECT", []))
        old.close()
        self.assertEqual(new.ask("status", calls.report()).status, 200)
        self.caller.start("compositor/" + WALL, "output.scale")
        address, body = new.next_request()
        new.answer(address, *calls.answer_to(body, {}))
        self.assertEqual(self.caller.finish().status, 200)
        counters = self.caller.counters()
        self.assertEqual((counters["agents_taken_over"], counters["agents_lost"]), (1, 0))
        self.assertEqual(self.links(WALL), ["connected"])
        self.broker.wait_for_log("agent.taken_over")
        self.assertEqual(len([line for line in self.broker.err if "agent.taken_over" in line]), 1)

    def test_one_routing_id_on_two_sockets(self):
        first = self.open(calls.Caller(self.broker.bus, before={"routing_id": b"same"}))
        self.assertEqual(first.call("bus.admin", "config").status, 200)
        second = self.open(calls.Caller(self.broker.bus, before={"routing_id": b"same"}))
        second.start("bus.admin", "config")
        with self.assertRaises(mdp.Nothing):
            second.finish(patience_ms=300)
        self.assertEqual(first.call("bus.admin", "config").status, 200, "a live connection's routing id can't be taken")
        with self.assertRaises(mdp.Nothing):
            first.finish(patience_ms=50)
        self.broker.wait_for_log(r"connection\.refused .*wants the routing id of 127\.0\.0\.1:")
        self.assertGreater(first.counters()["connections_refused"], 0)
        # It tries again by itself, and is served when the first one has left.
        first.close()
        self.assertEqual(second.finish().status, 200)


class Connections(WithBroker):
    def check_a_killed_agent(self):
        process = self.stack.enter_context(
            programs.Program([sys.executable, AGENT, self.broker.bus, WALL, "20000"]))  # heartbeats would need 60 s
        self.subscriber.wait_for_topic("status/" + WALL, lambda status: status["verdict"] == "ok")
        killed_at = time.monotonic()
        process.signal(signal.SIGKILL)
        self.wait_for_link(WALL, "lost")
        print(f"{self.id()}: on the feed after {(time.monotonic() - killed_at) * 1_000:.1f} ms")

    def test_a_killed_agent_over_tcp(self):
        self.check_a_killed_agent()

    def test_a_killed_agent_over_ipc(self):
        folder = self.stack.enter_context(programs.temporary_folder())
        self.start(bus=f"ipc://{folder}/bus")
        self.check_a_killed_agent()

    def test_connections_that_come_and_go_condemn_nobody_else(self):
        quiet = self.agent()
        for number in range(200):
            with calls.PythonAgent(self.broker.bus, OTHER) as passing:
                if number % 10 == 0:
                    passing.come_online(put=False)  # and it dies as an agent
                else:
                    self.assertEqual(passing.ask("leave").status, 403)
        calls.ask_until(self.caller, "bus.status", "get", {"id": OTHER},
                        lambda reply: reply.result["link"]["state"] == "lost")
        counters = self.caller.counters()
        self.assertEqual(counters["agents_lost"] + counters["agents_taken_over"], 20, "each of the others, and no one else")
        self.assertEqual(self.links(WALL), ["connected"])
        self.assertEqual(quiet.ask("status", calls.report(progress="slow")).status, 200)


class Intervals(WithBroker):
    def test_the_shortest_and_the_longest_interval_on_one_broker(self):
        slow = self.agent(WALL, heartbeat_ms=60_000, liveness=10)
        began = time.monotonic()
        fast = self.agent(OTHER, heartbeat_ms=50, liveness=4, put=False)
        self.wait_for_link(OTHER, "lost")
        self.assertGreater(time.monotonic() - began, 0.19, "not before liveness × interval")
        self.broker.wait_for_log(f"worker.lost id={OTHER} .*nothing was heard for")
        names = []
        while "DISCONNECT" not in names:
            names.append(fast.next_command()[0])
        self.assertIn("HEARTBEAT", names, "the interval holds in both directions")
        self.assertEqual(self.links(WALL), ["connected"])
        with self.assertRaises(mdp.Nothing):
            slow.next_command(patience_ms=1)

    def test_other_intervals_are_refused_with_the_range(self):
        with calls.PythonAgent(self.broker.bus, WALL) as agent:
            for interval in (0, 49, 60_001):
                reply = agent.register(heartbeat_ms=interval)
                self.assertEqual(reply.status, 400)
                for word in ("heartbeat_ms", "50", "60000"):
                    self.assertIn(word, reply.error)


class LateReplies(WithBroker):
    def test_an_answer_after_the_deadline_is_dropped_and_counted(self):
        agent = self.agent()
        self.caller.start("compositor/" + WALL, "output.scale", deadline_ms=50)
        address, body = agent.next_request()
        self.assertEqual(self.caller.finish().status, 504)
        agent.answer(address, *calls.answer_to(body, {}))
        self.assertEqual(agent.ask("status", calls.report()).status, 200)
        self.assertEqual(self.caller.counters()["replies_late"], 1)
        # Nothing of it reaches the caller, whose next call gets its own answer; the agent is as good as before.
        self.caller.start("compositor/" + WALL, "output.scale")
        address, body = agent.next_request()
        agent.answer(address, *calls.answer_to(body, {"second": True}))
        self.assertEqual(self.caller.finish().result, {"second": True})
        self.assertEqual(self.caller.counters()["agents_lost"], 0)

    def test_a_full_queue_is_told_with_429(self):
        folder = self.stack.enter_context(programs.temporary_folder())
        config = os.path.join(folder, "full.yaml")
        with open(config, "w", encoding="ascii") as file:
            file.write("limits:\n  queued_requests_per_service_max: 1\nagents:\n  credit: 1\n")
        self.start("--config", config)
        agent = self.agent()
        for _ in range(2):  # one with the agent, one in the queue
            self.caller.start("compositor/" + WALL, "output.scale")
        refused = self.caller.call("compositor/" + WALL, "output.scale")
        self.assertEqual(refused.status, 429)
        self.assertIn("compositor/" + WALL, refused.error)
        self.assertEqual(self.caller.counters()["requests_refused"], 1)
        for _ in range(2):
            address, body = agent.next_request()
            agent.answer(address, *calls.answer_to(body, {}))
            self.assertEqual(self.caller.finish().status, 200, "what was accepted before is served")


if __name__ == "__main__":
    unittest.main()
