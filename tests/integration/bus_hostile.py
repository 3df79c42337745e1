#!/usr/bin/python3
"""Bytes that nobody should send, to both ports. The broker keeps answering, counts, and says so in its log."""

import os
import random
import socket
import sys
import time
import unittest

import msgpack
import zmq

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "support", "py"))
import calls
import feed
import mdp
import programs

MIB = 1 << 20


def port_of(endpoint):
    host, port = endpoint.removeprefix("tcp://").rsplit(":", 1)
    return host, int(port)


class Hostile(unittest.TestCase):
    def setUp(self):
        stack = programs.contextlib.ExitStack()
        self.addCleanup(stack.close)
        self.broker = stack.enter_context(programs.broker())
        self.caller = stack.enter_context(calls.Caller(self.broker.bus))
        self.before = self.caller.counters()

    def tearDown(self):
        # Whatever was sent: it serves a stranger's worker, its own services and the feed as before.
        with mdp.Worker(self.broker.bus, b"after") as worker, mdp.Client(self.broker.bus) as client:
            client.request(b"after", b"still there?")
            address, body = worker.next_request()
            worker.answer(address, *body)
            self.assertEqual(client.reply()[2], [b"still there?"])
        self.assertEqual(self.caller.call("bus.status", "list").status, 200)
        with feed.Subscriber(self.broker.feed) as subscriber:
            self.assertEqual(subscriber.hello.kind, "hello")
        self.assertEqual(self.broker.stop(), 0)

    def growth(self, counter):
        return self.caller.counters()[counter] - self.before[counter]

    def wait_for_growth(self, counter, by):
        deadline = time.monotonic() + programs.PATIENCE_S
        while self.growth(counter) < by:
            self.assertLess(time.monotonic(), deadline, f"{counter} grew by {self.growth(counter)} and not by {by}")

    def peer(self, kind=zmq.DEALER, endpoint=None):
        peer = mdp.Peer(endpoint or self.broker.bus, kind)
        self.addCleanup(peer.close)
        return peer

    def test_random_frames(self):
        seed = random.SystemRandom().getrandbits(32)
        print(f"seed {seed}")
        chance = random.Random(seed)
        heads = (b"MDPC01", b"MDPC02", b"MDPW01", b"MDPW02", b"MDPX02", b"", b"\x01")
        services = (b"bus.agent", b"bus.status", b"bus.manifest", b"compositor/a/b", b"mmi.service", b"echo", b"")
        peer = self.peer()
        for _ in range(2_000):
            frames = [chance.choice(heads), bytes([chance.randrange(8)]), chance.choice(services)]
            frames += [chance.randbytes(chance.choice((0, 1, 2, 8, 100))) for _ in range(chance.randrange(4))]
            chance.shuffle(frames) if chance.random() < 0.2 else None
            peer.send(*frames[chance.randrange(2):] or [b""])
        self.wait_for_growth("messages_received", 2_000)
        self.assertGreater(self.growth("messages_malformed"), 100)
        self.broker.wait_for_log("message.malformed")

    def test_a_valid_call_with_every_byte_broken_in_turn(self):
        header = msgpack.packb({"v": 1, "id": 1, "method": "register", "deadline_ms": 1_000})
        params = msgpack.packb({"id": "a/b", "labels": {"site": "x"}, "heartbeat_ms": 60_000})
        with calls.Caller(self.broker.bus) as client:
            asked = 0
            for frame in (0, 1):
                original = (header, params)[frame]
                for place in range(len(original)):
                    for flip in (0x01, 0x80, 0xFF):
                        broken = bytearray(original)
                        broken[place] ^= flip
                        body = [header, params]
                        body[frame] = bytes(broken)
                        client.request(b"bus.agent", *body)
                        asked += 1
            # Every single one is answered: with 200 where the damage left a sensible call, else with the reason why not.
            statuses = {client.finish().status for _ in range(asked)}
            self.assertLessEqual(statuses, {200, 400, 403, 404, 409, 413})
            self.assertIn(400, statuses)

    def test_strings_that_are_not_utf8_are_refused(self):
        # Most subscribers could not decode a publication with such a label, nor skip it.
        body = [msgpack.packb({"v": 1, "id": 1, "method": "register"}),
                msgpack.packb({"id": "a/b", "labels": {"site": "LABEL"}}).replace(b"LABEL", b"caf\xe9!")]
        reply = calls.decode(self.caller.ask(b"bus.agent", *body))
        self.assertEqual(reply.status, 400)
        self.assertIn("UTF-8", reply.error)
        # And what it quotes of a peer's bytes it quotes whole: 64 bytes of this key end within a character.
        key = ("é" * 40).encode()
        twice = b"\x82" + (b"\xd9" + bytes([len(key)]) + key + b"\x01") * 2
        reply = calls.decode(self.caller.ask(b"bus.agent", twice))
        self.assertEqual(reply.status, 400)

    def test_wrong_first_frames(self):
        peer = self.peer()
        wrong = ([b"MDPC03", b"\x01", b"echo"], [b"mdpc02", b"\x01", b"echo"], [b"MDPC02"], [b"MDPC02", b"\x09", b"echo"],
                 [b"MDPC02", b"\x01"], [b"MDPC02", b"\x01", b""], [b"MDPC01"], [b"MDPW02"], [b"MDPW02", b""],
                 [b"MDPW02", b"\x01"], [b"MDPW02", b"\x01", b"a", b"b"], [b"MDPW02", b"\x02", b"a", b"", b"x"],
                 [b"MDPW02", b"\x04", b"no empty frame", b"x"], [b"MDPW02", b"\x04"], [b"MDPW02", b"\x07"],
                 [b"MDPW01", b"\x06"], [b"MDPC02", b"\x01", b"s" * 256], [b"", b""], [b"", b"", b"MDPC01", b"echo"])
        for frames in wrong:
            peer.send(*frames)
        self.wait_for_growth("messages_malformed", len(wrong))
        self.assertEqual(self.growth("messages_malformed"), len(wrong))
        self.broker.wait_for_log(r'message\.malformed .*MDPC03')

    def test_empty_messages(self):
        peer = self.peer()
        for _ in range(5):
            peer.send(b"")
        self.wait_for_growth("messages_malformed", 5)
        with mdp.Peer(self.broker.bus, zmq.REQ) as request:
            request.send(b"")
            self.wait_for_growth("messages_malformed", 6)

    def test_64_frames_pass_and_65_do_not(self):
        peer = self.peer()
        call = calls.encode({"v": 1, "id": 1, "method": "list"}, {}, False)
        peer.send(b"MDPC02", b"\x01", b"bus.status", *call, *[b"x"] * 59)
        self.assertEqual(calls.decode(peer.receive()[3:]).status, 200)
        peer.send(b"MDPC02", b"\x01", b"bus.status", *call, *[b"x"] * 60)
        self.wait_for_growth("messages_too_large", 1)
        self.broker.wait_for_log("message.too_large")
        # The connection is whole: what was too long was read to its end.
        peer.send(b"MDPC02", b"\x01", b"bus.status", *call)
        self.assertEqual(calls.decode(peer.receive()[3:]).status, 200)

    def test_a_9_mib_frame_costs_its_sender_the_connection(self):
        peer = self.peer()
        monitor = peer.socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        self.addCleanup(monitor.close)
        received = self.growth("messages_received")
        peer.send(b"MDPC02", b"\x01", b"echo", bytes(9 * MIB))
        self.assertTrue(monitor.poll(mdp.PATIENCE_MS), "the bus closes it")
        self.assertEqual(self.growth("messages_received"), received + 1)  # our own question, and nothing of the 9 MiB

    def test_a_message_over_64_mib_in_allowed_frames_is_dropped_and_counted(self):
        peer = self.peer()
        peer.send(b"MDPC02", b"\x01", b"echo", *[bytes(8 * MIB)] * 8)
        self.wait_for_growth("messages_too_large", 1)

    def test_garbage_instead_of_zmtp_on_both_ports(self):
        chance = random.Random(7)
        greeting = b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(16) + b"\x00" + bytes(31)
        for endpoint in (self.broker.bus, self.broker.feed):
            for data in (b"", b"\x00", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\xff" * 200, chance.randbytes(100_000), greeting,
                         greeting + chance.randbytes(64), greeting + b"\x04\x19\x05READY\xff\xff\xff\xff"):
                with socket.create_connection(port_of(endpoint), timeout=programs.PATIENCE_S) as raw:
                    try:
                        raw.sendall(data)
                    except (BrokenPipeError, ConnectionResetError):
                        pass  # it had enough of us
        self.wait_for_growth("connections_refused", 4)
        self.broker.wait_for_log(r"connection\.refused .*127\.0\.0\.1:\d+ speaks no ZMTP")
        with socket.create_connection(port_of(self.broker.bus)) as silent:
            self.assertEqual(self.caller.call("bus.status", "list").status, 200)
            self.assertIsNotNone(silent)

    def test_a_subscriber_on_the_wrong_port_is_told_of(self):
        peer = self.peer(zmq.SUB)
        self.addCleanup(peer.close)
        self.wait_for_growth("connections_refused", 1)
        self.broker.wait_for_log(r"connection\.refused .* is a SUB socket, and this endpoint is the bus: "
                                 "subscribers connect to the feed")

    def test_a_flood_holds_up_nobody(self):
        """A hundred thousand messages that mean nothing, from each of four, as fast as they are taken."""
        greeting = b"\xff" + bytes(8) + b"\x7f\x03\x01NULL" + bytes(16) + b"\x00" + bytes(31)
        ready = b"\x04\x1c\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER"
        flooders = []
        for _ in range(4):
            flooder = socket.create_connection(port_of(self.broker.bus), timeout=programs.PATIENCE_S)
            self.addCleanup(flooder.close)
            flooder.sendall(greeting + ready)
            flooder.setblocking(False)
            flooders.append(flooder)
        flood = (b"\x00\x01x") * 100_000
        sent = 0
        while sent < 4 * len(flood):
            for flooder in flooders:
                try:
                    sent += flooder.send(flood[:65_536 * 3])
                except BlockingIOError:
                    pass
            self.assertEqual(self.caller.call("bus.status", "list").status, 200)
        self.wait_for_growth("messages_malformed", 300_000)

    def test_garbage_on_the_feed_port_as_messages(self):
        peer = self.peer(zmq.XSUB, self.broker.feed)
        garbage = ([b"\x02what"], [b"hello/x"], [b"\xff" * 1_000], [b"more", b"frames"], [b"x"] * 70)
        for frames in garbage:
            peer.send(*frames)
        self.wait_for_growth("feed_messages_malformed", len(garbage))
        self.broker.wait_for_log(r"feed\.malformed")
        # And subscriptions of a strange kind are only subscriptions.
        for prefix in (b"\x01" + b"x" * 4_000, b"\x01\x00\xff", b"\x00never subscribed", b"\x01json/\xff", b"\x01hello/\xff\xfe"):
            peer.send(prefix)

    def test_a_prefix_that_no_topic_has_ends_the_connection(self):
        peer = self.peer(zmq.XSUB, self.broker.feed)
        monitor = peer.socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        self.addCleanup(monitor.close)
        peer.send(b"\x01" + b"x" * 5_000)
        self.assertTrue(monitor.poll(mdp.PATIENCE_MS), "the feed closes it")

    def test_a_flood_of_faults_is_no_flood_of_log_lines(self):
        peer = self.peer()
        lines = self.broker.log_length()
        for _ in range(500):
            peer.send(b"garbage")
        self.wait_for_growth("messages_malformed", 500)
        self.broker.wait_for_log(r"log\.suppressed of=message\.malformed events=\d+", after=lines)
        self.assertLess(sum("message.malformed" in line for line in self.broker.err[lines:]), 200)
        self.assertGreater(self.growth("log_events_suppressed"), 300)
        lines = self.broker.log_length()
        for _ in range(300):
            with socket.create_connection(port_of(self.broker.bus), timeout=programs.PATIENCE_S) as raw:
                raw.sendall(b"GET / HTTP/1.1\r\n\r\n")
                raw.recv(1_000)
        self.wait_for_growth("connections_refused", 300)
        self.assertLess(sum("connection.refused" in line for line in self.broker.err[lines:]), 150)

    def test_a_service_name_can_not_forge_a_log_line(self):
        with mdp.Worker(self.broker.bus, b"evil\nbroker.stopped why=\x1b[31mforged") as worker:
            worker.command("HEARTBEAT")
            line = self.broker.wait_for_log("worker.ready service=")
        self.assertIn(r"evil\x0abroker.stopped", line)
        self.assertFalse([line for line in self.broker.err if line.startswith("broker.stopped")])


if __name__ == "__main__":
    unittest.main()
