# SPDX-License-Identifier: Apache-2.0
"""python3 with malloc as its allocator: allocations against heaptrack's, on a script that does the
same each time."""
import glob
import os
import re
import subprocess

from support.outcome import check, check_between, check_equal

LIMIT = 240
SCRIPT = """
import json
data = {str(i): [i, str(i) * 3, {"x": i / 7}] for i in range(3000)}
for _ in range(3):
    text = json.dumps(data, sort_keys=True)
    data = json.loads(text)
print(len(text), hash(len(text)))
"""
ENVIRONMENT = {"PYTHONMALLOC": "malloc", "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
COMMAND = ["python3", "-S", "-s", "-c", SCRIPT]


def heaptrack_counts(t):
    """(calls to allocation functions, leaked bytes are not compared)"""
    run = t.run([t.command("heaptrack"), "-o", f"{t.folder}/heap", *t.resolve(COMMAND)],
                env=ENVIRONMENT, recorded=False, limit=120)
    recorded = glob.glob(f"{t.folder}/heap*")
    check(len(recorded) == 1, f"heaptrack wrote {recorded}: {run.stdout[-300:]}")
    printed = subprocess.run([t.command("heaptrack_print"), "-f", recorded[0]],
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
    return int(re.search(r"calls to allocation functions: (\d+)", printed.stdout).group(1))


def test_allocations_against_heaptrack(t):
    """Within 0.5 %: heaptrack counts a realloc as an allocation as we do, but it begins later than we
    do and it counts the few allocations of its own start in the program."""
    native = t.run_native(COMMAND, env=ENVIRONMENT)
    run = t.run(COMMAND, env={**ENVIRONMENT, "INSPECT_OUTPUT": "python.zst"}, limit=100)
    check_equal((run.stdout, run.stderr), (native.stdout, native.stderr), "output")
    t.settle()
    report = t.report(t.trace("python.zst"))
    check(report.trace.complete, "complete")
    check_equal(report.coverage.events_lost, 0, "events lost")
    theirs = heaptrack_counts(t)
    check(theirs > 100000, f"heaptrack counted {theirs}")
    check_between(report.memory.allocations, theirs * 0.995, theirs * 1.005,
                  "allocations against heaptrack")


def test_twice_the_same(t):
    """The same script at the same addresses allocates the same, to the block."""
    counts = []
    empty = f"{t.folder}/empty"  # python lists the folder that it is started in
    os.mkdir(empty)
    for number in range(2):
        t.run([t.command("setarch"), "-R", *t.resolve(COMMAND)], limit=100, cwd=empty,
              env={**ENVIRONMENT, "INSPECT_OUTPUT": f"{t.folder}/p{number}.zst"})
        t.settle()
        memory = t.report(t.trace(f"p{number}.zst")).memory
        counts.append((memory.allocations, memory.frees, memory.bytes_allocated))
    check_equal(counts[1], counts[0], "allocations, frees, bytes")


def test_threads_and_asyncio(t):
    """Parts of a threaded and an asynchronous program: same output."""
    script = ("import asyncio, concurrent.futures as f, subprocess\n"
              "print(sum(f.ThreadPoolExecutor(8).map(lambda x: x * x, range(2000))))\n"
              "async def main():\n"
              "    async def one(n):\n"
              "        await asyncio.sleep(0.001 * (n % 5))\n"
              "        return n\n"
              "    print(sum(await asyncio.gather(*(one(n) for n in range(200)))))\n"
              "    p = await asyncio.create_subprocess_exec('echo', 'child', stdout=-1)\n"
              "    print((await p.communicate())[0])\n"
              "asyncio.run(main())\n"
              "print(subprocess.run(['sh', '-c', 'exit 3']).returncode)\n")
    native = t.run_native(["python3", "-c", script])
    run = t.run(["python3", "-c", script], env={"INSPECT_OUTPUT": "python.zst"})
    check_equal((run.stdout, run.stderr), (native.stdout, native.stderr), "output")
    t.settle()
    report = t.report(t.trace("python.zst"))
    check(report.loops and max(loop.turns for loop in report.loops) > 5, "the loop of asyncio")
    check_equal([item for item in report.deadlocks if item.verdict != "benign"], [], "deadlocks")
