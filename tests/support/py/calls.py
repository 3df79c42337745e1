"""Layer 1 from outside: calls in MessagePack and in JSON, and an agent in Python."""

import json
import time

import msgpack

import mdp


class Reply:
    def __init__(self, header, result, attachments=()):
        self.header, self.result, self.attachments = header, result, list(attachments)
        self.status, self.error = header.get("status"), header.get("error", "")

    def __repr__(self):
        return f"Reply({self.header}, {self.result})"


def encode(header, params, as_json):
    if as_json:
        return [json.dumps({**header, "params": params}).encode()]
    return [msgpack.packb(header), msgpack.packb(params)]


def decode(body):
    if body[0].startswith(b"{"):
        assert len(body) == 1, body
        header = json.loads(body[0])
        result = header.pop("result")
        return Reply(header, result)
    return Reply(msgpack.unpackb(body[0]), msgpack.unpackb(body[1]), body[2:])


def answer_to(body, result, status=200, error=None):
    """The frames of a worker's reply to a call, in its encoding."""
    as_json = body[0].startswith(b"{")
    header = json.loads(body[0]) if as_json else msgpack.unpackb(body[0])
    header = {"v": 1, "id": header["id"], "status": status, **({"error": error} if error else {})}
    return [json.dumps({**header, "result": result}).encode()] if as_json else [msgpack.packb(header), msgpack.packb(result)]


def ask_until(caller, service, method, params, wanted, timeout_s=60):
    """Asks again and again until the reply is as wanted. Each answer is waited for."""
    give_up = time.monotonic() + timeout_s
    while True:
        reply = caller.call(service, method, params)
        if wanted(reply):
            return reply
        assert time.monotonic() < give_up, f"{service} {method} {params}: still {reply}"


class Caller(mdp.Client):
    """A client that makes calls. Keeps `last_request` and `last_reply`, as frames, for tests that look at the bytes."""

    def __init__(self, endpoint, as_json=False, **options):
        super().__init__(endpoint, **options)
        self.as_json = as_json
        self.last_id = 0
        self.last_request = self.last_reply = None

    def start(self, service, method, params=None, **header):
        self.last_id += 1
        body = encode({"v": 1, "id": self.last_id, "method": method, **header}, params or {}, self.as_json)
        self.last_request = body
        self.request(service.encode(), *body)
        return self.last_id

    def finish(self, patience_ms=mdp.PATIENCE_MS):
        kind, _, body = self.reply(patience_ms)
        assert kind == "FINAL", kind
        self.last_reply = body
        return decode(body)

    def call(self, service, method, params=None, **header):
        wanted = self.start(service, method, params, **header)
        reply = self.finish()
        assert reply.header["id"] == wanted, (wanted, reply)
        return reply

    def counters(self):
        return self.call("bus.admin", "stats").result["counters"]


MODE = {"width_px": 1920, "height_px": 1080, "refresh_mhz": 60_000}


def manifest(**changes):
    """A manifest as a signage player's agent would write it."""
    return {
        "name": "weston", "version": "10.0.1", "version_source": "executable", "kind": "wayland", "display": "wayland-1",
        "pid": 4711, "executable": "/usr/bin/weston", "driver": "wayland",
        "protocols": [{"name": "wl_compositor", "version": 4}],
        "outputs": [{"name": "HDMI-A-1", "current_mode": MODE, "modes": [{**MODE, "preferred": True}], "scale": 1.0,
                     "x": 0, "y": 0, "transform": "normal", "width_mm": 510, "height_mm": 290}],
        "inputs": [],
        "commands": [{"name": "output.mode", "supported": False, "reason": "weston has no protocol for it"}],
        **changes,
    }


SENT_AT = int(time.time() * 1_000)  # an agent whose clock is right


def report(process="running", progress="ok", outputs=(("HDMI-A-1", "on"),), sent_at=SENT_AT, **process_fields):
    times = {"since": sent_at - 5_000, "observed_at": sent_at}
    return {
        "sent_at": sent_at,
        "process": {"state": process, **process_fields, **times},
        "progress": {"state": progress, "round_trip_ms": 0.12, "cause": "", **times},
        "outputs": [{"name": name, "state": state, **times} for name, state in outputs],
    }


METRICS = {"probe_p50_us": 250, "probe_p99_us": 4_800, "rss_bytes": 142 << 20, "cpu_percent": 3.1, "clients": 12}


def crash_report(lines=2):
    return {**report(process="killed", signal=11, progress="unknown", note="it will be started again"),
            "metrics": {"restarts": 3},
            "crash": {"at": SENT_AT - 7, "pid": 4711, "text": "killed by signal 11 (SIGSEGV)",
                      "log": [f"line {i}" for i in range(lines)],
                      "events": [{"at": SENT_AT - 900, "text": "compositor.up name=sway"}],
                      "probes": [{"at": SENT_AT - 500, "round_trip_ms": 0.25}]}}


class PythonAgent(mdp.Worker):
    """One DEALER, both client of bus.agent and worker of compositor/<id>, as the protocol says."""

    def __init__(self, endpoint, identity, as_json=False):
        super().__init__(endpoint, None)
        self.id, self.as_json = identity, as_json
        self.service = b"compositor/" + identity.encode()
        self.last_call = 0
        self.others = []  # commands that came while an answer was waited for

    def ask_later(self, method, params=None, service=b"bus.agent"):
        self.last_call += 1
        body = encode({"v": 1, "id": self.last_call, "method": method}, params or {}, self.as_json)
        self.send(b"MDPC02", b"\x01", service, *body)
        return self.last_call

    def next_answer(self, patience_ms=mdp.PATIENCE_MS):
        while True:
            frames = self.receive(patience_ms)
            if frames[0] == b"MDPC02":
                assert frames[1] == b"\x03" and frames[2] == b"bus.agent", frames
                return decode(frames[3:])
            if frames[1] == mdp.COMMANDS[2]["HEARTBEAT"]:
                self.command("HEARTBEAT")
            else:
                self.others.append(frames)

    def ask(self, method, params=None):
        wanted = self.ask_later(method, params)
        reply = self.next_answer()
        assert reply.header["id"] == wanted, (wanted, reply)
        return reply

    def register(self, **params):
        return self.ask("register", {"id": self.id, **params})

    def ready(self):
        self.command("READY", self.service)

    def come_online(self, put=True, **params):
        """register, READY, manifest.put, status: the order that PROTOCOL.md asks for. The default heartbeat is long, for
        these agents speak only when the test does."""
        params = {"heartbeat_ms": 60_000, **params}
        registered = self.register(**params)
        assert registered.status == 200, registered
        self.ready()
        if put:
            for reply in (self.ask("manifest.put", {"manifest": manifest()}), self.ask("status", report())):
                assert reply.status == 200, reply
        return registered
