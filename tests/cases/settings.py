# SPDX-License-Identifier: Apache-2.0
"""INSPECT_ variables: bad values are named and the program runs unrecorded; unknown ones are named."""
import os

from support.expect import sites_sum
from support.outcome import check, check_equal

# variable, bad value, what is expected
BAD = (
    ("INSPECT_SAMPLING", "2", "expected a number from 0 to 1"),
    ("INSPECT_SAMPLING", "-0.1", "expected a number from 0 to 1"),
    ("INSPECT_SAMPLING", "", "expected a number from 0 to 1"),
    ("INSPECT_SAMPLING", "0.5x", "expected a number from 0 to 1"),
    ("INSPECT_SAMPLING", "nan", "expected a number from 0 to 1"),
    ("INSPECT_ENABLED", "maybe", None),
    ("INSPECT_MODE", "debug", None),
    ("INSPECT_BACKTRACES", "2", None),
    ("INSPECT_MAX_EVENTS", "-1", None),
    ("INSPECT_MAX_SIZE", "10X", None),
    ("INSPECT_MAX_SIZE", "99999999999999999999G", None),
    ("INSPECT_STALL_MS", "soon", None),
    ("INSPECT_LOG", "loud", None),
)


def check_unrecorded(t, run):
    check_equal(run.stdout, '{"blocks": 14, "bytes": 5240}\n', "stdout")
    check_equal(os.listdir(t.folder), [], "files left")


def test_bad_values(t):
    for name, value, expected in BAD:
        run = t.run("leaks", env={name: value})
        lines = run.stderr.splitlines()
        check_equal(len(lines), 1, f"lines on stderr for {name}={value!r} ({run.stderr!r})")
        start = f'inspect: {name}="{value}": expected '
        check(lines[0].startswith(start), f"{lines[0]!r} does not begin with {start!r}")
        check(lines[0].endswith("; recording is off"), f"end of {lines[0]!r}")
        if expected:
            check_equal(lines[0], f'inspect: {name}="{value}": {expected}; recording is off', "line")
        check_unrecorded(t, run)


def test_unknown_variable(t):
    """It is named with the nearest known one, and the program is recorded."""
    run = t.run("leaks", env={"INSPECT_SAMPLNIG": "1"})
    check_equal(len(run.stderr.splitlines()), 1, "lines on stderr")
    check(run.stderr.startswith("inspect: "), run.stderr)
    check("INSPECT_SAMPLNIG" in run.stderr and "INSPECT_SAMPLING" in run.stderr, run.stderr)
    t.trace()


def test_switched_off(t):
    for value in ("0", "false"):
        run = t.run("leaks", env={"INSPECT_ENABLED": value})
        check_equal(run.stderr, "", "stderr")
        check_unrecorded(t, run)


def test_switched_on(t):
    for value in ("1", "true"):
        run = t.run("leaks", env={"INSPECT_ENABLED": value, "INSPECT_OUTPUT": "on.zst"})
        check_equal(run.stderr, "", "stderr")
        check(t.traces("on.zst"), "a trace")


def test_output_patterns(t):
    """%p pid, %e program, %h host, %t start time; %% is no pattern of ours to break."""
    run = t.run("leaks", env={"INSPECT_OUTPUT": "a-%e-%p-%h-%t.zst"})
    t.settle()
    name = os.path.basename(t.trace())
    host = os.uname().nodename
    check(name.startswith(f"a-leaks-{run.pid}-{host}-"), name)


def test_output_in_missing_folder(t):
    """Nothing can be written there: one line says so, and the program runs on."""
    run = t.run("leaks", env={"INSPECT_OUTPUT": "missing/x.zst"})
    check_equal(run.stdout, '{"blocks": 14, "bytes": 5240}\n', "stdout")
    check_equal(len(run.stderr.splitlines()), 1, f"lines on stderr: {run.stderr!r}")
    check(run.stderr.startswith("inspect: "), run.stderr)


def test_existing_trace_is_replaced(t):
    """A trace whose program has ended gives way to the next run's."""
    env = {"INSPECT_OUTPUT": "same.zst"}
    t.run("leaks", env=env)
    t.settle()
    second = t.run("abba", env=env)
    t.settle()
    check_equal([os.path.basename(path) for path in t.traces()], ["same.zst"], "traces")
    check_equal(t.report(t.trace()).trace.pid, second.pid, "pid in the trace")


def test_existing_trace_of_a_live_process_stays(t):
    """A trace that a live process writes is never replaced: .PID goes in."""
    env = {"INSPECT_OUTPUT": "same.zst"}
    process = t.start(["sleep", "20"], env=env)
    t.wait_until(lambda: t.traces("same.zst"), "the first trace")
    second = t.run("leaks", env=env)
    check_equal([os.path.basename(path) for path in t.traces()],
                sorted(["same.zst", f"same.{second.pid}.zst"]), "traces")
    check_equal(t.report(t.trace("same.zst")).trace.pid, process.pid, "pid in the first trace")
    t.kill(process)


def test_other_file_is_not_replaced(t):
    """A file that is no trace is not ours to replace."""
    path = os.path.join(t.folder, "notes.zst")
    with open(path, "w") as file:
        file.write("somebody's notes\n")
    t.run("leaks", env={"INSPECT_OUTPUT": "notes.zst"}, status=0)
    with open(path, "rb") as file:
        check_equal(file.read(), b"somebody's notes\n", "the file that was there")


def test_without_allocations(t):
    run = t.run("leaks", env={"INSPECT_ALLOCATIONS": "0"})
    t.settle()
    report = t.report(t.trace())
    check_equal(report.memory.allocations, 0, "allocations")
    check(any("alloc" in str(item).lower() or "heap" in str(item).lower()
              for item in report.coverage.not_seen), f"not_seen says it: {report.coverage.not_seen}")


def test_without_backtraces(t):
    """Stacks of allocations are spared, those of lock orders are not."""
    t.run("leaks", env={"INSPECT_BACKTRACES": "0", "INSPECT_OUTPUT": "a.zst"})
    t.run("abba", env={"INSPECT_BACKTRACES": "0", "INSPECT_OUTPUT": "b.zst"})
    t.settle()
    leaks, abba = t.report(t.trace("a.zst")), t.report(t.trace("b.zst"))
    check_equal(sites_sum(leaks, "leak_buffer", "allocations"), 0, "sites with a stack")
    check(leaks.memory.allocations >= 200, f"allocations {leaks.memory.allocations}")
    check(all(leg.wants.stack for leg in abba.deadlocks[0].legs), "stacks of the lock orders")
