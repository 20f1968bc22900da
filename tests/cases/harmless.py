# SPDX-License-Identifier: Apache-2.0
"""What a program can see of itself is what it would see without us."""
import os
import stat
import time

from support.beside import as_native
from support.expect import one
from support.outcome import check, check_equal


def test_view_of_itself(t):
    """Descriptors, threads, children, handlers, masks, limits, unshare(CLONE_NEWUSER)."""
    native = t.run_native("descriptors")
    recorded = t.run("descriptors")
    check_equal(recorded.stdout, native.stdout, "what the program sees")
    check_equal(recorded.stderr, "", "stderr")
    check_equal(recorded.truth.threads, 1, "threads")


def test_any_child(t):
    """A wait for any child sees the program's own and no other, __WALL and __WCLONE included."""
    as_native(t, "any_child")


def test_odd_arguments(t):
    """What is refused, and what is looked at in part only, has the results it has bare."""
    run, report, inside = as_native(t, "odd_arguments")
    check_equal(run.stdout.count("came back: 1"), 5, "calls that a pending cancellation leaves alone")
    check(report.coverage.events > 60, f"events: {report.coverage.events}")
    events = inside.events(inside.trace("run.zst"))
    closed = [event for event in events if event.event == "close" and event.descriptor < 1 << 20]
    check_equal(closed, [], "descriptors that were closed")


def test_jumps_out_of_calls(t):
    """A handler jumps out of every call that waits: none counts as going on, and nothing is missing."""
    run, report, inside = as_native(t, "jumps_out", lost=None)
    check_equal(set(report.coverage.lost_by_kind) - {"allocate", "free"}, set(), "lost, but in the handler")
    steady = one(report.locks, name="steady")
    check_equal((steady.acquisitions, steady.held_at_end), (run.truth.jumps, False), "steady")
    check_equal([d.kind for d in report.deadlocks if d.verdict == "actual"], [], "deadlocks")
    events = inside.events(inside.trace("run.zst"))
    check_equal([event for event in events if event.event == "pending"], [], "calls that go on")


def test_more_threads_than_rings(t):
    """Those beyond run as promptly as the others; what they call is counted as lost."""
    run = t.run("threads_at_once", env={"INSPECT_OUTPUT": "run.zst"})
    check(run.truth.last_ns < 5 * run.truth.first_ns + 500_000, f"{run.truth}: the last have waited")
    t.settle()
    report = t.report(t.trace("run.zst"))
    check_equal(len([task for task in report.tasks if task.kind == "thread"]), 1024, "threads recorded")
    check(report.coverage.events_lost >= 2 * (run.truth.threads - 1024), f"lost: {report.coverage}")


def test_closed_standard_descriptors(t):
    """A program started with 0, 1 and 2 closed finds them closed."""
    for recorded in (False, True):
        out = os.path.join(t.folder, f"view{recorded}")
        t.run(["sh", "-c", f'"$1" 0<&- 2>&- >"$2"', "sh", t.program("descriptors"), out],
              recorded=recorded, status=None)
    with open(os.path.join(t.folder, "viewFalse")) as a, open(os.path.join(t.folder, "viewTrue")) as b:
        check_equal(b.read(), a.read(), "what the program sees")


def test_environment_unchanged(t):
    native = t.run_native(["env"], env={"LD_PRELOAD": "", "INSPECT_OUTPUT": "x.zst"})
    recorded = t.run(["env"], env={"INSPECT_OUTPUT": "x.zst"})
    expected = native.stdout.replace("LD_PRELOAD=\n", f"LD_PRELOAD={t.library}\n")
    check_equal(sorted(recorded.stdout.splitlines()), sorted(expected.splitlines()), "environment")


def test_folder_unchanged(t):
    """What is left behind is the trace alone, and only its owner may read it."""
    t.run("leaks")
    t.settle()
    names = os.listdir(t.folder)
    check(len(names) == 1 and names[0].endswith(".zst"), f"files left: {names}")
    mode = stat.S_IMODE(os.stat(os.path.join(t.folder, names[0])).st_mode)
    check_equal(oct(mode), oct(0o600), "mode of the trace")


def test_trace_exists_from_the_start(t):
    process = t.start(["sleep", "5"])
    t.wait_until(lambda: t.traces(), "the trace to be made", limit=2)
    t.wait_until(lambda: os.path.getsize(t.trace()) > 0, "its first facts", limit=10)
    report = t.report(t.trace())
    check(not report.trace.complete, "a running program's trace is not complete")
    t.kill(process)


def test_exit_is_quick(t):
    """Start and end of a short process cost milliseconds, not the time of a time-out."""
    def median(recorded):
        times = []
        for _ in range(15):
            start = time.monotonic()
            t.run(["true"], recorded=recorded)
            times.append(time.monotonic() - start)
        return sorted(times)[7]
    native, recorded = median(False), median(True)
    check(recorded - native < 0.030, f"`true` takes {recorded * 1e3:.1f} ms, {native * 1e3:.1f} bare")
