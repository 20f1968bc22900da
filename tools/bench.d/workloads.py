# SPDX-License-Identifier: Apache-2.0
"""What is run: the micro loops, and programs that run to their end.

A workload gives, for one run under a session, its measures per unit of work (a pair, a request, an
operation, a run): CPU of the program, wall time, and where there is a client, throughput and p99.
"""
import os
import random
import re

import pacing
import running


class Workload:
    name = unit = ""
    is_micro = is_short = False
    variant = ""
    threads = 0  # 1: it passes nothing on to another thread or process; else several, or unknown

    def __init__(self, sandbox, size):
        """`size`: 1 for figures, less for a quick look."""
        self.sandbox, self.size = sandbox, size

    def check(self):
        """Missing, where it cannot be run here."""

    def run(self, session):
        raise NotImplementedError


class Micro(Workload):
    """One loop at one depth in so many threads."""
    is_micro, unit = True, "pair"

    def __init__(self, sandbox, size, name, depth, threads):
        super().__init__(sandbox, size)
        self.name, self.depth, self.threads = name, depth, threads
        self.variant = f"depth {depth}, {threads} thread{'s' if threads > 1 else ''}"
        self.milliseconds = max(20, int(60 * size)) // threads

    def run(self, session):
        program, pace = self.sandbox.program("micro", *session.flags), self.sandbox.pace
        used, text = self.sandbox.measure(
            [*session.prefix, program, self.name, str(self.depth), str(self.threads),
             str(self.milliseconds), *(pace.limits(session.near) if pace and session.paced else ())],
            session.values)
        found = running.last_object(text)
        if session.paced and pace:  # it has chosen what counts; where it found none, all counts
            used["far"] = found["far"]
            used["slowness"] = pacing.slowness(found["pace_ns"], pace.reference)
        return {"units": found.pop("pairs"), **found, "peak_kib": used["peak_kib"],
                "slowness": used["slowness"], "far": used["far"]}


class Command(Workload):
    """A program that does a fixed amount of work and ends: what counts is the whole run."""
    unit = "run"
    times = 1

    def command(self, session):
        raise NotImplementedError

    def values(self):
        return {}

    def run(self, session):
        times = max(3, self.times // 16) if session.slow else self.times
        used, text = self.sandbox.measure([*session.prefix, *self.command(session)],
                                          {**session.values, **self.values()}, times)
        return {"units": times, "wall_ns": used["median_ns"],
                "cpu_ns": (used["user_ns"] + used["system_ns"]) / times,
                "peak_kib": used["peak_kib"], "slowness": used["slowness"], "far": used["far"],
                **self.client(text)}

    def client(self, text):
        """What the program says of its own speed."""
        return {}


class ShortProcess(Command):
    """A process that does next to nothing: what starting and ending costs."""
    is_short, name, threads = True, "short", 1

    def check(self):
        self.times = max(5, int(40 * self.size))
        self.program = running.find("true")
        self.variant = "true"

    def command(self, session):
        return [self.program]


class GitStatus(ShortProcess):
    def check(self):
        super().check()
        self.variant = "git status"
        git, self.folder = running.find("git"), os.path.join(self.sandbox.folder, "repository")
        os.mkdir(self.folder)
        for number in range(50):
            with open(f"{self.folder}/file{number}", "w") as file:
                file.write(f"{number}\n" * 20)
        identity = ["-c", "user.name=bench", "-c", "user.email=bench@localhost"]
        for arguments in (["init", "-q"], ["add", "."], [*identity, "commit", "-q", "-m", "files"]):
            self.sandbox.run([git, "-C", self.folder, *arguments])
        self.program = git

    def command(self, session):
        return [self.program, "-C", self.folder, "status", "--short"]


class PythonJson(Command):
    """json.dumps and json.loads, each object a malloc."""
    name, threads = "python", 1
    script = """
import json
data = {str(i): [i, str(i) * 3, {"x": i / 7, "y": [None, True, "text" * 4]}] for i in range(4000)}
for _ in range(%d):
    data = json.loads(json.dumps(data, sort_keys=True))
"""

    def check(self):
        self.python = "/usr/bin/python3"
        if not os.path.exists(self.python):
            raise running.Missing("Debian's python3 is not installed")

    def values(self):
        return {"PYTHONMALLOC": "malloc", "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}

    def command(self, session):
        return [self.python, "-S", "-s", "-c", self.script % max(2, int(30 * self.size))]


class DbBench(Command):
    """RocksDB, fillrandom and readrandom in four threads."""
    name = "db_bench"

    def check(self):
        self.program = running.find("db_bench")

    def command(self, session):
        number = max(2000, int(60000 * self.size))
        return [self.program, "--benchmarks=fillrandom,readrandom", "--threads=4", "--histogram=1",
                "--compression_type=none", "--seed=7", f"--num={number}",
                f"--db={session.folder}/db"]

    def client(self, text):
        speed = re.search(r"^readrandom\s*:.*?(\d+) ops/sec", text, re.M)
        p99 = re.findall(r"P99: ([\d.]+)", text)
        if not speed or not p99:
            raise running.Failed(f"db_bench said {text[-200:]!r}")
        return {"throughput": float(speed.group(1)), "p99_us": float(p99[-1])}


class Pigz(Command):
    """Compresses a file in two threads."""
    name = "pigz"

    def check(self):
        self.program = running.find("pigz")
        self.file = os.path.join(self.sandbox.folder, "text")
        words, choose = [f"word{number}" for number in range(5000)], random.Random(7)
        with open(self.file, "w") as file:
            for _ in range(max(4, int(24 * self.size))):
                file.write(" ".join(choose.choices(words, k=120000)) + "\n")

    def command(self, session):
        return [self.program, "-p", "2", "-k", "-f", "-S", ".packed", self.file]

    def client(self, text):
        os.unlink(self.file + ".packed")
        return {}


def micro_loops(sandbox, size, quick):
    points = ([(1, 1), (12, 1), (12, 2)] if quick else
              [(depth, threads) for threads in (1, 2, 4) for depth in (1, 12, 24, 100)])
    return [Micro(sandbox, size, name, depth, threads) for name in ("malloc", "mutex")
            for depth, threads in points]
