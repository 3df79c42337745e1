#!/usr/bin/python3
"""compositord --trace and trace_replay: what a real broker did is done again, output for output.

Usage: bus_trace.py                  test
       bus_trace.py --record FILE    make the trace anew that is kept in tests/trace
"""

import os
import re
import resource
import shutil
import signal
import stat
import subprocess
import sys
import unittest

import zmq

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "support", "py"))
import calls
import feed
import mdp
import programs


def replay(path, *arguments):
    return subprocess.run([programs.program("trace_replay"), path, *arguments], capture_output=True, text=True,
                          timeout=programs.PATIENCE_S, check=False)


def plain_traffic(bus):
    """Strangers of both versions, one worker that dies busy, and bytes that are no message."""
    with mdp.Worker(bus, b"echo", version=1) as worker, mdp.Client(bus, version=1, kind=zmq.REQ) as client:
        client.request(b"echo", b"\x00\xff bytes", b"")
        address, body = worker.next_request()
        worker.answer(address, *body)
        client.reply()
    with mdp.Worker(bus, b"stream") as worker, mdp.Client(bus) as client:
        client.request(b"stream", b"go")
        address, _ = worker.next_request()
        worker.answer(address, b"one", partial=True)
        worker.answer(address, b"two")
        assert [client.reply()[0] for _ in range(2)] == ["PARTIAL", "FINAL"]
        client.request(b"stream", b"never answered")
        worker.next_request()
        worker.command("DISCONNECT")
        client.send(b"MDPC02")
        client.send(b"", b"", b"\xff" * 200)
        client.send(*[b"x"] * 100)  # more frames than a message may have
        assert client.ask(b"mmi.service", b"nobody") == [b"404"]


def calls_and_agents(running, identity):
    with calls.PythonAgent(running.bus, identity) as agent, calls.Caller(running.bus, as_json=True) as caller, \
         feed.Subscriber(running.feed, ""):
        agent.come_online()
        caller.start(f"compositor/{identity}", "output.mode", {"output": "HDMI-A-1"})
        address, _ = agent.next_request()
        agent.answer(address, b'{"v":1,"id":1,"status":501,"error":"no protocol for it","result":{}}')
        assert caller.finish().status == 501
        agent.ask("status", calls.report(progress="suspect"))
        for service, method in (("bus.manifest", "list"), ("bus.status", "list"), ("bus.admin", "stats"),
                                ("bus.status", "no such method"), ("nobody", "work")):
            caller.call(service, method)
        agent.command("READY", b"a second time")
    running.wait_for_log(f"worker.lost id={identity} ")


def queued_calls(bus):
    """One that is carried out when its worker comes, and one that is left for the next run to load."""
    with calls.Caller(bus) as caller, mdp.Client(bus) as plain:
        assert plain.ask(b"titanic.request", b"never", b"offered")[0] == b"200"
        assert caller.call("later", "work", queue=True).status == 202
        with mdp.Worker(bus, b"later") as worker:
            address, body = worker.next_request()
            worker.answer(address, *calls.answer_to(body, {"done": True}))
            caller.call("bus.job", "list")


def record(path, state_dir):
    """Two runs, so that the second one finds something stored. Only its trace is kept."""
    for _ in range(2):
        with programs.Broker(state_dir, "--trace", path) as running:
            plain_traffic(running.bus)
            calls_and_agents(running, "wall/wayland-1")
            queued_calls(running.bus)
            assert running.stop() == 0


class Trace(unittest.TestCase):
    def setUp(self):
        stack = programs.contextlib.ExitStack()
        self.addCleanup(stack.close)
        self.folder = stack.enter_context(programs.temporary_folder())
        self.path = os.path.join(self.folder, "bus.trace")
        self.state = os.path.join(self.folder, "state")

    def broker(self, **options):
        running = programs.Broker(self.state, "--trace", self.path, **options)
        self.addCleanup(running.kill)
        return running

    def expect_identical(self, path, *arguments):
        run = replay(path, *arguments)
        self.assertEqual(run.returncode, 0, run.stdout[-2000:] + run.stderr)
        last = run.stdout.splitlines()[-1]
        match = re.fullmatch(r"(\d+) inputs, (\d+) outputs, identical", last)
        self.assertIsNotNone(match, last)
        self.assertGreater(int(match[1]), 30)
        self.assertGreater(int(match[2]), 20)
        return run

    def test_two_runs_are_replayed_with_the_same_outputs(self):
        record(self.path, self.state)
        for path in (self.path, self.path + ".old"):
            self.assertEqual(self.expect_identical(path).stderr, "")
            self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)

    def test_print_shows_what_went_in_and_what_comes_out(self):
        record(self.path, self.state)
        text = self.expect_identical(self.path, "--print").stdout
        for expected in (
                r"#\d+ \+\d\.\d{6} s calendar-set ", r"#\d+ \+\S+ s load\n", "MDP 0.1 client REQUEST echo",
                "MDP 0.2 worker PARTIAL stream", "not MDP: the command frame is missing", "too large: dropped",
                r'header json \{"v":1,"id":1,"method":"output.mode"\}', r'header msgpack \{"v":1,"id":\d,"method":"manifest.put"\}',
                r"store \d+: compositor wall/wayland-1 revision ", r"store-done \d+: stored", r"store \d+: job [0-9a-f]{32} running, attempt 1", "publish status/wall/wayland-1 ",
                "log warning message.malformed ", r"feed-received 1 frames \[\\x01"):
            self.assertRegex(text, expected)
        some = replay(self.path, "--print", "--from", "3", "--to", "5").stdout
        self.assertEqual(re.findall(r"(?m)^#(\d+) ", some), ["3", "4", "5"])
        self.assertIn(some.rsplit("\n", 2)[0], text)

    def test_output_that_can_not_be_written_is_no_success(self):
        record(self.path, self.state)
        for arguments in ((), ("--print",)):
            with open("/dev/full", "wb") as full:
                run = subprocess.run([programs.program("trace_replay"), self.path, *arguments], stdout=full,
                                     stderr=subprocess.PIPE, text=True, timeout=programs.PATIENCE_S, check=False)
            self.assertEqual(run.returncode, 1)
            self.assertEqual(run.stderr, "trace_replay: standard output can't be written: No space left on device\n")

    def test_after_sigkill_what_was_written_is_replayed(self):
        running = self.broker()
        plain_traffic(running.bus)
        calls_and_agents(running, "wall/wayland-1")
        queued_calls(running.bus)
        running.signal(signal.SIGKILL)
        self.assertEqual(running.wait(), -signal.SIGKILL)
        self.expect_identical(self.path)
        with open(self.path, "rb+") as file:  # the kernel may have taken only a part of the last write
            file.truncate(os.path.getsize(self.path) - 7)
        self.assertIn("cut off in record", self.expect_identical(self.path).stderr)

    def test_a_crash_loses_nothing(self):
        running = self.broker()
        with mdp.Client(running.bus) as client:
            for _ in range(20):
                client.ask(b"mmi.service", b"x" * 100_000)
            running.signal(signal.SIGABRT)
            self.assertEqual(running.wait(), -signal.SIGABRT)
        self.assertEqual(self.expect_identical(self.path).stderr, "")

    def test_a_difference_is_found_and_shown(self):
        record(self.path, self.state)
        with open(self.path, "rb") as file:
            whole = file.read()
        # An input is left out of the trace, with its outputs: the answer to it, and what followed from it, is missing then.
        needle = b"MDPW01"
        at = whole.index(needle)
        begin = whole.rindex(b"\x95\xa5input", 0, at) - 16
        length = int.from_bytes(whole[begin:begin + 4], "little") + 16
        outputs = int.from_bytes(whole[begin + length:begin + length + 4], "little") + 16
        with open(self.path, "wb") as file:
            file.write(whole[:begin] + whole[begin + length + outputs:])
        run = replay(self.path)
        self.assertEqual(run.returncode, 1)
        self.assertRegex(run.stderr, r"step \d+ differs: the broker had \d+ outputs with digest [0-9a-f]{16}, here are")
        self.assertRegex(run.stdout, r"^#\d+ ")
        self.assertEqual(replay(self.path, "--inputs-only").returncode, 0)

    def test_a_damaged_file_is_no_success(self):
        record(self.path, self.state)
        with open(self.path, "rb+") as file:
            file.seek(os.path.getsize(self.path) // 2)
            byte = file.read(1)
            file.seek(-1, os.SEEK_CUR)
            file.write(bytes([byte[0] ^ 1]))
        run = replay(self.path)
        self.assertEqual(run.returncode, 1)
        self.assertRegex(run.stderr, r"record \d+ at byte \d+: .*damaged")

    def test_when_the_disk_is_full_the_broker_goes_on_without(self):
        limit = 300_000  # more than the store needs

        def small_files():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

        running = self.broker(preexec_fn=small_files, restore_signals=False)
        with mdp.Client(running.bus) as client:
            client.ask(b"mmi.service", b"x" * limit)
            running.wait_for_log(r"trace\.failed why=.*File too large")
            client.ask(b"mmi.service", b"still there")
        self.assertEqual(running.stop(), 0)
        self.assertEqual(sum("trace.failed" in line for line in running.err), 1)
        run = replay(self.path)
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertIn("cut off in record", run.stderr)

    def test_a_trace_that_can_not_be_written_is_a_reason_not_to_start(self):
        running = programs.Broker(self.state, "--trace", os.path.join(self.folder, "no", "folder"), wait=False)
        self.addCleanup(running.kill)
        self.assertEqual(running.wait(), 1)
        self.assertRegex(running.err[-1], r"^compositord: trace .*/no/folder: No such file or directory$")


def record_for_the_tree(path):
    with programs.temporary_folder() as folder:
        made = os.path.join(folder, "bus.trace")
        record(made, os.path.join(folder, "state"))
        shutil.copyfile(made, path)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--record"]:
        record_for_the_tree(sys.argv[2])
    else:
        unittest.main()
