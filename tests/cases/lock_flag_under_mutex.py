# SPDX-License-Identifier: Apache-2.0
"""What a flag says is not recorded; that it may keep two orders apart is said, with its mutex."""
from support.outcome import check, check_equal


def test_names_the_mutex(t):
    t.run(["lock_flag_under_mutex"], env={"INSPECT_OUTPUT": "t.zst"})
    t.settle()
    found = t.report("t.zst").deadlocks
    check_equal([(d.verdict, d.passed_on) for d in found], [("feasible", "state")], "findings")
    text = " ".join(t.text("t.zst").split())
    check("cannot happen if: a flag under state makes thread-2" in text, text[:1500])


def test_names_none(t):
    t.run(["lock_flag_under_mutex", "apart"], env={"INSPECT_OUTPUT": "t.zst"})
    t.settle()
    found = t.report("t.zst").deadlocks
    check_equal([(d.verdict, d.passed_on) for d in found], [("feasible", None)], "findings")
    check("cannot happen if" not in t.text("t.zst"), "a hint without a lock")
