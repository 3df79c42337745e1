#!/usr/bin/python3
"""A client and a worker of MDP 0.2 that behave on the wire as majortomo 0.2 does, in our own words and with none of our own
code. Its quirks: an empty delimiter frame, sent and demanded although 18/MDP has none; no retry in the client; a worker that
ends when it is sent DISCONNECT, so that the program around it must begin anew.

mdp02_majortomo.py worker ENDPOINT SERVICE NAME HEARTBEAT_MS BACK_OFF_MS
mdp02_majortomo.py client ENDPOINT SERVICE COUNT TIMEOUT_MS [HELD]
mdp02_majortomo.py ask    ENDPOINT SERVICE BODY TIMEOUT_MS

The lines that it prints are described in README.md."""

import collections
import signal
import sys
import time

import zmq

READY, TO_WORKER, W_PARTIAL, W_FINAL, HEARTBEAT, DISCONNECT = (bytes([n]) for n in range(1, 7))
FROM_CLIENT, C_PARTIAL, C_FINAL = (bytes([n]) for n in range(1, 4))
BYTES = b"\x00\xff\x04"


def say(line):
    print(line, flush=True)


def connected(endpoint):
    socket = zmq.Context.instance().socket(zmq.DEALER)
    socket.linger = 2000
    socket.connect(endpoint)
    return socket


class Disconnected(Exception):
    """The broker said DISCONNECT: this worker's object is of no more use."""


class Worker:
    def __init__(self, endpoint, service, heartbeat_s):
        self.endpoint, self.service, self.heartbeat_s = endpoint, service, heartbeat_s
        self.socket = None
        self.sent_s = self.heard_s = 0.0
        self.connect()

    def connect(self):
        if self.socket is not None:
            self.socket.close()
        self.socket = connected(self.endpoint)
        self.send(READY, self.service)
        self.heard_s = time.monotonic()
        say("ready")

    def send(self, command, *frames):
        self.socket.send_multipart([b"", b"MDPW02", command, *frames])
        self.sent_s = time.monotonic()

    def next_request(self):
        """(address, body). Heartbeats are sent only from here, and only when nothing else was sent for an interval."""
        while True:
            silent_s = time.monotonic() - self.sent_s
            if silent_s >= self.heartbeat_s:
                self.send(HEARTBEAT)
                silent_s = 0.0
            # The original adds what it should take away: it may wait for two intervals, unless the broker says something.
            if not self.socket.poll(int((silent_s + self.heartbeat_s) * 1000)):
                if time.monotonic() - self.heard_s > 3 * self.heartbeat_s:
                    say("lost")
                    self.connect()
                continue
            delimiter, header, command, *frames = self.socket.recv_multipart()
            assert (delimiter, header) == (b"", b"MDPW02"), (delimiter, header)
            self.heard_s = time.monotonic()
            if command == HEARTBEAT:
                say("heartbeat")
                continue
            if command == DISCONNECT:
                self.socket.close()
                raise Disconnected()
            assert command == TO_WORKER and len(frames) >= 2 and frames[1] == b"", (command, frames)
            return frames[0], frames[2:]

    def leave(self):
        self.send(DISCONNECT)
        self.socket.close()


class Stop(Exception):
    """Somebody wants this program to end."""


def stop(*_):
    raise Stop()


def run_worker(endpoint, service, name, heartbeat_ms, _):
    """Each answer is a PARTIAL and a FINAL, the latter with our name as one more frame."""
    signal.signal(signal.SIGTERM, stop)
    worker = None
    while True:
        worker = Worker(endpoint, service.encode(), int(heartbeat_ms) / 1000)
        try:
            while True:
                address, body = worker.next_request()
                if body[:2] == [b"hold", name.encode()]:
                    say("holding")
                    continue
                worker.send(W_PARTIAL, address, b"", *body)
                worker.send(W_FINAL, address, b"", *body, name.encode())
        except Disconnected:
            say("disconnected")
        except Stop:
            worker.leave()
            return 0


class Client:
    def __init__(self, endpoint):
        self.endpoint, self.socket = endpoint, connected(endpoint)

    def reconnect(self):
        self.socket.linger = 0
        self.socket.close()
        self.socket = connected(self.endpoint)

    def send(self, service, *body):
        self.socket.send_multipart([b"", b"MDPC02", FROM_CLIENT, service, *body])

    def next_part(self, timeout_ms):
        """(whether it is the last one, all frames after the command) or None. The frames begin with the service."""
        if not self.socket.poll(timeout_ms):
            return None
        delimiter, header, command, *frames = self.socket.recv_multipart()
        assert (delimiter, header) == (b"", b"MDPC02") and command in (C_PARTIAL, C_FINAL), (delimiter, header, command)
        return command == C_FINAL, frames

    def call(self, service, body, timeout_ms):
        """(partial answers, the final one), or None when nothing came in time."""
        self.send(service, *body)
        partials = []
        while True:
            part = self.next_part(timeout_ms)
            if part is None:
                return None
            final, (answering, *frames) = part
            assert answering == service, answering
            if final:
                return partials, frames
            partials.append(frames)


def run_client(endpoint, service, count, timeout_ms, held=""):
    client, tally, partials, reconnects = Client(endpoint), collections.Counter(), 0, 0
    for i in range(int(count)):
        body = [b"hold" if held and i == 0 else b"echo", held.encode(), b"", BYTES, b"%d" % i]
        while (answer := client.call(service.encode(), body, int(timeout_ms))) is None:
            client.reconnect()
            reconnects += 1
            say("again")
        parts, final = answer
        assert final[:-1] == body and all(part == body for part in parts), answer
        partials += len(parts)
        tally[final[-1].decode()] += 1
        if i == 0:
            say("serving")
    shares = "".join(f" {name}={share}" for name, share in tally.items())
    say(f"answered {count} reconnects={reconnects} partials={partials}{shares}")
    return 0


def run_ask(endpoint, service, body, timeout_ms):
    answer = Client(endpoint).call(service.encode(), [body.encode()], int(timeout_ms))
    if answer is None:
        return 1
    say(answer[1][0].decode())
    return 0


if __name__ == "__main__":
    sys.exit({"worker": run_worker, "client": run_client, "ask": run_ask}[sys.argv[1]](*sys.argv[2:]))
