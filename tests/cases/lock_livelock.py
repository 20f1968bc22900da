# SPDX-License-Identifier: Apache-2.0
"""Threads that try each other's locks in vain, and others that try locks for good reasons."""
from support.expect import has
from support.outcome import check, check_equal


def recorded(t, *arguments):
    t.run(["lock_livelock", *arguments], env={"INSPECT_OUTPUT": "t.zst"})
    t.settle()
    return t.report("t.zst")


def test_livelock(t):
    found = recorded(t).deadlocks
    check_equal([(d.verdict, d.kind) for d in found], [("hazard", "livelock")], "findings")
    legs = found[0].legs
    check_equal(sorted((leg.thread.name, leg.holds.lock, leg.wants.lock) for leg in legs),
                [("left", "left", "right"), ("right", "right", "left")], "legs")
    check_equal([leg["count"] for leg in legs], [3000, 3000], "tries")
    check(all(has(leg.wants.stack, "take_both") for leg in legs), "where")
    check("try each other's locks in vain" in t.text("t.zst").splitlines()[2], "verdict")


def test_no_livelock(t):
    for how in ("soon", "poll", "spin"):
        check_equal(recorded(t, how).deadlocks, [], how)
