# SPDX-License-Identifier: Apache-2.0
"""Many connections and events: memory grows with those that are there, not with what they did."""
import os
import subprocess

from support.drawing import check_drawing, load
from support.outcome import check, check_between, check_equal

TEXT = ["--report", "summary,loops,tasks"]


def analyse(t, *arguments):
    """What inspect-analyze printed, its seconds of CPU and its greatest memory in KiB."""
    with subprocess.Popen([t.analyzer, *arguments, t.trace()], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True, cwd=t.folder) as process:
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    check_equal(process.returncode, 0, "status")
    return output, usage.ru_utime + usage.ru_stime, usage.ru_maxrss


def recorded(t, tasks, events):
    run = t.run(["many_tasks", str(tasks), str(events)], limit=500)
    t.settle()
    return run.truth


def measure(t, tasks, events):
    truth = recorded(t, tasks, events)
    output, seconds, memory = analyse(t, *TEXT)
    check(f"{tasks:,} descriptors" in output, f"not all tasks in {output[:2000]}")
    line = next(line for line in output.splitlines() if line.lstrip().startswith("1 (epoll"))
    check(f"{truth.turns:,}" in line and f"{truth.events:,}" in line, f"{line}: {truth}")
    print(f"# {tasks} tasks, {4 * truth.events} events: {seconds:.1f} s of CPU, {memory // 1024} MiB")
    return memory


def test_memory_is_that_of_the_tasks(t):
    tasks, events = (100_000, 2_500_000) if t.long else (5_000, 25_000)
    few = measure(t, tasks, events // 4)
    t.remove(t.trace())
    many = measure(t, tasks, events)
    check_between(many, 1, few * 1.1 + 8192, f"KiB, with {events} events; with a fourth of them {few}")
    check_between(many, 1, 64 * 1024 + tasks * 4, "KiB")


def test_drawing_is_bounded(t):
    """Whatever was recorded, what perfetto is given opens: 20 MB, of whole and nested spans."""
    truth = recorded(t, 2_000 if not t.long else 100_000, 200_000 if not t.long else 2_500_000)
    path = os.path.join(t.folder, "out.json")
    t.analyze("export", "--to", "perfetto", "-o", path, t.trace(), limit=300)
    check_between(os.path.getsize(path), 1000, 20e6, "bytes")
    events = load(path)
    check_drawing(events)
    merged = sum(event.get("args", {}).get("merged", 1) for event in events
                 if event["ph"] == "X" and event["pid"] == 2)
    check_equal(merged, truth.turns, "turns, the merged ones counted")
