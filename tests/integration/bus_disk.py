#!/usr/bin/python3
"""A disk that is full, read-only, or damages the broker's file: the bus goes on, an alert says so and ends when the disk is
well again, and nothing that was acknowledged is silently gone."""

import contextlib
import glob
import os
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "support", "py"))
import calls
import feed
import programs

ID = "wall-3/wayland-1"
LATER = "wall-3/wayland-2"  # its agent never comes: jobs for it wait
PAGE = 4_096
SET_ASIDE_MAX = 5


def is_alert(state, about):
    return lambda m: (m.kind == "alert" and m.payload["state"] == state and m.payload["about"] == about
                      and m.payload["id"] == "@bus")


def contents(path):
    with open(path, "rb") as file:
        return file.read()


def overwrite(path, data, at=0):
    with open(path, "r+b") as file:
        file.seek(at)
        file.write(data)


class Case(unittest.TestCase):
    def setUp(self):
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)
        self.folder = self.stack.enter_context(programs.temporary_folder())
        self.launcher = ()

    def start(self, folder=None):
        self.broker = self.stack.enter_context(programs.Broker(folder or self.folder, launcher=self.launcher))
        self.caller = self.stack.enter_context(calls.Caller(self.broker.bus))
        self.subscriber = self.stack.enter_context(feed.Subscriber(self.broker.feed, "alert/", "status/"))

    def agent(self, identity=ID):
        agent = self.stack.enter_context(calls.PythonAgent(self.broker.bus, identity))
        agent.come_online(put=False)
        return agent

    def put(self, agent, expect=200, **manifest):
        reply = agent.ask("manifest.put", {"manifest": calls.manifest(**manifest)})
        self.assertEqual(reply.status, expect, reply)
        return reply

    def wait_for_alert(self, about, state="firing"):
        """On the feed, or told before the subscriber was there."""
        calls.ask_until(self.caller, "bus.alert", "list", {}, lambda r: any(
            a["about"] == about for a in r.result["alerts"]) == (state == "firing"))
        method = "list" if state == "firing" else "history"
        return [a for a in self.caller.call("bus.alert", method).result["alerts"] if a["about"] == about][-1]

    def status_flows(self, agent):
        """A report becomes a status on the feed, and an alert."""
        self.assertEqual(agent.ask("status", calls.report()).status, 200)
        self.subscriber.wait_for_topic("status/" + ID, lambda s: s["verdict"] == "ok")
        self.assertEqual(agent.ask("status", calls.report(progress="frozen")).status, 200)
        self.subscriber.wait_for_topic("status/" + ID, lambda s: s["progress"]["state"] == "frozen")
        return self.subscriber.wait_for(lambda m: m.kind == "alert" and m.payload["id"] == ID
                                        and m.payload["state"] == "firing").payload

    def promise(self, agent):
        """A manifest, a job and an acknowledged alert; what must be there after each restart."""
        self.put(agent, kept=True)
        alert = self.status_flows(agent)["alert"]
        acked = self.caller.call("bus.alert", "ack", {"alert": alert, "author": "eve"})
        self.assertEqual(acked.status, 200, acked)
        job = self.caller.call("compositor/" + ID, "output.scale", queue=True, ttl_ms=3_600_000)
        self.assertEqual(job.status, 202, job)
        return alert, job.result["job"]

    def check_promises(self, alert, job):
        got = self.caller.call("bus.manifest", "get", {"id": ID})
        self.assertEqual((got.status, got.result["manifest"]["kept"], got.result["stored"]), (200, True, True))
        self.assertEqual(self.caller.call("bus.alert", "get", {"alert": alert}).result["acked"]["author"], "eve")
        self.assertEqual(self.caller.call("bus.job", "get", {"job": job}).status, 200)

    def file(self):
        return os.path.join(self.folder, "compositord.db")

    def set_aside(self, *endings):
        """The databases; with "-wal" their logs."""
        names = sorted(glob.glob(self.file() + ".corrupt-*"))
        return [name for name in names if name.endswith(endings or "Z")]


def cut(path):
    os.truncate(path, os.path.getsize(path) // 2 // PAGE * PAGE)


# Each: what is done to the file of a broker that has ended.
DAMAGES = {
    "a header of garbage": lambda path: overwrite(path, b"\xa5" * 100),
    "a page in the middle": lambda path: overwrite(path, b"\xa5" * PAGE, os.path.getsize(path) // 2 // PAGE * PAGE),
    "half of it": cut,
    "a part of a page": lambda path: os.truncate(path, os.path.getsize(path) - 100),
    "zeros": lambda path: overwrite(path, bytes(os.path.getsize(path))),
    "a text": lambda path: overwrite(path, b"no database\n" * 10_000),
}


class Damaged(Case):
    def test_at_the_start_it_is_set_aside_and_the_bus_goes_on(self):
        self.start()
        agent = self.agent()
        self.promise(agent)
        self.put(agent, padding="x" * 50_000)
        self.assertEqual(self.broker.stop(), 0)
        sound = contents(self.file())
        for name, damage in DAMAGES.items():
            with self.subTest(name):
                for path in glob.glob(self.file() + "*"):
                    os.unlink(path)
                with open(self.file(), "wb") as file:
                    file.write(sound)
                damage(self.file())
                damaged = contents(self.file())
                self.start()
                self.assertRegex(self.broker.wait_for_log("store.set_aside"), r'store\.set_aside file=\S+\.corrupt-\d{8}T\d{6}Z')
                alert = self.wait_for_alert("store_file")
                (aside,) = self.set_aside()
                self.assertEqual(contents(aside), damaged, "not a byte of it was changed")
                self.assertIn(os.path.basename(aside), alert["text"])
                self.assertIn(f"sqlite3 {aside} .recover", alert["advice"])
                self.assertEqual((alert["kind"], alert["severity"]), ("store_trouble", "critical"))
                # It is a store as any other from here on.
                agent = self.agent()
                promised = self.promise(agent)
                self.broker.kill()
                self.start()
                self.check_promises(*promised)
                self.assertEqual(self.wait_for_alert("store_file")["alert"], alert["alert"], "it is the same alert")
                os.unlink(aside)
                self.put(self.agent(), kept=True)
                self.assertEqual(self.wait_for_alert("store_file", "resolved")["alert"], alert["alert"])
                self.check_promises(*promised)
                self.assertEqual(self.broker.stop(), 0)

    def test_a_log_without_its_database_is_set_aside(self):
        self.start()
        self.put(self.agent())
        self.broker.kill()
        log = contents(self.file() + "-wal")
        os.unlink(self.file())
        self.start()
        self.wait_for_alert("store_file")
        (aside,) = self.set_aside("-wal")
        self.assertEqual(contents(aside), log)

    def test_under_a_running_broker_all_that_it_knows_is_kept(self):
        self.start()
        agent = self.agent()
        promised = self.promise(agent)
        silence = self.caller.call("bus.alert", "silence.add", {"selector": {"ids": ["x/*"]}, "author": "eve", "for_ms": 3_600_000})
        # More than SQLite keeps in memory, of which some is in the file and some in its log.
        others = [self.agent(f"wall-{i}/0") for i in range(12)]
        for round_ in range(2):
            for other in others:
                self.put(other, round=round_, padding="x" * 300_000)
        for path in (self.file(), self.file() + "-wal"):
            size = os.path.getsize(path)
            self.assertGreater(size, 2 * PAGE)
            overwrite(path, b"\xa5" * (size - PAGE), PAGE)
        reply = self.caller.call("bus.manifest", "get", {"id": "wall-0/0", "revision": 1})
        self.assertEqual(reply.status, 507, reply)
        self.assertIn("it was set aside as", reply.error)
        self.subscriber.wait_for(is_alert("firing", "store_file"))
        self.assertEqual((len(self.set_aside()), len(self.set_aside("-wal"))), (1, 1))
        self.broker.wait_for_log("store.begun_anew records=")
        self.status_flows(agent)
        calls.ask_until(self.caller, "bus.manifest", "list", {}, lambda r: all(c["stored"] for c in r.result["compositors"]),
                        timeout_s=60)
        self.broker.kill()
        self.start()
        self.check_promises(*promised)
        known = self.caller.call("bus.manifest", "list").result["compositors"]
        self.assertEqual({c["id"]: (c["revision"], c["stored"]) for c in known},
                         {**{f"wall-{i}/0": (2, True) for i in range(12)}, ID: (1, True)})
        self.assertEqual([w["window"] for w in self.caller.call("bus.alert", "silence.list").result["windows"]],
                         [silence.result["window"]])
        self.wait_for_alert("store_file")

    def test_it_does_not_fill_the_disk_with_what_it_sets_aside(self):
        for i in range(SET_ASIDE_MAX):
            with open(f"{self.file()}.corrupt-2026010{i + 1}T000000Z", "wb") as file:
                file.write(b"earlier")
        with open(self.file(), "wb") as file:
            file.write(b"damaged")
        self.start()
        self.assertIn(f"{SET_ASIDE_MAX} damaged files are beside it already", self.broker.wait_for_log("store.warning"))
        self.wait_for_alert("store")
        agent = self.agent()
        self.status_flows(agent)
        self.assertIn("can't be set aside", self.put(agent, expect=507).error)
        self.assertEqual((contents(self.file()), len(self.set_aside())), (b"damaged", SET_ASIDE_MAX))
        os.unlink(self.set_aside()[0])
        self.put(agent)
        self.wait_for_alert("store", "resolved")
        self.assertEqual(contents(self.set_aside()[-1]), b"damaged")

    def test_what_is_not_damaged_is_refused(self):
        self.start()
        self.assertEqual(self.broker.stop(), 0)
        sound = contents(self.file())
        # The version of the schema and the number of the program. Source: sqlite.org/fileformat2.html
        for at, data, words in ((60, b"\x00\x00\x7f\x00", "written by a newer compositord"), (68, b"XXXX", "the database of another program")):
            with self.subTest(words):
                overwrite(self.file(), sound)
                overwrite(self.file(), data, at)
                self.refused(words)
        os.rename(self.file(), self.file() + ".good")
        os.mkdir(self.file())
        self.refused("Is a directory")
        self.assertEqual(self.set_aside(), [])

    def test_a_second_broker_does_not_take_a_damaged_file_from_the_first(self):
        self.start()
        self.put(self.agent())
        overwrite(self.file(), b"\xa5" * 100)
        self.refused("second compositord")
        self.assertEqual(self.set_aside(), [])

    def refused(self, words):
        broker = self.stack.enter_context(programs.Broker(self.folder, wait=False))
        self.assertGreater(broker.wait(), 0)
        self.assertIn(words, broker.err[-1])


class Small(Case):
    """On a file system of one megabyte, which goes with its mount namespace."""

    def setUp(self):
        super().setUp()
        user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
        holder = self.stack.enter_context(programs.Program(
            ["/usr/bin/unshare", *user, "--mount", "--propagation", "private", "/bin/sh", "-c",
             'mount -t tmpfs -o size=1m none "$0" && echo mounted && exec sleep infinity', self.folder]))
        holder.wait_for(lambda: holder.out == ["mounted"], "the file system")
        enter = ["/usr/bin/nsenter", "--target", str(holder.pid), "--mount"]
        self.launcher = [*enter, *(["--user", "--preserve-credentials"] if user else [])]
        self.inside = f"/proc/{holder.pid}/root{self.folder}"

    def file(self):
        return os.path.join(self.inside, "compositord.db")

    def remount(self, how):
        subprocess.run([*self.launcher, "/bin/mount", "-o", "remount," + how, self.folder], check=True, timeout=20)

    def fill(self):
        with open(os.path.join(self.inside, "filler"), "wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(PAGE))

    def test_a_disk_that_fills(self):
        self.start()
        agent = self.agent()
        promised = self.promise(agent)
        self.fill()
        other = self.agent(LATER)
        self.put(other, expect=507, padding="x" * 200_000)
        full = self.subscriber.wait_for(is_alert("firing", "store")).payload
        self.assertEqual((full["kind"], full["severity"]), ("store_trouble", "critical"))
        self.assertIn("disk is full", full["seen"])
        self.status_flows(agent)
        refused = self.caller.call("compositor/" + LATER, "output.scale", {"padding": "x" * 200_000}, queue=True)
        self.assertEqual(refused.status, 507, refused)
        self.check_promises(*promised)
        os.unlink(os.path.join(self.inside, "filler"))
        self.put(other, padding="y" * 200_000)
        self.assertEqual(self.subscriber.wait_for(is_alert("resolved", "store")).payload["alert"], full["alert"])
        self.broker.kill()
        self.start()
        self.check_promises(*promised)
        self.assertEqual(self.caller.call("bus.manifest", "get", {"id": LATER}).result["manifest"]["padding"], "y" * 200_000)

    def test_a_disk_that_is_full_at_the_start_and_damages_the_file(self):
        with open(self.file(), "wb") as file:
            file.write(b"damaged")
        self.fill()
        self.start()
        self.wait_for_alert("store")
        self.wait_for_alert("store_file")
        agent = self.agent()
        self.put(agent, expect=507)
        self.status_flows(agent)
        os.unlink(os.path.join(self.inside, "filler"))
        promised = self.promise(agent)
        self.wait_for_alert("store", "resolved")
        self.broker.kill()
        self.start()
        self.check_promises(*promised)

    def test_a_read_only_disk(self):
        self.start()
        promised = self.promise(self.agent())
        self.broker.signal(signal.SIGKILL)  # its log is left
        self.broker.wait()
        self.remount("ro")
        self.start()
        self.assertIn("can't be written", self.broker.wait_for_log("store.warning"))
        self.wait_for_alert("store")
        self.check_promises(*promised)
        agent = self.agent()
        self.status_flows(agent)
        self.put(agent, expect=507, later=True)
        self.remount("rw")
        self.put(agent, kept=True)
        self.wait_for_alert("store", "resolved")
        self.broker.kill()
        self.start()
        self.check_promises(*promised)

    def test_a_read_only_disk_with_a_damaged_file(self):
        with open(self.file(), "wb") as file:
            file.write(b"damaged")
        self.remount("ro")
        self.start()
        self.assertIn("the bus goes on from memory", self.broker.wait_for_log("store.warning"))
        agent = self.agent()
        self.put(agent, expect=507)
        self.status_flows(agent)
        self.remount("rw")
        promised = self.promise(agent)
        self.wait_for_alert("store", "resolved")
        self.wait_for_alert("store_file")
        self.broker.kill()
        self.start()
        self.check_promises(*promised)


if __name__ == "__main__":
    unittest.main(verbosity=2)
