# SPDX-License-Identifier: Apache-2.0
"""Another malloc, preloaded before or after us: the program gets that malloc, and we see its calls."""
import glob

from support.expect import functions
from support.outcome import Skip, check, check_equal


def preload_orders(t, pattern):
    found = glob.glob(pattern)
    if not found:
        raise Skip(f"{pattern} is not installed")
    return (f"{found[0]}:{t.library}", f"{t.library}:{found[0]}")


def test_jemalloc(t):
    """In both orders the program runs as with jemalloc alone; with ours first, all is recorded."""
    for number, order in enumerate(preload_orders(t, "/usr/lib/*/libjemalloc.so.2")):
        run = t.run("leaks", env={"LD_PRELOAD": order, "INSPECT_OUTPUT": f"j{number}.zst"})
        check_equal(run.stderr, "", f"stderr with {order}")
        t.settle()
        report = t.report(t.trace(f"j{number}.zst"))
        check(report.trace.complete, f"complete with {order}")
        check_equal(report.coverage.events_lost, 0, f"events lost with {order}")
        if number == 1:  # ours is first, and passes on
            leaked = [leak for leak in report.memory.leaks if "main" in functions(leak.stack)]
            check_equal(sum(leak.blocks for leak in leaked), run.truth.blocks, "blocks")
            check_equal(sum(leak.bytes for leak in leaked), run.truth.bytes, "bytes")


def test_threads_under_jemalloc(t):
    for number, order in enumerate(preload_orders(t, "/usr/lib/*/libjemalloc.so.2")):
        run = t.run(["many_threads", "200"], limit=30,
                    env={"LD_PRELOAD": order, "INSPECT_OUTPUT": f"t{number}.zst"})
        check_equal((run.truth.threads, run.stderr), (200, ""), f"output with {order}")
