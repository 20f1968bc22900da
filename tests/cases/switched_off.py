# SPDX-License-Identifier: Apache-2.0
"""What the recorder costs while it is switched off: nothing starts, and a call is a jump more."""
import re
import time

from support.outcome import check, check_equal
from support.sandbox import children

OFF = {"INSPECT_ENABLED": "0"}
# 3 ns a call, two calls a pair, and eight or more of such simple instructions a ns.
ADDED_INSTRUCTIONS_A_PAIR = 48
LIMIT = 120


def test_nothing_starts(t):
    """No process, no thread, no file, no descriptor."""
    native = t.run_native("descriptors")
    check_equal(t.run("descriptors", env=OFF).stdout, native.stdout, "what the program sees")
    process = t.start(["sleep", "3"], env=OFF)
    time.sleep(0.2)
    check_equal(children(process.pid), {}, "children of the program")
    check_equal(t.traces(), [], "traces")
    t.kill(process)


def instructions(t, what, pairs, env):
    """Instructions that the program executes, as a simulator counts them: the same everywhere."""
    run = t.run([t.command("valgrind"), "--tool=callgrind", "--callgrind-out-file=/dev/null",
                 t.program("micro"), what, str(pairs)], env=env, recorded=bool(env), limit=100)
    found = re.search(r"Collected : (\d+)", run.stderr)
    check(found, f"no count in {run.stderr[-300:]!r}")
    return int(found.group(1))


def instructions_a_pair(t, what, env):
    fewer, more = 10_000, 60_000
    return (instructions(t, what, more, env) - instructions(t, what, fewer, env)) / (more - fewer)


def check_added(t, what):
    bare = instructions_a_pair(t, what, None)
    off = instructions_a_pair(t, what, OFF)
    check(5 < bare < 400, f"a bare pair of {what} has {bare} instructions")
    check(off - bare <= ADDED_INSTRUCTIONS_A_PAIR,
          f"switched off, a pair of {what} has {off:.1f} instructions, bare {bare:.1f}")


def test_instructions_of_malloc(t):
    check_added(t, "malloc")


def test_instructions_of_mutex(t):
    check_added(t, "mutex")


def median_ns_a_pair(t, what, env):
    runs = [t.run(["micro", what, "3000000"], env=env, recorded=bool(env)).truth for _ in range(7)]
    return sorted(run.ns / run.pairs for run in runs)[3]


def test_time(t):
    """A loose bound, for machines are shared; the figure is the benchmark's."""
    for what in ("malloc", "mutex"):
        bare, off = median_ns_a_pair(t, what, None), median_ns_a_pair(t, what, OFF)
        check(off <= 2 * bare + 6, f"a pair of {what}: {off:.1f} ns switched off, {bare:.1f} bare")


test_time.long = True
