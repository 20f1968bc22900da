# SPDX-License-Identifier: Apache-2.0
"""Every function that is stood in front of is called by a test program, under each of its names."""
import glob
import os
import re

from support.beside import as_native
from support.expect import count, one, site
from support.outcome import Skip, check, check_equal


def test_all_are_called(t):
    """By name in tests/programs; the operators of C++ are called by new and delete expressions."""
    called = set()
    for path in glob.glob(os.path.join(t.source, "tests/programs/**/*.*"), recursive=True):
        with open(path, errors="replace") as file:
            called |= set(re.findall(r"\w+", file.read()))
    with open(os.path.join(t.source, "tests/golden/exports")) as file:
        names = {name.split("@")[0] for name in file.read().split()}
    check_equal(sorted(name for name in names - called if not name.startswith("_Z")), [], "never called")


def test_old_names(t):
    run, report, inside = as_native(t, "old_names")
    events = inside.events(inside.trace("run.zst"))
    for name in ("lock", "table"):
        check_equal(one(report.locks, name=name).acquisitions, run.truth[name], f"acquisitions of {name}")
    check_equal(count(events, "lock-fail"), 2, "refused")
    check_equal([e.result for e in events if e.event == "lock-repair"], [-22], "repairs")
    check_equal(count(events, "spawn"), 1, "popen")
    freed = site(report, "give_back_as_of_old")
    check_equal((freed.allocations, freed.live_blocks), (1, 0), "block of cfree")


def test_rare_calls(t):
    t.run_native("rare_calls")
    run = t.run("rare_calls", env={"INSPECT_OUTPUT": "run.zst"})
    check_equal(run.stderr, "", "stderr")
    t.settle()
    report, events = t.report(t.trace("run.zst")), t.events(t.trace("run.zst"))
    check_equal(count(events, "fork"), run.truth.execs, "forks")
    counters = [(e.event, e.result) for e in events if e.event in ("read", "write") and e.result == 8]
    check_equal(counters, [("write", 8), ("read", 8)], "eventfd_write and eventfd_read")
    images = [path for path in t.traces() if any(event.event == "exec" for event in t.events(path))]
    check_equal(len(images), run.truth.execs, "images that called exec")
    check_equal(count(events, "thread-join"), run.truth.joins, "joins")
    reads = [event for event in events if event.event == "read" and event.result == 1]
    check_equal(len(reads), run.truth.reads, "reads")
    check_equal([e.result for e in events if e.event == "write"][:2], [1, 4], "writes")
    check_equal(count(events, "epoll-create"), 1, "epoll_create")
    check(count(events, "epoll-wait") in (1, 2), "epoll_pwait, and epoll_pwait2 where there is one")
    check_equal(count(events, "poll"), 4, "polls and selects")
    check(count(events, "sleep") >= 1, "nanosleep")
    check_equal(count(events, "connect"), 1, "connect")
    live = [s for s in report.memory.sites if "sized_blocks" in {f.function for f in s.stack}]
    check_equal([(s.allocations, s.live_blocks) for s in live], [(1, 0), (1, 0)], "sized blocks")


def test_io_uring(t):
    """A program that uses it is recognised, and the report says what is missing."""
    run, report, inside = as_native(t, "uses_io_uring")
    if run.truth.ring < 0:
        raise Skip("the kernel gives no io_uring")
    check("not recorded: io_uring" in str(report.warnings), f"warnings: {report.warnings}")
    check("io_uring" in inside.text(inside.trace("run.zst")), "the text does not say so")
