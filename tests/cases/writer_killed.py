# SPDX-License-Identifier: Apache-2.0
"""The writer is killed: the program does not notice; what was written and what stayed in the rings is
read, and what was dropped for want of a writer is counted."""
import os
import signal
import time

from support.expect import sites_sum
from support.outcome import check, check_between, check_equal
from support.writers import writers_of


def test_program_does_not_notice(t):
    native = t.run_native(["busy", "1000000", "2"])
    process = t.start(["busy", "1000000", "2"], env={"INSPECT_OUTPUT": "b.zst"})
    t.wait_until(lambda: t.traces("b.zst") and os.path.getsize(t.trace("b.zst")) > 10000, "a trace")
    writers = writers_of(t)
    check_equal(len(writers), 1, "writers")
    os.kill(writers[0], signal.SIGKILL)
    began = time.monotonic()
    stdout, stderr = process.communicate(timeout=60)
    check_equal((process.returncode, stdout), (0, native.stdout), "status and stdout")
    check(len(stderr.splitlines()) <= 1, f"stderr {stderr!r}")
    check(time.monotonic() - began < 30, "the program hardly went on")
    report = t.report(t.trace("b.zst"))
    check(not report.trace.complete, "a trace without its writer is not complete")
    check_equal((report.trace.end, report.trace.exit_status), ("exit", 0), "how the program ended")
    allocated = sites_sum(report, "busy_round", "allocations")
    lost = report.coverage.lost_by_kind.get("allocate", 0)
    check(allocated > 1000, f"{allocated} allocations were kept")
    check_between(allocated + lost, 2000000 - 2, 2000000 + 2, f"kept ({allocated}) and lost ({lost})")


def test_short_program_is_in_the_rings(t):
    """All of it fits into the rings: nothing is lost, and `recover` makes a whole trace of it."""
    process = t.start("abba_hang", env={"INSPECT_OUTPUT": "h.zst"})
    t.wait_for_hang(process)
    for writer in writers_of(t):
        os.kill(writer, signal.SIGKILL)
    t.kill(process)
    report = t.report(t.trace("h.zst"))
    check_equal([finding.verdict for finding in report.deadlocks], ["actual"], "verdicts")
    t.analyze("recover", t.trace("h.zst"), "-o", "whole.zst")
    t.zstd_accepts(f"{t.folder}/whole.zst")
    os.mkdir(f"{t.folder}/elsewhere")
    os.rename(f"{t.folder}/whole.zst", f"{t.folder}/elsewhere/whole.zst")
    again = t.report(f"{t.folder}/elsewhere/whole.zst")
    check_equal(again.coverage.events, report.coverage.events, "events of the recovered trace")
    check_equal([finding.verdict for finding in again.deadlocks], ["actual"], "verdicts, recovered")
