# SPDX-License-Identifier: Apache-2.0
"""Rust programs as they come: their locks are futex words, of which no owner is claimed."""
import os

from support.outcome import check, check_equal

LIMIT = 120


def tree(t):
    """A few hundred files, some of which hold the word."""
    for number in range(300):
        folder = os.path.join(t.folder, "tree", str(number % 20))
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, f"{number}.txt"), "w", encoding="utf-8") as file:
            file.write("hay\n" * 50 + ("needle\n" if number % 3 == 0 else ""))
    return os.path.join(t.folder, "tree")


def same_and_silent(t, command):
    native = t.run_native(command)
    run = t.run(command, env={"INSPECT_OUTPUT": "x.zst"})
    check_equal((sorted(run.stdout.splitlines()), run.stderr),
                (sorted(native.stdout.splitlines()), native.stderr), "output")
    t.settle()
    report = t.report(os.path.join(t.folder, "x.zst"))
    check_equal(report.deadlocks, [], "deadlocks")
    check(len([task for task in report.tasks if task.kind == "thread"]) > 1, "its threads are seen")
    return report


def test_ripgrep(t):
    report = same_and_silent(t, [t.command("rg"), "--threads", "4", "needle", tree(t)])
    check_equal([lock for lock in report.locks if lock.kind == "futex"], [], "no futex is a lock")


def test_fd(t):
    same_and_silent(t, [t.command("fdfind"), "--threads", "4", "txt", tree(t)])
