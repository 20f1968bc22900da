# SPDX-License-Identifier: Apache-2.0
"""A signal handler jumps out of a blocking read: the thread is not in it any more."""
from support.expect import one, sites_sum
from support.outcome import check_equal


def test(t):
    process = t.start("left_read")
    t.wait_for_line(process, "working")
    trace = t.trace()
    report = t.report(trace)
    t.kill(process)
    check_equal(sites_sum(report, "give_blocks", "allocations"), 10, "blocks of what came after")
    check_equal(one(report.tasks, kind="thread").state, "running", "state of the thread")
