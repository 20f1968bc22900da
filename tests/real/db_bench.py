# SPDX-License-Identifier: Apache-2.0
"""db_bench of RocksDB with four threads: it ends well, and its locks and threads are in the report."""
import re

from support.outcome import check, check_equal

LIMIT = 240
ARGUMENTS = ["--benchmarks=fillrandom,readrandom", "--threads=4", "--compression_type=none",
             "--disable_wal=0", "--seed=7", "--histogram=0"]


def db_bench(t, number, name, **options):
    return t.run([t.command("db_bench"), *ARGUMENTS, f"--num={number}", f"--db={t.folder}/{name}"],
                 limit=150, **options)


def summary(run):
    """What does not depend on time: benchmarks, operations found."""
    return re.findall(r"^(\w+) +:|\((\d+) of (\d+) found", run.stdout, re.M)


def test_four_threads(t):
    number = 20000
    native = db_bench(t, number, "bare", recorded=False)
    run = db_bench(t, number, "recorded", env={"INSPECT_OUTPUT": "db.zst"})
    check_equal([item[0] for item in summary(run)], [item[0] for item in summary(native)],
                "benchmarks run")
    check("inspect" not in run.stderr, f"stderr: {run.stderr[-500:]!r}")
    t.settle()
    report = t.report(t.trace("db.zst"))
    check(report.trace.complete, "complete")
    threads = [task for task in report.tasks if task.kind == "thread"]
    check(len(threads) >= 9, f"4 threads for each benchmark and the main one: {len(threads)}")
    check(report.memory.allocations > 4 * number, f"{report.memory.allocations} allocations")
    check(sum(lock.acquisitions for lock in report.locks) > 4 * number, "lock acquisitions")
    wrong = [item for item in report.deadlocks if item.verdict in ("actual", "feasible")]
    check_equal(wrong, [], "deadlocks in a program that ended well")


def test_threads_against_strace(t):
    """Every thread that the kernel started is one that the trace has seen created."""
    strace = f"{t.folder}/strace.out"
    t.run([t.command("strace"), "-f", "-e", "trace=clone,clone3", "-o", strace, "-E",
           f"LD_PRELOAD={t.library}", "-E", "INSPECT_OUTPUT=db.zst", t.command("db_bench"), *ARGUMENTS,
           "--num=500", f"--db={t.folder}/db"], recorded=False, limit=150)
    t.settle()
    with open(strace) as file:
        started = sum("CLONE_THREAD" in line and " = " in line for line in file)
    created = sum(event.event == "thread-create" and event.result == 0
                  for event in t.events(t.trace("db.zst")))
    # a call that strace splits over two lines says CLONE_THREAD in the first and its result in the other
    with open(strace) as file:
        started += sum("CLONE_THREAD" in line and "<unfinished" in line for line in file)
    check(started > 8, f"{started} threads started")
    check_equal(created, started, "thread-create against strace")
