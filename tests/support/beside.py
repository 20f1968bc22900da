# SPDX-License-Identifier: Apache-2.0
"""A program recorded against the same program bare, and cases that are run as part of another."""
import os

from .expect import DeclarativeCase
from .outcome import check, check_equal
from .recording import Test


def fresh(t, name):
    """The same test in a folder of its own, below that of `t`."""
    folder = os.path.join(t.folder, name)
    os.makedirs(folder)
    return Test(folder, t.build, t.asan_build, t.source, t.long)


def as_native(t, command, status=0, lost=0, env=None, **options):
    """Runs bare and recorded, in folders of their own: status, stdout and stderr are the same, the
    trace is complete, and as many events are lost as said (None: any). Gives the recorded run, its
    report, and the test in whose folder the trace is."""
    name = os.path.basename(command if isinstance(command, str) else command[-1])[:40]
    runs = []
    for recorded in (False, True):
        inside = fresh(t, f"{len(os.listdir(t.folder))}.{name.replace('/', '_').replace(' ', '_')}")
        settings = {"INSPECT_OUTPUT": "run.zst", **(env or {})} if recorded else None
        runs.append(inside.run(command, status=status, recorded=recorded, env=settings, **options))
    bare, run = runs
    check_equal((run.status, run.stdout, run.stderr), (bare.status, bare.stdout, bare.stderr),
                f"status, stdout and stderr of {command}")
    inside.settle()
    report = inside.report(inside.trace("run.zst"))
    check(report.trace.complete, f"the trace of {command} is not complete")
    if lost is not None:
        check_equal(report.coverage.events_lost, lost, f"events lost of {command}")
    return run, report, inside


def declared(t, *names):
    """The declarative cases of these names."""
    for name in names:
        DeclarativeCase(os.path.join(t.source, "tests/cases", name + ".toml"))(fresh(t, name))
