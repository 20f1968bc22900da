# SPDX-License-Identifier: Apache-2.0
"""Lints stand among the warnings, with the names of what they are about."""
from support.expect import find, one
from support.outcome import check, check_equal


def test_lock_in_loop(t):
    t.run(["tasks"])
    lint = one(t.report(t.trace()).warnings, where="lock-in-loop")
    check_equal(lint.severity, "warning", "severity")
    check("wait_for_lock (" in lint.text and "loop 1" in lint.text, f"no site in {lint.text!r}")
    allowed = t.report(t.trace(), arguments=["--allow", "lock-in-loop"])
    check_equal(find(allowed.warnings, where="lock-in-loop"), [], "allowed lint")


def test_loop_hog(t):
    t.run(["slow_handler"])
    lint = one(t.report(t.trace()).warnings, where="loop-hog")
    check("pipe " in lint.text or "descriptor " in lint.text, f"no task in {lint.text!r}")


def test_nothing_wrong(t):
    """A pool that works has no lints."""
    t.run(["pool"])
    check_equal([warning for warning in t.report(t.trace()).warnings
                 if warning.severity == "warning"], [], "warnings")
