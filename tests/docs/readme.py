# SPDX-License-Identifier: Apache-2.0
"""The report that README.md opens with is what the demonstration prints: the same sections, the same
verdict, and but for figures nearly the same lines. tests/docs/update-readme writes a new one."""
import difflib
import re

from support.outcome import Failure, check, check_equal, shorten

LIMIT = 60
REPORT = re.compile(r"^```text\n(.*?)^```$", re.M | re.S)
# A number with what may stand around it, the bars of histograms, and those of threads.
FIGURE = re.compile(r"<?\d[\d.,:]*( ?(ns|us|ms|s|min|h|B|KiB|MiB|GiB|%))?(?![A-Za-z0-9_])|#+|[RLcejx.]{20}")
HEADING = re.compile(r"^[A-Z]{4}[A-Z ]*")


def reduced(line):
    return " ".join(FIGURE.sub("#", line).split())


def headings(lines):
    return [match.group(0).strip() for match in map(HEADING.match, lines) if match]


def fresh_report(t):
    demo = t.built("tools/demo/inspect-demo")
    run = t.run([t.built("tools/inspect-run"), "--no-report", "-o", "demo.zst", "--", demo],
                recorded=False)
    check("4 sessions forgotten" in run.stdout, run.stdout)
    return t.analyze("--top", "4", "demo.zst").stdout


def test(t):
    with open(t.source + "/README.md") as file:
        shown = REPORT.search(file.read())
    check(shown, "README.md has no block marked `text`")
    shown, fresh = shown.group(1).splitlines(), fresh_report(t).splitlines()
    check_equal(headings(shown), headings(fresh), "sections in README.md (see update-readme)")
    for number in range(3):
        check_equal(reduced(shown[number]), reduced(fresh[number]), f"line {number + 1}")
    shown, fresh = list(map(reduced, shown)), list(map(reduced, fresh))
    likeness = difflib.SequenceMatcher(None, shown, fresh, autojunk=False).ratio()
    if likeness < 0.85:
        differing = [line for line in difflib.unified_diff(shown, fresh, lineterm="", n=0)]
        raise Failure(f"README.md shows another report than the demonstration gives (likeness "
                      f"{likeness:.2f}, see update-readme): {shorten(differing, 900)}")


def test_demonstration_is_found_out(t):
    """Everything that is wrong with the demonstration on purpose is in its report."""
    fresh_report(t)
    report = t.report("demo.zst", arguments=("--top", "0"))
    [deadlock] = report.deadlocks
    check_equal(sorted(deadlock.cycle), ["account_a", "account_b"], "cycle")
    check(deadlock.verdict in ("potential", "feasible"), deadlock.verdict)
    functions = {frame.function for leg in deadlock.legs for frame in leg.wants.stack}
    check({"bank_transfer", "bank_audit"} <= functions, f"stacks of the inversion: {functions}")
    stalls = [stall for loop in report.loops for stall in loop.stalls]
    check_equal(len([s for s in stalls if s.duration_ns >= 60_000_000]), 12, "stalls of 60 ms")
    [leak] = [leak for leak in report.memory.leaks if not leak.runtime]
    check_equal((leak.blocks, leak.bytes), (4, 4 * 256), "leak")
    check("session_new" in [frame.function for frame in leak.stack], "stack of the leak")
    journal = [lock for lock in report.locks if lock.name == "journal_lock"]
    check(journal and journal[0].contended > 100, "journal_lock is contended")
    names = {thread.name for leg in deadlock.legs for thread in [leg.thread]}
    check("auditor" in names, f"threads of the inversion: {names}")
