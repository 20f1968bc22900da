# SPDX-License-Identifier: Apache-2.0
"""Modes and sampling: what is thinned out, and what never is."""
from support.outcome import check, check_equal

PRODUCTION = {"INSPECT_MODE": "production"}


def check_abba(report):
    check_equal(len(report.deadlocks), 1, "deadlocks")
    finding = report.deadlocks[0]
    check(finding.verdict in ("feasible", "potential"), f"verdict {finding.verdict}")
    check_equal(sorted(set(finding.cycle)), ["account_a", "account_b"], "cycle")
    for leg in finding.legs:
        functions = {frame.function for frame in leg.wants.stack}
        check(functions & {"transfer_out", "transfer_back"}, f"stack of a leg: {functions}")


def test_lock_order_at_any_sampling(t):
    """A lock-order edge is recorded the first time a thread meets it, with its stacks, in every mode."""
    for number, env in enumerate(({"INSPECT_SAMPLING": "0.01"}, {"INSPECT_SAMPLING": "0"}, PRODUCTION,
                                  {"INSPECT_MODE": "analysis"},
                                  {**PRODUCTION, "INSPECT_SAMPLING": "0"})):
        t.run("abba", env={**env, "INSPECT_OUTPUT": f"m{number}.zst"})
        t.settle()
        check_abba(t.report(t.trace(f"m{number}.zst")))


def test_deadlock_in_production(t):
    """A real one, with who waits for what."""
    process = t.start("abba_hang", env={**PRODUCTION, "INSPECT_OUTPUT": "p.zst"})
    t.wait_for_line(process, "hanging")
    report = t.report(t.trace("p.zst"))
    t.kill(process)
    check_equal([finding.verdict for finding in report.deadlocks], ["actual"], "verdicts")
    check_equal(sorted(leg.thread.name for leg in report.deadlocks[0].legs), ["left", "right"], "threads")


def test_defaults_of_modes(t):
    for mode, sampling in (("development", 1), ("analysis", 0.1), ("production", 0.01)):
        t.run("leaks", env={"INSPECT_MODE": mode, "INSPECT_OUTPUT": f"{mode}.zst"})
        t.settle()
        report = t.report(t.trace(f"{mode}.zst"))
        check_equal((report.trace.mode, report.trace.sampling), (mode, sampling), "mode and sampling")
        check_equal(report.memory.allocations > 0, mode == "development", f"allocations in {mode}")


def test_long_waits_in_production(t):
    """Waits longer than a threshold are complete whatever the sampling."""
    run = t.run("contention", env={**PRODUCTION, "INSPECT_OUTPUT": "c.zst"})
    t.settle()
    busy = [lock for lock in t.report(t.trace("c.zst")).locks if lock.name == "busy_lock"]
    check_equal([lock.contended for lock in busy], [run.truth.rounds], "contended")
    check(abs(busy[0].wait_ns.total - run.truth.waited_ns) < run.truth.waited_ns / 50,
          f"waited {busy[0].wait_ns.total} of {run.truth.waited_ns}")
