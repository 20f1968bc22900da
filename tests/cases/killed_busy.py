# SPDX-License-Identifier: Apache-2.0
"""The end, of whatever kind, at any moment of a process that records as fast as it can: against its
own counters, the trace has every operation but at most the last of each thread, or counts it as
lost."""
import os
import random
import signal
import struct
import subprocess
import time

from support.expect import sites_sum
from support.outcome import check, check_between, check_equal
from support.writers import writers_of

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


def counted(t, name):
    return sum(thread["allocated"] for thread in read_counters(f"{t.folder}/{name}.counters"))


def lost(report, kind):
    return report.coverage.lost_by_kind.get(kind, 0)


def unnamed(report):
    """Allocations whose stack went with the beginning of a ring that no writer had taken in yet."""
    if not any("that the trace does not define" in one.text for one in report.warnings):
        return 0
    return sum(site.allocations for site in report.memory.sites if not site.stack)


def check_against(report, threads, others):
    slack = THREADS
    allocated = sum(thread["allocated"] for thread in threads)
    found = (sites_sum(report, "counted_block", "allocations") + lost(report, "allocate") +
             unnamed(report))
    check_between(found, allocated - slack, allocated + slack + others, "allocations against the counters")
    locks = sorted(lock.acquisitions for lock in report.locks if lock.name.startswith("locks"))
    counted = sorted(thread["locked"] for thread in threads if thread["locked"])
    if lost(report, "lock-acquire") == 0:
        locks = [0] * (len(counted) - len(locks)) + locks
        for one, other in zip(locks[-len(counted):] if counted else [], counted):
            check_between(one, other - 1, other + 1, "acquisitions of one thread")
    else:
        check_between(sum(locks) + lost(report, "lock-acquire"), sum(counted) - slack,
                      sum(counted) + slack, "acquisitions and losses")


def start(t, name, *how, **options):
    return t.start(["counter", f"{name}.counters", str(THREADS), *how],
                   env={"INSPECT_OUTPUT": f"{name}.zst"}, **options)


def kill_once(t, number, delay):
    """Starts, kills after `delay` s, and compares; gives the allocations that were counted."""
    name = f"run{number}"
    process = start(t, name)
    time.sleep(delay)
    run = t.kill(process)
    check_equal(run.stderr, "", "stderr")
    return compare(t, name)


def compare(t, name, trace=None, others=0):
    """The trace of `name` against its counters; gives the allocations that were counted. `others`:
    how many the program makes besides, that may be among those that were lost."""
    path = f"{t.folder}/{name}.counters"
    threads = read_counters(path) if os.path.exists(path) and os.path.getsize(path) else []
    if not threads:
        return 0  # killed before main: there may be a trace that nobody writes to
    trace = t.trace(trace or f"{name}.zst")
    if os.path.getsize(trace) == 0:
        t.settle()  # killed in its first moments: its writer is about to write the first block
    report = t.report(trace)
    check_against(report, threads, others)
    return counted(t, name)


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


# how -> (what it is sent, its status)
ENDS = {"_exit": (signal.SIGUSR1, 7), "quick_exit": (signal.SIGUSR1, 7),
        "abort": (signal.SIGUSR1, -signal.SIGABRT), "crash": (signal.SIGUSR1, -signal.SIGSEGV),
        "exec": (signal.SIGUSR1, 0), "term": (signal.SIGTERM, -signal.SIGTERM)}


def end_at_random(t, how):
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    for number in range(30 if t.long else 2):
        name = f"{how}{number}"
        process = start(t, name, how)
        t.wait_for_line(process, "counting")
        time.sleep(chance.uniform(0, 0.15))
        sent, status = ENDS[how]
        run = t.kill(process, sent)
        check_equal((run.status, run.stderr), (status, ""), f"status and stderr, seed {seed}")
        t.settle()
        check(compare(t, name, f"{name}.*.1.zst" if how == "exec" else None) > 0, f"seed {seed}")
        for path in t.traces(f"{name}*"):
            t.remove(path)


def define(how):
    globals()["test_" + how.lstrip("_")] = lambda t: end_at_random(t, how)


for ending in ENDS:
    define(ending)


def test_writer_killed(t):
    """The writer at any moment, and the program some time after it."""
    for number in range(30 if t.long else 3):
        name = f"writer{number}"
        process = start(t, name)
        t.wait_for_line(process, "counting")
        time.sleep(random.uniform(0, 0.1))
        t.wait_until(lambda: writers_of(t), "the writer to have its name", limit=5)
        writers = writers_of(t)
        check_equal(len(writers), 1, "writers")
        os.kill(writers[0], signal.SIGKILL)
        time.sleep(random.uniform(0, 0.1))
        t.kill(process)
        check(compare(t, name) > 0, "nothing was counted")
        for path in t.traces(f"{name}*"):
            t.remove(path)


def test_no_writer(t):
    """All that there is stands in the rings, which have gone round many times: every event that is
    left has its stack, and a time."""
    process = start(t, "alone", "wait", stdin=subprocess.PIPE)
    t.wait_for_line(process, "waiting")
    t.wait_until(lambda: writers_of(t), "the writer to have its name", limit=5)
    writer, = writers_of(t)
    os.kill(writer, signal.SIGKILL)
    t.wait_until(lambda: not writers_of(t), "the writer to be gone", limit=5)
    process.stdin.close()
    process.stdin = None  # for communicate
    t.wait_for_line(process, "counting")
    t.wait_until(lambda: counted(t, "alone") > 200000, "the rings to go round", limit=60)
    time.sleep(random.uniform(0, 0.1))
    t.kill(process)
    # those of the two streams, and of the threads' local storage
    check(compare(t, "alone", others=2 + THREADS - 1) > 200000, "next to nothing was counted")
    report = t.report(t.trace("alone.zst"))
    check_equal(unnamed(report), 0, "allocations without their stack")
    check(sites_sum(report, "counted_block", "allocations") > THREADS * 1000, "nothing was kept")
    check_equal([one.text for one in report.warnings if "clock" in one.text or "define" in one.text], [], "warnings")
    check_between(report.trace.duration_ns, 0.01e9, 60e9, "its duration")


def test_writer_killed_behind_a_block(t):
    """Between the file and the ring: the owner drops what the file has already, and it is not lost."""
    process = start(t, "behind")
    t.wait_for_line(process, "counting")
    t.wait_until(lambda: writers_of(t), "the writer to have its name", limit=5)
    writer, = writers_of(t)
    holding = t.start([t.command("strace"), "-o", f"{t.folder}/calls", "-p", str(writer), "-e",
                       "trace=pwrite64", "-e", "inject=pwrite64:delay_exit=60000000"],
                      recorded=False)
    t.wait_until(lambda: os.path.exists(f"{t.folder}/calls") and os.path.getsize(f"{t.folder}/calls"),
                 "the writer to be behind a write", limit=20)
    os.kill(writer, signal.SIGKILL)
    holding.kill()
    holding.communicate(timeout=10)
    time.sleep(0.2)
    t.kill(process)
    check(compare(t, "behind") > 20000, "next to nothing was counted")


def test_writer_killed_after_a_full_disk(t):
    """What it threw away since its trace had stopped is counted where it does not go with it."""
    process = start(t, "full")
    t.wait_for_line(process, "counting")
    t.wait_until(lambda: writers_of(t), "the writer to have its name", limit=5)
    writer, = writers_of(t)
    filling = t.start([t.command("strace"), "-o", f"{t.folder}/calls", "-p", str(writer), "-e",
                       "trace=pwrite64", "-e", "inject=pwrite64:error=ENOSPC"], recorded=False)
    t.wait_until(lambda: os.path.exists(f"{t.folder}/calls") and os.path.getsize(f"{t.folder}/calls"),
                 "the writer to be refused", limit=20)
    time.sleep(0.2)
    os.kill(writer, signal.SIGKILL)
    filling.communicate(timeout=10)
    time.sleep(random.uniform(0, 0.1))
    t.kill(process)
    check(compare(t, "full") > 20000, "next to nothing was counted")
    check(lost(t.report(t.trace("full.zst")), "allocate") > 10000, "nothing was thrown away")


def test_killed_before_the_writer(t):
    """As it is about to make the child that makes all else: there is nothing, or a whole trace."""
    t.run([t.command("strace"), "-o", "/dev/null", "-e", "trace=clone", "-e",
           "inject=clone:signal=KILL:when=1", "-E", f"LD_PRELOAD={t.library}", "-E",
           "INSPECT_OUTPUT=run.zst", t.program("leaks")], recorded=False, status=-signal.SIGKILL)
    check_left(t)


def check_left(t):
    """What is left of killed processes: whole traces, nothing empty, no rings."""
    t.settle()
    for path in t.traces():
        check(os.path.getsize(path) > 0, f"{path} is empty")
        check("damaged        no" in (info := t.analyze("info", path).stdout), info)


def test_killed_at_the_start(t):
    """At any moment of its first milliseconds."""
    for number in range(1000 if t.long else 60):
        process = t.start(["sleep", "5"], env={"INSPECT_OUTPUT": f"{number}.zst"})
        end = time.monotonic() + random.uniform(0, 0.005)
        while time.monotonic() < end:
            pass
        t.kill(process)
    time.sleep(0.2)  # a child that makes the files may have been on its way
    check_left(t)
    check(len(t.traces()) > 5, "all were killed before they began to record")
