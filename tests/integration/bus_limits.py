#!/usr/bin/python3
"""The limits, reached: clients that never read, workers that never answer, floods of names and jobs. The broker's memory
stays below what its configuration allows, the rest is refused and counted, and everybody else is served meanwhile."""

import os
import resource
import sys
import time
import unittest

import zmq

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "support", "py"))
import calls
import mdp
import programs

KIB, MIB = 1 << 10, 1 << 20
# What the allocator, the sockets' buffers and SQLite's cache may take beside what is counted below.
SLACK = 8 * MIB
# The bus keeps this many messages for a peer that does not read, and refuses more.
HIGH_WATER_MARK = 1_000
# A sanitizer's shadow and quarantine are memory, too: then everything is checked but the memory.
MEASURES_MEMORY = not os.environ.get("COMPOSITORD_SANITIZE")
# Plain workers have no need to speak while a test is busy elsewhere.
QUIET = "heartbeat:\n  interval: 60s\n"


class WithLimits(unittest.TestCase):
    """`start` begins a broker with some limits, and a client and a worker that do no harm."""

    def start(self, config):
        stack = programs.contextlib.ExitStack()
        self.addCleanup(stack.close)
        self.open = stack.enter_context
        path = os.path.join(self.open(programs.temporary_folder()), "limits.yaml")
        with open(path, "w", encoding="ascii") as file:
            file.write(QUIET + config)
        self.broker = self.open(programs.broker("--config", path))
        self.caller = self.open(calls.Caller(self.broker.bus))
        self.good_client = self.open(mdp.Client(self.broker.bus))
        self.good_worker = self.open(mdp.Worker(self.broker.bus, b"good"))
        self.check_others_are_served()
        self.counted = self.stats()["counters"]
        self.rss_before = self.rss()

    def rss(self):
        with open(f"/proc/{self.broker.pid}/status", encoding="ascii") as file:
            return next(int(line.split()[1]) * KIB for line in file if line.startswith("VmRSS:"))

    def stats(self):
        return self.caller.call("bus.admin", "stats").result

    def growth(self, counter):
        return self.stats()["counters"][counter] - self.counted[counter]

    def wait_for_stats(self, condition, what):
        """Each question is answered, so this is no busy loop of ours alone."""
        deadline = time.monotonic() + programs.PATIENCE_S
        while not condition(stats := self.stats()):
            self.assertLess(time.monotonic(), deadline, f"{what}: {stats}")
        return stats

    def check_others_are_served(self):
        self.good_client.request(b"good", b"still there?")
        address, body = self.good_worker.next_request()
        self.good_worker.answer(address, *body)
        self.assertEqual(self.good_client.reply()[2], [b"still there?"])
        self.assertEqual(self.caller.call("bus.admin", "stats").status, 200)

    def check_memory(self, allowed, why):
        grown = self.rss() - self.rss_before
        print(f"{self.id()}: {grown / MIB:.1f} MiB more, {(allowed + SLACK) / MIB:.1f} allowed ({why})")
        if MEASURES_MEMORY:
            self.assertLess(grown, allowed + SLACK, why)

    def worker(self, service, **terms):
        """The broker knows it when this returns. With `terms`, it agrees on them first."""
        worker = self.open(mdp.Worker(self.broker.bus, None))
        if terms:
            self.agree(worker, service, terms)
        worker.command("READY", service)
        self.wait_for_stats(lambda _: self.good_client.ask(b"mmi.service", service) == [b"200"], "the worker is ready")
        return worker

    def agree(self, worker, service, terms):
        worker.send(b"MDPC02", b"\x01", b"bus.worker",
                    *calls.encode({"v": 1, "id": 0, "method": "register"}, {"service": service.decode(), **terms}, False))
        frames = worker.receive()
        self.assertEqual(calls.decode(frames[3:]).status, 200, frames)


class SlowReaders(WithLimits):
    ANSWER = b"a" * (4 * KIB)
    ANSWERS = 5_000

    def setUp(self):
        self.start("")
        # As little as possible is kept on the way: what it does not read is the broker's to keep.
        self.reader = self.open(calls.Caller(self.broker.bus, before={"rcvhwm": 1, "rcvbuf": 4 * KIB}))

    def check_that_the_reader_is_cut_short(self):
        lost = self.growth("sends_failed")
        print(f"{self.id()}: {lost} of {self.ANSWERS} answers could not be sent")
        self.assertGreater(lost, HIGH_WATER_MARK, "beyond the high-water mark a message is dropped and counted")
        self.assertEqual(self.growth("sends_full"), lost)
        self.broker.wait_for_log(r"send\.dropped peer=[0-9a-f]+")
        self.wait_for_stats(lambda stats: stats["depths"]["send_bytes"] > MIB and stats["depths"]["connections"] >= 4,
                            "what waits for it is in the stats")
        self.check_memory(HIGH_WATER_MARK * (len(self.ANSWER) + KIB), "the bus's queue for one peer")
        self.check_others_are_served()
        self.assertEqual(self.stats()["depths"]["open_requests"], 0)

    def test_a_client_that_never_reads_its_answers(self):
        worker = self.worker(b"talker")
        for number in range(self.ANSWERS):
            self.reader.start("talker", "work")
            address, body = worker.next_request()
            worker.answer(address, body[0], self.ANSWER)
            if number % 500 == 0:
                self.check_others_are_served()
        self.wait_for_stats(lambda stats: stats["depths"]["open_requests"] == 0, "every call is answered")
        self.check_that_the_reader_is_cut_short()
        # It reads what was kept for it, and is served like anybody else from then on.
        received = 0
        while self.reader.socket.poll(500):
            self.reader.socket.recv_multipart()
            received += 1
        self.assertLess(received, self.ANSWERS)
        self.assertEqual(self.reader.call("bus.admin", "stats").status, 200)

    def test_a_stream_to_a_client_that_never_reads(self):
        worker = self.worker(b"talker")
        self.reader.start("talker", "watch", deadline_ms=60_000)
        address, body = worker.next_request()
        for number in range(self.ANSWERS):
            worker.answer(address, body[0], self.ANSWER, partial=True)
            if number % 500 == 0:
                self.check_others_are_served()
        worker.answer(address, body[0])
        # The worker is free again, whoever did not read.
        self.good_client.request(b"talker", b"next")
        address, body = worker.next_request()
        worker.answer(address, *body)
        self.assertEqual(self.good_client.reply()[2], [b"next"])
        self.check_that_the_reader_is_cut_short()


class SilentWorkers(WithLimits):
    QUEUED, ASKED, BODY = 100, 2_500, 16 * KIB
    # The good client's and worker's service has a queue of its own.
    LIMITS = f"limits:\n  queued_requests_per_service_max: {QUEUED}\n"

    def test_calls_to_a_worker_that_never_answers(self):
        self.start(self.LIMITS)
        worker, flooder = self.worker(b"mute"), self.open(calls.Caller(self.broker.bus))
        for _ in range(self.ASKED):
            flooder.start("mute", "work", {"data": "x" * self.BODY}, deadline_ms=6_000)
        worker.next_request()  # and not a word
        stats = self.wait_for_stats(lambda s: s["counters"]["requests_refused"] - self.counted["requests_refused"]
                                    == self.ASKED - self.QUEUED - 1, "what is over the limit is refused")
        self.assertLessEqual(stats["depths"]["open_requests"], self.QUEUED + 1)
        self.check_memory(self.QUEUED * (self.BODY + KIB), "queued_requests_per_service_max")
        self.check_others_are_served()
        statuses = [flooder.finish().status for _ in range(self.ASKED)]
        self.assertEqual({status: statuses.count(status) for status in set(statuses)},
                         {429: self.ASKED - self.QUEUED - 1, 504: self.QUEUED + 1})
        self.assertEqual(self.growth("requests_expired"), self.QUEUED + 1)
        # The worker still owes an answer: it is given nothing, and nothing but that is kept of what it was asked.
        self.assertEqual(self.stats()["depths"]["open_requests"], 1)

    def check_plain_flood(self, services, kept_bytes):
        self.open(mdp.Worker(self.broker.bus, services[0]))
        flooder = self.open(mdp.Client(self.broker.bus))
        for number in range(self.ASKED):
            flooder.request(services[number % len(services)], b"x" * self.BODY)
        kept = kept_bytes // self.BODY
        stats = self.wait_for_stats(lambda s: s["counters"]["requests_refused"] - self.counted["requests_refused"]
                                    >= self.ASKED - kept - 1, "what is over the limit is dropped")
        self.assertLessEqual(stats["depths"]["open_requests"], kept + 1)
        self.check_memory(kept_bytes, "queued bytes")
        self.check_others_are_served()

    def test_the_bytes_that_wait_for_one_service(self):
        self.start("limits:\n  queued_bytes_per_service_max: 1MiB\n"
                   "  queued_bytes_per_client_max: 2MiB\n")
        self.check_plain_flood([b"mute"], MIB)

    def test_the_bytes_that_wait_for_all_services(self):
        self.start("limits:\n  queued_bytes_max: 2MiB\n  queued_bytes_per_service_max: 1MiB\n"
                   "  queued_bytes_per_client_max: 2MiB\n")
        self.check_plain_flood([b"mute-%d" % number for number in range(50)], 2 * MIB)

    def test_the_open_requests_of_one_client(self):
        self.start("limits:\n  open_requests_per_client_max: 50\n")
        asked = 600
        worker, flooder = self.worker(b"mute"), self.open(calls.Caller(self.broker.bus))
        for _ in range(asked):
            flooder.start("mute", "work", deadline_ms=3_000)
        worker.next_request()
        statuses = [flooder.finish().status for _ in range(asked)]
        self.assertGreaterEqual(statuses.count(429), asked - 2 * 50, "50 more fit when the first ones have ended")
        self.assertEqual(statuses[:asked - 50].count(429) + statuses.count(504),
                         len(statuses) - statuses[asked - 50:].count(429))
        self.check_others_are_served()


class Names(WithLimits):
    SERVICES = 5_000

    def test_a_hundred_thousand_unknown_services(self):
        self.start("requests:\n  plain_expiry: 3s\n"
                   "limits:\n  open_requests_per_client_max: 1000000\n"
                   f"  services_max: {self.SERVICES}\n  agents_max: 1000\n")
        flooder, asked = self.open(mdp.Client(self.broker.bus)), 100_000
        flooder.socket.sndtimeo = mdp.PATIENCE_MS
        for number in range(asked):
            flooder.request(b"unknown/%d" % number, b"anybody?")
            if number % 20_000 == 19_999:
                self.check_others_are_served()
                self.assertLessEqual(self.stats()["depths"]["services"], self.SERVICES)
        # Each is counted once: it was refused, or it waited in vain.
        self.wait_for_stats(
            lambda s: sum(s["counters"][name] - self.counted[name] for name in ("requests_refused", "requests_expired"))
            == asked, "every request came to an end")
        self.assertGreaterEqual(self.growth("requests_expired"), self.SERVICES - 1)
        self.assertGreater(self.growth("requests_refused"), 0)
        self.check_memory(self.SERVICES * 2 * KIB, "services_max")
        self.check_others_are_served()
        depths = self.stats()["depths"]
        self.assertEqual((depths["open_requests"], depths["services"]), (0, 1), "names without anybody are forgotten")

    def test_a_flood_of_ready(self):
        workers, connections, rounds = 200, self.affordable_connections(1_000), 10
        self.start(f"limits:\n  workers_max: {workers}\n  agents_max: 100\n")
        context = self.open(zmq.Context())
        context.set(zmq.MAX_SOCKETS, 2 * connections)
        peers = [self.open(context.socket(zmq.DEALER)) for _ in range(connections)]
        for peer in peers:
            peer.linger = 0
            peer.connect(self.broker.bus)
            peer.send_multipart([b"MDPC02", b"\x01", b"mmi.echo", b""])
        for peer in peers:
            self.assertTrue(peer.poll(mdp.PATIENCE_MS))
            peer.recv_multipart()
        # What a connection costs is bounded by the system's descriptors, and measured by bench_idle.
        self.rss_before = self.rss()
        for number in range(rounds):
            for index, peer in enumerate(peers):
                peer.send_multipart([b"MDPW02", b"\x01", b"flood/%d/%d" % (number, index)])
            self.assertLessEqual(self.stats()["depths"]["workers"], workers)
        # Only the first READY of a connection can be taken, and a second one expels: nearly all of them are refused.
        self.wait_for_stats(lambda s: s["counters"]["commands_unexpected"] + s["counters"]["workers_ready"]
                            - self.counted["commands_unexpected"] - self.counted["workers_ready"]
                            == rounds * connections, "each READY is taken or expelled")
        stats = self.stats()
        self.assertLessEqual(stats["depths"]["workers"], workers)
        self.assertLessEqual(stats["depths"]["services"], workers)
        # Each one that is taken is followed by one that expels it, or is among the last.
        self.assertGreaterEqual(stats["counters"]["commands_unexpected"], (rounds * connections - workers) // 2)
        self.check_memory(workers * 4 * KIB, "workers_max")
        self.check_others_are_served()

    @staticmethod
    def affordable_connections(wanted):
        """Each takes up to three descriptors here, and one in the broker, which inherits the limit."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft < hard:
            soft = hard if hard != resource.RLIM_INFINITY and hard < 65_536 else 65_536
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        affordable = min(wanted, (soft - 200) // 4)
        assert affordable > 250, f"the system allows only {soft} descriptors"
        return affordable


class Kept(WithLimits):
    """What is kept for later: jobs, and the outcomes of calls with an idem key."""

    def queue_until_refused(self, size, service_of):
        accepted = refused = 0
        while refused < 50:
            reply = self.caller.call(service_of(accepted), "work", {"data": "x" * size}, queue=True)
            accepted += reply.status == 202
            refused += reply.status == 429
            self.assertIn(reply.status, (202, 429))
        self.check_others_are_served()
        return accepted

    def test_the_number_of_jobs(self):
        self.start("limits:\n  jobs_max: 200\n")
        self.assertEqual(self.queue_until_refused(4 * KIB, lambda n: f"later-{n % 7}"), 200)
        self.check_memory(200 * 16 * KIB, "jobs_max")
        self.assertEqual(self.growth("jobs_queued"), 200)
        self.assertEqual(self.growth("requests_refused"), 50)
        # Cancelled ones count until they are forgotten; Titanic is under the same limit and says 500.
        job = self.caller.call("bus.job", "list", {"limit": 1}).result["jobs"][0]["job"]
        self.assertEqual(self.caller.call("bus.job", "cancel", {"job": job}).status, 200)
        self.assertEqual(self.caller.call("later", "work", queue=True).status, 429)
        self.assertEqual(self.good_client.ask(b"titanic.request", b"later", b"x")[0], b"500")

    def test_the_bytes_of_jobs(self):
        self.start("limits:\n  job_bytes_max: 2MiB\n")
        accepted = self.queue_until_refused(64 * KIB, lambda n: "later")
        self.assertIn(accepted, range(30, 33), "what was asked and a little for each job")
        self.check_memory(2 * 2 * MIB, "job_bytes_max, in memory and on its way to the disk")

    def test_the_jobs_that_wait_for_one_service(self):
        self.start("limits:\n  queued_requests_per_service_max: 60\n")
        self.assertEqual(self.queue_until_refused(10, lambda n: "later"), 60)
        self.assertEqual(self.caller.call("another", "work", queue=True).status, 202)

    def test_outcomes_under_way_and_kept(self):
        kept = 20
        self.start(f"limits:\n  idem_calls_max: {kept}\n")
        worker = self.worker(b"slow", credit=100)
        for number in range(kept + 5):
            self.caller.start("slow", "work", idem=f"key-{number}")
        self.assertEqual([self.caller.finish().status for _ in range(5)], [429] * 5, "none has ended: there is no room")
        requests = [worker.next_request() for _ in range(kept)]
        self.assertEqual(self.growth("requests_refused"), 5)
        self.check_others_are_served()  # its own calls have no keys
        for address, body in requests:
            worker.answer(address, *calls.answer_to(body, {"data": "x" * (64 * KIB)}))
            self.assertEqual(self.caller.finish().status, 200)
        # The next one takes the oldest one's place: that is carried out anew, and the others are not.
        self.caller.start("slow", "work", idem="one more")
        address, body = worker.next_request()
        worker.answer(address, *calls.answer_to(body, {}))
        self.assertEqual(self.caller.finish().status, 200)
        self.assertEqual(self.caller.call("slow", "work", idem=f"key-{kept - 1}").status, 200, "kept")
        self.caller.start("slow", "work", idem="key-0")
        address, body = worker.next_request()
        worker.answer(address, *calls.answer_to(body, {}))
        self.assertEqual(self.caller.finish().status, 200)
        self.check_memory(kept * 3 * 64 * KIB, "idem_calls_max")

    def test_the_bytes_of_outcomes(self):
        self.start("limits:\n  idem_bytes_max: 1MiB\n")
        worker = self.worker(b"slow", credit=10)
        for number in range(200):
            self.caller.start("slow", "work", idem=f"key-{number}")
            address, body = worker.next_request()
            worker.answer(address, *calls.answer_to(body, {"data": "x" * (200 * KIB)}))
            self.assertEqual(self.caller.finish().status, 200)
        self.check_memory(2 * MIB, "idem_bytes_max, and the answer on its way: 39 MiB were answered")
        self.check_others_are_served()


class OutcomesTogether(WithLimits):
    def test_the_bytes_of_outcomes_that_were_all_under_way(self):
        self.start("limits:\n  idem_bytes_max: 1MiB\n")
        worker = self.worker(b"slow", credit=100)
        for number in range(20):
            self.caller.start("slow", "work", idem=f"key-{number}")
        requests = [worker.next_request() for _ in range(20)]
        for address, body in requests:
            worker.answer(address, *calls.answer_to(body, {"data": "x" * (500 * KIB)}))
            self.assertEqual(self.caller.finish().status, 200)
        self.assertIn(self.stats()["depths"]["idem_bytes"], range(900 * KIB, MIB))
        self.assertEqual(self.caller.call("slow", "work", idem="key-19").status, 200, "the newest ones are kept")


class Uncounted(WithLimits):
    """What takes memory and has few bytes, or is no request that waits."""

    def test_outcomes_of_many_empty_frames(self):
        self.start("limits:\n  idem_bytes_max: 1MiB\n")
        worker = self.worker(b"slow")
        self.caller.start("slow", "work", idem="key", deadline_ms=60_000)
        address, body = worker.next_request()
        for _ in range(10_000):
            worker.answer(address, *[b""] * 58, partial=True)
            self.assertEqual(self.caller.reply()[0], "PARTIAL")
        self.check_memory(MIB, "idem_bytes_max: 23 MiB of frames, of 1 MiB on the wire")
        worker.answer(address, *calls.answer_to(body, {}))
        self.assertEqual(self.caller.finish().status, 200)
        again = self.caller.call("slow", "work", idem="key")
        self.assertIn("left_out", again.result)

    def test_requests_of_many_empty_frames(self):
        self.start("limits:\n  queued_bytes_per_service_max: 1MiB\n")
        flooder = self.open(mdp.Client(self.broker.bus))
        for _ in range(1_000):
            flooder.request(b"mute", *[b""] * 60)
        stats = self.wait_for_stats(lambda s: s["counters"]["requests_received"] - self.counted["requests_received"] >= 1_000,
                                    "all of them are read")
        self.assertIn(stats["depths"]["waiting_bytes"], range(MIB - 60 * 50, MIB + 1))
        self.assertGreater(self.growth("requests_refused"), 500)

    def test_the_parameters_of_group_calls(self):
        self.start("limits:\n  queued_bytes_per_client_max: 1MiB\n")
        agent = self.open(calls.PythonAgent(self.broker.bus, "a/b"))
        agent.come_online()
        params = {"selector": {"ids": ["*"]}, "method": "work", "params": {"data": "x" * (300 * KIB)}}
        for _ in range(5):
            self.caller.start("bus.group", "call", params, deadline_ms=60_000)
        for _ in range(2):
            refused = self.caller.finish()
            self.assertEqual(refused.status, 429)
            self.assertIn("this client's group calls", refused.error)
        depths = self.stats_of_another()["depths"]
        self.assertEqual(depths["group_calls"], 3)
        self.assertIn(depths["group_bytes"], range(900 * KIB, 901 * KIB))
        another = self.open(calls.Caller(self.broker.bus))
        another.start("bus.group", "call", params, deadline_ms=60_000)
        for _ in range(4):
            address, body = agent.next_request()
            agent.answer(address, *calls.answer_to(body, {}))
        for caller in (self.caller, self.caller, self.caller, another):
            self.assertEqual(caller.reply()[0], "PARTIAL")
            self.assertEqual(caller.finish().status, 200)
        self.assertEqual(self.stats()["depths"]["group_bytes"], 0)

    def stats_of_another(self):
        with calls.Caller(self.broker.bus) as another:
            return another.call("bus.admin", "stats").result

    def test_what_a_question_a_status_and_a_header_may_have(self):
        self.start("")
        long = self.caller.call("bus.status", "outages", {"what": "x" * (300 * KIB)})
        self.assertEqual(long.status, 413, long)
        self.assertEqual(self.caller.call("bus.status", "list", {"what": "x" * (200 * KIB)}).status, 200)
        self.caller.start("bus.status", "x" * 256)
        self.assertEqual(self.caller.finish().status, 400)
        agent = self.open(calls.PythonAgent(self.broker.bus, "a/b"))
        agent.come_online()
        outputs = [(f"HDMI-A-{number}", "on") for number in range(257)]
        self.assertEqual(agent.ask("status", calls.report(outputs=outputs[1:])).status, 200)
        for report, what in ((calls.report(outputs=outputs), "257"), (calls.report(outputs=[("x" * 257, "on")]), "257 bytes"),
                             (calls.report(process="killed", signal=9, note="x" * 4_097), "4097"),
                             (calls.report() | {"progress": {**calls.report()["progress"], "cause": "x" * 4_097}}, "4097")):
            refused = agent.ask("status", report)
            self.assertEqual(refused.status, 413, refused)
            self.assertIn(what, refused.error)
        monitor = calls.manifest()["outputs"][0]
        refused = agent.ask("manifest.put", {"manifest": calls.manifest(outputs=[{**monitor, "name": n} for n, _ in outputs])})
        self.assertEqual(refused.status, 413, refused)
        self.check_others_are_served()


if __name__ == "__main__":
    unittest.main()
