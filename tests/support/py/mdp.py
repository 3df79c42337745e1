"""Majordomo by hand: clients and workers on plain pyzmq sockets, written from the text of 7/MDP and 18/MDP and not from
the broker's source, so that both can't be wrong in the same way."""

import zmq

PATIENCE_MS = 30_000
READY = b"\x01"
REQUEST = b"\x02"
COMMANDS = {  # what a worker says and hears, by version
    1: {"READY": b"\x01", "REQUEST": b"\x02", "FINAL": b"\x03", "HEARTBEAT": b"\x04", "DISCONNECT": b"\x05"},
    2: {"READY": b"\x01", "REQUEST": b"\x02", "PARTIAL": b"\x03", "FINAL": b"\x04", "HEARTBEAT": b"\x05",
        "DISCONNECT": b"\x06"},
}


class Nothing(Exception):
    """Nothing came within the time given."""


class Peer:
    """A socket with deadlines. `delimiter`: an empty frame goes in front of each message, and is taken off. `before`: options
    that a socket must have before it connects, by pyzmq's names for them."""

    def __init__(self, endpoint, kind=zmq.DEALER, delimiter=False, before=None):
        self.context = zmq.Context()
        self.socket = self.context.socket(kind)
        self.socket.linger = 0
        # REQ adds and removes the delimiter by itself.
        self.delimiter = delimiter and kind == zmq.DEALER
        for name, value in (before or {}).items():
            setattr(self.socket, name, value)
        self.socket.connect(endpoint)

    def send(self, *frames):
        self.socket.send_multipart(([b""] if self.delimiter else []) + list(frames))

    def receive(self, patience_ms=PATIENCE_MS):
        if not self.socket.poll(patience_ms):
            raise Nothing(f"no message within {patience_ms} ms")
        frames = self.socket.recv_multipart()
        if self.delimiter:
            assert frames[0] == b"", frames
            frames = frames[1:]
        return frames

    def close(self):
        self.socket.close()
        self.context.term()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Client(Peer):
    """`version` 1 or 2; 0.1 clients use the delimiter, 0.2 clients don't, unless told otherwise."""

    def __init__(self, endpoint, version=2, kind=zmq.DEALER, delimiter=None, before=None):
        super().__init__(endpoint, kind, version == 1 if delimiter is None else delimiter, before)
        self.version = version

    def request(self, service, *body):
        if self.version == 1:
            self.send(b"MDPC01", service, *body)
        else:
            self.send(b"MDPC02", b"\x01", service, *body)

    def reply(self, patience_ms=PATIENCE_MS):
        """("PARTIAL" or "FINAL", service, body frames)"""
        frames = self.receive(patience_ms)
        if self.version == 1:
            assert frames[0] == b"MDPC01", frames
            return "FINAL", frames[1], frames[2:]
        assert frames[0] == b"MDPC02" and frames[1] in (b"\x02", b"\x03"), frames
        return "FINAL" if frames[1] == b"\x03" else "PARTIAL", frames[2], frames[3:]

    def ask(self, service, *body, patience_ms=PATIENCE_MS):
        """The body of the final reply to one request."""
        self.request(service, *body)
        kind, answered, reply = self.reply(patience_ms)
        assert kind == "FINAL" and answered == service, (kind, answered)
        return reply


class Worker(Peer):
    def __init__(self, endpoint, service, version=2, delimiter=None, before=None):
        super().__init__(endpoint, zmq.DEALER, version == 1 if delimiter is None else delimiter, before)
        self.version = version
        self.header = b"MDPW01" if version == 1 else b"MDPW02"
        if service is not None:
            self.command("READY", service)

    def command(self, name, *frames):
        self.send(self.header, COMMANDS[self.version][name], *frames)

    def next_command(self, patience_ms=PATIENCE_MS):
        """(name, further frames)"""
        frames = self.receive(patience_ms)
        assert frames[0] == self.header, frames
        names = {byte: name for name, byte in COMMANDS[self.version].items()}
        return names[frames[1]], frames[2:]

    def next_but_heartbeats(self, patience_ms=PATIENCE_MS):
        """As next_command(); heartbeats in between are answered."""
        while (command := self.next_command(patience_ms))[0] == "HEARTBEAT":
            self.command("HEARTBEAT")
        return command

    def next_request(self, patience_ms=PATIENCE_MS):
        """(client address, body)"""
        name, frames = self.next_but_heartbeats(patience_ms)
        assert name == "REQUEST" and frames[1] == b"", (name, frames)
        return frames[0], frames[2:]

    def answer(self, address, *body, partial=False):
        self.command("PARTIAL" if partial else "FINAL", address, b"", *body)
