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


def check_habit(t, habit, lint, *words, env=None):
    """The habit is found, by its name; the same work done well is not."""
    _, report = t.recorded(["loop_habits", habit], env=env)
    found = one(report.warnings, where=lint)
    check(found.confidence in ("low", "medium", "high"), f"confidence {found.confidence!r}")
    check(found.text.endswith(f"; confidence: {found.confidence}"), f"{found.text!r}")
    check(lint in t.text(t.trace()), f"{lint} not in the text")
    for word in words:
        check(word in found.text, f"{word!r} not in {found.text!r}")
    allowed = t.report(t.trace(), arguments=["--allow", lint])
    check_equal(find(allowed.warnings, where=lint), [], f"--allow {lint}")
    warned = t.report(t.trace(), arguments=["--warn", lint])
    check_equal(one(warned.warnings, where=lint).severity, "warning", f"--warn {lint}")
    t.remove(t.trace())
    _, report = t.recorded(["loop_habits", habit, "well"], env=env)
    check_equal(find(report.warnings, where=lint), [], f"{habit}, done well")


def test_blocking_in_loop(t):
    check_habit(t, "blocking", "blocking-in-loop", "loop 1", "sleep", "sleep_ms")


def test_busy_poll(t):
    check_habit(t, "busy", "busy-poll", "loop 1", "2,000 of 2,020")


def test_self_wake(t):
    check_habit(t, "self", "self-wake", "wake-up", "40 of 40")


def test_starved_task(t):
    check_habit(t, "starved", "starved-task", "pipe", "was ready and waited")


def test_saturated_loop(t):
    check_habit(t, "saturated", "saturated-loop", "200 of 200")


def test_thread_leak(t):
    check_habit(t, "threads", "thread-leak", "(4 threads)")


def test_hog(t):
    """Far from the threshold on both sides: a handler may lose the processor for some time."""
    check_habit(t, "hog", "loop-hog", "pipe", "in one turn", env={"INSPECT_STALL_MS": "100"})


def test_lock(t):
    check_habit(t, "lock", "lock-in-loop", "handle_with_lock (", "such waits)")


PATIENT = ("descriptor-leak", "never-polled", "lost-wakeup", "stuck-task")


def patience(t, *arguments):
    """Its warnings, and the verdict, after 31 s."""
    process = t.start(["patience", *arguments])
    t.wait_for_line(process, "ready")
    try:
        report, text = t.report(t.trace()), t.text(t.trace())
    finally:
        t.kill(process)
    t.settle()
    t.remove(t.trace())
    return report.warnings, text


def test_those_that_wait(t):
    """What takes its grace time: found after it, and not where the same is done well."""
    warnings, text = patience(t)
    for lint, word in zip(PATIENT, ("patience-", "pipe", "wait_for_signal (", "wait_for_lock (")):
        found = one(warnings, where=lint)
        check(word in found.text, f"{word!r} not in {found.text!r}")
    warnings, text = patience(t, "well")
    check_equal([warning.where for warning in warnings if warning.where in PATIENT], [], "done well")


test_those_that_wait.long = True


def test_verdict_names_lints(t):
    """Where nothing else is wrong, the first lines send the reader to them."""
    t.run(["loop_habits", "busy"])
    check("but see WARNINGS: busy-poll" in t.text(t.trace()).splitlines()[2], "verdict")


def test_reset_connection_has_failed(t):
    """A task whose peer reset it has failed; one that was closed is completed."""
    for well, state in (([], "failed"), (["well"], "completed")):
        _, report = t.recorded(["loop_habits", "reset", *well])
        check_equal(one(report.tasks, what="connection").state, state, "state")
        t.remove(t.trace())
