# SPDX-License-Identifier: Apache-2.0
"""The writer processes of a test."""
import os


def writers_of(t):
    """The processes that have the rings of this test's folder mapped and are not the program."""
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/maps") as file:
                maps = file.read()
            with open(f"/proc/{entry}/comm") as file:
                name = file.read().strip()
        except OSError:
            continue
        if f"{t.folder}/" in maps and name == "inspect-writer":
            found.append(int(entry))
    return found
