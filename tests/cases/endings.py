# SPDX-License-Identifier: Apache-2.0
"""However a process ends, all that its threads recorded is in the trace, and it ends as it would."""
import os
import re
import signal

from support.expect import one, sites_sum
from support.outcome import Skip, check, check_between, check_equal

# how -> (exit status, the trace says how it ended and lacks nothing)
ENDINGS = {
    "return": 7,
    "exit": 7,
    "exit-from-thread": 7,
    "_exit": 7,
    "_Exit": 7,
    "quick_exit": 7,
    "pthread_exit": 0,
    "abort": -signal.SIGABRT,
    "crash": -signal.SIGSEGV,
    "term": -signal.SIGTERM,
    "kill": -signal.SIGKILL,
    "failed-exec": 7,
    "raw": 7,
}
# Since then a process that has been waited for is remembered (PIDFD_INFO_EXIT).
KERNEL_REMEMBERS = tuple(map(int, re.findall(r"\d+", os.uname().release)[:2])) >= (6, 15)


def check_nothing_missing(report, blocks=2000, acquisitions=20):
    check_equal(sites_sum(report, "keep_blocks", "allocations"), blocks, "blocks recorded")
    check_equal(sites_sum(report, "keep_blocks", "live_blocks"), blocks, "blocks alive")
    check_equal(one(report.locks, name="counted").acquisitions, acquisitions, "acquisitions")
    check_equal(report.coverage.events_lost, 0, "events lost")


def check_outcome(trace, status, sure=KERNEL_REMEMBERS):
    """What the trace says of the end; where the kernel cannot tell, that this is not known."""
    found = (trace.end, trace.exit_status, trace.get("signal"))
    expected = ("exit", status, None) if status >= 0 else ("died", None, -status)
    check(found == expected or (not sure and found == ("died", None, None)), f"end {found}")


def check_ending(t, how):
    status = ENDINGS[how]
    native = t.run_native(["ends", how], status=status)
    run = t.run(["ends", how], status=status)
    check_equal(run.stdout, native.stdout, "stdout")
    check_equal(run.stderr, native.stderr, "stderr")
    check_nothing_missing(t.report(t.trace()))
    t.settle()
    report = t.report(t.trace())
    check_nothing_missing(report)
    t.zstd_accepts(t.trace())
    check(report.trace.complete, f"the trace of a process that ended is not complete: {report.trace}")
    check_outcome(report.trace, status, KERNEL_REMEMBERS or how not in ("raw", "crash", "term", "kill"))


def define(how):
    name = "test_" + how.replace("-", "_").lstrip("_") + ("_now" if how[0] == "_" else "")
    if how == "_Exit":
        name = "test_Exit_now"
    globals()[name] = lambda t: check_ending(t, how)


for ending in ENDINGS:
    define(ending)


def test_not_waited_for(t):
    """Nobody has waited for the process yet: how it ended is asked of the zombie, on every kernel."""
    for how in ("raw", "crash"):
        name = f"{how}.zst"
        process = t.start(["ends", how], env={"INSPECT_OUTPUT": name})
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        t.settle()
        check_outcome(t.report(t.trace(name)).trace, ENDINGS[how], True)
        process.communicate(timeout=30)


def test_first_of_a_namespace(t):
    """The kernel ends the writer together with a program that is the first of its pid namespace, as in
    a container: the trace is complete all the same, and no rings stay."""
    command = [t.command("unshare"), "--pid", "--fork", *([] if os.geteuid() == 0 else ["-Ur"])]
    if t.run_native([*command, "true"], status=None).status:
        raise Skip("no pid namespaces here")
    t.run([*command, t.program("ends"), "exit"], status=7, env={"INSPECT_OUTPUT": "%e.zst"})
    t.settle()
    report = t.report(t.trace("ends.zst"))
    check_equal(report.trace.pid, 1, "its pid")
    check(report.trace.complete, "complete")
    check_nothing_missing(report)


def test_exec(t):
    """exec ends one record and begins another, each in its own file."""
    run = t.run(["ends", "exec"], status=7, env={"INSPECT_OUTPUT": "out.zst"})
    check_equal(run.stderr, "", "stderr")
    t.settle()
    check_equal([path.rsplit("/", 1)[1] for path in t.traces()],
                sorted(["out.zst", f"out.{run.pid}.1.zst"]), "traces")
    check_nothing_missing(t.report(t.trace("out.*.1.zst")))
    newest = t.report(t.trace("out.zst"))
    check(newest.trace.program.endswith(("sh", "dash")), f"program {newest.trace.program}")
    check_equal(newest.trace.pid, run.pid, "pid")


def test_read_after_each_signal(t):
    """A crash report names what is known of the end, and reading it twice gives the same bytes."""
    t.run(["ends", "kill"], status=-signal.SIGKILL)
    t.settle()
    first = t.analyze("--format", "json", t.trace()).stdout
    check_equal(t.analyze("--format", "json", t.trace()).stdout, first, "second reading")
    check_between(len(t.report(t.trace()).tasks), 2, 2, "tasks")
