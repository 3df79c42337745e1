#!/usr/bin/python3
"""Foreign Majordomo code against the real broker: three implementations in three languages, of both versions, each client with
each worker. foreign/README.md says what each one stands for and which lines they print."""

import itertools
import os
import re
import signal
import sys
import unittest

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support", "py"))
import programs

# Short, so that seven of them pass soon. The liveness leaves room for majortomo, which may be silent for two of them, and for a
# busy machine.
HEARTBEAT_MS = 500
CONFIG = f"heartbeat:\n  interval: {HEARTBEAT_MS}ms\n  liveness: 4\n"
BACK_OFF_MS = 100
REQUESTS = 1000
MANY = 5 * REQUESTS  # takes over a second: time enough to end the broker in their midst
# How long a client waits for one answer. Where nothing is lost, waiting must never be what makes it come.
NEVER_MS = 1000 * programs.PATIENCE_S
SOON_MS = 500


def command_of(kind):
    return {
        "guide": lambda: [programs.program("mdp01")],
        "majortomo": lambda: ["/usr/bin/python3", os.path.join(HERE, "foreign", "mdp02_majortomo.py")],
        "plain": lambda: ["/usr/bin/perl", os.path.join(HERE, "foreign", "mdp02_plain.pl")],
    }[kind]()


KINDS = ("guide", "majortomo", "plain")
WITH_PARTIALS = ("majortomo", "plain")  # those of 0.2
WITH_FLOOD = ("guide", "plain")  # those whose client may have many requests open


class Foreign(programs.Program):
    def __init__(self, kind, *arguments):
        super().__init__([*command_of(kind), *map(str, arguments)])
        self.kind = kind

    def wait_for_line(self, line, times=1):
        self.wait_for(lambda: self.out.count(line) >= times, f"{line!r}, {times} times")

    def result(self):
        """What a client has to say in its last line: (answered, {"reconnects": …, "partials": …, a worker's name: …})"""
        status = self.wait()
        if status != 0:
            raise AssertionError(f"{self.command} ended with {status}\n" + "\n".join(self.out + self.err))
        word, answered, *facts = self.out[-1].split()
        assert word == "answered", self.out[-1]
        return int(answered), {name: int(value) for name, value in (fact.split("=") for fact in facts)}


class Majordomo(unittest.TestCase):
    def setUp(self):
        self.folder = self.enterContext(programs.temporary_folder())
        self.config = os.path.join(self.folder, "foreign.yaml")
        with open(self.config, "w", encoding="ascii") as file:
            file.write(CONFIG)
        self.broker = self.start_broker()

    def start_broker(self, **where):
        return self.enterContext(programs.Broker(self.folder, "--config", self.config, **where))

    def start(self, kind, *arguments):
        return self.enterContext(Foreign(kind, *arguments))

    def ask(self, kind, service, body):
        asking = self.start(kind, "ask", self.broker.bus, service, body, NEVER_MS)
        self.assertEqual(asking.wait(), 0, asking.err)
        return asking.out

    def worker(self, kind, service, name):
        """A worker that the broker knows."""
        seen = self.broker.log_length()
        worker = self.start(kind, "worker", self.broker.bus, service, name, HEARTBEAT_MS, BACK_OFF_MS)
        self.broker.wait_for_log(rf"worker\.ready service={service}( |$)", after=seen)
        return worker

    def client(self, kind, service, count=REQUESTS, timeout_ms=NEVER_MS, mode="client", held=()):
        return self.start(kind, mode, self.broker.bus, service, count, timeout_ms, *held)

    def assert_nothing_went_wrong(self, *workers):
        """No worker was thought lost, said something wrong, or lost sight of the broker."""
        for worker in workers:
            self.assertFalse(worker.has_ended(), worker.err)
            self.assertEqual(worker.out.count("ready"), 1, worker.out)
            self.assertEqual(worker.err, [])
        faults = [line for line in self.broker.err if re.search(r"worker\.lost|peer\.expelled|message\.malformed", line)]
        self.assertEqual(faults, [])


class Work(Majordomo):
    def test_each_client_is_answered_by_each_worker(self):
        workers = {kind: self.worker(kind, f"echo-{kind}", f"worker-{kind}") for kind in KINDS}
        modes = [("client", kind) for kind in KINDS] + [("flood", kind) for kind in WITH_FLOOD]
        for (mode, asking), answering in itertools.product(modes, KINDS):
            with self.subTest(mode=mode, client=asking, worker=answering):
                answered, facts = self.client(asking, f"echo-{answering}", mode=mode).result()
                self.assertEqual(answered, REQUESTS)
                self.assertEqual(facts.pop("reconnects"), 0)
                if asking in WITH_PARTIALS:
                    self.assertEqual(facts.pop("partials"), REQUESTS if answering in WITH_PARTIALS else 0)
                self.assertEqual(facts, {f"worker-{answering}": REQUESTS})
        self.assert_nothing_went_wrong(*workers.values())

    def test_two_workers_of_a_service_share_the_work(self):
        everyone = []
        for first, second in itertools.combinations_with_replacement(KINDS, 2):
            service = f"shared-{first}-{second}"
            workers = [self.worker(first, service, "one"), self.worker(second, service, "two")]
            everyone += workers
            for asking in KINDS:
                with self.subTest(workers=(first, second), client=asking):
                    answered, facts = self.client(asking, service).result()
                    self.assertEqual(answered, REQUESTS)
                    # One request at a time, and the worker that has waited longest is next.
                    self.assertEqual((facts["one"], facts["two"]), (REQUESTS // 2, REQUESTS // 2))
            with self.subTest(workers=(first, second), client="flood"):
                answered, facts = self.client("guide", service, mode="flood").result()
                self.assertEqual(answered, REQUESTS)
                self.assertEqual(facts["one"] + facts["two"], REQUESTS)
                self.assertGreater(min(facts["one"], facts["two"]), 0)
        self.assert_nothing_went_wrong(*everyone)

    def test_the_management_interface_answers_all(self):
        workers = [self.worker(kind, f"known-{kind}", kind) for kind in KINDS]
        for asking in KINDS:
            for worker in workers:
                self.assertEqual(self.ask(asking, "mmi.service", f"known-{worker.kind}"), ["200"])
            self.assertEqual(self.ask(asking, "mmi.service", "unknown"), ["404"])
            self.assertEqual(self.ask(asking, "mmi.other", "unknown"), ["501"])

    def test_idle_workers_stay(self):
        workers = [self.worker(kind, f"idle-{kind}", kind) for kind in KINDS]
        for worker in workers:
            worker.wait_for_line("heartbeat", times=worker.out.count("heartbeat") + 7)
        for worker in workers:
            self.assertEqual(self.client("guide", f"idle-{worker.kind}", 10).result()[0], 10)
        self.assert_nothing_went_wrong(*workers)


class Faults(Majordomo):
    def test_a_worker_killed_with_a_request_in_hand_stops_nobody(self):
        for victim, other in (("guide", "majortomo"), ("majortomo", "plain"), ("plain", "guide")):
            for asking in KINDS:
                with self.subTest(victim=victim, other=other, client=asking):
                    service = f"killed-{victim}-{asking}"
                    seen = self.broker.log_length()
                    doomed = self.worker(victim, service, "doomed")  # has waited longest: the first request is for it
                    self.worker(other, service, "other")
                    waiting = self.client(asking, service, 100, SOON_MS, held=["doomed"])
                    doomed.wait_for_line("holding")
                    answered, facts = self.client("plain", service).result()  # while that one is held
                    self.assertEqual((answered, facts["other"]), (REQUESTS, REQUESTS))
                    doomed.signal(signal.SIGKILL)
                    self.broker.wait_for_log(rf"worker\.lost service={service}( |$)", after=seen)
                    self.broker.wait_for_log(rf"request\.orphaned service={service}", after=seen)
                    answered, facts = waiting.result()
                    self.assertEqual((answered, facts["other"]), (100, 100))
                    self.assertGreaterEqual(facts["reconnects"], 1)

    def test_a_worker_that_says_goodbye_is_forgotten_at_once(self):
        worker = self.worker("majortomo", "leaving", "leaving")
        worker.signal(signal.SIGTERM)
        self.assertEqual(worker.wait(), 0)
        self.broker.wait_for_log(r"worker\.\w+ service=leaving .*DISCONNECT")
        self.assertEqual(self.ask("guide", "mmi.service", "leaving"), ["404"])

    def test_all_come_back_to_a_broker_that_was_started_anew(self):
        for number in (signal.SIGKILL, signal.SIGTERM):
            with self.subTest(signal=number.name):
                workers = [self.worker(kind, f"back-{kind}-{number.name}", kind) for kind in KINDS]
                # Each asks the next kind's worker, in the midst of which the broker ends.
                clients = [self.client(kind, f"back-{KINDS[i - 1]}-{number.name}", MANY, SOON_MS)
                           for i, kind in enumerate(KINDS)]
                for client in clients:
                    client.wait_for_line("serving")
                self.broker.signal(number)
                self.assertEqual(self.broker.wait(), -number if number == signal.SIGKILL else 0)
                for client in clients:
                    self.assertFalse(client.has_ended(), "the broker was to end while its clients were asking")
                self.broker = self.start_broker(bus=self.broker.bus)
                for worker in workers:
                    worker.wait_for_line("ready", times=2)
                for client in clients:
                    self.assertEqual(client.result()[0], MANY)
                for asking, worker in itertools.product(KINDS, workers):
                    service = f"back-{worker.kind}-{number.name}"
                    self.assertEqual(self.ask(asking, "mmi.service", service), ["200"])
                    self.assertEqual(self.client(asking, service, 100).result()[0], 100)


if __name__ == "__main__":
    unittest.main()
