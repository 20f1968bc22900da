# SPDX-License-Identifier: Apache-2.0
"""Epoll sets shared, nested, inherited: turns, events and busy times are what the program measured."""
from support.expect import near, one, slack
from support.outcome import check, check_equal


def check_busy(report, loops, truth):
    busy = sum(loop.busy_ns for loop in loops)
    check(near(busy, truth.busy_ns, 2) or abs(busy - truth.busy_ns) <= slack(report),
          f"busy {busy} ns, the program measured {truth.busy_ns}")


def check_events(report, loops, truth):
    check_equal(sum(loop.events for loop in loops), truth.waits, "events")
    check_busy(report, loops, truth)


def test_several_threads_on_one_set(t):
    run, report = t.recorded(["loop_kinds", "shared"])
    loop = one(report.loops)
    check_events(report, [loop], run.truth)
    check_equal(len(loop.threads), run.truth.threads, "threads")
    task = one(report.tasks, kind="descriptor")
    check_equal(task.polls, run.truth.waits, "polls")
    pool = one(report.pools)
    check_equal([len(pool.threads), pool.waits_on], [3, f"epoll {run.truth.outer}"], "pool")


def test_one_descriptor_in_several_sets(t):
    """EPOLLEXCLUSIVE: one task, of which each loop has a part."""
    run, report = t.recorded(["loop_kinds", "exclusive"])
    check_equal(len(report.loops), run.truth.threads, "loops")
    check_events(report, report.loops, run.truth)
    check_equal(one(report.tasks, kind="descriptor").polls, run.truth.waits, "polls")
    check_equal(report.pools, [], "pools: each thread has its own set")


def test_set_in_a_set(t):
    run, report = t.recorded(["loop_kinds", "nested"])
    outer = one(report.loops, descriptor=run.truth.outer)
    inner = one(report.loops, descriptor=run.truth.inner)
    check_equal([outer.events, inner.events], [run.truth.events] * 2, "events")
    check_busy(report, [inner], run.truth)
    check_equal(one(report.tasks, what="loop").polls, run.truth.events, "polls of the inner set")
    check_equal(one(report.tasks, what="pipe").polls, run.truth.events, "polls of the pipe")


def test_copy_of_what_is_in_the_set(t):
    run, report = t.recorded(["loop_kinds", "copied"])
    check_events(report, report.loops, run.truth)
    task = one(report.tasks, what="pipe")
    check_equal([task.polls, task.reads], [run.truth.events] * 2, "polls and reads of the pipe")
    check_equal(task.ended_ns, None, "end of the pipe: its copy is open")


def test_set_from_before_a_fork(t):
    """The child's record begins after the set was made: the kernel says what is in it."""
    run = t.run(["loop_kinds", "inherited"])
    t.settle()
    traces = t.traces()
    check_equal(len(traces), 2, f"traces {traces}")
    reports = [t.report(trace) for trace in traces]
    child = one([report for report in reports if report.trace.pid != run.pid])
    loop = one(child.loops)
    check_events(child, [loop], run.truth)
    check_equal(loop.descriptor, run.truth.outer, "descriptor")
    task = one(child.tasks, kind="descriptor")
    check_equal([task.what, task.descriptor, task.site], ["pipe", run.truth.queue, "(inherited)"],
                "the task")
    check_equal([task.polls, task.reads], [run.truth.events] * 2, "polls and reads")
    parent = one([report for report in reports if report.trace.pid == run.pid])
    check_equal(one(parent.loops).events, 0, "events in the parent")
