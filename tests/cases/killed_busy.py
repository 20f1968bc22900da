# SPDX-License-Identifier: Apache-2.0
"""SIGKILL at any moment of a process that records as fast as it can: against its own counters, the
trace has every operation but at most the last of each thread, or counts it as lost."""
import os
import random
import struct
import time

from support.expect import sites_sum
from support.outcome import check, check_between, check_equal

LIMIT = 240
THREADS = 4
FIELDS = ("tid", "allocated", "freed", "locked", "unlocked")


def read_counters(path):
    """What each thread had done, from the mapping that outlived the process."""
    with open(path, "rb") as file:
        data = file.read()
    threads = []
    for i in range(THREADS):
        values = dict(zip(FIELDS, struct.unpack_from("5Q", data, i * 64)))
        if values["tid"]:
            threads.append(values)
    return threads


def lost(report, kind):
    return report.coverage.lost_by_kind.get(kind, 0)


def check_against(report, threads):
    slack = THREADS
    allocated = sum(thread["allocated"] for thread in threads)
    found = sites_sum(report, "counted_block", "allocations") + lost(report, "allocate")
    check_between(found, allocated - slack, allocated + slack, "allocations against the counters")
    locks = sorted(lock.acquisitions for lock in report.locks if lock.name.startswith("locks"))
    counted = sorted(thread["locked"] for thread in threads if thread["locked"])
    if lost(report, "lock-acquire") == 0:
        locks = [0] * (len(counted) - len(locks)) + locks
        for one, other in zip(locks[-len(counted):] if counted else [], counted):
            check_between(one, other - 1, other + 1, "acquisitions of one thread")
    else:
        check_between(sum(locks) + lost(report, "lock-acquire"), sum(counted) - slack,
                      sum(counted) + slack, "acquisitions and losses")


def kill_once(t, number, delay):
    """Starts, kills after `delay` s, and compares; gives the allocations that were counted."""
    name = f"run{number}"
    process = t.start(["counter", f"{name}.counters", str(THREADS)],
                      env={"INSPECT_OUTPUT": f"{name}.zst"})
    time.sleep(delay)
    run = t.kill(process)
    check_equal(run.stderr, "", "stderr")
    path = f"{t.folder}/{name}.counters"
    threads = read_counters(path) if os.path.exists(path) and os.path.getsize(path) else []
    if not threads:
        return 0  # killed before main: there may be a trace that nobody writes to
    if os.path.getsize(t.trace(f"{name}.zst")) == 0:
        t.settle()  # killed in its first moments: its writer is about to write the first block
    report = t.report(t.trace(f"{name}.zst"))
    check_against(report, threads)
    return sum(thread["allocated"] for thread in threads)


def test(t):
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    done = []
    for number in range(200 if t.long else 20):
        # a third in the first moments, start-up included
        delay = chance.uniform(0, 0.02) if number % 3 == 0 else chance.uniform(0.02, 0.3)
        try:
            done.append(kill_once(t, number, delay))
        except Exception as failure:
            failure.args = (f"seed {seed}, run {number}, killed after {delay:.4f} s: {failure}",)
            raise
        if done[-1]:
            t.settle()
        for path in t.traces(f"run{number}*"):
            t.remove(path)
    check(max(done) > 20000, f"the runs counted next to nothing: {done}")
