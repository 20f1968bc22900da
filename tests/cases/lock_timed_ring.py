# SPDX-License-Identifier: Apache-2.0
"""Three threads, one of which waits with a time limit: told as two threads are."""
from support.outcome import check, check_equal


def recorded(t, *arguments):
    t.run(["lock_timed_ring", *arguments], env={"INSPECT_OUTPUT": "t.zst"})
    t.settle()
    found = t.report("t.zst").deadlocks
    check_equal(len(found), 1, "findings")
    check_equal([leg.wants.lock for leg in found[0].legs], ["ring[1]", "ring[2]", "ring[0]"], "wants")
    check_equal([leg.holds.lock for leg in found[0].legs], ["ring[0]", "ring[1]", "ring[2]"], "holds")
    return found[0]


def test_until_the_limit(t):
    found = recorded(t)
    check_equal((found.verdict, found.kind), ("actual", "lock-order"), "verdict")
    check(found.over_ns - found.legs[0].first_ns >= 900_000_000, f"over at {found.over_ns}")


def test_apart(t):
    found = recorded(t, "apart")
    check_equal((found.verdict, found.kind), ("potential", "lock-order"), "verdict")
    check(any("time limit" in doubt for doubt in found.why_not_ruled_out), "bounded")
    check(any("can be reordered so that they wait" in doubt for doubt in found.why_not_ruled_out), "how")
    check_equal(len(found.schedule), 6, "schedule")
