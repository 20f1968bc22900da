# SPDX-License-Identifier: Apache-2.0
"""What export writes opens as Chrome's JSON, and shows what the report says."""
import os

from support.drawing import check_drawing, load
from support.outcome import check, check_between, check_equal


def exported(t):
    """What viewers take, checked as they would."""
    path = os.path.join(t.folder, "out.json")
    t.analyze("export", "--to", "perfetto", "-o", path, t.trace())
    events = load(path)
    check_drawing(events)
    return events


def spans(events, group):
    return [event for event in events if event["ph"] == "X" and event["pid"] == group]


def named(events, what):
    return {(event["pid"], event["tid"]): event["args"]["name"]
            for event in events if event["ph"] == "M" and event["name"] == what}


def test_perfetto_of_a_loop(t):
    """Turns and tasks of a loop, with the durations that the report has."""
    t.run(["tasks"])
    report, events = t.report(t.trace()), exported(t)
    check_equal(set(named(events, "process_name").values()), {"threads", "event loops", "tasks"},
                "groups")
    turns, loop = spans(events, 2), report.loops[0]
    check_equal(len(turns), loop.turns, "turns")
    check_between(sum(turn["dur"] for turn in turns) * 1000, loop.busy_ns * 0.999,
                  loop.busy_ns * 1.001, "busy")
    names = named(events, "thread_name")
    for task in report.tasks:
        if task.kind != "descriptor" or not task.polls:
            continue
        drawn = [span for span in spans(events, 3) if names[3, span["tid"]] == task.name]
        check_equal(len(drawn), task.polls, f"polls of {task.name}")
        total = task.running_ns + task.blocked_ns
        check_between(sum(span["dur"] for span in drawn) * 1000, total * 0.999, total * 1.001,
                      task.name)


def test_perfetto_of_waits(t):
    """Waits of threads, and an arrow from each signal to the thread that it woke."""
    t.run(["pool"])
    report, events = t.report(t.trace()), exported(t)
    waits = [span for span in spans(events, 1) if span["name"] == "waiting for a condition"]
    total = sum(task.time_ns.condition for task in report.tasks if task.kind == "thread")
    check_between(sum(span["dur"] for span in waits) * 1000, total * 0.99, total * 1.01, "waits")
    begins = [event["id"] for event in events if event["ph"] == "s"]
    ends = [event["id"] for event in events if event["ph"] == "f"]
    check(begins, "no arrows")
    check_equal(begins, ends, "arrows")
    check(any(event["ph"] == "C" for event in events), "no counter")
    check_equal(t.analyze("export", t.trace(), status=2).stdout, "", "stdout without --to")


def test_perfetto_of_shared_tasks(t):
    """Threads that have one descriptor at once, and sets in sets: no span reaches over another."""
    t.run(["loop_kinds", "shared"])
    events = exported(t)
    report = t.report(t.trace())
    task = next(task for task in report.tasks if task.kind == "descriptor")
    drawn = sum(span["dur"] for span in spans(events, 3)) * 1000
    total = task.running_ns + task.blocked_ns
    check_between(drawn, total * 0.999, total * 1.001, "of the task")
