# SPDX-License-Identifier: Apache-2.0
"""Verdicts on a program without a lock bug, into which programs/plugins/inversion.c has put one:
that one is found, and nothing else is said."""
import os
from fnmatch import fnmatch

from .expect import has
from .outcome import Failure, check, check_equal

KINDS = "deadlock,potential-deadlock,hazard"


def with_inversion(t, **env):
    """The environment that preloads the recorder, and the inversion after it."""
    return {"LD_PRELOAD": f"{t.library} {t.program('inversion.so')}", **env}


def is_injected(finding):
    stacks = [leg.wants.stack for leg in finding.legs if leg.wants]
    return (len(stacks) == 2 and any(has(stack, "injected_forth") for stack in stacks)
            and any(has(stack, "injected_back") for stack in stacks))


def describe(finding):
    """What somebody needs who has to judge a finding from the message of a failed test."""
    def frames(stack):
        return " < ".join(frame.get("function") or f"{frame.get('module')}+{frame.get('offset')}"
                          for frame in stack[:8])
    legs = "; ".join(f"{leg.thread.name} holds {leg.holds and leg.holds.lock} at "
                     f"{leg.holds and frames(leg.holds.stack)}, wants {leg.wants and leg.wants.lock} "
                     f"at {leg.wants and frames(leg.wants.stack)}, {leg.count} times"
                     for leg in finding.legs)
    return f"{finding.verdict} {finding.kind} ({finding.reason}) {finding.cycle}: {legs}"


def is_examined(finding, examined):
    """A hazard, and one of its stacks goes through a function that somebody has looked at."""
    names = [frame.get("function") or "" for leg in finding.legs
             for side in (leg.holds, leg.wants) if side for frame in side.stack]
    return finding.verdict == "hazard" and any(fnmatch(name, rule) for name in names
                                               for rule in examined)


def check_only_injected(t, trace, examined=()):
    """The injected inversion is feasible, with the names of its functions and locks; nothing else is
    found but hazards in the functions `examined`, and without these --fail-on is content. Gives the
    report."""
    report = t.report(trace, arguments=["--fail-on", KINDS], status=1)
    found = [item for item in report.deadlocks if item.verdict != "benign"]
    others = [describe(item) for item in found
              if not is_injected(item) and not is_examined(item, examined)]
    if others:
        raise Failure(f"{len(others)} findings in {os.path.basename(trace)}: {' || '.join(others)}")
    found = [item for item in found if is_injected(item)]
    check_equal([item.verdict for item in found], ["feasible"], "verdict on the injected inversion")
    check_equal(set(found[0].cycle), {"injected_first", "injected_second"}, "its cycle")
    rules = os.path.join(t.folder, "injected.rules")
    with open(rules, "w") as file:
        file.writelines(f"function:{rule}\n" for rule in ("injected_*", *examined))
    t.analyze("--fail-on", KINDS, "--suppressions", rules, "--report", "summary", trace, status=0)
    check(report.coverage.events > 0, "events")
    return report
