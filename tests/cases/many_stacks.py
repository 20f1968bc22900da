# SPDX-License-Identifier: Apache-2.0
"""A program that comes to the same place by more ways than the recorder remembers."""
import os
import re

from support.expect import own_leaks
from support.outcome import check, check_between, check_equal


def way_of(stack):
    """The number that the functions of a stack spell; innermost first."""
    return int("".join(frame.function[-1] for frame in reversed(stack)
                       if frame.function.startswith("digit_")))


def test_each_has_its_own(t):
    """Each block that is left stands under the way that led to it; and what a stack costs that was
    not met before is a few dozen bytes, not a block of its own."""
    run, report = t.recorded(["many_stacks"])
    leaks = own_leaks(report)
    check_equal(len(leaks), run.truth.kept, "leaks")
    for leak in leaks:
        check_equal((leak.blocks, leak.bytes), (1, way_of(leak.stack) + 1), "block of a way")
    check_equal(report.coverage.events_lost, 0, "lost")
    info = t.analyze("info", t.trace()).stdout
    blocks = int(re.search(r"in ([\d,]+) blocks", info)[1].replace(",", ""))
    check_between(blocks, 1, run.truth.ways // 20, "blocks")
    stacks = int(re.search(r"stacks +(\d+)", info)[1])
    check(stacks >= run.truth.ways, f"{stacks} stacks of {run.truth.ways} ways")
    check_between(os.path.getsize(os.path.join(t.folder, t.trace())), 1, 40 * run.truth.ways, "bytes")
