# SPDX-License-Identifier: Apache-2.0
"""What is between processes: locks that they share, and those that a child inherits."""
import os
import signal
import time

from support.outcome import check, check_equal
from support.recording import parse

LIMIT = 60


def analysed(t, *arguments):
    run = t.run([t.analyzer, "--format", "json", *arguments], recorded=False)
    return parse(run.stdout)


def legs_of(deadlock):
    return sorted((leg.thread.pid, leg.holds.lock[:12], leg.wants.lock[:12]) for leg in deadlock.legs)


def hang(t, *command):
    """A program that hangs with its child: the process and the child's pid."""
    process = t.start(list(command), env={"INSPECT_OUTPUT": "x.zst"})
    lines = t.wait_for_hang(process)
    time.sleep(0.3)  # the line comes before the call that hangs
    child = next(int(line.split()[1]) for line in lines if line.startswith("child "))
    return process, child


def end(t, process, child):
    os.kill(child, signal.SIGKILL)
    t.kill(process)
    t.settle()


def check_abba(found, verdict, pids):
    check_equal([d.verdict for d in found.between.deadlocks], [verdict], "between the processes")
    check_equal(legs_of(found.between.deadlocks[0]),
                sorted([(pids[0], "mutex at +0 ", "mutex at +40"),
                        (pids[1], "mutex at +40", "mutex at +0 ")]), "legs")
    check_equal([trace.deadlocks for trace in found.traces], [[], []], "of one process alone")


def test_order_across_two_processes(t):
    run = t.run(["lock_two_processes"], env={"INSPECT_OUTPUT": "x.zst"})
    t.settle()
    traces = [os.path.join(t.folder, name) for name in sorted(os.listdir(t.folder))
              if name.endswith(".zst")]
    check_equal(len(traces), 2, "traces")
    found = analysed(t, "--all-processes", traces[-1])
    pids = [run.pid, next(pid for pid in found.between.processes if pid != run.pid)]
    check_abba(found, "feasible", pids)
    check_equal(analysed(t, *traces).between.deadlocks[0].cycle, found.between.deadlocks[0].cycle,
                "the same with both traces given")
    check("between" not in analysed(t, traces[0]), "one trace alone")
    for status, kind in ((1, "potential-deadlock"), (0, "deadlock")):
        t.run([t.analyzer, "--all-processes", "--fail-on", kind, traces[0]], recorded=False,
              status=status)


def test_hang_across_two_processes(t):
    process, child = hang(t, "lock_two_processes", "hang")
    path = os.path.join(t.folder, "x.zst")
    try:
        check_abba(analysed(t, "--all-processes", path), "actual", [process.pid, child])
    finally:
        end(t, process, child)
    check_abba(analysed(t, "--all-processes", path), "actual", [process.pid, child])
    check(f"thread {child} of another process holds it: see --all-processes" in t.text(path),
          "one trace alone says where to look")
    lines = t.run([t.analyzer, "--all-processes", path], recorded=False).stdout.splitlines()
    check("DEADLOCK: " in lines[2] and str(child) in lines[2], f"it comes first: {lines[:3]}")


def test_contention_between_processes(t):
    """Who held it is known to the child's trace alone, who waited to the parent's: together they tell."""
    run = t.run(["shared_contention"], env={"INSPECT_OUTPUT": "x.zst"})
    t.settle()
    truth = dict(pair.split("=") for pair in run.stdout.split())
    path = os.path.join(t.folder, "x.zst")
    found = analysed(t, "--all-processes", path).between
    check_equal(len(found.locks), 1, "locks that they share")
    lock = found.locks[0]
    check_equal(lock.contended, int(truth["waits"]), "waits")
    check(abs(lock.wait_ns.total / int(truth["waited_ns"]) - 1) < 0.02, f"{lock.wait_ns} {truth}")
    check(lock.holders_by_site[0].site.startswith("hold (") and
          lock.holders_by_site[0].site.endswith(f" in shared_contention {truth['child']}"),
          lock.holders_by_site[0].site)
    check(lock.holders_by_site[0].total_ns > 0.9 * lock.wait_ns.total, "charged to it")
    lines = t.run([t.analyzer, "--all-processes", path], recorded=False).stdout.splitlines()
    check("contention: " in lines[2] and f"in shared_contention {truth['child']}" in lines[2], lines[2])
    check("it is shared between processes: see --all-processes" in t.text(path), "one trace alone")
    t.run([t.analyzer, "--all-processes", "--fail-on", "contention", path], recorded=False, status=1)


def test_lock_inherited_through_fork(t):
    process, child = hang(t, "fork_inherited_hang")
    try:
        found = analysed(t, os.path.join(t.folder, f"x.{child}.zst"))
    finally:
        end(t, process, child)
    for report in (found, analysed(t, os.path.join(t.folder, f"x.{child}.zst"))):
        check_equal([(d.verdict, d.kind) for d in report.deadlocks], [("actual", "orphan")],
                    "deadlocks of the child")
        check_equal(report.deadlocks[0].legs[0].wants.lock, "journal", "lock")
        check("at the fork" in report.deadlocks[0].reason, report.deadlocks[0].reason)
    text = t.text(os.path.join(t.folder, f"x.{child}.zst"))
    check("of the parent process held at the fork" in text.splitlines()[2], text[:600])
    check_equal(analysed(t, os.path.join(t.folder, "x.zst")).deadlocks, [], "of the parent")
