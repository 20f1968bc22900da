# SPDX-License-Identifier: Apache-2.0
"""Threads that could run and had no processor: what the kernel told the program, the report says."""
from support.expect import find, near, one
from support.outcome import check, check_equal


def loop_threads(report):
    return [task for task in report.tasks if task.kind == "thread" and task.name == "loop_main"]


def test_more_loops_than_processors(t):
    run, report = t.recorded(["busy_loops"])
    truth, threads = run.truth, loop_threads(report)
    check_equal(len(threads), truth.loops, "threads of loops")
    for key in ("ran_ns", "runnable_ns"):
        total = sum(thread[key] for thread in threads)
        # Between the program's look and the recorder's a thread may still run, or wait to.
        check(near(total, truth[key], 2) or abs(total - truth[key]) < 50_000_000,
              f"{key}: {total}, the kernel told the program {truth[key]}")
        check_equal(sum(loop[key] for loop in report.loops), total, f"{key} of loops")
    lint = one(report.warnings, where="oversubscribed")
    check(f"{truth.loops} busy threads of loops on {truth.processors} processor" in lint.text,
          lint.text)
    check_equal(lint.severity, "info", "severity")
    warned = t.report(t.trace(), arguments=["--warn", "oversubscribed"])
    check_equal(one(warned.warnings, where="oversubscribed").severity, "warning", "with --warn")
    check("runnable, but not running" in t.text(t.trace()), "not in the text report")


def test_one_loop_is_not_oversubscribed(t):
    run, report = t.recorded(["busy_loops", "1"])
    thread = one(loop_threads(report))
    check(abs(thread.ran_ns - run.truth.ran_ns) < 50_000_000, f"{thread.ran_ns}: {run.truth}")
    if run.truth.processors > 1:
        check_equal(find(report.warnings, where="oversubscribed"), [], "lint")


def test_threads_that_lived_for_less_than_a_look(t):
    """Each says itself, as it ends, how long it was on a processor; for how long it had none nobody
    knows, and the report says so."""
    run, report = t.recorded(["short_threads"])
    threads = [task for task in report.tasks if task.name == "short_main"]
    check_equal(len(threads), len(run.truth.ran_ns), "threads")
    for thread, ran in zip(threads, run.truth.ran_ns):
        check(near(thread.ran_ns, ran, 2), f"on a processor {thread.ran_ns} ns, it counted {ran}")
    unknown = [thread for thread in threads if thread.runnable_ns is None]
    lines = [line for line in t.text(t.trace()).splitlines()
             if "short_main (" in line and " unknown " in line]
    check(unknown, "all were looked at within 30 ms")
    check_equal(len(lines), len(unknown), "threads whose waits for a processor are unknown")


def test_facts_on_request(t):
    """dump shows what the kernel counted, and all other facts, only with --facts."""
    t.recorded(["slow_handler"])
    facts = t.analyze("dump", "--facts", t.trace()).stdout
    plain = t.analyze("dump", t.trace()).stdout
    for kind in (" thread-scheduled tid=", " stack ", " module ", " property ", " clock ", " end "):
        check(kind in facts, f"no{kind}with --facts")
        check(kind not in plain, f"{kind} without --facts")
    lines = [line for line in facts.splitlines() if line in set(plain.splitlines())]
    check_equal(sorted(lines), sorted(plain.splitlines()), "events with --facts")
