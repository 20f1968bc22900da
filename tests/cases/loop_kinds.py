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


def check_balance(report, truth, ratio):
    """Each loop's share is what the program counted and measured; the first has so many times its
    even share."""
    events = sum(loop.events for loop in truth.loops)
    busy = sum(loop.busy_ns for loop in truth.loops)
    for known in truth.loops:
        balance = one(report.loops, descriptor=known.descriptor).balance
        check_equal(balance.loops, len(truth.loops), "loops made in its place")
        check(abs(balance.events_share - known.events / events) < 1e-4,
              f"{balance.events_share} of the events, the program counted {known.events} of {events}")
        check(abs(balance.busy_share - known.busy_ns / busy) < 0.05,
              f"{balance.busy_share} of busy time, the program measured {known.busy_ns} of {busy}")
        check(abs(balance.ratio - balance.events_share * balance.loops) < 1e-4, f"{balance}")
    check(abs(one(report.loops, descriptor=truth.loops[0].descriptor).balance.ratio - ratio) < 0.1,
          "ratio")


def test_one_loop_has_most_of_the_work(t):
    run, report = t.recorded(["loop_balance"])
    check_balance(report, run.truth, 2.8)
    loaded = one([loop for loop in report.loops if loop.balance.unbalanced])
    check_equal(loaded.descriptor, run.truth.loops[0].descriptor, "the loop that has it")
    check(f"unbalanced: loop {loaded.id} had 70 % of the events of the 4 loops made in make"
          in t.text(t.trace()), "not in the text")


def test_loops_that_share_the_work(t):
    run, report = t.recorded(["loop_balance", "even"])
    check_balance(report, run.truth, 1)
    check_equal([loop.id for loop in report.loops if loop.balance.unbalanced], [], "unbalanced")
    check("unbalanced" not in t.text(t.trace()), "in the text")


def test_one_loop_has_none_beside_it(t):
    _, report = t.recorded(["loop_kinds", "shared"])
    check_equal(one(report.loops).balance, None, "balance")
