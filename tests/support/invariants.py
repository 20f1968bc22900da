# SPDX-License-Identifier: Apache-2.0
"""What holds of every report, whatever was recorded: checked of each that a test asks for."""
from .outcome import Failure


def lived(report, task):
    end = report.trace.duration_ns if task.ended_ns is None else task.ended_ns
    return end - task.created_ns


def states_of(task):
    """A task's time by state; a thread's are finer."""
    if task.kind == "thread":
        return task.time_ns
    return {name: task[f"{name}_ns"] for name in ("running", "scheduled", "idle", "blocked")}


def check_states(report):
    """The states of a task take up its life, no more and no less."""
    for task in report.get("tasks", ()):
        states, life = states_of(task), lived(report, task)
        if sum(states.values()) != life:
            raise Failure(f"states of {task.name} are {sum(states.values())} ns of its life of "
                          f"{life}: {dict(states)}")


def check_timelines(report):
    """So do the pieces of a thread's timeline, up to a nanosecond each for rounding."""
    for task in report.get("tasks", ()):
        timeline = task.get("timeline")
        if not timeline:
            continue
        drawn = sum(sum(parts) for name, parts in timeline.items() if name != "width_ns")
        if abs(drawn - lived(report, task)) > 64:
            raise Failure(f"the timeline of {task.name} has {drawn} ns of its life of "
                          f"{lived(report, task)}")


def check_report(report):
    check_states(report)
    check_timelines(report)
