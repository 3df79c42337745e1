#!/usr/bin/python3
"""Layer 0 over real sockets: strangers' clients and workers, MMI, and each deviation that PROTOCOL.md names."""

import os
import sys
import unittest

import zmq

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "support", "py"))
import calls
import mdp
import programs

FAST = "heartbeat:\n  interval: 200ms\n  liveness: 3\n"


class WithBroker(unittest.TestCase):
    """One broker for all cases of a class; each case has services of its own."""

    arguments = ()

    @classmethod
    def setUpClass(cls):
        cls.stack = programs.contextlib.ExitStack()
        cls.broker = cls.stack.enter_context(programs.broker(*cls.arguments))

    @classmethod
    def tearDownClass(cls):
        cls.stack.close()

    def open(self, peer):
        self.addCleanup(peer.close)
        return peer

    def client(self, **options):
        return self.open(mdp.Client(self.broker.bus, **options))

    def worker(self, service, **options):
        worker = self.open(mdp.Worker(self.broker.bus, service, **options))
        if service is not None:
            self.wait_until_known(service)
        return worker

    def wait_until_known(self, service):
        """Until the broker knows the worker: its READY and our question come over different connections."""
        with mdp.Client(self.broker.bus) as asking:
            deadline = programs.PATIENCE_S * 100
            while asking.ask(b"mmi.service", service) != [b"200"] and deadline > 0:
                asking.socket.poll(10)  # nothing is due: a pause that any message would end
                deadline -= 1
            self.assertEqual(asking.ask(b"mmi.service", service), [b"200"])


class Echo(WithBroker):
    def echo(self, client, worker, service):
        body = [b"", b"\x00\xff bytes", b"{no JSON", b"x" * 100_000]
        client.request(service, *body)
        address, got = worker.next_request()
        self.assertEqual(got, body)
        worker.answer(address, *reversed(got))
        kind, answered, reply = client.reply()
        self.assertEqual((kind, answered, reply), ("FINAL", service, body[::-1]))

    def test_all_versions_of_client_and_worker(self):
        for client_version in (1, 2):
            for worker_version in (1, 2):
                with self.subTest(client=client_version, worker=worker_version):
                    service = b"echo-%d-%d" % (client_version, worker_version)
                    worker = self.worker(service, version=worker_version)
                    self.echo(self.client(version=client_version), worker, service)

    def test_a_req_client_of_01(self):
        worker = self.worker(b"req-01")
        self.echo(self.client(version=1, kind=zmq.REQ), worker, b"req-01")

    def test_a_req_client_of_02(self):
        # 18/MDP has no delimiter, and REQ writes one: the broker takes it and answers in kind.
        worker = self.worker(b"req-02")
        self.echo(self.client(version=2, kind=zmq.REQ), worker, b"req-02")

    def test_a_delimiter_with_02_and_none_with_01_are_answered_in_kind(self):
        for version, delimiter in ((2, True), (1, False)):
            with self.subTest(version=version, delimiter=delimiter):
                service = b"delimiter-%d" % version
                worker = self.worker(service, version=version, delimiter=delimiter)
                self.echo(self.client(version=version, delimiter=delimiter), worker, service)

    def test_partials_reach_a_02_client_and_a_01_client_gets_the_final_only(self):
        for version, expected in ((2, ["PARTIAL", "PARTIAL", "FINAL"]), (1, ["FINAL"])):
            with self.subTest(version=version):
                service = b"stream-%d" % version
                worker, client = self.worker(service), self.client(version=version)
                client.request(service, b"go")
                address, _ = worker.next_request()
                for part in (b"one", b"two"):
                    worker.answer(address, part, partial=True)
                worker.answer(address, b"three")
                replies = [client.reply() for _ in expected]
                self.assertEqual([kind for kind, _, _ in replies], expected)
                self.assertEqual(replies[-1][2], [b"three"])

    def test_a_request_waits_for_its_worker(self):
        client = self.client()
        client.request(b"late", b"hello")
        worker = self.open(mdp.Worker(self.broker.bus, b"late"))
        address, body = worker.next_request()
        worker.answer(address, *body)
        self.assertEqual(client.reply()[2], [b"hello"])

    def test_a_plain_worker_has_one_request_at_a_time(self):
        worker, client = self.worker(b"one"), self.client()
        client.request(b"one", b"first")
        client.request(b"one", b"second")
        address, body = worker.next_request()
        self.assertEqual(body, [b"first"])
        # An answer to another question of the same client comes after the broker has seen the second request.
        self.assertEqual(client.ask(b"mmi.service", b"one"), [b"200"])
        with self.assertRaises(mdp.Nothing):
            worker.next_request(patience_ms=200)
        worker.answer(address, b"done")
        self.assertEqual(worker.next_request()[1], [b"second"])


class Mmi(WithBroker):
    def test_service(self):
        self.worker(b"known")
        for version in (1, 2):
            client = self.client(version=version)
            self.assertEqual(client.ask(b"mmi.service", b"known"), [b"200"])
            self.assertEqual(client.ask(b"mmi.service", b"unknown"), [b"404"])
            for own in (b"bus.manifest", b"mmi.echo", b"titanic.request"):
                self.assertEqual(client.ask(b"mmi.service", own), [b"200"])
            self.assertEqual(client.ask(b"mmi.service", b"mmi.anything"), [b"404"])
            self.assertEqual(client.ask(b"mmi.service"), [b"400"])
            self.assertEqual(client.ask(b"mmi.anything", b"known"), [b"501"])


class Order(WithBroker):
    """The state × event tables, from outside."""

    def expect_disconnect(self, worker, why):
        """DISCONNECT for this reason: silence, which also ends in DISCONNECT, is another."""
        name = "HEARTBEAT"
        while name == "HEARTBEAT":
            name, frames = worker.next_command()
        self.assertEqual((name, frames), ("DISCONNECT", []))
        self.broker.wait_for_log(f'(peer.expelled|worker.lost) .*why="[^"]*{why}', after=self.seen)
        self.seen = self.broker.log_length()

    def setUp(self):
        self.seen = self.broker.log_length()

    def test_reserved_names_are_refused(self):
        for service in (b"mmi.service", b"mmi.x", b"bus.agent", b"bus.x", b"compositor/wall/wayland-1"):
            with self.subTest(service=service):
                reason = "a compositor that it did not register" if b"/" in service else "a reserved service name"
                self.expect_disconnect(self.open(mdp.Worker(self.broker.bus, service)), reason)

    def test_a_second_ready_is_refused(self):
        worker = self.worker(b"twice")
        worker.command("READY", b"twice")
        self.expect_disconnect(worker, "a second READY")

    def test_a_heartbeat_or_a_reply_from_a_stranger_is_answered_with_disconnect(self):
        for version in (1, 2):
            for name, frames in (("HEARTBEAT", []), ("FINAL", [b"address", b"", b"body"])):
                with self.subTest(version=version, name=name):
                    stranger = self.open(mdp.Worker(self.broker.bus, None, version=version))
                    stranger.command(name, *frames)
                    self.expect_disconnect(stranger, "a HEARTBEAT from" if name == "HEARTBEAT" else "a reply from")

    def test_frames_after_a_heartbeat_are_ignored(self):
        worker, client = self.worker(b"verbose"), self.client()
        worker.command("HEARTBEAT", b"more", b"frames")
        client.request(b"verbose", b"still there?")
        address, _ = worker.next_request()
        worker.answer(address, b"yes")
        self.assertEqual(client.reply()[2], [b"yes"])

    def test_after_disconnect_a_worker_is_forgotten(self):
        worker, client = self.worker(b"leaving"), self.client()
        worker.command("DISCONNECT")
        worker.command("HEARTBEAT")  # answered with DISCONNECT, and so proves that the broker has seen both
        self.expect_disconnect(worker, "a HEARTBEAT from a peer that is no worker")
        self.assertEqual(client.ask(b"mmi.service", b"leaving"), [b"404"])

    def test_a_reply_to_a_request_of_another_worker_is_dropped(self):
        first, second = self.worker(b"mine"), self.worker(b"other")
        client = self.client()
        client.request(b"mine", b"?")
        address, _ = first.next_request()
        second.answer(address, b"forged")
        client.request(b"other", b"!")  # comes back only after the forged reply was looked at
        second.answer(second.next_request()[0], b"second")
        self.assertEqual(client.reply()[2], [b"second"])
        first.answer(address, b"first")
        self.assertEqual(client.reply()[2], [b"first"])


class Liveness(WithBroker):
    @classmethod
    def setUpClass(cls):
        cls.stack = programs.contextlib.ExitStack()
        folder = cls.stack.enter_context(programs.temporary_folder())
        config = os.path.join(folder, "fast.yaml")
        with open(config, "w", encoding="ascii") as file:
            file.write(FAST)
        cls.broker = cls.stack.enter_context(programs.broker("--config", config))

    def test_a_busy_worker_is_sent_heartbeats_and_expired_too(self):
        worker, client = self.worker(b"busy"), self.open(calls.Caller(self.broker.bus))
        client.request(b"busy", b"never answered")
        self.assertEqual(worker.next_request()[1], [b"never answered"])
        names = []
        while "DISCONNECT" not in names:  # we are silent from here on
            names.append(worker.next_command()[0])
        self.assertIn("HEARTBEAT", names)
        self.broker.wait_for_log(r"worker\.lost service=busy .*nothing was heard for 0\.")
        # The plain request that it took is dropped, counted and logged: MDP has no word for it.
        self.broker.wait_for_log(r"request\.orphaned service=busy")
        self.assertEqual(client.ask(b"mmi.service", b"busy"), [b"404"])


class Endings(WithBroker):
    """Every call ends with a status, also at workers that know nothing of calls."""

    def test_a_call_that_a_dead_worker_had_ends_with_410(self):
        worker, client = self.worker(b"dying"), self.open(calls.Caller(self.broker.bus))
        client.start("dying", "work")
        worker.next_request()
        worker.close()  # not a word
        reply = client.finish()
        self.assertEqual(reply.status, 410)
        self.assertIn("unknown", reply.error)

    def test_a_call_for_a_service_without_workers_ends_with_404_at_once(self):
        client = self.open(calls.Caller(self.broker.bus))
        self.assertEqual(client.call("nobody", "work").status, 404)

    def test_a_call_ends_with_504_at_its_deadline(self):
        worker, client = self.worker(b"slow"), self.open(calls.Caller(self.broker.bus))
        client.start("slow", "work", deadline_ms=50)
        worker.next_request()
        reply = client.finish()
        self.assertEqual(reply.status, 504)
        self.assertIn("unknown", reply.error)


if __name__ == "__main__":
    unittest.main()
