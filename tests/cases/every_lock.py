# SPDX-License-Identifier: Apache-2.0
"""Every call of every kind of lock is recorded once, with its kind and its result."""
from support.outcome import check, check_equal


def of(events, kind, what, *bits, without=()):
    """Events of a kind whose lock is a `what` and has, and has not, these bits."""
    found = []
    for event in events:
        words = str(event.get("lock", "")).replace(",", " ").replace("|", " ").replace("+", " ").split()
        if event.event in kind and words[:1] == [what] and set(bits) <= set(words) \
                and not set(without) & set(words):
            found.append(event)
    return len(found)


GRANTED = ("lock-acquire", "lock-wait")


def test(t):
    run = t.run("every_lock")
    truth = run.truth
    t.settle()
    events = t.events(t.trace())
    check_equal(of(events, GRANTED, "rwlock", "shared"), truth.rwlock_shared, "read locks")
    check_equal(of(events, GRANTED, "rwlock", without=("shared",)), truth.rwlock_exclusive, "write locks")
    check_equal(of(events, ("lock-fail",), "rwlock"), truth.rwlock_failed, "refused")
    check_equal(of(events, ("lock-release",), "rwlock", "shared"), truth.rwlock_shared, "readers' unlocks")
    check_equal(of(events, ("lock-release",), "rwlock"),
                truth.rwlock_shared + truth.rwlock_exclusive, "unlocks")
    check_equal(of(events, ("lock-init", "lock-destroy"), "rwlock"), 2, "life of a rwlock")
    check_equal(of(events, GRANTED, "spin"), truth.spin, "spin locks")
    check_equal(of(events, ("lock-fail",), "spin"), truth.spin_failed, "spin locks held")
    check_equal(of(events, ("lock-release",), "spin"), truth.spin, "spin unlocks")
    waits = [event for event in events if event.event == "barrier-wait"]
    check_equal(len(waits), truth.barrier, "waits at the barrier")
    check_equal(sorted(wait.result for wait in waits), [0] * (truth.barrier - 1) + [1], "their results")
    check_equal([e.parties for e in events if e.event == "barrier-init"], [truth.barrier], "parties")
    check_equal(of(events, GRANTED, "semaphore"), truth.semaphore, "semaphores")
    check_equal(of(events, ("lock-fail",), "semaphore"), truth.semaphore_failed, "semaphores at zero")
    check_equal(of(events, ("lock-release",), "semaphore"), truth.posts, "posts")
    check_equal(of(events, ("lock-release",), "semaphore", "process-shared"), 1, "posts of the named one")
    check_equal([e.value for e in events if e.event == "semaphore-init"], [3, 0], "first values")
    check_equal(of(events, GRANTED, "file"), truth.file, "streams")
    check_equal(of(events, ("lock-wait",), "file"), 1, "waits for a stream")
    check_equal(of(events, ("lock-fail",), "file"), truth.file_failed, "streams locked by another")
    check(not any(event.event == "lost" for event in events), "events were lost")
    # the unwinder, which pthread_exit needs, has one of its own
    events = [event for event in events if event.get("object") in truth.onces]
    check_equal(of(events, ("lock-acquire",), "once"), truth.once, "initialisers run")
    check_equal(of(events, ("lock-wait",), "once", "shared"), truth.once_waited, "waits for one")
    check_equal(of(events, ("lock-release",), "once"), truth.once + truth.once_waited, "initialisers left")


def test_native(t):
    """The program says of itself that every result is as it should be; so it is without us."""
    bare, recorded = t.run_native("every_lock").truth, t.run("every_lock").truth
    check_equal(dict(bare, onces=0), dict(recorded, onces=0), "what it did")


def test_c11(t):
    """C11 threads do not go through the POSIX functions: each is seen, once."""
    run = t.run("c11_threads")
    t.settle()
    report = t.report(t.trace())
    locks = {lock.name: lock for lock in report.locks}
    events = t.events(t.trace())
    waits = sum(e.event == "cond-wait" for e in events)
    check_equal(sum(e.event == "cond-signal" for e in events), 2 * run.truth.jobs, "signals")
    check_equal(locks["guard"].acquisitions, 2 * run.truth.jobs + 1 + waits, "acquisitions of guard")
    check_equal(of(events, ("lock-fail",), "mutex"), 2, "refused")
    check_equal(sum(e.event == "thread-create" for e in events), 2, "threads created")
    check_equal(sum(e.event == "thread-join" for e in events), 1, "joins")
    check_equal(sum(e.event == "thread-detach" for e in events), 1, "detached")
    check_equal([lock.name for lock in report.locks if lock.held_at_end], [], "held at the end")
