# SPDX-License-Identifier: Apache-2.0
"""A program native and recorded: what must be the same, and what every trace of it must be."""
import glob
import hashlib
import os
import re

from .outcome import check, check_equal, shorten


class Traces:
    """A folder for the traces of one recorded program and all that it starts, whoever they run as."""

    def __init__(self, t, name="traces"):
        self.t, self.folder = t, os.path.join(t.folder, name)
        os.makedirs(self.folder, exist_ok=True)
        os.chmod(self.folder, 0o777)

    @property
    def settings(self):
        """The environment that a recorded program needs besides LD_PRELOAD."""
        return {"INSPECT_OUTPUT": f"{self.folder}/%e.%p.zst"}

    def paths(self, pattern="*.zst"):
        return sorted(glob.glob(os.path.join(glob.escape(self.folder), pattern)))

    def check_all(self):
        """Waits for the writers; every trace must be whole, with nothing lost. Gives their infos."""
        self.t.settle(self.folder)
        infos = [Info(self.t, path) for path in self.paths()]
        check(infos, "nothing was recorded")
        for info in infos:
            check(info.complete, f"{info.path} is not complete: {info.rows}")
            check_equal(info.row("damaged"), "no", f"{info.path} damaged")
            check_equal(info.lost, 0, f"events lost of {info.path}: {shorten(info.text, 1500)}")
        return infos


class Info:
    """What `inspect-analyze info` says of one trace."""

    def __init__(self, t, path):
        self.path = path
        self.text = t.analyze("info", path).stdout
        self.rows = dict(re.findall(r"^  (\w[\w ]*?)  +(\S.*)$", self.text.split("MODULES")[0], re.M))
        self.counts = {kind: int(count.replace(",", "")) for kind, count in
                       re.findall(r"^    ([\w-]+) +([\d,]+)", self.text.split("MODULES")[0], re.M)}

    def row(self, name):
        check(name in self.rows, f"{self.path}: info has no row {name!r}")
        return self.rows[name]

    @property
    def complete(self):
        return self.row("complete") == "yes"

    @property
    def program(self):
        return os.path.basename(self.row("program"))

    @property
    def arguments(self):
        return self.rows.get("arguments", "")

    @property
    def ended(self):
        return self.row("ended")

    @property
    def forked(self):
        """Whether this image began with a fork, not with an exec."""
        return "forked by" in self.row("process")

    @property
    def lost(self):
        return int(self.row("lost").replace(",", ""))


def tree(folder):
    """{path: hash} of all files in it, but those of git itself."""
    found = {}
    for top, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name != ".git"]
        for name in files:
            path = os.path.join(top, name)
            with open(path, "rb") as file:
                found[os.path.relpath(path, folder)] = hashlib.sha256(file.read()).hexdigest()
    return found


def compare(t, command, env=None, files=True, prepare=None, statuses=(0,), same=None, limit=90):
    """Runs `command` in two folders that look the same, native and recorded: the same output, exit
    status and files. `same` takes out of a text what differs from run to run. Gives the infos of the
    traces, of which each must be whole."""
    results, traces = [], Traces(t)
    for recorded in (False, True):
        folder = f"{t.folder}/{'recorded' if recorded else 'bare'}/work"
        os.makedirs(folder)
        if prepare:
            prepare(folder)
        run = t.run(command, env={**(env or {}), **traces.settings}, recorded=recorded, cwd=folder,
                    status=None, limit=limit)
        output = [text.replace("/recorded/", "/bare/") for text in (run.stdout, run.stderr)]
        if same:
            output = [same(text) for text in output]
        results.append((run.status, *output, tree(folder) if files else None))
    bare, recorded = results
    check(bare[0] in statuses, f"{command} ends with {bare[0]} bare: {shorten(bare[2], 1000)}")
    for name, found, expected in zip(("status", "stdout", "stderr", "files"), recorded, bare):
        check(found == expected, f"{name}: {first_difference(found, expected)}")
    return traces.check_all()


def first_difference(found, expected):
    """Where two texts part, for a message."""
    if isinstance(found, str) and isinstance(expected, str):
        mine, theirs = found.splitlines(), expected.splitlines()
        for i in range(max(len(mine), len(theirs))):
            if mine[i:i + 1] != theirs[i:i + 1]:
                return f"line {i + 1}: native {theirs[i:i + 3]}, recorded {mine[i:i + 3]}"
    return f"native {shorten(expected)}, recorded {shorten(found)}"


def count_images(t, command, cwd, env=None, limit=120):
    """How many process images a native run of `command` has, as strace counts them: one for each exec
    that succeeds, and one for each child that begins with a copy of its parent's memory."""
    path = os.path.join(t.folder, "strace")
    t.run([t.command("strace"), "-f", "-qq", "-e", "signal=none", "-e",
           "trace=execve,execveat,clone,clone3,fork,vfork", "-o", path, *t.resolve(command)],
          env=env, recorded=False, cwd=cwd, limit=limit, status=None)
    with open(path) as file:
        # A call that another thread's line interrupts stands in two lines; the first has its flags.
        text = re.sub(r" <unfinished \.\.\.>$", "", file.read(), flags=re.M)
    execs = len(re.findall(r"exec(?:ve|veat)\b.*= 0$", text, re.M))
    forks = len([line for line in text.splitlines() if re.search(r"\b(?:clone3?|fork)\(", line)
                 and "CLONE_VM" not in line and "= -1" not in line])
    return execs + forks
