# SPDX-License-Identifier: Apache-2.0
"""Runs unit-tests of the build, and of the asan build where there is one, suite by suite: one result
a test."""
import os
import re
import subprocess

from support.outcome import Failure, Skip

LIMIT = 600
# The limits in the tests hold for a machine of their own.
ENVIRONMENT = {"CK_TIMEOUT_MULTIPLIER": "5", **os.environ}
SUITES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "suites.h")


def results(path, test, suite, rounds_divisor=1):
    output = subprocess.run([path, suite], cwd=test.folder, stdout=subprocess.PIPE, text=True,
                            stderr=subprocess.PIPE, errors="replace",
                            env={"UNIT_ROUNDS_DIVISOR": str(rounds_divisor), **ENVIRONMENT})
    found = []
    for line in output.stdout.splitlines():
        outcome = "not ok" if line.startswith("not ok ") else "ok" if line.startswith("ok ") else None
        if outcome:
            name, _, message = line[len(outcome) + 1:].partition(": ")
            found.append([outcome, name.removeprefix(suite + "/"), message])
    failed = any(result[0] == "not ok" for result in found)
    if not found or (output.returncode != 0) != failed:
        raise Failure(f"{path} {suite}: status {output.returncode}, {len(found)} results, "
                      f"stderr {output.stderr[-500:]}")
    return found


def in_build(suite):
    return lambda t: results(t.built("tests/unit/unit-tests"), t, suite)


def in_asan_build(suite):
    def test(t):
        path = os.path.join(t.asan_build, "tests/unit/unit-tests")
        if not os.path.exists(path):
            raise Skip("no asan build")
        # A build that is five times as slow; all rounds are for --long.
        return results(path, t, suite, 1 if t.long else 5)

    return test


with open(SUITES) as file:
    for name in re.findall(r"^SUITE\((\w+)\)$", file.read(), re.MULTILINE):
        globals()[f"test_asan_{name}"] = in_asan_build(name)
        globals()[f"test_{name}"] = in_build(name)
