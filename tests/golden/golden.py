# SPDX-License-Identifier: Apache-2.0
"""Traces of every released version of the format still say what they said when they were recorded.

Each version-N/NAME.zst was made by `tests/golden/record`, on a machine whose programs and libraries
are not here, and NAME.json is what was read from it then. Names of functions are not among it.
"""
import glob
import json
import os
import subprocess

from support.outcome import check, check_equal

HERE = os.path.dirname(os.path.abspath(__file__))


def kinds_of(dump):
    """How many records of each kind: TIME THREAD KIND ... a line."""
    counts = {}
    for line in dump.splitlines():
        kind = line.split(maxsplit=3)[2]
        counts[kind] = counts.get(kind, 0) + 1
    return counts


def figures(report, dump):
    """What a version of the format promises: sums over the events, not how they are told."""
    memory = report["memory"]
    return {
        "trace": {key: report["trace"][key] for key in
                  ("pid", "duration_ns", "mode", "sampling", "complete", "end", "exit_status",
                   "format_version")},
        "events": report["coverage"]["events"],
        "lost": report["coverage"]["lost_by_kind"],
        "kinds": kinds_of(dump),
        "deadlocks": [[deadlock["verdict"], deadlock["kind"], len(deadlock["legs"])]
                      for deadlock in report["deadlocks"]],
        "locks": sorted([lock["kind"], lock["acquisitions"], lock["contended"]]
                        for lock in report["locks"]),
        "loops": [[loop["kind"], loop["turns"], loop["events"]] for loop in report["loops"]],
        "memory": {key: memory[key] for key in
                   ("allocations", "frees", "bytes_allocated", "live_bytes", "live_blocks",
                    "peak_bytes")},
    }


def read(analyzer, trace):
    def output(*arguments):
        return subprocess.run([analyzer, *arguments], stdout=subprocess.PIPE, check=True,
                              stdin=subprocess.DEVNULL, text=True, errors="replace").stdout

    report = json.loads(output("--format", "json", "--top", "0", trace))
    return figures(report, output("dump", "--facts", trace))


def test(t):
    results = []
    for trace in sorted(glob.glob(os.path.join(HERE, "version-*/*.zst"))):
        name = os.path.relpath(trace, HERE)[:-len(".zst")]
        with open(os.path.join(HERE, name + ".json")) as file:
            expected = json.load(file)
        found = read(t.analyzer, trace)
        for key, value in expected.items():
            check_equal(found[key], value, f"{name}: {key}")
        t.run(["zstd", "-tq", trace], recorded=False)
        again = os.path.join(t.folder, "recovered.zst")
        t.run([t.analyzer, "recover", trace, "-o", again], recorded=False)
        check_equal(read(t.analyzer, again)["events"], expected["events"], f"{name} recovered")
        os.unlink(again)
        results.append(["ok", name, ""])
    check(results, "no golden trace is there")
    return results
