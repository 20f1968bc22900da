# SPDX-License-Identifier: Apache-2.0
"""Locks that are destroyed, or whose memory is freed, while they are in use."""
from support.expect import has
from support.outcome import check, check_equal

REFUSED, DESTROYED, FREED = "failed with EBUSY", "was destroyed", "given back"
WAYS = {"mutex": (REFUSED, "end_account", "use_account"),
        "own": (REFUSED, "end_account", "main"),
        "rwlock": (DESTROYED, "end_lock", "read_table"),
        "c11": (REFUSED, "end_lock", "use_plain"),
        "freed": (FREED, None, "use_account"),
        "waited": (FREED, None, "run_worker")}


def recorded(t, how, **settings):
    t.run(["lock_destroyed", how], env={**settings, "INSPECT_OUTPUT": "t.zst"})
    t.settle()
    return t.report("t.zst")


def check_way(report, how):
    why, by, user = WAYS[how]
    check_equal([(d.verdict, d.kind) for d in report.deadlocks], [("hazard", "destroyed")], how)
    found = report.deadlocks[0]
    check(why in found.reason, f"{how}: {found.reason}")
    check(not by or has(found.legs[0].wants.stack, by), f"{how}: who ended it {found.legs[0]}")
    check(has(found.legs[1].holds.stack, user), f"{how}: who held it {found.legs[1]}")
    check_equal(found.legs[0].thread.name, "main", how)
    holder = "main" if how in ("own", "waited") else "worker"
    check_equal(found.legs[1].thread.name, holder, how)


def test_in_use(t):
    for how in WAYS:
        check_way(recorded(t, how), how)
    found = recorded(t, "waited").deadlocks[0]
    check_equal([b.thread.name for b in found.bystanders], ["worker"], "who waits for ever")


def test_without_a_record_of_blocks(t):
    check_way(recorded(t, "freed", INSPECT_ALLOCATIONS="0"), "freed")


def test_after_use(t):
    check_equal(recorded(t, "properly").deadlocks, [], "findings")
