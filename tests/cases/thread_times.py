# SPDX-License-Identifier: Apache-2.0
"""Threads: who created them, what they did when, who woke them."""
from support.expect import find, has, near, one
from support.outcome import check, check_between, check_equal

PARTS = {"running": ["running"], "lock": ["lock"], "condition": ["condition"], "join": ["join"],
         "loop": ["epoll", "poll"]}


def check_parts(task):
    """The timeline has as much of each state as the thread had in all."""
    for part, states in PARTS.items():
        drawn = sum(task.timeline.get(part, [0]))
        total = sum(task.time_ns[state] for state in states)
        check(near(drawn, total, 1) or abs(drawn - total) < task.timeline.width_ns,
              f"{part} of {task.name}: drawn {drawn}, in all {total}")


def test_over_time(t):
    """Workers wait at first, work in the middle; the main thread created them."""
    run, report = t.recorded(["pool"])
    main = one(report.tasks, kind="thread", tid=run.pid)
    workers = [task for task in report.tasks if task.name == "worker_main"]
    check_equal([worker.parent for worker in workers], [main.id] * run.truth.workers, "creators")
    for task in [main, *workers]:
        check_parts(task)
    text = t.text(t.trace())
    lines = [line for line in text.splitlines() if "[" in line and "worker_main (" in line]
    check_equal(len(lines), run.truth.workers, "lines over time")
    check(all("R" in line and "c" in line and f"main ({run.pid})" in line for line in lines), lines)


def test_who_woke_whom(t):
    run, report = t.recorded(["pool"])
    signals = [row for row in report.wakers if row.how == "condition" and
               has(row.stack, "give_job")]
    check(signals, "no signal of give_job")
    check(all(row.by.name == "main" and row.woken.name == "worker_main" for row in signals),
          f"{signals}")
    check_between(sum(row.count for row in signals), 1, run.truth.jobs, "wake-ups")
    created = find(report.wakers, how="create")
    check_equal(sum(row.count for row in created), run.truth.workers, "created")
    check("Who woke whom" in t.text(t.trace()), "not in the text")
