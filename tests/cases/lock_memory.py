# SPDX-License-Identifier: Apache-2.0
"""Locks that end with the memory they lie in, where not every free is in the record."""
from support.outcome import check, check_equal

PRODUCTION = {"INSPECT_MODE": "production"}
RATES = [{"INSPECT_SAMPLING": rate} for rate in ("1", "0.1", "0")]
NO_BLOCKS = {"INSPECT_ALLOCATIONS": "0"}


def reused(t, how, env, name):
    run = t.run(["lock_memory_reused", how], env={**env, "INSPECT_OUTPUT": name})
    t.settle()
    check_equal(run.truth.same_address, 1, f"the address again, {how} with {env}")
    return t.trace(name)


def test_another_lock_at_the_address(t):
    """Freed, deleted or moved away, without a destroy: what is there next has orders of its own."""
    for number, env in enumerate([*RATES, NO_BLOCKS, PRODUCTION]):
        trace = reused(t, "freed", env, f"f{number}.zst")
        check_equal(t.report(trace, "--all").deadlocks, [], f"deadlocks with {env}")
    for how in ("deleted", "moved"):
        for number, env in enumerate(({"INSPECT_SAMPLING": "0.1"}, PRODUCTION)):
            trace = reused(t, how, env, f"{how}{number}.zst")
            check_equal(t.report(trace, "--all").deadlocks, [], f"deadlocks, {how} with {env}")


def test_the_same_lock_at_the_address(t):
    """The twin: what is not freed is one lock, and its orders a deadlock. As are those of the next object
    at the address, although the recorder has met the like there."""
    for how in ("kept", "again"):
        for number, env in enumerate([*RATES, NO_BLOCKS, PRODUCTION]):
            report = t.report(reused(t, how, env, f"{how}{number}.zst"))
            check_equal(len(report.deadlocks), 1, f"deadlocks, {how} with {env}")
            verdict = report.deadlocks[0].verdict
            check(verdict in ("feasible", "potential"), f"verdict {verdict}, {how} with {env}")


def test_only_blocks_with_locks_are_noted(t):
    """One record for the block, of its size; none for the hundreds of others that are freed."""
    trace = reused(t, "freed", PRODUCTION, "n.zst")
    events = list(t.events(trace))
    taken = {event.object for event in events if event.event == "lock-acquire"}
    freed = [event for event in events if event.event == "lock-memory-freed"]
    check_equal(len(freed), 1, "blocks with locks that were freed")
    start = int(freed[0].start, 16) if isinstance(freed[0].start, str) else freed[0].start
    check(320 <= freed[0].size <= 344, f"size {freed[0].size}")
    inside = [at for at in taken if 0 <= (int(at, 16) if isinstance(at, str) else at) - start < freed[0].size]
    check_equal(len(inside), 2, f"locks in it, of {taken}")
    check_equal(t.report(trace).memory.recorded, False, "memory is recorded")
