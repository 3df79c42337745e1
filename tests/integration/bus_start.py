#!/usr/bin/python3
"""How the broker starts, refuses to start, and ends."""

import os
import shutil
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "support", "py"))
import calls
import feed
import mdp
import programs

NOBODY = 1500


class Refusals(unittest.TestCase):
    """Exit status and one line on standard error that names the thing."""

    def setUp(self):
        stack = programs.contextlib.ExitStack()
        self.addCleanup(stack.close)
        self.stack = stack
        self.folder = stack.enter_context(programs.temporary_folder())

    def expect(self, pattern, *arguments, **options):
        options = {"state_dir": os.path.join(self.folder, "state"), **options}
        broker = self.stack.enter_context(programs.Broker(options.pop("state_dir"), *arguments, wait=False, **options))
        self.assertGreater(broker.wait(), 0)
        complaints = [line for line in broker.err if line.startswith("compositord: ")]
        self.assertEqual(len(complaints), 1, broker.err)
        self.assertEqual(broker.err[-1], complaints[0])
        self.assertRegex(complaints[0], pattern)
        self.assertNotIn("ready", broker.out)

    def test_a_file_in_the_way_of_the_state_directory(self):
        path = os.path.join(self.folder, "file")
        with open(path, "wb"):
            pass
        self.expect(path + "/state", state_dir=path + "/state")
        self.expect(path, state_dir=path)

    def test_a_state_directory_that_may_not_be_written(self):
        # Root may write everywhere, so the broker is somebody else there: with a copy that this somebody can reach.
        program = shutil.copy(programs.program("compositord"), self.folder)
        os.chmod(self.folder, 0o755)
        state_dir = os.path.join(self.folder, "locked")
        os.mkdir(state_dir, 0o555)
        launcher = []
        if os.geteuid() == 0:
            launcher = ["/usr/bin/setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        done = subprocess.run([*launcher, program, "--bus", "tcp://127.0.0.1:*", "--feed", "tcp://127.0.0.1:*", "--state-dir",
                               state_dir], capture_output=True, text=True, timeout=programs.PATIENCE_S, check=False)
        self.assertGreater(done.returncode, 0)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        self.assertIn(state_dir, done.stderr)

    def test_a_second_broker_on_the_same_endpoint(self):
        first = self.stack.enter_context(programs.broker())
        for arguments in ({"bus": first.bus}, {"feed": first.feed}, {"feed": first.bus}):
            (endpoint,) = arguments.values()
            self.expect(endpoint + ".*another program already listens there", **arguments)
        with calls.Caller(first.bus) as caller:
            self.assertEqual(caller.call("bus.status", "list").status, 200)

    def test_a_second_broker_on_the_same_ipc_endpoint(self):
        endpoint = f"ipc://{self.folder}/bus"
        self.stack.enter_context(programs.Broker(os.path.join(self.folder, "first"), bus=endpoint))
        self.expect(endpoint + ".*another program already listens there", bus=endpoint)
        with calls.Caller(endpoint) as caller:
            self.assertEqual(caller.call("bus.status", "list").status, 200, "the first one's socket is still there")

    def test_a_second_broker_on_the_same_state_directory(self):
        state_dir = os.path.join(self.folder, "shared")
        self.stack.enter_context(programs.Broker(state_dir))
        self.expect(state_dir + ".*second compositord", state_dir=state_dir)

    def test_an_endpoint_that_is_none(self):
        self.expect("tcp://nowhere", bus="tcp://nowhere")


class End(unittest.TestCase):
    def test_sigterm_and_sigint_are_a_clean_end(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(signal=number), programs.broker() as broker, \
                    calls.PythonAgent(broker.bus, "a/b") as agent, feed.Subscriber(broker.feed, "") as subscriber, \
                    mdp.Client(broker.bus) as client:
                agent.come_online()
                subscriber.wait_for_topic("status/a/b")
                client.request(b"nobody", b"waits")
                broker.signal(number)
                self.assertEqual(broker.wait(), 0)
                self.assertIn("broker.stopped", broker.err[-1])

    def test_each_call_has_its_status_before_the_end(self):
        with programs.broker() as broker, calls.PythonAgent(broker.bus, "a/b") as agent, mdp.Worker(broker.bus, b"render") as worker, \
                calls.Caller(broker.bus) as carried, calls.Caller(broker.bus, as_json=True) as waiting, \
                calls.Caller(broker.bus) as group:
            agent.come_online()
            worker.send(b"MDPC02", b"\x01", b"mmi.echo", b"its READY was read before this")
            worker.receive()
            carried.start("render", "frame", deadline_ms=60_000)
            worker.next_request()
            waiting.start("render", "frame", deadline_ms=60_000)
            waiting.request(b"mmi.echo", b"it has read the call before this")
            waiting.reply()
            group.start("bus.group", "call", {"selector": {"ids": ["*"]}, "method": "output.scale"}, deadline_ms=60_000)
            agent.next_request()
            broker.signal(signal.SIGTERM)
            got = [(reply.status, reply.error) for reply in (carried.finish(), waiting.finish())]
            self.assertEqual(got, [(410, "the broker is being stopped; whether it was carried out is unknown"),
                                   (503, "the broker is being stopped; it was not carried out")])
            self.assertEqual(group.reply()[0], "PARTIAL")
            self.assertEqual([target["status"] for target in group.finish().result["targets"]], [410])
            self.assertEqual(broker.wait(), 0)

    def test_workers_are_sent_away_and_come_back_to_the_next_one(self):
        """zguide's workers open a new socket when they get DISCONNECT, and its READY waits for whoever comes."""
        with programs.temporary_folder() as folder, programs.contextlib.ExitStack() as stack:
            with programs.Broker(folder) as broker:
                old = [stack.enter_context(mdp.Worker(broker.bus, b"render", version)) for version in (1, 2)]
                for worker in old:
                    worker.send(*((b"MDPC01",) if worker.version == 1 else (b"MDPC02", b"\x01")), b"mmi.echo", b"its READY was read")
                    while worker.receive()[0] == worker.header:
                        pass  # a heartbeat
                broker.signal(signal.SIGTERM)
                new = []
                for worker in old:
                    self.assertEqual(worker.next_but_heartbeats(), ("DISCONNECT", []))
                    new.append(stack.enter_context(mdp.Worker(broker.bus, b"render", worker.version)))
                self.assertEqual(broker.wait(), 0)
            with programs.Broker(folder, bus=broker.bus) as broker, mdp.Client(broker.bus) as client:
                for body in (b"one", b"two"):
                    client.request(b"render", body)
                self.assertEqual({worker.next_request()[1][0] for worker in new}, {b"one", b"two"})

    def test_what_was_acknowledged_before_sigterm_is_there_afterwards(self):
        with programs.temporary_folder() as folder:
            with programs.Broker(folder) as broker, calls.PythonAgent(broker.bus, "a/b") as agent:
                agent.come_online(labels={"site": "berlin"})
                self.assertEqual(broker.stop(), 0)
            with programs.Broker(folder) as broker, calls.Caller(broker.bus) as caller:
                got = caller.call("bus.manifest", "list").result["compositors"]
                self.assertEqual([(c["id"], c["name"], c["link"], c["verdict"], c["labels"]) for c in got],
                                 [("a/b", "weston", "lost", "unknown", {"site": "berlin"})])
                refused = caller.call("compositor/a/b", "output.scale")
                self.assertEqual(refused.status, 503)

    def test_several_endpoints_are_one_bus(self):
        with programs.temporary_folder() as folder, \
                programs.Broker(folder, "--bus", f"ipc://{folder}/run/bus", "--feed", f"ipc://{folder}/run/feed") as broker:
            self.assertEqual([line.split()[0] for line in broker.out], ["bus", "bus", "feed", "feed", "ready"])
            with calls.PythonAgent(broker.bus, "a/b") as agent, calls.Caller(f"ipc://{folder}/run/bus") as caller, \
                    feed.Subscriber(f"ipc://{folder}/run/feed", "status/") as subscriber:
                agent.come_online()
                subscriber.wait_for_topic("status/a/b")
                config = caller.call("bus.admin", "config").result
                self.assertEqual([f"bus {e}" for e in config["bus"]] + [f"feed {e}" for e in config["feed"]], broker.out[:-1])


if __name__ == "__main__":
    unittest.main()
