# SPDX-License-Identifier: Apache-2.0
"""The checking mode: every Nth stack that the recorder takes in a real program, against libunwind,
and where these differ against libgcc as well. At most one difference in a million.

libinspect-checking.so is the recorder, object for object, with the comparison in between. What was
counted stands in a file that all processes of a program share (tests/checking/checking.h).
"""
import os
import re
import struct

from support.outcome import check, check_equal
from support.servers import Redis

LIMIT = 200
COUNTERS, EXAMPLES, EXAMPLE_SIZE = 20, 32, 224
OURS = ("cut", "wrong")  # the classes in which the recorder differs


class Checked:
    """One run under the checking mode: its environment, and afterwards what was counted."""

    def __init__(self, t, every):
        self.t, self.path = t, f"{t.folder}/checked"
        with open(self.path, "wb") as file:
            file.truncate(COUNTERS * 8 + EXAMPLES * EXAMPLE_SIZE)
        self.environment = {
            "LD_PRELOAD": t.built("tests/checking/libinspect-checking.so"),
            "STACKS_CHECK_OUTPUT": self.path, "STACKS_CHECK_EVERY": str(every),
            "INSPECT_OUTPUT": f"{t.folder}/%e.%p.zst"}

    def read(self):
        """{class: stacks}, and the examples of what was not equal."""
        with open(f"{self.t.source}/tests/checking/checking.h") as file:
            names = re.findall(r'^ +CLASS\([\s\\]*\w+,[\s\\]*"([\w-]+)"', file.read(), re.M)
        with open(self.path, "rb") as file:
            data = file.read()
        values = struct.unpack_from(f"<{COUNTERS}Q", data)
        self.taken, self.skipped, self.deepest = values[:3]
        self.classes = dict(zip(names, values[3:]))
        self.compared = sum(self.classes.values())
        self.examples = []
        for number in range(min(values[-1], EXAMPLES)):
            offset = COUNTERS * 8 + number * EXAMPLE_SIZE
            kind, frame, ours, theirs = struct.unpack_from("<4I", data, offset)
            where = data[offset + 16:offset + EXAMPLE_SIZE].split(b"\0")[0].decode()
            self.examples.append(f"{names[kind]} at frame {frame} of {ours} ({theirs}): {where}")
        return self

    def judge(self, least):
        """At most one difference in a million; `results` tells what was compared."""
        self.read()
        others = {name: count for name, count in self.classes.items() if name != "equal" and count}
        told = (f"{self.taken} stacks taken, {self.compared} compared, up to {self.deepest} frames; "
                f"not equal: {others or 'none'}")
        check(self.compared >= least, f"only {self.compared} stacks were compared")
        differences = sum(self.classes[name] for name in OURS)
        wrong = [example for example in self.examples if example.startswith(OURS)]
        check(differences * 1_000_000 <= self.compared,
              f"{differences} differences in {self.compared} stacks: {wrong[:3]}")
        self.results = [["ok", "", told]]
        return self


def run(t, command, every, least, **extra):
    checked = Checked(t, every)
    t.run(command, env={**checked.environment, **extra}, recorded=False, limit=3 * LIMIT)
    t.settle()
    return checked.judge(least)


# ---- programs --------------------------------------------------------------------------------

PYTHON = """
import json
data = {str(i): [i, str(i) * 3, {"x": i / 7}] for i in range(2000)}
for _ in range(%d):
    data = json.loads(json.dumps(data, sort_keys=True))
"""


def test_python(t):
    rounds, least = (40, 1_000_000) if t.long else (2, 100_000)
    return run(t, ["python3", "-S", "-s", "-c", PYTHON % rounds], 1, least, PYTHONMALLOC="malloc").results


def test_redis(t):
    requests, every, least = (60000, 1, 1_000_000) if t.long else (3000, 3, 10_000)
    checked = Checked(t, every)
    redis = Redis(t, env=checked.environment, recorded=False)
    redis.benchmark(requests, "-t", "set,get,lpush,lrange_100,zadd,mset", "-P", "16", "-r", "1000")
    redis.stop()
    t.settle()
    return checked.judge(least).results


def test_db_bench(t):
    return run(t, ["db_bench", "--benchmarks=fillrandom,readrandom", "--threads=4", "--num=60000",
                   "--compression_type=none", f"--db={t.folder}/db"], 1, 1_000_000).results


NODE = """
let o = {};
for (let i = 0; i < 20000; i++) o["k" + i] = {a: [i, i * 2]};
for (let j = 0; j < 80; j++) o = JSON.parse(JSON.stringify(o));
for (let j = 0; j < 50; j++) require("zlib").gzipSync(JSON.stringify(o));
for (let j = 0; j < 800; j++) require("fs").readdirSync("/usr/bin");
"""


def test_node(t):
    """Stacks through code that V8 made, or built in without rules, end there and are marked."""
    checked = run(t, ["node", "-e", NODE], 1, 1_000_000)
    check(checked.classes["no-rules"] > 0, "stacks below JavaScript")
    return checked.results


def test_gcc(t):
    """The driver, cc1, as and collect2, each a process."""
    sources = [f"{t.source}/analyzer/models/{name}.c" for name in ("locks", "heap", "loops")]
    includes = [f"-I{t.source}", "-D_GNU_SOURCE"]
    checked = Checked(t, 1)
    for source in sources:
        for level in ("-O0", "-O1", "-O2", "-O3", "-Os"):
            t.run(["gcc", level, "-g", *includes, "-c", source, "-o", f"{t.folder}/out.o"],
                  env=checked.environment, recorded=False, limit=LIMIT)
    t.settle()
    return checked.judge(1_000_000).results


test_db_bench.long = test_node.long = test_gcc.long = True


# ---- what each class is: a program that shows it ----------------------------------------------


def test_without_rules(t):
    """libunwind follows the frame pointer of made code; the recorder and libgcc end there."""
    checked = run(t, ["jit"], 1, 1000)
    check_equal(checked.classes["no-rules"], 1000, "stacks through the made code")
    return checked.results


def test_stale_cache(t):
    """libunwind goes on with the rules of a module that has gone: here its frames are of another
    size than those of the module at the same place now."""
    plugins = [t.built(f"tests/programs/plugin_{name}.so") for name in ("narrow", "wide")]
    checked = run(t, ["reopen", *plugins], 1, 100)
    check(checked.classes["stale-cache"] > 0, f"classes: {checked.classes}")
    return checked.results


def test_deep(t):
    checked = run(t, ["deep", "4000"], 1, 100)
    check_equal(checked.classes["deep"], 100, "stacks of 4000 frames")
    return checked.results


def test_interrupted(t):
    """A signal every moment: stacks through frames that were struck anywhere."""
    return run(t, ["signals"], 1, 1000).results
