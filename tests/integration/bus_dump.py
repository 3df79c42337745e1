#!/usr/bin/python3
"""compositorctl dump between strangers and a real broker, and over a recorded trace."""

import json
import os
import re
import signal
import subprocess
import sys
import unittest

import zmq
from zmq.utils.monitor import recv_monitor_message

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "support", "py"))
import calls
import mdp
import programs


class Dump(programs.Program):
    """A proxy in front of a broker."""

    def __init__(self, broker_bus, *arguments):
        super().__init__([programs.program("compositorctl"), "--broker", broker_bus, "dump", "--listen", "tcp://127.0.0.1:*",
                          *arguments])
        try:
            line = self.wait_for_log("listening on ")
        except AssertionError:
            self.kill()
            raise
        self.bus = re.search(r"listening on (\S+) for ", line)[1]

    def wait_for_line(self, pattern):
        compiled = re.compile(pattern)
        self.wait_for(lambda: any(compiled.search(line) for line in self.out), f"a line with {pattern!r}")

    def text(self):
        return "\n".join(self.out) + "\n"

    def stop(self):
        self.signal(signal.SIGINT)
        return self.wait()


def ctl(*arguments):
    return subprocess.run([programs.program("compositorctl"), *arguments], capture_output=True, text=True,
                          timeout=programs.PATIENCE_S, check=False)


class WithBroker(unittest.TestCase):
    def setUp(self):
        self.stack = programs.contextlib.ExitStack()
        self.addCleanup(self.stack.close)
        self.folder = self.stack.enter_context(programs.temporary_folder())
        self.trace = os.path.join(self.folder, "bus.trace")
        self.broker = self.stack.enter_context(programs.broker("--trace", self.trace))

    def dump(self, *arguments):
        return self.stack.enter_context(Dump(self.broker.bus, *arguments))

    def worker(self, dump, service, **options):
        """Known to the broker: its READY and our question come over different connections."""
        worker = self.stack.enter_context(mdp.Worker(dump.bus, service, **options))
        self.broker.wait_for_log(f"worker.ready service={service.decode()}")
        return worker


class Proxy(WithBroker):
    def test_a_foreign_01_client_and_worker(self):
        dump = self.dump()
        worker = self.worker(dump, b"echo", version=1)
        client = self.stack.enter_context(mdp.Client(dump.bus, version=1, kind=zmq.REQ))
        client.request(b"echo", b"hello", b"\x00\xff")
        address, body = worker.next_request()
        worker.answer(address, *body)
        self.assertEqual(client.reply(), ("FINAL", b"echo", [b"hello", b"\x00\xff"]))
        self.assertEqual(dump.stop(), 0)
        text = re.sub(r"(?m)^\S+ \S+  ", "", dump.text())
        text = "".join(line + "\n" for line in text.splitlines() if "HEARTBEAT" not in line)
        body = '    [0] text "hello"\n    [1] 2 bytes: 00 ff\n'
        address = " ".join(f"{byte:02x}" for byte in address)
        self.assertEqual(text, "p1 -> broker  MDP 0.1 worker READY echo\n"
                               f"p2 -> broker  MDP 0.1 client REQUEST echo\n{body}"
                               f"broker -> p1  MDP 0.1 worker REQUEST echo for client {address}\n{body}"
                               f"p1 -> broker  MDP 0.1 worker FINAL echo for client {address}\n{body}"
                               f"broker -> p2  MDP 0.1 client FINAL echo\n{body}")

    def test_an_agent_and_calls_are_decoded_as_json(self):
        dump = self.dump("-o", "json")
        agent = self.stack.enter_context(calls.PythonAgent(dump.bus, "wall/wayland-1"))
        agent.come_online()
        with calls.Caller(dump.bus, as_json=True) as caller:
            self.assertEqual(caller.call("bus.status", "get", {"id": "wall/wayland-1"}).status, 200)
        self.assertEqual(dump.stop(), 0)
        messages = [json.loads(line) for line in dump.out]
        put = next(m for m in messages if m.get("header", {}).get("method") == "manifest.put")
        self.assertEqual((put["service"], put["params"]["manifest"]), ("bus.agent", calls.manifest()))
        get = next(m for m in messages if m.get("header", {}).get("method") == "get")
        self.assertEqual(get["params"], {"id": "wall/wayland-1"})
        answer = next(m for m in messages if m["peer"] == get["peer"] and m["direction"] == "from-broker")
        self.assertEqual((answer["header"]["status"], answer["command"]), (200, "FINAL"))
        self.assertIn("verdict", json.dumps(answer["result"]))
        self.assertEqual([m["time_us"] for m in messages], sorted(m["time_us"] for m in messages))

    def test_the_end_of_a_peer_reaches_the_broker(self):
        dump = self.dump()
        with calls.PythonAgent(dump.bus, "wall/wayland-1") as agent:
            agent.come_online()  # with heartbeats of a minute: silence would not tell it in time
        self.broker.wait_for_log("worker.lost id=wall/wayland-1 .*connection")
        with mdp.Worker(dump.bus, b"polite") as worker:
            self.broker.wait_for_log("worker.ready service=polite")
            worker.command("DISCONNECT")  # and gone at once: what was said last still arrives
            worker.socket.linger = 2_000
        self.broker.wait_for_log('worker.removed service=polite why="it sent DISCONNECT"')

    def test_malformed_messages_pass_unchanged(self):
        dump = self.dump()
        client = self.stack.enter_context(mdp.Client(dump.bus))
        client.send(b"MDPX", b"\x1b[2J")
        client.send(*[b"x"] * 100)
        self.broker.wait_for_log(r'message.malformed .*\\"MDPX\\" is no protocol')
        self.broker.wait_for_log("message.too_large")
        self.assertEqual(client.ask(b"mmi.service", b"echo"), [b"404"])
        self.assertEqual(dump.stop(), 0)
        self.assertIn('p1 -> broker  not MDP: "MDPX" is no protocol of this bus', dump.text())
        self.assertIn("    [0] 4 bytes: 4d 44 50 58\n    [1] 4 bytes: 1b 5b 32 4a\n", dump.text())
        self.assertIn("    [99] 1 bytes: 78\n", dump.text())

    def test_all_of_a_flood_passes_in_order_and_unchanged(self):
        dump = self.dump("--service", "none of these")
        worker = self.worker(dump, b"flood")
        client = self.stack.enter_context(mdp.Client(dump.bus))
        bodies = [[b"%d" % i, bytes(range(256)) * (i % 40)] for i in range(500)]
        for body in bodies:
            client.request(b"flood", *body)
        for body in bodies:
            address, got = worker.next_request()
            self.assertEqual(got, body)
            worker.answer(address, *got)
        for body in bodies:
            self.assertEqual(client.reply(), ("FINAL", b"flood", body))
        self.assertEqual(dump.stop(), 0)
        self.assertEqual(dump.out, [])
        self.assertNotIn("not passed on", "\n".join(dump.err))

    def test_filters_and_count(self):
        dump = self.dump("--service", "mmi.*", "--command", "final", "--no-heartbeats", "--count", "2")
        self.worker(dump, b"echo")
        with mdp.Client(dump.bus) as client:
            client.ask(b"mmi.service", b"echo")
            client.ask(b"mmi.anything", b"echo")
        self.assertEqual(dump.wait(), 0)
        self.assertEqual([re.sub(r"^\S+ \S+  ", "", line) for line in dump.out],
                         ["broker -> p2  MDP 0.2 client FINAL mmi.service", '    [0] text "200"',
                          "broker -> p2  MDP 0.2 client FINAL mmi.anything", '    [0] text "501"'])

    def test_what_is_said_before_the_broker_is_there_waits_for_it(self):
        bus = f"ipc://{self.folder}/later"
        dump = self.stack.enter_context(Dump(bus))
        client = self.stack.enter_context(mdp.Client(dump.bus))
        client.request(b"mmi.service", b"echo")
        dump.wait_for_line("REQUEST mmi.service")
        self.stack.enter_context(programs.Broker(os.path.join(self.folder, "state"), bus=bus))
        self.assertEqual(client.reply()[2], [b"404"])


class Ends(WithBroker):
    """Of the connections to the broker, which peers must notice as if there were nothing in between."""

    def watched(self, dump, service):
        """A worker, and what becomes of its connection."""
        worker = self.stack.enter_context(mdp.Peer(dump.bus))
        monitor = worker.socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        self.stack.callback(monitor.close)
        self.stack.callback(worker.socket.disable_monitor)
        worker.send(b"MDPW02", mdp.READY, service)
        self.broker.wait_for_log(f"worker.ready service={service.decode()}")
        return worker, monitor

    def assert_disconnected(self, monitor):
        self.assertTrue(monitor.poll(mdp.PATIENCE_MS))
        self.assertEqual(recv_monitor_message(monitor)["event"], zmq.EVENT_DISCONNECTED)

    def test_a_connection_that_the_broker_ends_ends_for_its_peer(self):
        dump = self.dump()
        other = self.worker(dump, b"other")
        worker, monitor = self.watched(dump, b"svc")
        worker.send(b"MDPC02", b"\x01", b"echo", b"h" * (9 << 20))  # a frame that is too large for it
        self.assert_disconnected(monitor)
        dump.wait_for_log("compositorctl: the connection of p2 was ended by the broker: it is ended here, too")
        other.command("HEARTBEAT")
        dump.wait_for_line("p1 -> broker  MDP 0.2 worker HEARTBEAT other")
        worker.send(b"MDPW02", mdp.READY, b"again")
        dump.wait_for_line("p3 -> broker  MDP 0.2 worker READY again")
        self.assertEqual(dump.stop(), 0)
        self.assertEqual([line for line in dump.err if "p1" in line], [])

    def test_what_the_broker_said_last_still_arrives(self):
        dump = self.dump()
        worker, monitor = self.watched(dump, b"svc")
        dump.signal(signal.SIGSTOP)  # it finds both at once: the last message and the end
        self.assertEqual(self.broker.stop(), 0)
        dump.signal(signal.SIGCONT)
        self.assert_disconnected(monitor)
        while (frames := worker.receive())[1] == b"\x05":  # heartbeats
            pass
        self.assertEqual(frames, [b"MDPW02", b"\x06"])
        worker.send(b"MDPW02", mdp.READY, b"again")
        dump.wait_for_line("p2 -> broker  MDP 0.2 worker READY again")
        dump.wait_for_log("no broker answers at tcp://[0-9.:]+: what is said waits for one")
        self.assertEqual(dump.stop(), 0)
        self.assertIn("compositorctl: a message was not passed on: it never reached a broker", dump.err)

    def test_what_never_reached_a_broker_is_told(self):
        dump = self.stack.enter_context(Dump(f"ipc://{self.folder}/nobody"))
        with mdp.Client(dump.bus) as gone:
            gone.request(b"mmi.service", b"gone")
            dump.wait_for_line("p1 -> broker")
        client = self.stack.enter_context(mdp.Client(dump.bus))
        client.request(b"mmi.service", b"echo")
        client.request(b"mmi.service", b"echo")
        dump.wait_for(lambda: len([line for line in dump.out if line.startswith("    [0]")]) == 3, "three requests")
        dump.wait_for_log("compositorctl: no broker answers at ipc://.*/nobody: what is said waits for one")
        self.assertEqual(dump.stop(), 0)
        self.assertIn("compositorctl: 3 messages in all were not passed on", dump.err)


class Recorded(WithBroker):
    def record(self):
        with mdp.Worker(self.broker.bus, b"echo") as worker, mdp.Client(self.broker.bus) as client:
            client.request(b"echo", b"hello")
            address, body = worker.next_request()
            worker.answer(address, *body)
            client.reply()
            client.send(b"nonsense")
            client.ask(b"mmi.service", b"echo")
        self.assertEqual(self.broker.stop(), 0)

    def test_both_directions_are_shown(self):
        self.record()
        run = ctl("dump", "--trace", self.trace, "--no-heartbeats")
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        for expected in ("-> broker  MDP 0.2 worker READY echo", "-> broker  MDP 0.2 client REQUEST echo",
                         r"broker -> p\d  MDP 0.2 worker REQUEST echo for client ", r"broker -> p\d  MDP 0.2 client FINAL echo",
                         'not MDP: "nonsense"', "(?m)^p1 is the peer [0-9a-f]{10}$"):
            self.assertRegex(run.stdout, expected)

    def test_filters_and_json(self):
        self.record()
        run = ctl("-o", "json", "dump", "--trace", self.trace, "--service", "e*", "--command", "REQUEST", "--count", "2")
        self.assertEqual(run.returncode, 0, run.stderr)
        messages = [json.loads(line) for line in run.stdout.splitlines()]
        self.assertEqual({(m["role"], m["direction"]) for m in messages}, {("client", "to-broker"), ("worker", "from-broker")})
        of_peer = ctl("dump", "--trace", self.trace, "--peer", messages[0]["routing_id"])
        self.assertIn("client REQUEST echo", of_peer.stdout)
        self.assertNotIn("worker", of_peer.stdout)

    def test_a_part_of_a_trace(self):
        self.record()
        with open(self.trace, "rb+") as file:
            file.truncate(os.path.getsize(self.trace) - 3)
        run = ctl("dump", "--trace", self.trace)
        self.assertEqual(run.returncode, 0)
        self.assertIn("cut off in record", run.stderr)


class Refusals(unittest.TestCase):
    def test_the_command_line(self):
        for arguments, complaint in (
                (["dump"], "either --listen ENDPOINT or --trace FILE"),
                (["dump", "--listen", "tcp://127.0.0.1:*", "--trace", "x"], "either --listen"),
                (["dump", "--trace", "x", "--for", "1s"], "--for goes with --listen"),
                (["dump", "--trace", "x", "--no-heartbeats", "--command", "final", "--command", "heartbeat"],
                 "--command HEARTBEAT and --no-heartbeats exclude each other"),
                (["dump", "--trace", "x", "--peer", "foo"], "--peer: p1, p2, … or a routing id in hexadecimal expected"),
                (["dump", "--listen", "tcp://127.0.0.1:99999", "--for", "1s"], '"99999" is no port'),
                (["dump", "--listen", "tcp:/wrong"], "--listen: bind tcp:/wrong: not an endpoint"),
                (["--broker", "nonsense", "dump", "--listen", "tcp://127.0.0.1:*"], "--broker: connect to nonsense"),
                (["dump", "--listen", "tcp://127.0.0.1:*", "--command", "SHOUT"], "--command")):
            with self.subTest(arguments=arguments):
                run = ctl(*arguments)
                self.assertEqual(run.returncode, 2, run.stderr)
                self.assertIn(complaint, run.stderr)

    def test_a_file_that_is_no_trace(self):
        for path in (__file__, "/nowhere/at-all"):
            run = ctl("dump", "--trace", path)
            self.assertEqual(run.returncode, 1)
            self.assertIn(path, run.stderr)

    def test_it_ends_after_the_time_given(self):
        run = ctl("dump", "--listen", "tcp://127.0.0.1:*", "--for", "20ms")
        self.assertEqual(run.returncode, 0, run.stderr)


if __name__ == "__main__":
    unittest.main()
