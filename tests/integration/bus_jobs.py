#!/usr/bin/python3
"""Store and forward: calls for somebody who is away, what becomes of them, and what a SIGKILL of the broker does to them."""

import collections
import os
import random
import signal
import sys
import time
import unittest

import zmq

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "support", "py"))
import calls
import mdp
import programs

WALL = "wall-3/wayland-1"
SERVICE = "compositor/" + WALL
# Agents here come online with put=False: a job may be sent to them at once, and they are to see nothing else.
GUARANTEE = {False: "at_most_once", True: "at_least_once"}


def job_of(caller, job):
    return caller.call("bus.job", "get", {"job": job})


def wait_until(peer, ask):
    """Asks until there is an answer. An end is told when it is on disk, and a disk may take its time."""
    deadline = time.monotonic() + programs.PATIENCE_S
    while True:
        answer = ask()
        if answer is not None:
            return answer
        assert time.monotonic() < deadline, "it never ended"
        peer.socket.poll(2)


def wait_for_end(caller, job):
    def ended():
        record = job_of(caller, job).result
        return record if record["state"] == "done" else None

    return wait_until(caller, ended)


class WithBroker(unittest.TestCase):
    def setUp(self):
        stack = programs.contextlib.ExitStack()
        self.addCleanup(stack.close)
        self.folder = stack.enter_context(programs.temporary_folder())
        self.stack = stack
        self.broker = None
        self.start("tcp://127.0.0.1:*")

    def start(self, bus):
        self.broker = self.stack.enter_context(programs.Broker(self.folder, bus=bus))

    def restart_after_kill(self):
        """The same state directory and the same endpoint: peers that stay connected come back by themselves."""
        self.broker.signal(signal.SIGKILL)
        self.assertEqual(self.broker.wait(), -signal.SIGKILL)
        self.start(self.broker.bus)

    def open(self, peer):
        self.addCleanup(peer.close)
        return peer

    def agent(self):
        return self.open(calls.PythonAgent(self.broker.bus, WALL))

    def caller(self, **options):
        return self.open(calls.Caller(self.broker.bus, **options))


class Away(WithBroker):
    def setUp(self):
        super().setUp()
        with calls.PythonAgent(self.broker.bus, WALL) as agent:
            agent.come_online()
            self.assertEqual(agent.ask("leave").status, 200)

    def queue(self, caller, **header):
        reply = caller.call(SERVICE, "output.scale", {"output": "HDMI-A-1", "scale": 2}, queue=True, **header)
        self.assertEqual(reply.status, 202, reply)
        return reply.result

    def test_a_call_waits_for_its_agent_and_the_result_is_kept(self):
        for as_json in (False, True):
            with self.subTest(as_json=as_json):
                caller = self.caller(as_json=as_json)
                self.assertEqual(caller.call(SERVICE, "output.scale").status, 503, "without queue it is refused")
                job = self.queue(caller)["job"]
                waiting = job_of(caller, job).result
                self.assertEqual((waiting["state"], waiting["attempts"], waiting["guarantee"]), ("waiting", 0, "at_most_once"))
                agent = self.agent()
                agent.come_online(put=False)
                address, body = agent.next_request()
                self.assertEqual(job_of(caller, job).result["state"], "running")
                agent.answer(address, *calls.answer_to(body, {"scale": 2}))
                done = wait_for_end(caller, job)
                self.assertEqual((done["status"], done["result"], done["attempts"]), (200, {"scale": 2}, 1))
                self.assertEqual(agent.ask("leave").status, 200)
                self.restart_after_kill()
                self.assertEqual(job_of(self.caller(as_json=as_json), job).result, done)

    def test_jobs_are_carried_out_in_their_order_one_at_a_time(self):
        caller = self.caller()
        jobs = [self.queue(caller)["job"] for _ in range(3)]
        agent = self.agent()
        agent.come_online(put=False)
        for job in jobs:
            address, body = agent.next_request()
            running = caller.call("bus.job", "list", {"state": "running", "service": SERVICE}).result["jobs"]
            self.assertEqual([entry["job"] for entry in running], [job])
            agent.answer(address, *calls.answer_to(body, {}))
            wait_for_end(caller, job)

    def test_list_comes_in_pages_and_cancel_is_for_those_that_wait(self):
        caller = self.caller()
        jobs = [self.queue(caller)["job"] for _ in range(3)]
        first = caller.call("bus.job", "list", {"limit": 2}).result
        self.assertEqual(([entry["job"] for entry in first["jobs"]], first["next"]), (jobs[:2], jobs[1]))
        second = caller.call("bus.job", "list", {"limit": 2, "after": first["next"]}).result
        self.assertEqual(([entry["job"] for entry in second["jobs"]], second["next"]), (jobs[2:], None))
        cancelled = caller.call("bus.job", "cancel", {"job": jobs[1]})
        self.assertEqual((cancelled.status, cancelled.result["state"]), (200, "cancelled"))
        again = caller.call("bus.job", "cancel", {"job": jobs[1]})
        self.assertEqual(again.status, 409)
        self.assertIn("only one that waits can be cancelled", again.error)
        for method in ("get", "cancel"):
            self.assertEqual(caller.call("bus.job", method, {"job": "f" * 32}).status, 404)
        # What was answered is on disk.
        self.restart_after_kill()
        caller = self.caller()
        self.assertEqual([entry["state"] for entry in caller.call("bus.job", "list").result["jobs"]],
                         ["waiting", "cancelled", "waiting"])

    def test_its_time_to_live_ends_it_with_504(self):
        caller = self.caller()
        short, long = self.queue(caller, ttl_ms=50), self.queue(caller)
        done = wait_for_end(caller, short["job"])
        self.assertEqual((done["status"], done["attempts"]), (504, 0))
        self.assertIn("not carried out", done["error"])
        agent = self.agent()
        agent.come_online(put=False)
        agent.next_request()
        self.assertEqual(job_of(caller, long["job"]).result["state"], "running", "the one before it is gone")

    def test_it_expires_while_the_broker_is_away_too(self):
        job = self.queue(self.caller(), ttl_ms=50)["job"]
        self.restart_after_kill()
        self.assertEqual(wait_for_end(self.caller(), job)["status"], 504)

    def test_an_agent_that_dies_under_it(self):
        caller = self.caller()
        once, often = self.queue(caller)["job"], self.queue(caller, idempotent=True)["job"]
        for _ in (once, often):
            with calls.PythonAgent(self.broker.bus, WALL) as agent:
                agent.come_online(put=False)
                agent.next_request()
                agent.command("DISCONNECT")
                running = {"state": "running"}
                wait_until(caller, lambda: True if not caller.call("bus.job", "list", running).result["jobs"] else None)
        done = wait_for_end(caller, once)
        self.assertEqual((done["status"], done["attempts"]), (410, 1))
        self.assertIn("unknown", done["error"])
        agent = self.agent()
        agent.come_online(put=False)
        address, body = agent.next_request()
        agent.answer(address, *calls.answer_to(body, {}))
        done = wait_for_end(caller, often)
        self.assertEqual((done["status"], done["attempts"], done["guarantee"]), (200, 2, "at_least_once"))


class Round:
    """One life of the broker: jobs are submitted, accepted, taken and answered until as many steps were made as wanted."""

    JOBS = 6
    STEPS_MAX = 5 * JOBS

    def __init__(self, number, broker, executions):
        self.broker, self.executions = broker, executions
        # The key of each job says whether it may be repeated.
        self.keys = [f"{number}/{index}" for index in range(self.JOBS)]
        self.accepted = {}  # key: the result of its 202
        self.told = {}  # key: what bus.job get said of it when it had ended

    @staticmethod
    def is_idempotent(key):
        return int(key.split("/")[1]) % 2 == 1

    def submit(self, caller, key):
        caller.start(SERVICE, "work", {"key": key}, queue=True, idem=key, idempotent=self.is_idempotent(key))

    def execute(self, agent, frames):
        """Carries out a request and answers it; other commands are none of our business."""
        if frames[:2] != [b"MDPW02", mdp.REQUEST]:
            return
        key = calls.msgpack.unpackb(frames[5])["key"]
        self.executions[key] += 1
        agent.answer(frames[2], *calls.answer_to(frames[4:], {"ran": key}))

    def run(self, steps, agent_is_late):
        """Kills the broker straight after step number `steps`: a submission, a 202, a REQUEST, an answer or a look at it."""
        with calls.Caller(self.broker.bus) as caller, calls.PythonAgent(self.broker.bus, WALL) as agent:
            if not agent_is_late:
                agent.come_online(put=False)
            for _ in self.steps(caller, agent, agent_is_late):
                steps -= 1
                if steps == 0:
                    break
            self.broker.signal(signal.SIGKILL)
            # The peers' sockets go first: nothing that they still have to send must reach the next broker.
        return self.broker.wait()

    def steps(self, caller, agent, agent_is_late):
        by_call = {}
        for key in self.keys:
            self.submit(caller, key)
            by_call[caller.last_id] = key
            yield "submitted"
        if agent_is_late:
            for _ in self.keys:
                self.accept(caller.finish(), by_call)
                yield "accepted"
            agent.come_online(put=False)
        waits = list(agent.others)
        poller = zmq.Poller()
        poller.register(caller.socket, zmq.POLLIN)
        poller.register(agent.socket, zmq.POLLIN)
        answered = 0
        while answered < len(self.keys) or len(self.accepted) < len(self.keys):
            ready = dict(poller.poll(0 if waits else mdp.PATIENCE_MS))
            assert ready or waits, "nothing came"
            if caller.socket in ready:
                self.accept(caller.finish(), by_call)
                yield "accepted"
            if agent.socket in ready:
                waits.append(agent.receive())
            for frames in waits:
                if frames[:2] != [b"MDPW02", mdp.REQUEST]:
                    continue
                key = calls.msgpack.unpackb(frames[5])["key"]
                self.executions[key] += 1
                yield "taken"
                agent.answer(frames[2], *calls.answer_to(frames[4:], {"ran": key}))
                answered += 1
                yield "answered"
            waits.clear()
        for key in reversed(self.keys):  # the last one ended just now
            reply = job_of(caller, self.accepted[key]["job"])
            if reply.result["state"] == "done":
                self.told[key] = reply.result
            yield "looked at"

    def accept(self, reply, by_call):
        assert reply.status == 202, reply
        self.accepted[by_call[reply.header["id"]]] = reply.result


class Kill(unittest.TestCase):
    SEED = 7755
    ROUNDS = 40

    def test_jobs_survive_a_sigkill_at_any_point(self):
        print(f"seed {self.SEED}, {self.ROUNDS} rounds of {Round.JOBS} jobs")
        chance = random.Random(self.SEED)
        executions, records, bus = collections.Counter(), {}, "tcp://127.0.0.1:*"
        with programs.temporary_folder() as folder:
            with programs.Broker(folder) as broker, calls.PythonAgent(broker.bus, WALL) as agent:
                bus = broker.bus
                agent.come_online()
            for number in range(self.ROUNDS):
                steps, agent_is_late = chance.randint(1, Round.STEPS_MAX), chance.random() < 0.5
                with self.subTest(round=number, steps=steps, agent_is_late=agent_is_late):
                    with programs.Broker(folder, bus=bus) as broker:
                        this = Round(number, broker, executions)
                        self.assertEqual(this.run(steps, agent_is_late), -signal.SIGKILL)
                    with programs.Broker(folder, bus=bus) as broker, calls.Caller(bus) as caller:
                        self.check_accepted_are_there(caller, this)
                        self.repeat_all(caller, this)
                        self.carry_out_the_rest(bus, caller, this)
                        records.update(self.check_ends(caller, this, executions))
            with programs.Broker(folder, bus=bus) as broker, calls.Caller(bus) as caller:
                for job, record in records.items():
                    self.assertEqual(job_of(caller, job).result, record, "a result is kept")
        ends = collections.Counter((record["guarantee"], record["status"]) for record in records.values())
        print(f"ends: {dict(ends)}; carried out twice: {sum(count > 1 for count in executions.values())}")
        self.assertEqual(set(ends), {("at_most_once", 200), ("at_most_once", 410), ("at_least_once", 200)})

    def check_accepted_are_there(self, caller, this):
        for key, queued in this.accepted.items():
            reply = job_of(caller, queued["job"])
            self.assertEqual(reply.status, 200, f"{key} was answered 202: {reply}")
            self.assertEqual((reply.result["guarantee"], reply.result["expires_at"]),
                             (GUARANTEE[this.is_idempotent(key)], queued["expires_at"]))
        for key, told in this.told.items():
            self.assertEqual(job_of(caller, told["job"]).result, told, "what was told as its end stays so")

    def repeat_all(self, caller, this):
        """By their idem keys they are the same jobs; what was lost before its 202 is a new one."""
        for key in this.keys:
            this.submit(caller, key)
            reply = caller.finish()
            self.assertEqual(reply.status, 202, reply)
            self.assertEqual(this.accepted.setdefault(key, reply.result)["job"], reply.result["job"], key)

    def carry_out_the_rest(self, bus, caller, this):
        with calls.PythonAgent(bus, WALL) as agent:
            agent.come_online(put=False)
            waits = agent.others
            for _ in range(2_000):
                for frames in waits:
                    this.execute(agent, frames)
                listed = [caller.call("bus.job", "list", {"service": SERVICE, "state": state}).result["jobs"]
                          for state in ("waiting", "running")]
                if not any(listed):
                    return
                waits = [agent.receive()] if agent.socket.poll(50) else []
        self.fail(f"still not at an end: {listed}")

    def check_ends(self, caller, this, executions):
        records = {}
        for key in this.keys:
            reply = job_of(caller, this.accepted[key]["job"])
            record, ran = reply.result, executions[key]
            self.assertEqual((reply.status, record["state"]), (200, "done"), key)
            self.assertEqual(record["guarantee"], GUARANTEE[this.is_idempotent(key)])
            if record["status"] == 200:
                self.assertEqual(record["result"], {"ran": key})
                self.assertGreaterEqual(ran, 1, key)
            else:
                self.assertEqual(record["status"], 410, record)
                self.assertIn("unknown", record["error"])
                self.assertFalse(this.is_idempotent(key), record)
            if not this.is_idempotent(key):
                self.assertLessEqual(ran, 1, record)
                self.assertGreaterEqual(record["attempts"], ran, record)
            records[record["job"]] = record
        return records


class Titanic(WithBroker):
    def ask(self, client, service, *body):
        return client.ask(b"titanic." + service, *body)

    def wait_for_answer(self, client, job):
        def ended():
            answer = self.ask(client, b"reply", job)
            return answer if answer[0] != b"300" else None

        return wait_until(client, ended)

    def check_that_close_is_on_disk(self, client, job):
        self.assertEqual(self.ask(client, b"close", job), [b"200"])
        # Commits keep their order: when this one is answered, that one is on disk.
        self.assertEqual(self.ask(client, b"request", b"nobody", b"x")[0], b"200")
        self.restart_after_kill()
        self.assertEqual(self.ask(client, b"reply", job), [b"400"])

    def test_request_reply_and_close_over_kills(self):
        client = self.open(mdp.Client(self.broker.bus))
        status, job = self.ask(client, b"request", b"echo", b"one", b"", b"three")
        self.assertEqual(status, b"200")
        self.restart_after_kill()
        self.assertEqual(self.ask(client, b"reply", job), [b"300"])
        self.assertEqual(self.ask(client, b"close", job), [b"300"])
        with mdp.Worker(self.broker.bus, b"echo") as worker:
            address, body = worker.next_request()
            self.assertEqual(body, [b"one", b"", b"three"])
            worker.answer(address, b"answer", *body)
            self.assertEqual(self.wait_for_answer(client, job), [b"200", b"answer", *body])
            self.assertEqual(self.ask(client, b"request", b"nobody", b"x")[0], b"200")
        self.restart_after_kill()
        self.assertEqual(self.ask(client, b"reply", job), [b"200", b"answer", b"one", b"", b"three"])
        self.check_that_close_is_on_disk(client, job)

    def test_a_kill_while_the_worker_has_it(self):
        client = self.open(mdp.Client(self.broker.bus, version=1))
        status, job = self.ask(client, b"request", b"echo", b"once")
        self.assertEqual(status, b"200")
        with mdp.Worker(self.broker.bus, b"echo") as worker:
            worker.next_request()
        self.restart_after_kill()
        status, why = self.ask(client, b"reply", job)
        self.assertEqual(status, b"500")
        self.assertIn(b"unknown", why)
        with mdp.Worker(self.broker.bus, b"echo") as worker:
            client.request(b"echo", b"another")
            self.assertEqual(worker.next_request()[1], [b"another"], "it is not sent again")


if __name__ == "__main__":
    unittest.main()
