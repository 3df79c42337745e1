"""A subscriber of the feed."""

import itertools
import json
import time

import msgpack
import zmq

from mdp import Nothing, PATIENCE_MS


class Message:
    def __init__(self, frames):
        topic, header, payload = frames
        self.frames = frames
        self.topic = topic.decode()
        self.is_json = self.topic.startswith("json/")
        load = json.loads if self.is_json else msgpack.unpackb
        self.header, self.payload = load(header), load(payload)
        self.kind = self.header["kind"]

    def __repr__(self):
        return f"{self.topic} {self.header} {self.payload}"


class Subscriber:
    """Subscribed, and known to be, when the constructor ends: it waits for its own hello."""

    _nonces = itertools.count(1)

    def __init__(self, endpoint, *prefixes, as_json=False):
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.SUB)
        self.socket.linger = 0
        self.socket.rcvhwm = 0  # what the broker sends is what we see, however slow the test
        self.socket.connect(endpoint)
        for prefix in prefixes:
            self.socket.subscribe(prefix)
        topic = ("json/" if as_json else "") + f"hello/{id(self):x}-{next(self._nonces)}"
        self.socket.subscribe(topic)
        self.seen = []
        self.hello = self.wait_for(lambda message: message.topic == topic)

    def receive(self, patience_ms=PATIENCE_MS):
        if not self.socket.poll(patience_ms):
            raise Nothing(f"no publication within {patience_ms} ms")
        message = Message(self.socket.recv_multipart())
        self.seen.append(message)
        return message

    def wait_for(self, condition, patience_ms=PATIENCE_MS):
        """The next message that fulfils the condition. All that came stay in `seen`, in order."""
        deadline = time.monotonic() + patience_ms / 1_000
        while True:
            left_ms = int((deadline - time.monotonic()) * 1_000)
            if left_ms <= 0:
                raise Nothing("what was waited for did not come; this came:\n" + "\n".join(map(str, self.seen[-20:])))
            message = self.receive(left_ms)
            if condition(message):
                return message

    def wait_for_topic(self, topic, condition=lambda payload: True):
        return self.wait_for(lambda message: message.topic == topic and condition(message.payload))

    def close(self):
        self.socket.close()
        self.context.term()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
