# SPDX-License-Identifier: Apache-2.0
"""Parts of Python's own test suite (libpython3.11-testsuite), native and recorded: every single test
ends the same way.

    LD_PRELOAD=libinspect.so INSPECT_OUTPUT=traces/%e.%p.zst python3 -m test -v test_subprocess
"""
import os
import re

from support.native import Info, Traces, first_difference
from support.outcome import Skip, check, check_equal

LIMIT, LONG = 300, True
RESULT = re.compile(r"^(?:test_\w+ \(([\w.]+)\).*|.*?) \.\.\. (ok|skipped|FAIL|ERROR|expected failure)\b", re.M)


def run_suite(t, name, traces):
    """({test: result}, tests run, everything said) of one module of the suite."""
    folder = f"{t.folder}/{'recorded' if traces else 'native'}"
    os.makedirs(folder)
    run = t.run(["python3", "-m", "test", "-v", name], recorded=traces is not None, cwd=folder, limit=600,
                env={"TMPDIR": folder, **(traces.settings if traces else {})}, status=None)
    said = run.stdout + run.stderr
    results = dict((match.group(1), match.group(2)) for match in RESULT.finditer(said) if match.group(1))
    return results, re.findall(r"^Ran (\d+) tests", said, re.M), run.status, said


def check_traces(t, traces):
    """All are whole, but those of children that the suite kills while they are being loaded: of these
    there is nothing, or no more than the names of what they were. What a signal handler does that
    strikes while a hook writes its record is lost, and counted: at most one event in a million."""
    t.wait_until(lambda: not writers_left(traces), "the writers to finish", 60)
    infos, early = [], 0
    for path in traces.paths():
        if os.path.getsize(path) == 0:
            early += 1
            continue
        info = Info(t, path)
        check(info.complete and info.row("damaged") == "no" and
              info.lost * 1_000_000 <= sum(info.counts.values()),
              f"{path}: {info.rows}")
        infos.append(info)
    check(early <= 5, f"{early} of {len(infos)} traces are empty")
    return infos


def writers_left(traces):
    """Rings beside a trace that holds something: its writer is at work."""
    return [path for path in traces.paths("*.zst.rings")
            if os.path.exists(path[:-6]) and os.path.getsize(path[:-6]) > 0]


def suite(t, name):
    t.command("python3")
    if not os.path.exists("/usr/lib/python3.11/test/test_subprocess.py"):
        raise Skip("libpython3.11-testsuite is not installed")
    traces = Traces(t)
    os.chmod(t.folder, 0o711)  # some of its children run as another user
    native, ran, status, said = run_suite(t, name, None)
    check(status == 0 and len(native) > 100, f"{name} bare: status {status}, {said[-800:]}")
    recorded, ran_recorded, status, said = run_suite(t, name, traces)
    check("inspect:" not in said, f"the recorder speaks: {first_difference(said, '')}")
    for test, result in native.items():
        check_equal(recorded.get(test), result, f"{name}, {test}")
    check_equal(ran_recorded, ran, f"number of tests of {name}")
    check_equal(status, 0, f"exit status of {name}")
    return check_traces(t, traces)


def test_subprocess(t):
    infos = suite(t, "test_subprocess")
    check(len(infos) > 200, f"{len(infos)} processes")


def test_threading(t):
    infos = suite(t, "test_threading")
    created = sum(info.counts.get("thread-create", 0) for info in infos)
    check(created > 500, f"{created} threads created")


def test_asyncio(t):
    infos = suite(t, "test_asyncio")
    check(sum(info.counts.get("epoll-wait", 0) for info in infos) > 5000, "turns of its loops")
