# SPDX-License-Identifier: Apache-2.0
"""Blocking calls that are left without coming back: whoever has gone on is not in them any more."""
import json

from support.expect import one, sites_sum
from support.outcome import check_between, check_equal


def test(t):
    """A signal handler jumps out of a read."""
    process = t.start("left_read")
    t.wait_for_line(process, "working")
    trace = t.trace()
    report = t.report(trace)
    t.kill(process)
    check_equal(sites_sum(report, "give_blocks", "allocations"), 10, "blocks of what came after")
    check_equal(one(report.tasks, kind="thread").state, "running", "state of the thread")


def test_cancelled(t):
    """Threads are cancelled in calls of all kinds, or end in a signal handler, and are cleaning up."""
    process = t.start("cancelled_waits", env={"INSPECT_OUTPUT": "run.zst"})
    measured = json.loads(t.wait_for_line(process, "{")[-1])
    report = t.report(t.trace("run.zst"))
    t.kill(process)
    for name, (asked, left) in measured.items():
        task = one(report.tasks, kind="thread", name=name)
        check_equal(task.state, "running", f"state of {name}")
        check_between(task.blocked_ns + task.idle_ns, asked // 2, left + 1_000_000, f"wait {name}")
