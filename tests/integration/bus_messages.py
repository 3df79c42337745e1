#!/usr/bin/python3
"""Real messages of a running broker and a running agent against schemas/messages/*.json, in MessagePack and in JSON; and
the proof that each schema refuses what it should."""

import base64
import copy
import hashlib
import json
import os
import sys
import unittest

import msgpack

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "support", "py"))
import calls
import feed
import programs
import relay
import schemas

WALL = "wall-3/wayland-1"
# (name, message) of everything that was seen, for the second half: each schema is tried with one that it accepts.
COLLECTED = {}
SCHEMAS = schemas.Schemas()


def without_each(message, path=()):
    """(path, the whole message without what is there), for every field of every map in it."""
    if isinstance(message, dict):
        for key, value in message.items():
            yield (*path, key), {k: v for k, v in message.items() if k != key}
            for deeper, smaller in without_each(value, (*path, key)):
                yield deeper, {**message, key: smaller}
    elif isinstance(message, list):
        for i, value in enumerate(message):
            for deeper, smaller in without_each(value, (*path, i)):
                yield deeper, [*message[:i], smaller, *message[i + 1:]]


class RealMessages(unittest.TestCase):
    def check(self, name, message):
        self.assertEqual(SCHEMAS.faults(name, message), [], f"{name}: {message}")
        known = COLLECTED.setdefault(name, message)
        if len(str(message)) > len(str(known)):
            COLLECTED[name] = message  # the fuller one is worth more

    def check_call(self, caller, service, method, params, params_schema, result_schema, **header):
        reply = caller.call(service, method, params, **header)
        self.check_frames(caller.last_request, params_schema, "request-header", "params")
        self.check_frames(caller.last_reply, result_schema if reply.status == 200 else None, "reply-header", "result")
        return reply

    def check_frames(self, body, payload_schema, header_schema, key):
        if body[0].startswith(b"{"):
            header = json.loads(body[0])
            payload = header[key]
        else:
            header, payload = msgpack.unpackb(body[0]), msgpack.unpackb(body[1])
        self.check(header_schema, header)
        if payload_schema:
            self.check(payload_schema, payload)

    def test_broker(self):
        for as_json in (False, True):
            with self.subTest(as_json=as_json), programs.broker() as broker, \
                    calls.PythonAgent(broker.bus, WALL, as_json) as agent, \
                    calls.Caller(broker.bus, as_json) as caller, \
                    feed.Subscriber(broker.feed, "json/" if as_json else "", as_json=as_json) as subscriber:
                self.agent_side(agent)
                self.caller_side(caller)
                # It is a worker then, and on a slow machine a heartbeat of the usual interval would come between two answers.
                self.check_call(caller, "bus.worker", "register",
                                {"service": "render", "credit": 4, "idempotent": True, "heartbeat_ms": 60_000},
                                "worker-register", "worker-registered")
                first = self.check_call(caller, "bus.admin", "peers", {"limit": 1}, "page", "peer-list").result
                rest = self.check_call(caller, "bus.admin", "peers", {"after": first["next"]}, "page", "peer-list").result
                self.assertEqual([(p["service"], p["state"], p["credit"]) for p in rest["peers"]], [("render", "admitted", 4)])
                self.jobs_and_groups(caller, agent)
                self.alerts_side(caller)
                agent.ask("leave")
                subscriber.wait_for(lambda m: m.kind == "bus" and m.header["seq"] >= 2)
                self.check_call(caller, "bus.manifest", "list", {}, "manifest-list-params", "manifest-list")
                self.check_call(caller, "bus.status", "list", {}, "page", "status-list")
                self.feed_side(subscriber, as_json)

    def agent_side(self, agent):
        params = {"id": WALL, "labels": {"site": "berlin"}, "heartbeat_ms": 60_000, "liveness": 3,
                  "software": {"name": "test", "version": "1"}}
        self.check("register", params)
        self.check("registered", agent.ask("register", params).result)
        agent.ready()
        put = {"manifest": calls.manifest()}
        self.check("manifest-put", put)
        self.check("manifest", put["manifest"])
        self.check("manifest-stored", agent.ask("manifest.put", put).result)
        for report in (calls.report(), calls.report(process="killed", signal=9, progress="unknown"),
                       {**calls.report(), "metrics": calls.METRICS},
                       calls.report(process="exited", code=1, progress="unknown"),
                       calls.report(outputs=(("HDMI-A-1", "off"), ("DP-1", "disconnected"))), calls.crash_report()):
            self.check("status-report", report)
            reply = agent.ask("status", report)
            self.check("reply-header", reply.header)
            self.assertEqual((reply.status, reply.result), (200, {}))

    def caller_side(self, caller):
        of_wall = {"id": WALL}
        self.check_call(caller, "bus.manifest", "get", of_wall, "manifest-get", "manifest-reply", deadline_ms=1_000)
        self.check_call(caller, "bus.manifest", "list", {"limit": 1}, "manifest-list-params", "manifest-list")
        self.check_call(caller, "bus.manifest", "list", {"fields": ["hash", "manifest.outputs"], "selector": {"ids": ["*"]}},
                        "manifest-list-params", "manifest-list")
        self.history(caller, of_wall)
        self.check_call(caller, "bus.status", "get", of_wall, None, "status", idem="x")
        self.check_call(caller, "bus.status", "list", {"after": "a/b"}, "page", "status-list")
        self.check_call(caller, "bus.status", "snapshot", {}, "page", "snapshot")
        self.check_call(caller, "bus.admin", "stats", {}, None, "stats")
        self.check_call(caller, "bus.admin", "config", {}, None, "config")
        self.check_call(caller, "bus.admin", "log.level", {"level": "debug"}, "log-level-params", "log-level")
        peers = self.check_call(caller, "bus.admin", "peers", {"limit": 1}, "page", "peer-list").result
        (peer,) = peers["peers"]
        self.assertEqual((peer["service"], peer["state"], peer["doubt"], peer["outstanding"]),
                         ("compositor/" + WALL, "ready", "none", 0))
        self.assertIsNone(peers["next"])
        self.assertEqual(caller.call("bus.admin", "peers", {"after": "x"}).status, 400)
        # Refusals have headers too.
        for service, method, params in (("bus.status", "get", {"id": "no/such"}), ("bus.status", "get", {"id": 7}),
                                        ("bus.none", "get", {}), ("bus.agent", "status", {}),
                                        ("compositor/no/such", "output.mode", {}), ("nobody", "x", {})):
            self.assertNotEqual(self.check_call(caller, service, method, params, None, None).status, 200)

    def history(self, caller, of_wall):
        self.check_call(caller, "bus.manifest", "get", {**of_wall, "revision": 1}, "manifest-get", "manifest-revision")
        known = self.check_call(caller, "bus.manifest", "get", of_wall, "manifest-get", "manifest-reply").result["hash"]
        same = self.check_call(caller, "bus.manifest", "get", {**of_wall, "if_none_match": known}, "manifest-get", None)
        self.assertEqual(same.status, 304)
        self.check_call(caller, "bus.manifest", "history", of_wall, None, "manifest-history")
        self.check_call(caller, "bus.manifest", "diff", {**of_wall, "from": 1, "to": 1}, "manifest-diff-params", "manifest-diff")
        self.check_call(caller, "bus.manifest", "catalogue", {}, None, "catalogue")
        self.check_call(caller, "bus.status", "history", of_wall, "status-history-params", "status-history")
        self.check_call(caller, "bus.status", "outages", {"period_ms": 60_000}, "period", "outages")
        self.check_call(caller, "bus.status", "sla", {"selector": {"ids": ["*"]}}, "period", "sla")

    def jobs_and_groups(self, caller, agent):
        service = "compositor/" + WALL
        queued = self.check_call(caller, service, "reload", {}, None, None, queue=True, ttl_ms=60_000, idempotent=True, idem="k")
        self.assertEqual(queued.status, 202)
        self.check("queued", queued.result)
        address, body = agent.next_request()
        agent.answer(address, *calls.answer_to(body, {"before": {}}))
        job = {"job": queued.result["job"]}
        calls.ask_until(caller, "bus.job", "get", job, lambda reply: reply.result["state"] == "done")
        self.check_call(caller, "bus.job", "get", job, "job-id", "job")
        self.check_call(caller, "bus.job", "list", {"state": "done", "service": service}, "job-list-params", "job-list")
        params = {"selector": {"ids": ["wall-*"], "labels": {"site": "b*"}, "facts": {"link": "connected"}},
                  "method": "reload", "batch": 1, "max_fail": 0}
        self.check("group-call", params)
        caller.start("bus.group", "call", params)
        address, body = agent.next_request()
        agent.answer(address, *calls.answer_to(body, {}))
        kind, _, part = caller.reply()
        self.assertEqual(kind, "PARTIAL")
        self.check_frames(part, "group-part", "reply-header", "result")
        final = caller.finish()
        self.check("reply-header", final.header)
        self.check("group-result", final.result)

    def alerts_side(self, caller):
        """After the agent's last report two outputs are off, and nobody has said that all is well."""
        listed = calls.ask_until(caller, "bus.alert", "list", {}, lambda reply: reply.result["alerts"])
        self.check_call(caller, "bus.alert", "list", {"severity": "warning", "selector": {"ids": ["wall-3/*"]}},
                        "alert-list-params", "alert-list")
        alert = {"alert": listed.result["alerts"][0]["alert"]}
        self.check_call(caller, "bus.alert", "get", alert, "alert-id", "alert")
        self.check_call(caller, "bus.alert", "ack", {**alert, "author": "eve", "comment": "I see"}, "alert-ack", "alert")
        self.check_call(caller, "bus.alert", "history", {"since": 1, "limit": 5}, "alert-list-params", "alert-list")
        for add, end, listing in (("silence.add", "silence.expire", "silence.list"),
                                  ("maintenance.start", "maintenance.stop", "maintenance.list")):
            made = self.check_call(caller, "bus.alert", add,
                                   {"selector": {"ids": ["*"], "labels": {"site": "b*"}}, "kinds": ["output_*"],
                                    "for_ms": 60_000, "author": "eve", "comment": "a test"},
                                   "alert-window-add", "alert-window-id")
            self.assertEqual(made.status, 200)
            self.check_call(caller, "bus.alert", listing, {}, None, "alert-window-list")
            self.assertEqual(self.check_call(caller, "bus.alert", end, made.result, "alert-window-id", None).status, 200)

    def feed_side(self, subscriber, as_json):
        names = {"status": "status", "output": "output", "manifest": "manifest-note", "alert": "alert", "bus": "bus-tick",
                 "hello": "hello"}
        seen = [message for message in subscriber.seen if message.is_json == as_json]
        self.assertEqual({message.kind for message in seen}, set(names))
        for message in seen:
            self.check("feed-header", message.header)
            self.check("stats" if message.topic.endswith("bus/stats") else names[message.kind], message.payload)

    def test_agent_with_a_real_compositor(self):
        with programs.temporary_folder() as folder, programs.broker() as broker, \
                feed.Subscriber(broker.feed, "manifest/", "status/") as subscriber, \
                relay.Relay(broker.bus) as between, programs.Sway(folder), \
                programs.Agent(between.endpoint, folder, WALL, "--label", "site=berlin", "--allow-launch",
                               "/usr/bin/true") as agent:
            subscriber.wait_for_topic("status/" + WALL, lambda status: status["verdict"] == "ok")
            for as_json in (False, True):
                with calls.Caller(broker.bus, as_json) as caller, programs.Window(folder):
                    described = caller.call("bus.manifest", "get", {"id": WALL})
                    self.check("manifest-reply", described.result)
                    output = described.result["manifest"]["outputs"][0]["name"]
                    self.commands(caller, output, int(as_json))
                    self.screenshot(caller, output)
            agent.signal(programs.signal.SIGTERM)
            self.assertEqual(agent.wait(), 0)
            self.requests_of_the_agent(between.seen)

    def test_agent_that_starts_its_compositor(self):
        with programs.temporary_folder() as folder, programs.broker() as broker, \
                feed.Subscriber(broker.feed, "status/") as subscriber, relay.Relay(broker.bus) as between, \
                programs.Agent(between.endpoint, folder, WALL, "run", "--start-limit", "1", "--", "/bin/false"):
            crashed = subscriber.wait_for_topic("status/" + WALL, lambda status: "crash" in status)
            self.assertIn("crash loop", crashed.payload["reason"])
            self.check("status", crashed.payload)
            for as_json in (False, True):
                with calls.Caller(broker.bus, as_json) as caller:
                    self.check_call(caller, "bus.status", "get", {"id": WALL}, None, "status")
                    for method, status in (("restart", 500), ("stop", 200)):
                        reply = self.check_call(caller, "compositor/" + WALL, method, {}, "command-supervisor",
                                                "command-supervisor-result")
                        self.assertEqual(reply.status, status, reply)
            for direction, frames in list(between.seen):
                if direction == "to broker" and frames[0] == b"MDPC02" and msgpack.unpackb(frames[3])["method"] == "status":
                    self.check_frames(frames[3:], "status-report", "request-header", "params")

    def test_reload(self):
        with programs.temporary_folder() as folder:
            file = os.path.join(folder, "compositord.yaml")
            with open(file, "wb"):
                pass
            with programs.broker("--config", file) as broker:
                with open(file, "w", encoding="utf-8") as changed:
                    changed.write("alerts: {site_label: town, repeat: 2min}\n")
                for as_json in (False, True):
                    with calls.Caller(broker.bus, as_json) as caller:
                        reply = self.check_call(caller, "bus.admin", "reload", {}, None, "config-reloaded")
                        self.assertEqual(reply.result["restart"], ["alerts.site_label"])

    def test_a_crash_report_without_end_is_refused(self):
        with programs.broker() as broker, calls.PythonAgent(broker.bus, WALL) as agent:
            agent.come_online()
            self.assertEqual(agent.ask("status", calls.crash_report(lines=200)).status, 200)
            self.assertEqual(agent.ask("status", calls.crash_report(lines=201)).status, 413)
            long = calls.crash_report()
            long["crash"]["log"] = ["x" * 33_000]
            self.assertEqual(agent.ask("status", long).status, 413)

    def commands(self, caller, output, i):
        for name, params in (("mode", {"width_px": 1024 + i, "height_px": 768, "refresh_mhz": 60_000}),
                             ("scale", {"scale": 1.5 + i}), ("position", {"x": 100 + i, "y": -50}),
                             ("transform", {"transform": ("90", "flipped-180")[i]}), ("enable", {}), ("power", {"on": True})):
            reply = self.check_call(caller, "compositor/" + WALL, "output." + name, {"output": output, **params},
                                    "command-output-" + name, "command-output-result")
            self.assertEqual(reply.status, 200, reply)
            self.assertEqual(set(reply.result), {"before", "after"})
        reply = self.check_call(caller, "compositor/" + WALL, "output.configure",
                                {"outputs": [{"output": output, "scale": 3 + i}], "confirm_within_ms": 600_000},
                                "command-output-configure", "command-output-configure-result")
        self.assertEqual(reply.status, 200, reply)
        self.assertEqual(set(reply.result), {"before", "after", "confirm_within_ms"})
        for status in (200, 409):  # the second finds nothing to confirm
            reply = self.check_call(caller, "compositor/" + WALL, "output.confirm", {},
                                    "command-output-confirm", "command-output-confirm-result")
            self.assertEqual(reply.status, status, reply)
        reply = self.check_call(caller, "compositor/" + WALL, "output.add",
                                {"width_px": 640, "height_px": 480, "refresh_mhz": 50_000, "scale": 2, "x": 9_000, "y": i},
                                "command-output-add", "command-output-add-result")
        self.assertEqual((reply.status, reply.result["after"]["name"]), (200, f"HEADLESS-{2 + i}"), reply)
        reply = self.check_call(caller, "compositor/" + WALL, "identify", {"seconds": 1, "text": "here"},
                                "command-identify", "command-identify-result")
        self.assertEqual((reply.status, reply.result), (200, {"outputs": [output, *(f"HEADLESS-{n}" for n in range(2, 3 + i))], "seconds": 1}), reply)
        calls.ask_until(caller, "compositor/" + WALL, "windows", {}, lambda reply: reply.result["count"] == 1)
        reply = self.check_call(caller, "compositor/" + WALL, "windows", {}, "command-windows", "command-windows-result")
        self.assertEqual((reply.status, reply.result["count"]), (200, 1), reply)
        self.assertEqual(reply.result["windows"][0]["app_id"], "org.freedesktop.weston.flower", reply)
        self.assertEqual(caller.call("compositor/" + WALL, "identify", {"id": "another/one"}).status, 400)
        reply = self.check_call(caller, "compositor/" + WALL, "launch", {"argv": ["/usr/bin/true"], "env": {"A": "b"}},
                                "command-launch", "command-launch-result")
        self.assertEqual((reply.status, reply.result["code"]), (200, 0), reply)
        # sway 1.7 says success, and its headless outputs stay on.
        reply = self.check_call(caller, "compositor/" + WALL, "output.disable", {"output": output},
                                "command-output-disable", "command-output-result")
        self.assertEqual(reply.status, 500, reply)
        reply = self.check_call(caller, "compositor/" + WALL, "output.scale", {"output": "NOPE-1", "scale": 2},
                                "command-output-scale", "command-output-result")
        self.assertEqual(reply.status, 404, reply)
        reply = self.check_call(caller, "compositor/" + WALL, "reload", {}, "command-reload", "command-reload-result")
        self.assertEqual(reply.status, 200, reply)
        self.assertTrue(reply.result["checked"], "by a second sway")

    def screenshot(self, caller, output):
        caller.start("compositor/" + WALL, "screenshot", {"output": output, "max_width": 200, "max_height": 200})
        self.check_frames(caller.last_request, "command-screenshot", "request-header", "params")
        png = b""
        kind, _, body = caller.reply()
        while kind == "PARTIAL":
            self.check_frames(body, "command-screenshot-part", "reply-header", "result")
            part = calls.decode(body)
            self.assertIs(part.header["more"], True)
            self.assertEqual(part.result["offset"], len(png))
            png += base64.b64decode(part.result["data"]) if caller.as_json else body[2]
            kind, _, body = caller.reply()
        self.check_frames(body, "command-screenshot-result", "reply-header", "result")
        reply = calls.decode(body)
        self.assertEqual(reply.status, 200, reply)
        self.assertNotIn("more", reply.header)
        result = reply.result
        self.assertEqual((result["format"], result["outputs"]), ("png", [output]))
        self.assertEqual(result["bytes"], len(png))
        self.assertEqual(result["sha256"], hashlib.sha256(png).hexdigest())
        self.assertEqual(png[:8], b"\x89PNG\r\n\x1a\n")
        self.assertEqual((int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")),
                         (result["width"], result["height"]))
        self.assertEqual(max(result["width"], result["height"]), 200)

    def test_schemas_and_broker_want_the_same_fields(self):
        """Whatever is left out of a message, at whatever depth: the broker says 400 exactly when the schema refuses it."""
        register = {"id": WALL, "labels": {}, "heartbeat_ms": 60_000, "liveness": 3,
                    "software": {"name": "test", "version": "1"}}
        with programs.broker() as broker, calls.PythonAgent(broker.bus, WALL) as agent:
            for method, schema, message in (("register", "register", register),
                                            ("manifest.put", "manifest-put", {"manifest": calls.manifest()}),
                                            ("status", "status-report", calls.report(process="killed", signal=9)),
                                            ("status", "status-report", calls.crash_report())):
                tried = 0
                for path, smaller in without_each(message):
                    if path[-1] == "reason":
                        continue  # the schema asks for it where a command isn't supported, the broker does not look
                    with self.subTest(method=method, left_out=path):
                        refused = agent.ask(method, smaller).status
                        self.assertIn(refused, (200, 400))
                        self.assertEqual(refused == 400, bool(SCHEMAS.faults(schema, smaller)), smaller)
                    tried += 1
                self.assertGreater(tried, 5)

    def requests_of_the_agent(self, seen):
        params_of = {"register": "register", "status": "status-report", "manifest.put": "manifest-put"}
        result_of = {"register": "registered", "manifest.put": "manifest-stored"}
        methods = {}
        for direction, frames in seen:
            if direction == "to broker" and frames[0] == b"MDPC02":
                header = msgpack.unpackb(frames[3])
                methods[header["id"]] = header["method"]
                self.check_frames(frames[3:], params_of.get(header["method"]), "request-header", "params")
            elif direction == "from broker" and frames[0] == b"MDPC02":
                method = methods[msgpack.unpackb(frames[3])["id"]]
                self.check_frames(frames[3:], result_of.get(method), "reply-header", "result")
        self.assertEqual(set(methods.values()), {"register", "status", "manifest.put", "leave"})
        to_broker = [frames for direction, frames in seen if direction == "to broker"]
        ready = [b"MDPW02", b"\x01", b"compositor/" + WALL.encode()]
        self.assertEqual(to_broker.index(ready), 1, "READY comes straight after the register that was answered")


class Refusals(unittest.TestCase):
    """Runs after RealMessages (unittest sorts by name within this list), with the messages it has collected."""

    OPEN = {"log-level-params", "request-header", "register", "worker-register", "job-id", "job-list-params", "group-call", "status-report", "manifest", "manifest-put", "page",
            "manifest-get", "manifest-diff-params", "manifest-list-params", "status-history-params", "period",
            "alert-list-params", "alert-id", "alert-ack", "alert-window-add", "alert-window-id"}

    # Of what the broker writes, only these may be missing.
    MAY_BE_MISSING = {"log-level-params": {"level"}, "reply-header": {"error", "age_ms", "more", "result"},
                      "command-screenshot": {"output", "max_width", "max_height"}, "command-screenshot-part": {"data"},
                      "command-output-result": {"before", "after", "confirm_within_ms"},
                      "command-output-configure-result": {"before", "after", "confirm_within_ms"},
                      "command-output-add": {"width_px", "height_px", "refresh_mhz", "scale", "x", "y"},
                      "command-identify": {"seconds", "text"},
                      "command-launch": {"env"}, "command-launch-result": {"code", "signal"},
                      "command-output-mode": {"refresh_mhz", "confirm_within_ms"},
                      **{"command-output-" + name: {"confirm_within_ms"} for name in
                         ("configure", "disable", "enable", "position", "power", "scale", "transform")},
                      "job": {"ended_at", "status", "error", "result"}, "group-part": {"error"}, "status": {"crash", "metrics"}, "output": {"planned"},
                      "alert": {"code", "signal", "acked"}, "alert-ack": {"comment"},
                      "alert-list-params": {"after", "limit", "selector", "severity", "kind", "suppressed", "since"},
                      "alert-window-add": {"kinds", "from", "until", "for_ms", "comment"}}

    def refused(self, name, message, why):
        self.assertNotEqual(SCHEMAS.faults(name, message), [], f"{name} accepts a message with {why}: {message}")

    def test_1_every_schema_has_met_a_real_message(self):
        self.assertEqual(set(COLLECTED), set(SCHEMAS.documents) - {"common"})

    def test_2_every_required_field_is_required_and_typed(self):
        for name, message in COLLECTED.items():
            for field in SCHEMAS.documents[name]["required"]:
                with self.subTest(schema=name, field=field):
                    without = copy.deepcopy(message)
                    del without[field]
                    self.refused(name, without, f"{field} missing")
                    wrong = copy.deepcopy(message)
                    wrong[field] = {"no": "such"} if not isinstance(message[field], dict) else "no map"
                    self.refused(name, wrong, f"{field} of another type")

    def test_3_unknown_fields_pass_only_where_it_says_so(self):
        for name, message in COLLECTED.items():
            with self.subTest(schema=name):
                more = {**message, "surely_unknown": 1}
                if name in self.OPEN:
                    self.assertEqual(SCHEMAS.faults(name, more), [])
                    self.assertIn("Open:", SCHEMAS.documents[name]["description"])
                else:
                    self.refused(name, more, "an unknown field")
                    document = SCHEMAS.documents[name]
                    self.assertIn("Closed:", document["description"])
                    self.assertEqual(set(document["properties"]) - set(document["required"]),
                                     self.MAY_BE_MISSING.get(name, set()))

    def test_4_wrong_units_are_refused(self):
        def changed(name, path, value):
            message = copy.deepcopy(COLLECTED[name])
            place = message
            for step in path[:-1]:
                place = place[step]
            place.pop(path[-1], None) if isinstance(place, dict) else None
            place[path[-1]] = value
            return message

        for name, path, value in (
                ("manifest", ("outputs", 0, "current_mode", "refresh_mhz"), 60),
                ("manifest", ("outputs", 0, "current_mode", "refresh_mhz"), 59.95),
                ("manifest", ("outputs", 0, "current_mode", "refresh_hz"), 60),
                ("manifest", ("outputs", 0, "current_mode", "width"), 1920),
                ("manifest", ("outputs", 0, "transform"), 90),
                ("manifest", ("outputs", 0, "scale"), "2"),
                ("command-output-mode", ("refresh_mhz",), 60),
                ("command-output-mode", ("refresh_hz",), 60),
                ("command-output-mode", ("width_px",), 1920.5),
                ("command-output-scale", ("scale",), 200),
                ("command-output-transform", ("transform",), 90),
                ("register", ("heartbeat_ms",), 1),
                ("register", ("heartbeat_s",), 1),
                ("register", ("heartbeat",), 1_000),
                ("request-header", ("deadline",), 10),
                ("request-header", ("deadline_s",), 10),
                ("status", ("since",), 1_700_000_000),
                ("status", ("link", "observed_at"), 1_700_000_000),
                ("status", ("process", "signal"), "SIGKILL"),
                ("status-report", ("sent_at",), 1_700_000_000.5),
                ("status-report", ("metrics", "rss_kib"), 1),
                ("status-report", ("metrics", "probe_p99_ms"), 1),
                ("status", ("metrics", "cpu_percent"), -1),
                ("alert", ("at",), 1_700_000_000),
                ("manifest-note", ("observed_at",), 1_700_000_000),
                ("feed-header", ("time",), 1_700_000_000),
                ("manifest-reply", ("age_ms",), -1)):
            with self.subTest(schema=name, path=path, value=value):
                self.refused(name, changed(name, path, value), f"{path} {value}")

    def test_5_contradictions_are_refused(self):
        status = COLLECTED["status"]
        ok = {**status, "verdict": "ok", "summary": "COMPOSITE_OK", "layer": "", "reason": "",
              "link": {**status["link"], "state": "connected"}}
        self.assertEqual(SCHEMAS.faults("status", ok), [])
        self.refused("status", {**ok, "summary": "COMPOSITE_ERROR"}, "ok and COMPOSITE_ERROR")
        self.refused("status", {**ok, "layer": "link"}, "ok and a layer that failed")
        self.refused("status", {**ok, "link": {**ok["link"], "state": "lost"}}, "a lost agent and the verdict ok")
        self.refused("reply-header", {"v": 1, "id": 1, "status": 404}, "a failure without a sentence")
        self.refused("reply-header", {"v": 1, "id": 1, "status": 299}, "a status that is not in the registry")


if __name__ == "__main__":
    suite = unittest.TestSuite()
    for case in (RealMessages, Refusals):
        suite.addTests(unittest.defaultTestLoader.loadTestsFromTestCase(case))
    sys.exit(not unittest.TextTestRunner(verbosity=1).run(suite).wasSuccessful())
