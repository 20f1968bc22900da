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
