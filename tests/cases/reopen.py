# SPDX-License-Identifier: Apache-2.0
"""A module that lands where another was: its stacks are its own."""
from support.expect import sites_sum
from support.outcome import check_equal


def test(t):
    plugins = [t.built(f"tests/programs/plugin_{name}.so") for name in "ab"]
    run = t.run(["reopen", *plugins])
    check_equal(run.truth.same_address, 3, "rounds in which b landed where a was")
    t.settle()
    report = t.report(t.trace())
    check_equal(sites_sum(report, "allocate_in_a", "allocations"), run.truth.a, "blocks of a")
    check_equal(sites_sum(report, "allocate_in_b", "allocations"), run.truth.b, "blocks of b")
    both = [site for site in report.memory.sites
            if {"plugin_a.so", "plugin_b.so"} <= {frame.module for frame in site.stack}]
    check_equal(both, [], "stacks that go through both")
    check_equal(report.coverage.unwind_truncated, 0, "truncated stacks")
