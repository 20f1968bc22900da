# SPDX-License-Identifier: Apache-2.0
"""Loops at random: whatever they do, the states of every task, thread or descriptor, take up its life,
and no event is counted twice. (What holds of every report is checked of each: support/invariants.)"""
import os

from support.drawing import check_drawing, load
from support.outcome import check, check_equal

SEEDS, SEEDS_LONG = (7, 8), range(100, 140)


def check_seed(t, seed):
    run = t.run(["random_loops", str(seed)])
    t.settle()
    reports = [t.report(trace) for trace in t.traces()]
    check_equal(len(reports), 2, "the program's trace and its child's")
    report = next(report for report in reports if report.trace.pid == run.pid)
    check_equal(report.coverage.lost_by_kind, {}, "lost")
    found = sum(loop.events for loop in report.loops if loop.kind == "epoll")
    check_equal(found, run.truth.epoll_events, f"events of epoll, seed {seed}")
    polled = sum(loop.events for loop in report.loops if loop.kind == "poll")
    # the first wait at a place is no loop yet, and take() asks whether there is something
    check(polled >= run.truth.poll_events * 0.9 - 50, f"events of poll: {polled}, {run.truth}")
    drawing = os.path.join(t.folder, "drawing.json")
    for trace in t.traces():
        t.analyze("export", "--to", "perfetto", "-o", drawing, trace)
        check_drawing(load(drawing))
    for loop in report.loops:
        check(loop.busy_ns + loop.idle_ns <= report.trace.duration_ns * len(loop.threads),
              f"loop {loop.id} has more than the time of its threads: {loop.busy_ns}, {loop.idle_ns}")
    for trace in t.traces():
        t.remove(trace)


def test_states_at_random(t):
    for seed in SEEDS_LONG if t.long else SEEDS:
        check_seed(t, seed)
