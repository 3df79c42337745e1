#!/usr/bin/python3
"""Clients of every kind at once, over real sockets: REQ and DEALER, 0.1 and 0.2, with the delimiter and without it. Each is
answered in its own form. What one client alone sees is in bus_mdp.py."""

import os
import sys
import unittest

import zmq

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "support", "py"))
import mdp
import programs

PARTS = 100
# Name, kind of socket, and what its libzmq puts in front of its messages and takes off the answers: a REQ socket does both
# by itself, so nothing is to be seen of it here.
CLIENTS = {
    "REQ 0.1": (zmq.REQ, 1, []),
    "REQ 0.2": (zmq.REQ, 2, []),
    "DEALER 0.1": (zmq.DEALER, 1, [b""]),
    "DEALER 0.1 that forgets the delimiter": (zmq.DEALER, 1, []),
    "DEALER 0.2": (zmq.DEALER, 2, []),
    "DEALER 0.2 with an empty delimiter": (zmq.DEALER, 2, [b""]),
}


class Client(mdp.Peer):
    """A socket of which every frame is looked at."""

    def __init__(self, endpoint, name):
        kind, self.version, self.front = CLIENTS[name]
        super().__init__(endpoint, kind)

    def ask(self, service, *body):
        self.send(*self.front, *([b"MDPC01"] if self.version == 1 else [b"MDPC02", b"\x01"]), service, *body)

    def form(self, service, *body, final=True):
        """An answer with this body, frame by frame."""
        command = [b"MDPC01"] if self.version == 1 else [b"MDPC02", b"\x03" if final else b"\x02"]
        return [*self.front, *command, service, *body]


class Sockets(unittest.TestCase):
    """One ROUTER for all: clients and workers of both versions connect to the same endpoint."""

    @classmethod
    def setUpClass(cls):
        cls.stack = programs.contextlib.ExitStack()
        cls.broker = cls.stack.enter_context(programs.broker())

    @classmethod
    def tearDownClass(cls):
        cls.stack.close()

    def setUp(self):
        self.workers = []

    def client(self, name):
        client = Client(self.broker.bus, name)
        self.addCleanup(client.close)
        return client

    def worker(self, service, version, delimiter=None):
        worker = mdp.Worker(self.broker.bus, service, version=version, delimiter=delimiter)
        self.addCleanup(worker.close)
        self.workers.append(worker)
        return worker

    def wait_for_workers(self, service):
        """Until the broker has seen all READYs: they come over other connections than requests do."""
        number = b"%d" % len(self.workers)
        with mdp.Client(self.broker.bus) as asking:
            for _ in range(programs.PATIENCE_S * 100):
                if asking.ask(b"mmi.workers", service) == [b"200", number]:
                    return
                asking.socket.poll(10)  # nothing is due: a pause that any message would end
        self.fail(f"{service!r} never had {number!r} workers")

    def serve(self, requests, parts=()):
        """The workers answer as many requests, with these PARTIALs first, whoever gets them. The bodies that they got."""
        poller, got = zmq.Poller(), []
        for worker in self.workers:
            poller.register(worker.socket, zmq.POLLIN)
        while len(got) < requests:
            ready = dict(poller.poll(mdp.PATIENCE_MS))
            self.assertTrue(ready, f"only {len(got)} of {requests} requests came")
            for worker in self.workers:
                if worker.socket not in ready:
                    continue
                name, frames = worker.next_command()
                if name == "HEARTBEAT":
                    worker.command("HEARTBEAT")
                    continue
                self.assertEqual((name, frames[1]), ("REQUEST", b""))
                for part in parts:
                    worker.answer(frames[0], part, partial=True)
                worker.answer(frames[0], *reversed(frames[2:]))
                got.append((worker, frames[2:]))
        return got

    def test_one_router_takes_every_kind_of_client_and_worker_at_once(self):
        for version, delimiter in ((1, True), (1, False), (2, False), (2, True)):
            self.worker(b"all", version, delimiter)
        clients = {name: self.client(name) for name in CLIENTS}
        for turn in range(5):
            for name, client in clients.items():
                client.ask(b"all", name.encode(), b"", b"turn %d" % turn)
            self.serve(len(clients))
            for name, client in clients.items():
                self.assertEqual(client.receive(), client.form(b"all", b"turn %d" % turn, b"", name.encode()), name)

    def test_many_clients_and_several_workers_get_everything_exactly_once(self):
        for version in (1, 2, 1, 2):
            self.worker(b"pool", version)
        self.wait_for_workers(b"pool")
        clients = [(b"%d" % number, self.client(name)) for number, name in enumerate([*CLIENTS] * 5)]
        for turn in (b"1", b"2", b"3"):
            for number, client in clients:
                client.ask(b"pool", number, turn)
            got = self.serve(len(clients))
            self.assertEqual(sorted(body for _, body in got), sorted([number, turn] for number, _ in clients))
            self.assertEqual({worker for worker, _ in got}, set(self.workers), "somebody was never asked")
            for number, client in clients:
                self.assertEqual(client.receive(), client.form(b"pool", turn, number))

    def test_streams_of_a_hundred_parts_run_side_by_side_in_their_order(self):
        clients = {name: self.client(name) for name, (_, version, _) in CLIENTS.items() if version == 2}
        clients["DEALER 0.1"] = self.client("DEALER 0.1")
        for _ in clients:
            self.worker(b"stream", 2)
        for name, client in clients.items():
            client.ask(b"stream", name.encode())
        parts = [b"%d" % number for number in range(PARTS)]
        self.serve(len(clients), parts)
        for name, client in clients.items():
            with self.subTest(client=name):
                # REQ takes one answer to a question and shows nothing more until it has asked again.
                expected = [client.form(b"stream", part, final=False) for part in parts] if client.version == 2 else []
                expected.append(client.form(b"stream", name.encode()))
                if name.startswith("REQ"):
                    del expected[1:]
                self.assertEqual([client.receive() for _ in expected], expected)
                with self.assertRaises(mdp.Nothing):
                    client.receive(patience_ms=50)

    def test_a_req_client_that_took_one_part_of_a_stream_is_still_served(self):
        self.worker(b"after", 2)
        client = self.client("REQ 0.2")
        client.ask(b"after", b"first")
        self.serve(1, [b"one", b"two"])
        self.assertEqual(client.receive(), client.form(b"after", b"one", final=False))
        # libzmq throws away what has come by the time REQ sends again, and takes what comes later for the answer. This is
        # why 18/MDP wants a DEALER. Two messages are left, so the third answer at the latest is a true one.
        stale = [client.form(b"after", b"two", final=False), client.form(b"after", b"first")]
        for _ in range(3):
            client.ask(b"after", b"second")
            self.serve(1)
            answer = client.receive()
            if answer not in stale:
                break
        self.assertEqual(answer, client.form(b"after", b"second"))

    def test_a_req_client_that_gave_up_asks_again_on_a_new_socket(self):
        client = self.client("REQ 0.1")
        client.ask(b"slow", b"1")
        with self.assertRaises(mdp.Nothing):
            client.receive(patience_ms=50)
        second = self.client("REQ 0.1")
        second.ask(b"slow", b"2")
        self.worker(b"slow", 1)
        self.assertEqual(sorted(body for _, body in self.serve(2)), [[b"1"], [b"2"]])
        self.assertEqual(second.receive(), second.form(b"slow", b"2"))


if __name__ == "__main__":
    unittest.main()
