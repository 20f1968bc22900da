# SPDX-License-Identifier: Apache-2.0
"""Each libFuzzer target for a few seconds (ten minutes under --long), from real traces as seeds.

By hand, for longer: build/release/tests/fuzz/fuzz_X -max_total_time=SECONDS FOLDER_OF_TRACES
"""
import glob
import os
import subprocess

from support.outcome import Failure, Skip, check

LIMIT = 240
SHORT_SECONDS, LONG_SECONDS = 6, 600
# Leaks are looked for by the unit tests under the asan preset; here they would slow every input.
FLAGS = ["-timeout=10", "-rss_limit_mb=3000", "-print_final_stats=1", "-detect_leaks=0"]


def seeds(t):
    folder = os.path.join(t.folder, "corpus")
    os.mkdir(folder)
    for program in ("leaks", "abba"):
        t.run(program, env={"INSPECT_OUTPUT": f"corpus/{program}.zst"})
    t.settle(folder)
    subprocess.run([t.built("tests/write-version"), f"{folder}/version.zst", "1"], check=True)
    return folder


def fuzz(t, target):
    path = os.path.join(t.build, "tests/fuzz", target)
    if not os.path.exists(path):
        raise Skip("not built: it needs clang with its fuzzer runtime")
    seconds = LONG_SECONDS if t.long else SHORT_SECONDS
    run = t.run([path, *FLAGS, f"-max_total_time={seconds}", f"-artifact_prefix={t.folder}/",
                 seeds(t)], recorded=False, limit=seconds + 60, status=None)
    if run.status != 0:
        found = glob.glob(f"{t.folder}/crash-*") + glob.glob(f"{t.folder}/timeout-*")
        inputs = [open(name, "rb").read(600).hex() for name in found]
        lines = [line for line in run.stderr.splitlines() if "ERROR" in line or "#" in line[:6]]
        raise Failure(f"status {run.status}: {lines[:12]}; input {inputs}")
    executed = [line for line in run.stderr.splitlines() if "number_of_executed_units" in line]
    check(executed and int(executed[0].split()[-1]) > 100, f"hardly anything was tried: {executed}")


def define(target):
    globals()["test_" + target.removeprefix("fuzz_")] = lambda t: fuzz(t, target)


for source in sorted(glob.glob(os.path.join(os.path.dirname(__file__), "fuzz_*.c"))):
    define(os.path.basename(source)[:-2])
