#!/usr/bin/python3
"""An agent and a subscriber in Python against a real broker: sessions, manifests, the feed, and the ten lines that
PROTOCOL.md shows."""

import os
import subprocess
import sys
import unittest

import msgpack

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "support", "py"))
import calls
import feed
import mdp
import programs
import schemas

HERE = os.path.dirname(os.path.realpath(__file__))


class WithBroker(unittest.TestCase):
    def setUp(self):
        stack = programs.contextlib.ExitStack()
        self.addCleanup(stack.close)
        self.broker = stack.enter_context(programs.broker())

    def open(self, peer):
        self.addCleanup(peer.close)
        return peer

    def agent(self, identity, **options):
        return self.open(calls.PythonAgent(self.broker.bus, identity, **options))

    def caller(self, **options):
        return self.open(calls.Caller(self.broker.bus, **options))

    def subscriber(self, *prefixes, **options):
        return self.open(feed.Subscriber(self.broker.feed, *prefixes, **options))


class Example(WithBroker):
    def test_ten_lines_list_the_compositors(self):
        for identity in ("wall-3/wayland-1", "lab/:0"):
            self.agent(identity).come_online()
        script = os.path.join(HERE, "bus_list_compositors.py")
        done = subprocess.run([sys.executable, script, self.broker.bus], capture_output=True, text=True, check=True,
                              timeout=programs.PATIENCE_S)
        self.assertEqual(done.stdout, "lab/:0 ok weston 10.0.1\nwall-3/wayland-1 ok weston 10.0.1\n")

    def test_they_stand_verbatim_in_the_protocol(self):
        with open(os.path.join(HERE, "bus_list_compositors.py"), encoding="utf-8") as file:
            script = file.read()
        with open(os.path.join(schemas.ROOT, "schemas", "PROTOCOL.md"), encoding="utf-8") as file:
            self.assertIn("```python\n" + script + "```\n", file.read())


class Session(WithBroker):
    def test_register_ready_manifest_status_command_leave(self):
        for as_json in (False, True):
            with self.subTest(as_json=as_json):
                identity = f"host/json-{as_json}"
                agent, caller = self.agent(identity, as_json=as_json), self.caller(as_json=as_json)
                registered = agent.come_online(heartbeat_ms=5_000, liveness=4, labels={"site": "berlin"})
                self.assertEqual((registered.result["heartbeat_ms"], registered.result["liveness"]), (5_000, 4))
                self.assertEqual(registered.result["manifest_hash"], "")
                got = caller.call("bus.manifest", "get", {"id": identity}).result
                self.assertEqual(got["manifest"], calls.manifest())
                self.assertEqual((got["link"], got["stored"], got["revision"]), ("connected", True, 1))
                status = caller.call("bus.status", "get", {"id": identity}).result
                self.assertEqual((status["verdict"], status["summary"]), ("ok", "COMPOSITE_OK"))
                self.assertEqual(status["labels"], {"site": "berlin"})
                self.command(agent, caller)
                self.assertEqual(agent.ask("leave").status, 200)
                status = caller.call("bus.status", "get", {"id": identity}).result
                self.assertEqual((status["link"]["state"], status["verdict"]), ("left", "unknown"))
                refused = caller.call("compositor/" + identity, "output.scale", {})
                self.assertEqual(refused.status, 503)
                self.assertIn("last seen", refused.error)

    def command(self, agent, caller):
        wanted = caller.start("compositor/" + agent.id, "output.scale", {"output": "HDMI-A-1", "scale": 2})
        address, body = agent.next_request()
        self.assertEqual(body, caller.last_request)
        agent.answer(address, *calls.encode({"v": 1, "id": wanted, "status": 200}, {}, False)
                     if not agent.as_json else [b'{"v":1,"id":%d,"status":200,"result":{}}' % wanted])
        self.assertEqual(caller.finish().status, 200)

    def test_an_agent_has_credit_for_eight_requests(self):
        agent, caller = self.agent("a/b"), self.caller()
        self.assertEqual(agent.come_online().result["credit"], 8)
        for _ in range(9):
            caller.start("compositor/a/b", "x")
        addresses = [agent.next_request()[0] for _ in range(8)]
        with self.assertRaises(mdp.Nothing):
            agent.next_request(patience_ms=200)
        agent.answer(addresses[0], b"done")
        agent.next_request()

    def test_register_is_checked(self):
        agent = self.agent("a/b")
        for params, status in (({}, 400), ({"id": "no-slash"}, 400), ({"id": "a/b/c"}, 400), ({"id": "a/" + "b" * 65}, 400),
                               ({"id": "a/b", "heartbeat_ms": 49}, 400), ({"id": "a/b", "heartbeat_ms": 60_001}, 400),
                               ({"id": "a/b", "liveness": 1}, 400), ({"id": "a/b", "liveness": 11}, 400),
                               ({"id": "a/b", "labels": {"k": 1}}, 400),
                               ({"id": "a/b", "labels": {str(i): "" for i in range(65)}}, 413),
                               ({"id": "a/b", "heartbeat_ms": 50, "liveness": 2, "more": 1}, 200)):
            with self.subTest(params=params):
                self.assertEqual(agent.ask("register", params).status, status)

    def test_only_an_agent_may_speak_for_a_compositor(self):
        stranger = self.agent("a/b")
        for method in ("status", "manifest.put", "leave"):
            self.assertEqual(stranger.ask(method, {}).status, 403)
        self.assertEqual(stranger.ask("nothing", {}).status, 404)

    def test_a_second_registration_takes_over(self):
        old, new = self.agent("a/b"), self.agent("a/b")
        old.come_online()
        new.come_online()
        self.assertEqual(old.next_command(), ("DISCONNECT", []))
        self.broker.wait_for_log(r"agent\.taken_over id=a/b")
        caller = self.caller()
        caller.start("compositor/a/b", "x")
        new.next_request()

    def test_one_connection_is_one_agent(self):
        agent = self.agent("a/b")
        agent.come_online()
        self.assertEqual(agent.ask("register", {"id": "a/c"}).status, 409)

    def test_an_agent_of_01_with_a_delimiter(self):
        agent = self.open(mdp.Worker(self.broker.bus, None, version=1))
        agent.send(b"MDPC01", b"bus.agent", *calls.encode({"v": 1, "id": "r", "method": "register"}, {"id": "a/b"}, True))
        frames = agent.receive()
        self.assertEqual(frames[:2], [b"MDPC01", b"bus.agent"])
        self.assertEqual(calls.decode(frames[2:]).status, 200)
        agent.command("READY", b"compositor/a/b")
        caller = self.caller()
        caller.start("compositor/a/b", "x")
        agent.next_request()

    def test_hash_and_revision_follow_the_content(self):
        agent = self.agent("a/b")
        agent.come_online(put=False)
        first = agent.ask("manifest.put", {"manifest": calls.manifest()}).result
        again = agent.ask("manifest.put", {"manifest": dict(reversed(calls.manifest().items()))}).result
        other = agent.ask("manifest.put", {"manifest": calls.manifest(unknown_field=[1, {"x": None}])}).result
        self.assertEqual(first, again, "the order of keys is no content")
        self.assertNotEqual(first["hash"], other["hash"])
        self.assertEqual((first["revision"], other["revision"]), (1, 2))
        got = self.caller().call("bus.manifest", "get", {"id": "a/b"}).result["manifest"]
        self.assertEqual(got["unknown_field"], [1, {"x": None}])
        self.assertEqual(self.agent("a/b").register().result["manifest_hash"], other["hash"])

    def test_lists_come_in_pages(self):
        for number in range(5):
            self.agent(f"host/{number}").come_online(put=number % 2 == 0)
        caller = self.caller()
        for service, method in (("bus.manifest", "list"), ("bus.status", "list"), ("bus.status", "snapshot")):
            ids, after = [], None
            for _ in range(3):
                page = caller.call(service, method, {"limit": 2, "after": after}).result
                ids += [(entry.get("status") or entry)["id"] for entry in page["compositors"]]
                after = page["next"]
            self.assertEqual(ids, [f"host/{number}" for number in range(5)])
            self.assertIsNone(after)
        self.assertEqual(caller.call("bus.status", "list", {"limit": 0}).status, 400)
        self.assertEqual(caller.call("bus.manifest", "get", {"id": "host/1"}).status, 404)


class Feed(WithBroker):
    def test_everything_is_published_with_its_json_twin(self):
        packed, text = self.subscriber(""), self.subscriber("json/", as_json=True)
        agent = self.agent("wall-3/wayland-1")
        agent.come_online(labels={"site": "berlin"})
        agent.ask("status", calls.report(outputs=(("HDMI-A-1", "disconnected"),)))
        agent.ask("status", calls.report(process="killed", signal=9, progress="unknown", outputs=()))
        done = lambda m: m.kind == "alert" and m.payload["state"] == "firing" and m.payload["layer"] == "process"
        topics = {"status/wall-3/wayland-1", "manifest/wall-3/wayland-1", "output/wall-3/wayland-1/HDMI-A-1",
                  "alert/warning/wall-3/wayland-1", "alert/critical/wall-3/wayland-1", "bus/tick"}
        for subscriber, prefix in ((packed, ""), (text, "json/")):
            subscriber.wait_for(lambda m, p=prefix: m.topic.startswith(p + "alert/") and done(m))
            subscriber.wait_for_topic(prefix + "bus/tick")
            seen = {m.topic[len(prefix):] for m in subscriber.seen if m.is_json == bool(prefix) and m.kind != "hello"}
            self.assertEqual(seen, topics)
        # Topic by topic both have said the same.
        for topic in topics - {"bus/tick"}:
            as_packed = [(m.header, m.payload) for m in packed.seen if m.topic == topic]
            as_text = [(m.header, m.payload) for m in text.seen if m.topic == "json/" + topic]
            self.assertEqual(as_packed, as_text)

    def test_seqs_have_no_gaps_and_one_epoch(self):
        subscriber = self.subscriber("status/", "manifest/", "output/", "alert/", "bus/")
        for number in range(5):
            agent = self.agent(f"host/{number}")
            agent.come_online()
            agent.ask("status", calls.report(outputs=(("HDMI-A-1", "off"),)))
        subscriber.wait_for(lambda m: m.kind == "alert" and m.payload["id"] == "host/4")
        subscriber.wait_for(lambda m: m.kind == "bus")
        for kind in ("status", "manifest", "output", "alert", "bus"):
            seqs = [m.header["seq"] for m in subscriber.seen if m.kind == kind]
            self.assertEqual(seqs, list(range(seqs[0], seqs[0] + len(seqs))), kind)
        self.assertEqual({m.header["epoch"] for m in subscriber.seen}, {subscriber.hello.payload["epoch"]})
        # The tick says how far every kind has come, so that a subscriber of one sees a gap at its end too.
        last = subscriber.seen[-1]
        of = lambda kind: [m.header["seq"] for m in subscriber.seen if m.kind == kind][-1]
        self.assertEqual({kind: last.payload["seqs"][kind] for kind in ("status", "alert")},
                         {kind: of(kind) for kind in ("status", "alert")})

    def test_a_late_joiner_loses_nothing(self):
        agent = self.agent("a/b")
        agent.come_online()
        subscriber = self.subscriber("status/")
        caller = self.caller()
        snapshot = caller.call("bus.status", "snapshot").result
        self.assertEqual(snapshot["epoch"], subscriber.hello.payload["epoch"])
        known = {entry["status"]["id"]: (entry["seq"], entry["status"]["verdict"]) for entry in snapshot["compositors"]}
        self.assertEqual(known["a/b"][1], "ok")
        agent.ask("status", calls.report(progress="frozen"))
        message = subscriber.wait_for_topic("status/a/b", lambda status: status["verdict"] == "down")
        self.assertGreater(message.header["seq"], known["a/b"][0])

    def test_hello_goes_to_the_one_who_asked_and_only_below_64_bytes(self):
        other = self.subscriber("hello/other")
        mine = self.subscriber()
        self.assertTrue(mine.hello.topic.startswith("hello/"))
        other.socket.subscribe("hello/" + "x" * 58)  # 64 bytes: answered
        self.assertEqual(other.wait_for(lambda m: m.topic.startswith("hello/x")).topic, "hello/" + "x" * 58)
        other.socket.subscribe("hello/" + "y" * 59)  # 65: not
        other.socket.subscribe("hello/z")
        other.wait_for_topic("hello/z")
        self.assertFalse([m for m in other.seen if m.topic.startswith("hello/y")])
        self.assertFalse([m for m in other.seen if m.topic == mine.hello.topic])

    def test_without_json_subscribers_no_twins_are_made(self):
        subscriber = self.subscriber("")
        self.agent("a/b").come_online()
        subscriber.wait_for_topic("status/a/b", lambda status: status["verdict"] == "ok")
        self.assertFalse([m for m in subscriber.seen if m.is_json])

    def test_times_of_a_wrong_clock_are_translated(self):
        agent = self.agent("a/b")
        agent.come_online()
        # Its clock is four months late, and "since" is five seconds before its sending.
        agent.ask("status", calls.report(sent_at=calls.SENT_AT - 10**10))
        caller = self.caller()
        status = caller.call("bus.status", "get", {"id": "a/b"}).result
        self.assertGreaterEqual(status["process"]["observed_at"], calls.SENT_AT)
        self.assertEqual(status["process"]["observed_at"] - status["process"]["since"], 5_000)
        skewed = calls.ask_until(caller, "bus.alert", "list", {}, lambda reply: reply.result["alerts"]).result["alerts"]
        self.assertEqual([(a["id"], a["kind"]) for a in skewed], [("a/b", "clock_skew")])
        agent.ask("status", calls.report())
        calls.ask_until(caller, "bus.alert", "list", {}, lambda reply: not reply.result["alerts"])


class Measured(WithBroker):
    WALL = "wall-3/wayland-1"

    def test_metrics_of_a_real_compositor_arrive_and_are_no_news(self):
        with programs.temporary_folder() as folder, programs.Sway(folder) as sway, \
                programs.Agent(self.broker.bus, folder, self.WALL):
            caller, subscriber = self.caller(), self.subscriber("status/", "bus/tick")
            subscriber.wait_for_topic("status/" + self.WALL, lambda status: status["verdict"] == "ok" and status["outputs"])
            published = subscriber.seen[-1].header["seq"]

            def status():
                return caller.call("bus.status", "get", {"id": self.WALL}).result

            # Asked each second, when the bus ticks: what is measured is not published by itself.
            subscriber.wait_for(lambda message: message.kind == "bus" and "cpu_percent" in status().get("metrics", {}))
            measured = status()
            self.assertEqual(schemas.Schemas().faults("status", measured), [])
            metrics = measured["metrics"]
            self.assertGreaterEqual(metrics["probe_p99_us"], metrics["probe_p50_us"])
            self.assertGreater(metrics["probe_p50_us"], 0)
            pid = caller.call("bus.manifest", "get", {"id": self.WALL}).result["manifest"]["pid"]
            with open(f"/proc/{pid}/status", encoding="ascii") as file:
                rss_kib = next(int(line.split()[1]) for line in file if line.startswith("VmRSS:"))
            self.assertAlmostEqual(metrics["rss_bytes"] / 1_024, rss_kib, delta=rss_kib / 2)
            self.assertLess(metrics["cpu_percent"], 100)
            self.assertNotIn("restarts", metrics, "this agent does not start its compositor")
            seen = [message.header["seq"] for message in subscriber.seen if message.kind == "status"]
            self.assertEqual(max(seen), published, "a measurement was published as if it were news")
            shown = subprocess.run([programs.program("compositorctl"), "--broker", self.broker.bus, "show", self.WALL],
                                   capture_output=True, text=True, check=True, timeout=programs.PATIENCE_S)
            self.assertRegex(shown.stdout,
                             r"measured    round trip p50 .* ms, p99 .* ms · \d+ MiB · [\d.]+ % CPU · 0 clients\n")
            with programs.Window(folder):
                # Counted each 10 s, and told with the status after that.
                subscriber.wait_for(lambda message: message.kind == "bus" and status()["metrics"]["clients"] == 1,
                                    2_000 * programs.PATIENCE_S)
            subscriber.wait_for(lambda message: message.kind == "bus" and status()["metrics"]["clients"] == 0,
                                2_000 * programs.PATIENCE_S)
            sway.kill()
            subscriber.wait_for_topic("status/" + self.WALL, lambda status: status["verdict"] == "down")
            self.assertNotIn("metrics", status())


if __name__ == "__main__":
    unittest.main()
