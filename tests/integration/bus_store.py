#!/usr/bin/python3
"""What the broker keeps: manifests across SIGKILL, a disk that is full, and the size that a manifest may have."""

import os
import random
import resource
import signal
import subprocess
import sys
import threading
import unittest

import msgpack

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "support", "py"))
import calls
import mdp
import programs

MIB = 1 << 20
ID = "wall-3/wayland-1"
ROUNDS_MIN, ROUNDS_MAX = 12, 100


def manifest_of_size(size):
    """A manifest whose canonical MessagePack has `size` bytes: sorting its keys changes no length, and there is no number
    with a fraction of zero, which would become a shorter integer."""
    short = calls.manifest(outputs=[], padding="")
    # From 65 536 bytes on a string's length takes five bytes where the empty one takes one.
    manifest = calls.manifest(outputs=[], padding="x" * (size - len(msgpack.packb(short)) - 4))
    assert len(msgpack.packb(manifest)) == size
    return manifest


class Size(unittest.TestCase):
    def test_one_mib_passes_and_one_byte_more_does_not(self):
        with programs.broker() as broker, calls.PythonAgent(broker.bus, ID) as agent, calls.Caller(broker.bus) as caller:
            agent.come_online(put=False)
            reply = agent.ask("manifest.put", {"manifest": manifest_of_size(MIB)})
            self.assertEqual((reply.status, reply.result["revision"]), (200, 1))
            refused = agent.ask("manifest.put", {"manifest": manifest_of_size(MIB + 1)})
            self.assertEqual(refused.status, 413)
            self.assertIn(f"{MIB + 1} bytes, more than {MIB}", refused.error)
            got = caller.call("bus.manifest", "get", {"id": ID}).result
            self.assertEqual((got["revision"], got["manifest"]), (1, manifest_of_size(MIB)))


class Kill(unittest.TestCase):
    """SIGKILL at random times while manifests are put as fast as they are answered."""

    def test_the_last_acknowledged_manifest_is_there_after_a_kill(self):
        seed = random.SystemRandom().getrandbits(32)
        print(f"seed {seed}")
        chance = random.Random(seed)
        with programs.temporary_folder() as folder:
            sent = acknowledged = -1
            epoch = rounds = 0
            # On a slow machine more rounds are needed until the kills mean anything.
            while rounds < ROUNDS_MIN or (acknowledged < ROUNDS_MIN and rounds < ROUNDS_MAX):
                rounds += 1
                with programs.Broker(folder) as broker:
                    epoch = self.check_what_is_kept(broker, acknowledged, sent, epoch)
                    killer = threading.Timer(chance.uniform(0.0, 0.12), broker.signal, (signal.SIGKILL,))
                    killer.start()
                    sent, acknowledged = self.put_until_killed(broker, sent, acknowledged)
                    killer.join()
                    self.assertEqual(broker.wait(), -signal.SIGKILL)
            with programs.Broker(folder) as broker:
                self.check_what_is_kept(broker, acknowledged, sent, epoch)
                self.assertEqual(broker.stop(), 0)
        print(f"{rounds} kills, {acknowledged + 1} manifests acknowledged")
        self.assertGreaterEqual(acknowledged, ROUNDS_MIN)

    def check_what_is_kept(self, broker, acknowledged, sent, last_epoch):
        with calls.Caller(broker.bus) as caller:
            epoch = caller.call("bus.admin", "config").result["epoch"]
            self.assertGreater(epoch, last_epoch)
            if sent >= 0:
                reply = caller.call("bus.manifest", "get", {"id": ID})
                if acknowledged < 0 and reply.status == 404:
                    return epoch
                # What was sent and not acknowledged may be there or not.
                self.assertIn(reply.result["manifest"]["counter"], range(acknowledged, sent + 1))
                self.assertEqual((reply.result["link"], reply.result["stored"]), ("lost", True))
            return epoch

    def put_until_killed(self, broker, sent, acknowledged):
        with calls.PythonAgent(broker.bus, ID) as agent:
            def answer():
                while True:
                    try:
                        return agent.next_answer(patience_ms=50)
                    except mdp.Nothing:
                        if broker.has_ended():
                            return None

            agent.ask_later("register", {"id": ID, "heartbeat_ms": 60_000})
            if answer() is None:
                return sent, acknowledged
            agent.ready()
            while True:
                sent += 1
                agent.ask_later("manifest.put", {"manifest": calls.manifest(counter=sent, padding="x" * (sent % 5_000))})
                reply = answer()
                if reply is None:
                    return sent, acknowledged
                self.assertEqual(reply.status, 200, reply)
                acknowledged = sent


class FullDisk(unittest.TestCase):
    def check(self, broker, make_full, make_room):
        with calls.PythonAgent(broker.bus, ID) as agent, calls.Caller(broker.bus) as caller:
            agent.come_online()
            make_full()
            big = calls.manifest(padding="x" * 200_000)
            reply = agent.ask("manifest.put", {"manifest": big})
            self.assertEqual(reply.status, 507, reply)
            self.assertIn("not on disk", reply.error)
            self.assertIn("store.failed", broker.wait_for_log(r"store\.failed why="))
            # It answers from memory, says that it isn't stored, and everything else goes on.
            got = caller.call("bus.manifest", "get", {"id": ID}).result
            self.assertEqual((got["manifest"], got["stored"]), (big, False))
            self.assertEqual(agent.ask("status", calls.report(progress="slow")).status, 200)
            self.assertEqual(caller.call("bus.status", "get", {"id": ID}).result["progress"]["state"], "slow")
            caller.start("compositor/" + ID, "output.scale")
            agent.answer(agent.next_request()[0], *calls.encode({"v": 1, "id": caller.last_id, "status": 200}, {}, False))
            self.assertEqual(caller.finish().status, 200)
            self.assertGreater(caller.counters()["store_failures"], 0)
            make_room()
            self.assertEqual(agent.ask("manifest.put", {"manifest": big}).status, 200)
            self.assertTrue(caller.call("bus.manifest", "get", {"id": ID}).result["stored"])

    def test_a_full_file_system(self):
        with programs.temporary_folder() as folder:
            # A file system of its own that goes with the process. Who is not root gets a user namespace to mount it in.
            launcher = ["/usr/bin/unshare", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"]), "--mount",
                        "--propagation", "private", "/bin/sh", "-c",
                        'mount -t tmpfs -o size=1m none "$0" && exec "$@"', folder]
            try:
                broker = programs.Broker(folder, launcher=launcher)
            except AssertionError:
                # Not every container lets anybody mount; a limit on the size of files is a full disk to a program, too.
                return self.check_with_limit()
            with broker:
                inside = f"/proc/{broker.pid}/root{folder}"
                filler = os.path.join(inside, "filler")
                if not os.path.isdir(inside) or not os.access(inside, os.W_OK):
                    return self.check_with_limit()

                def fill():
                    # What is left free is less than the manifest needs.
                    with open(filler, "wb", buffering=0) as file:
                        try:
                            while True:
                                file.write(bytes(4_096))
                        except OSError:
                            pass

                self.check(broker, fill, lambda: os.unlink(filler))
        return None

    def test_a_limit_on_the_size_of_files(self):
        self.check_with_limit()

    def check_with_limit(self):
        with programs.broker() as broker:
            _, hard = resource.prlimit(broker.pid, resource.RLIMIT_FSIZE)
            limit = lambda soft: resource.prlimit(broker.pid, resource.RLIMIT_FSIZE, (soft, hard))
            self.check(broker, lambda: limit(4_096), lambda: limit(hard))
            self.assertEqual(broker.stop(), 0)


class Loss(unittest.TestCase):
    def test_the_state_directory_is_deleted_under_it(self):
        with programs.temporary_folder() as folder:
            state_dir = os.path.join(folder, "state")
            with programs.Broker(state_dir) as broker, calls.PythonAgent(broker.bus, ID) as agent:
                agent.come_online()
                subprocess.run(["/bin/rm", "-r", state_dir], check=True)
                self.assertEqual(agent.ask("manifest.put", {"manifest": calls.manifest(again=1)}).status, 200)
                self.assertEqual(broker.stop(), 0)
            with programs.Broker(state_dir) as broker, calls.Caller(broker.bus) as caller:
                self.assertEqual(caller.call("bus.manifest", "get", {"id": ID}).result["manifest"]["again"], 1)


if __name__ == "__main__":
    unittest.main()
