# SPDX-License-Identifier: Apache-2.0
"""A daemon that forks twice and closes every descriptor: it finds its descriptors free, works, and is
recorded to the end."""
import os

from support.expect import one, sites_sum
from support.outcome import check, check_equal
from support.recording import parse


def test(t):
    truth_path = os.path.join(t.folder, "truth")
    run = t.run(["daemon", truth_path], env={"INSPECT_OUTPUT": os.path.join(t.folder, "d.zst")},
                limit=10)
    check_equal((run.stdout, run.stderr), ("", ""), "output")
    t.wait_until(lambda: os.path.exists(truth_path), "the daemon's truth")
    with open(truth_path) as file:
        truth = parse(file.read())
    t.settle()
    path = t.trace(f"d.{truth.pid}.zst")
    report = t.report(path)
    check_equal(report.trace.pid, truth.pid, "pid")
    check_equal(sites_sum(report, "daemon_work", "allocations"), truth.blocks, "blocks")
    check_equal(one(report.locks, name="lock").acquisitions, truth.blocks, "acquisitions")
    check(report.trace.complete, "complete")
