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


def check_in_both_orders(t, pattern):
    """The program runs as with the other library alone; with ours first, all is recorded."""
    for number, order in enumerate(preload_orders(t, pattern)):
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
    for number, order in enumerate(preload_orders(t, pattern)):
        run = t.run(["many_threads", "200"], limit=30,
                    env={"LD_PRELOAD": order, "INSPECT_OUTPUT": f"t{number}.zst"})
        check_equal((run.truth.threads, run.stderr), (200, ""), f"output with {order}")


def define(name, file):
    globals()["test_" + name] = lambda t: check_in_both_orders(t, f"/usr/lib/*/{file}")


for library, file in (("jemalloc", "libjemalloc.so.2"), ("tcmalloc", "libtcmalloc_minimal.so.4"),
                      ("mimalloc", "libmimalloc.so.2"), ("libeatmydata", "libeatmydata.so")):
    define(library, file)
