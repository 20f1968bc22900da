# SPDX-License-Identifier: Apache-2.0
"""Very many locks, calls and orders: memory is bounded, time grows with the events, and a search that
cannot end says where it stopped."""
import os
import resource
import subprocess

from support.outcome import check, check_equal
from support.recording import parse

LIMIT = 400


def analysed(t, trace):
    """The report, and the CPU seconds and peak KiB of the analyzer."""
    process = subprocess.Popen([t.analyzer, "--format", "json", "--report", "summary,deadlocks,warnings", trace],
                               stdout=subprocess.PIPE, text=True)
    text = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    check_equal(process.returncode, 0, "status of the analyzer")
    return parse(text), usage.ru_utime + usage.ru_stime, usage.ru_maxrss


def recorded(t, *arguments):
    name = "-".join(arguments) + ".zst"
    t.run(["lock_many", *arguments], env={"INSPECT_OUTPUT": name}, limit=LIMIT)
    t.settle()
    return os.path.join(t.folder, name)


def test_orders_beyond_number(t):
    pairs = 1000000 if t.long else 100000
    report, seconds, peak = analysed(t, recorded(t, "1000", str(pairs), "tangled"))
    check(report.deadlocks and report.deadlocks[0].verdict in ("feasible", "potential"), "a cycle")
    check(any("stopped at its limit" in warning.text for warning in report.warnings), f"the cut is said: {report.warnings}")
    check(peak < 600 << 10, f"{peak} KiB")


def test_memory_does_not_grow_with_events(t):
    locks, pairs = ("100000", 25000000) if t.long else ("5000", 250000)
    few, few_seconds, few_peak = analysed(t, recorded(t, locks, str(pairs // 10)))
    many, many_seconds, many_peak = analysed(t, recorded(t, locks, str(pairs)))
    for report in (few, many):
        check_equal((report.deadlocks, report.coverage.events_lost), ([], 0), "deadlocks, lost")
    check(many.coverage.events > 9 * few.coverage.events, f"{many.coverage.events} events")
    check(many_peak < 2 * few_peak, f"ten times the events: {few_peak} KiB, then {many_peak} KiB")
    if t.long:
        check(many_seconds < 20 * few_seconds, f"{few_seconds} s, then {many_seconds} s")
