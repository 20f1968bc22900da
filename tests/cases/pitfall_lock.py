# SPDX-License-Identifier: Apache-2.0
"""What stands in front of locks and threads of glibc is known to fall into: one test each, by the
number that the pitfall has in this project's list."""
import cases.library
import cases.other_preloads

import re

from support.expect import one, sites_sum
from support.beside import as_native, declared
from support.outcome import check, check_between, check_equal

LIMIT = 120


def lock(report, name):
    return one(report.locks, name=name)


def words(event):
    return set(re.split(r"[ ,|+]+", str(event.get("lock", ""))))


def test_01_two_versions_of_conditions(t):
    """Today's are seen; the older ones, which are other objects, are passed by and work."""
    declared(t, "condition_ping_pong")
    run, report, inside = as_native(t, "old_versions")
    waits = [e for e in inside.events(inside.trace("run.zst")) if e.event == "cond-wait"]
    check_equal((run.truth.turns, waits), (1000, []), "turns, and waits that were taken for new ones")


def test_02_threads_moved_into_libc(t):
    """Programs that ask for functions of the time before; libpthread.so is never asked for."""
    _, report, _ = as_native(t, "old_versions")
    check_equal(len([task for task in report.tasks if task.kind == "thread"]), 3, "threads")
    check(lock(report, "lock").acquisitions > 0, "the lock of an old program was not seen")
    with open(t.library, "rb") as file:
        check(b"libpthread" not in file.read(), "the library names libpthread")


def test_03_mutex_taken_again_by_a_wait(t):
    """Invisible inside glibc; its time is not the signal's. Also where the wait is cancelled."""
    declared(t, "condition_wait", "cancel")


def test_04_c11_goes_past_posix(t):
    declared(t, "lock_p22_c11")


def test_05_what_cpp_calls(t):
    declared(t, "lock_cpp")


def test_06_futexes_have_no_owner(t):
    declared(t, "futex_words")


def test_07_locks_of_the_c_library(t):
    """Its streams' and arenas' own locks are not to be seen (LIMITS); the program's are."""
    native, run = t.run_native("stdio_lines"), t.run("stdio_lines")
    # the threads take turns as they like
    check_equal((sorted(run.stdout.splitlines()), run.stderr), (sorted(native.stdout.splitlines()), ""),
                "lines and stderr")
    t.settle()
    report = t.report(t.trace())
    check_equal(lock(report, "own").acquisitions, 600, "acquisitions")
    check_equal([e for e in report.locks if e.kind == "file"], [], "locks of streams that printf took")


def test_08_allocators_that_lock(t):
    """jemalloc takes mutexes inside malloc: in both orders, with threads; other_preloads has others."""
    cases.other_preloads.test_jemalloc(t)


KINDS = {"static_normal": set(), "static_recursive": {"recursive"},
         "static_errorcheck": {"errorcheck"}, "static_adaptive": {"adaptive"}, "normal": set(),
         "recursive": {"recursive"}, "errorcheck": {"errorcheck"}, "adaptive": {"adaptive"},
         # glibc marks all robust ones as process-shared
         "robust": {"robust", "process-shared"}, "inheriting": {"inherit"}, "shared": {"process-shared"}}


def test_09_kinds_without_init(t):
    """The kind of a lock that nobody initialised is read from it; one taken twice by its thread hangs."""
    declared(t, "lock_p15_self")
    _, report, inside = as_native(t, "lock_kinds")
    seen = {}
    for event in inside.events(inside.trace("run.zst")):
        if event.event == "lock-acquire":
            seen.setdefault(event.object, words(event))
    for name, kind in KINDS.items():
        found = seen[lock(report, name).address]
        check(kind <= found, f"kind of {name}: {found}")
        others = set().union(*KINDS.values()) - kind
        check_equal(found & others, set(), f"what {name} is not")


def test_10_objects_are_left_alone(t):
    """Every byte of a mutex of each kind, before, while held and after, and each result."""
    run, report, _ = as_native(t, "lock_kinds")
    for name in KINDS:
        check_equal(lock(report, name).held_at_end, False, f"{name} held at the end")
        check_between(lock(report, name).acquisitions, run.truth.rounds, run.truth.rounds + 1,
                      f"acquisitions of {name}")


def test_11_owners_that_die(t):
    """A lock that comes with EOWNERDEAD is held, and marked; cases/processes has owners elsewhere."""
    declared(t, "robust_mutex")
    _, _, inside = as_native(t, "robust_mutex")
    marked = [e for e in inside.events(inside.trace("run.zst")) if "owner-died" in words(e)]
    check_equal({e.event for e in marked} <= {"lock-acquire", "lock-wait"}, True, "what is marked")
    check(len(marked) >= 2, f"marked: {marked}")


def test_12_refused_locks_are_not_held(t):
    """EDEADLK, EPERM and EBUSY are what they are; nobody holds what he was refused."""
    run, report, inside = as_native(t, "lock_kinds")
    failures = [e for e in inside.events(inside.trace("run.zst")) if e.event == "lock-fail"]
    address = lock(report, "errorcheck").address
    results = sorted(e.result for e in failures if e.object == address)
    check_equal(results, [-35, -16, -1], "refusals: deadlock, busy, not the owner")


def test_13_recursive_locks(t):
    """Only the outermost request is one; a wait with depth 2 does not give the mutex up."""
    declared(t, "lock_recursive")
    _, report, _ = as_native(t, "recursive_wait")
    check_equal(lock(report, "depth").held_at_end, False, "held at the end")
    check_equal(report.deadlocks, [], "deadlocks")


def test_14_unlock_order_and_thread(t):
    """Hand over hand, and a mutex that another thread gives back."""
    run, report, _ = as_native(t, "unlock_elsewhere")
    check_equal(lock(report, "baton").acquisitions, run.truth.baton, "acquisitions")
    check_equal(sum(e.acquisitions for e in report.locks if e.name.startswith("links")),
                run.truth.links, "acquisitions along the list")
    check_equal([e.name for e in report.locks if e.held_at_end], [], "held at the end")
    check_equal([d.reason for d in report.deadlocks if d.verdict != "benign"], [], "deadlocks")


def test_15_refused_requests(t):
    declared(t, "trylock")


def test_16_kinds_of_reader_locks(t):
    """Of three kinds one lets a waiting writer stop a reader that reads already."""
    declared(t, "lock_p19_read_twice_writer_first", "lock_p20_read_twice_reader_first",
             "lock_p21_read_twice_writer_named", "lock_p10_read_then_write")


def test_17_once_is_a_lock(t):
    """Its runner holds it: a cycle with a mutex is found while it hangs."""
    process = t.start("lock_once_order", env={"INSPECT_OUTPUT": "once.zst"})
    t.wait_for_hang(process)
    t.wait_until(lambda: t.report(t.trace("once.zst")).deadlocks, "the deadlock to be found", limit=10)
    report = t.report(t.trace("once.zst"))
    t.kill(process)
    check_equal([d.verdict for d in report.deadlocks], ["actual"], "verdicts")
    check_equal(sorted(leg.thread.name for leg in report.deadlocks[0].legs), ["runner", "waiter"],
                "threads")


def test_18_joins_and_barriers_wait(t):
    declared(t, "lock_p18_join_holding", "lock_p16_barrier")


def test_19_addresses_used_again(t):
    declared(t, "lock_p12_initialised_again", "lock_p13_freed")


def test_20_locks_over_a_fork(t):
    """The child has what the forking thread held, and a trace of its own."""
    process = t.run("fork_holding", env={"INSPECT_OUTPUT": "run.zst"})
    t.settle()
    for path in ("run.zst", f"run.{process.truth.child}.zst"):
        report = t.report(t.trace(path))
        check(report.trace.complete, f"{path} is not complete")
        check_equal(lock(report, "inherited").held_at_end, False, f"inherited held, {path}")
        check_equal([d.reason for d in report.deadlocks if d.verdict == "actual"], [], f"deadlocks, {path}")


def test_21_handlers_jumps_and_exits_holding(t):
    """A handler posts, jumps out of a request; a thread ends holding a lock that others want."""
    t.run(["signals", "300"], env={"INSPECT_OUTPUT": "run.zst"})
    t.settle()
    report = t.report(t.trace("run.zst"))
    check_equal((lock(report, "steady").held_at_end, report.deadlocks), (False, []), "after the jumps")
    declared(t, "orphan_hang")


def test_22_no_unwinder_that_locks(t):
    """Stacks are not taken through the loader's lock, nor with an unwinder that allocates."""
    needed = cases.library.tool(t, "nm", "-D", "--undefined-only", t.library)
    # dl_iterate_phdr is called once, before main
    for name in ("_Unwind_Backtrace", "_Unwind_Find_FDE", "backtrace", "dladdr"):
        check(not re.search(rf"\b{name}\b", needed), f"{name} is used")


def test_22_stacks_under_the_loaders_lock(t):
    """A constructor waits for a thread whose calls come from a module that is being loaded."""
    _, report, _ = as_native(t, ["loader_locked", t.built("tests/programs/plugin_waits.so")])
    check_equal(sites_sum(report, "plugin_main", "allocations"), 1000, "blocks of its threads")
    check_equal(sum(e.acquisitions for e in report.locks if e.name == "plugin_lock"), 1000, "acquisitions")


def test_23_no_delay_is_injected(t):
    """While it waits for nobody the recorder neither sleeps nor yields in the program."""
    log = f"{t.folder}/calls"
    t.run([t.command("strace"), "-f", "-o", log, "-e", "trace=nanosleep,clock_nanosleep,sched_yield",
           "-E", f"LD_PRELOAD={t.library}", "-E", "INSPECT_OUTPUT=run.zst",
           t.program("condition_ping_pong")], recorded=False)
    with open(log) as file:
        calls = [line for line in file if "sleep(" in line or "yield(" in line]
    check_equal(calls, [], "calls that delay")
