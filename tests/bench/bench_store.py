#!/usr/bin/python3
"""A broker with many manifests: how soon after its start it answers, what it then holds in memory, and whether a question is
slower while the store commits. Exit status 1 when a start takes longer than promised. See tests/bench/README.md.

usage: bench_store.py --bin DIR [--manifests N] [--bytes N] [--starts N] [--questions N] [--json FILE] [--untimed]
"""

import argparse
import contextlib
import hashlib
import json
import multiprocessing
import os
import sqlite3
import sys
import time

import msgpack

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "support", "py"))
import calls  # noqa: E402
import programs  # noqa: E402

START_S_PROMISED = 1.0
PUTS_PER_S = 200
ROUNDS = 4


def canonical(value):
    if isinstance(value, dict):
        return {key: canonical(value[key]) for key in sorted(value)}
    return [canonical(item) for item in value] if isinstance(value, list) else value


def template(size):
    """As a compositor with some protocols and modes has it, not one long string: what takes time is the number of values."""
    manifest = calls.manifest()
    manifest["outputs"][0]["scale"] = 2
    while len(msgpack.packb(canonical(manifest))) < size:
        manifest["protocols"].append({"name": f"zwp_protocol_{len(manifest['protocols'])}_manager_v1", "version": 3})
    return canonical(manifest)


def fill(folder, count, size):
    """Into the file itself: what a broker would have written, without waiting for its answers."""
    with programs.Broker(folder) as broker:
        broker.stop()
    with contextlib.closing(sqlite3.connect(os.path.join(folder, "compositord.db"))) as db, db:
        manifest = template(size)
        for i in range(count):
            packed = msgpack.packb({**manifest, "version": f"1.{i}"})
            digest = hashlib.blake2b(packed, digest_size=16).hexdigest()
            name = f"wall-{i}/wayland-1"
            db.execute("INSERT INTO compositor VALUES (?, ?, ?, 1, 1700000000000, 1700000000000)", (name, packed, digest))
            db.execute("INSERT INTO label VALUES (?, 'site', 'berlin')", (name,))
            db.execute("INSERT OR IGNORE INTO manifest_content VALUES (?, ?)", (digest, packed))
            db.execute("INSERT INTO manifest_revision VALUES (?, 1, ?, 'weston', '1', 1700000000000)", (name, digest))


def resident_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return int(next(line.split()[1] for line in file if line.startswith("VmRSS")))


def start(folder, wanted):
    began = time.monotonic()
    with programs.Broker(folder) as broker, calls.Caller(broker.bus) as caller:
        reply = caller.call("bus.manifest", "get", {"id": wanted})
        took = time.monotonic() - began
        assert reply.status == 200 and reply.result["id"] == wanted, reply
        resident = resident_kib(broker.pid)
        broker.stop()
    return took, resident


def ask(caller, count, number):
    times = []
    for i in range(count):
        wanted = {"id": f"wall-{i % number}/wayland-1"}
        began = time.perf_counter()
        reply = caller.call("bus.manifest", "get", wanted)
        times.append((time.perf_counter() - began) * 1e6)
        assert reply.status == 200, reply
    return times


def percentiles(times):
    times = sorted(times)
    return {"p50_us": round(times[len(times) // 2]), "p99_us": round(times[int(len(times) * 0.99)])}


def put_until(done, came, puts, bus, size, changes):
    """In a process of its own. With changes each put is committed to the disk, without them it is answered all the same."""
    with calls.PythonAgent(bus, "busy/wayland-1") as agent:
        agent.come_online()
        agent.ask("manifest.put", {"manifest": calls.manifest(counter=0, padding="x" * size)})
        came.set()
        due = time.monotonic()
        while not done.is_set():
            puts.value += 1
            counter = puts.value if changes else 0
            reply = agent.ask("manifest.put", {"manifest": calls.manifest(counter=counter, padding="x" * size)})
            assert reply.status == 200, reply
            due = max(due + 1 / PUTS_PER_S, time.monotonic() - 0.1)
            done.wait(max(due - time.monotonic(), 0))


def ask_beside(bus, caller, count, number, size, changes):
    """The times of the questions, and how many puts were answered beside them."""
    processes = multiprocessing.get_context("spawn")
    done, came, puts = processes.Event(), processes.Event(), processes.Value("i", 0)
    putter = processes.Process(target=put_until, args=(done, came, puts, bus, size, changes))
    putter.start()
    try:
        assert came.wait(10), "the agent that puts manifests did not come online"
        times = ask(caller, count, number)
    finally:
        done.set()
        putter.join(10)
    assert putter.exitcode == 0, putter.exitcode
    return times, puts.value


def questions(folder, count, number, size):
    """What a commit costs a question is the difference between two loads that are alike but for the commits, in turns."""
    quiet, rival, busy = [], [], []
    changed = 0
    with programs.Broker(folder) as broker, calls.Caller(broker.bus) as caller:
        for _ in range(ROUNDS):
            quiet += ask(caller, count // ROUNDS, number)
            rival += ask_beside(broker.bus, caller, count // ROUNDS, number, size, False)[0]
            times, puts = ask_beside(broker.bus, caller, count // ROUNDS, number, size, True)
            busy += times
            changed += puts
    return {"quiet": percentiles(quiet), "beside_puts_that_change_nothing": percentiles(rival),
            "beside_puts_that_are_committed": {**percentiles(busy), "puts": changed}}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    parser.add_argument("--manifests", type=int, default=10_000)
    parser.add_argument("--bytes", type=int, default=4_096)
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--questions", type=int, default=5_000)
    parser.add_argument("--json")
    parser.add_argument("--untimed", action="store_true")
    options = parser.parse_args()
    os.environ["COMPOSITORD"] = os.path.join(options.bin, "compositord")
    with programs.temporary_folder() as folder:
        fill(folder, options.manifests, options.bytes)
        starts = [start(folder, f"wall-{options.manifests - 1}/wayland-1") for _ in range(options.starts)]
        result = {"manifests": options.manifests, "bytes": options.bytes,
                  "start_s": sorted(round(took, 3) for took, _ in starts),
                  "resident_mib": round(max(resident for _, resident in starts) / 1024, 1),
                  "get": questions(folder, options.questions, options.manifests, options.bytes)}
    print(json.dumps(result, indent=2))
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(result, file)
    late = result["start_s"][len(result["start_s"]) // 2] > START_S_PROMISED
    return int(late and not options.untimed)


if __name__ == "__main__":
    sys.exit(main())
