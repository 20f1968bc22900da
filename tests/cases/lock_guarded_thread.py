# SPDX-License-Identifier: Apache-2.0
"""A lock that is held from before a thread is created until it is joined guards all that it does."""
from support.outcome import check, check_equal


def deadlocks(t, *arguments):
    t.run(["lock_guarded_thread", *arguments], env={"INSPECT_OUTPUT": "t.zst"})
    t.settle()
    return t.report("t.zst", arguments=["--all"]).deadlocks


def test_kept_apart(t):
    """Also where it was joined by a thread that was joined in turn."""
    found = deadlocks(t)
    check_equal([(d.verdict, d.gate) for d in found], [("benign", "gate")], "findings")
    check("created and joined" in found[0].reason, found[0].reason)


def test_not_guarded(t):
    for how in ("early", "late", "condition", "both"):
        found = deadlocks(t, how)
        check_equal([d.verdict for d in found], ["feasible"], f"findings, {how}")
        check_equal(sorted(found[0].cycle), ["a", "b"], f"cycle, {how}")
