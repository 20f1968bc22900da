# SPDX-License-Identifier: Apache-2.0
"""operator new and delete: counted once each, whoever has them; exceptions pass through."""
import os
import subprocess

from support.expect import sites_sum
from support.outcome import Skip, check, check_equal

ROUNDS, ALLOCATIONS = 300, 6
JEMALLOC = "/usr/lib/x86_64-linux-gnu/libjemalloc.so.2"


def plugin(t, *flags):
    """The plugin, compiled here: a test build needs no C++ otherwise."""
    path = os.path.join(t.folder, "plugin_throws.so")
    source = os.path.join(t.source, "tests/programs/plugins/plugin_throws.cc")
    subprocess.run([t.command("g++"), "-std=c++17", "-O1", "-g", "-shared", "-fPIC", *flags, "-o", path,
                    source], check=True)
    return path


def check_counts(t, *flags, preload=None):
    path = plugin(t, *flags)
    env = {"LD_PRELOAD": f"{t.library} {preload}"} if preload else None
    run = t.run(["plugin_host", path], env=env)
    check_equal(run.truth.caught, 2 * ROUNDS, "exceptions caught")
    check_equal(run.stderr, "", "stderr")
    t.settle()
    report = t.report(t.trace())
    check_equal(sites_sum(report, "plugin_allocate", "allocations"), ALLOCATIONS * ROUNDS, "blocks")
    check_equal(sites_sum(report, "plugin_allocate", "live_blocks"), 0, "blocks alive")
    check_equal(report.coverage.events_lost, 0, "events lost")
    own = [site for site in report.memory.sites if "libinspect.so" in {f.module for f in site.stack}]
    check_equal(own, [], "blocks of the recorder's own")


def test_libstdcxx_loaded_by_a_plugin(t):
    check_counts(t)


def test_libstdcxx_inside_a_plugin(t):
    check_counts(t, "-static-libstdc++", "-static-libgcc")


def test_allocator_with_operators(t):
    if not os.path.exists(JEMALLOC):
        raise Skip("libjemalloc2 is not installed")
    check_counts(t, preload=JEMALLOC)


def test_switched_off(t):
    run = t.run(["plugin_host", plugin(t)], env={"INSPECT_ENABLED": "0"})
    check_equal(run.truth.caught, 2 * ROUNDS, "exceptions caught")
    check(not t.traces(), "a trace was made")
