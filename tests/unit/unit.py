# SPDX-License-Identifier: Apache-2.0
"""Runs unit-tests of the build, and of the asan build where there is one: one result a test."""
import os
import subprocess

from support.outcome import Failure, Skip

LIMIT = 1800
# The limits in the tests hold for a machine of their own.
ENVIRONMENT = {"CK_TIMEOUT_MULTIPLIER": "5", **os.environ}


def results(path, test):
    output = subprocess.run([path], cwd=test.folder, stdout=subprocess.PIPE, text=True,
                            stderr=subprocess.PIPE, errors="replace", env=ENVIRONMENT)
    found = []
    for line in output.stdout.splitlines():
        outcome = "not ok" if line.startswith("not ok ") else "ok" if line.startswith("ok ") else None
        if outcome:
            name, _, message = line[len(outcome) + 1:].partition(": ")
            found.append([outcome, name, message])
    failed = any(result[0] == "not ok" for result in found)
    if not found or (output.returncode != 0) != failed:
        raise Failure(f"{path}: status {output.returncode}, {len(found)} results, "
                      f"stderr {output.stderr[-500:]}")
    return found


def test(t):
    return results(t.built("tests/unit/unit-tests"), t)


def test_asan(t):
    path = os.path.join(t.asan_build, "tests/unit/unit-tests")
    if not os.path.exists(path):
        raise Skip("no asan build")
    return results(path, t)
