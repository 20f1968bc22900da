# SPDX-License-Identifier: Apache-2.0
"""What export writes opens as Chrome's JSON, and shows what the report says."""
import json
import os

from support.outcome import check, check_between, check_equal


def exported(t):
    path = os.path.join(t.folder, "out.json")
    t.analyze("export", "--to", "perfetto", "-o", path, t.trace())
    with open(path, encoding="utf-8") as file:
        return json.load(file)["traceEvents"]


def spans(events, group):
    return [event for event in events if event["ph"] == "X" and event["pid"] == group]


def named(events, what):
    return {(event["pid"], event["tid"]): event["args"]["name"]
            for event in events if event["ph"] == "M" and event["name"] == what}


def check_arrows(events):
    """Each end of an arrow lies in a span of its track, or viewers leave the arrow out."""
    at = {}
    for event in events:
        if event["ph"] in "sf":
            spans_there = [span for span in spans(events, event["pid"]) if span["tid"] == event["tid"]]
            check(any(span["ts"] - 1e-6 <= event["ts"] <= span["ts"] + span["dur"] + 1e-6
                      for span in spans_there), f"outside of any span: {event}")
            at.setdefault(event["id"], []).append(event["ts"])
    check(all(len(ends) == 2 and ends[0] <= ends[1] for ends in at.values()), "an arrow backwards")


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
    check_arrows(events)
    check(any(event["ph"] == "C" for event in events), "no counter")
    check_equal(t.analyze("export", t.trace(), status=2).stdout, "", "stdout without --to")
