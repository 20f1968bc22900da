# SPDX-License-Identifier: Apache-2.0
"""tools/bench takes the machine's changes of speed out of its figures: on records that were made
up, whose true values are known, and with its own programs."""
import json
import os
import random
import statistics
import subprocess
import sys
import time
from types import SimpleNamespace

from support.outcome import check, check_between, check_equal

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tools/bench.d"))
import pacing  # noqa: E402
import report  # noqa: E402
from results import Results  # noqa: E402
from running import Sandbox  # noqa: E402

FULL = pacing.Reference(0.5, 60.0)


def record(pace, running=0, processor=0, trip=0.0):
    return pacing.Record(0, processor, running, pace, trip)


def state(records):
    return pacing.state_of(records, pacing.trips_of(records), FULL)


def test_state(t):
    """A processor counts as often as the program was there; jitter does not count."""
    check_equal(state([]), pacing.State(0, 0), "nothing known")
    check_equal(state([record(0.5), record(0.53)]), pacing.State(0, 0), "full speed")
    check_between(state([record(0.5), record(0.75)]).slowness, 0.249, 0.251, "never met: all alike")
    there = [record(0.5, 1), record(0.75, 0, 1), record(0.5, 3), record(0.75, 0, 1)]
    check_equal(state(there).slowness, 0, "only the slow one was not its own")
    check_between(state([record(0.75, 3), record(0.5, 1, 1)]).slowness, 0.374, 0.376, "3 of 4")
    check_equal(state([record(0.5, trip=60), record(0.5, trip=400), record(0.5),
                       record(0.5, trip=90)]).far, 1 / 3, "one in three")


def test_reference(t):
    """Full speed is found in a mixture, with slips of the clock below it."""
    draw = random.Random(3)
    records = [record(draw.gauss(0.7, 0.02) if draw.random() < 0.6 else draw.gauss(0.5, 0.005),
                      trip=400 if number % 20 < 12 else 60) for number in range(2000)]
    records += [record(0.1)] * 20
    found = pacing.reference_of(records)
    check_between(found.pace_ns, 0.48, 0.51, "the loop at full speed")
    check_equal(found.round_trip_ns, 60, "a line between near processors")
    check_equal(pacing.reference_of([]), pacing.Reference(0, 0), "nothing known")
    check_equal(pacing.slowness(0.7, pacing.Reference(0, 0)), 0, "then nothing is slow")


def made_up(k, added, noise, seed, rounds=5, attempts=2):
    """Results of a program that takes 100 at full speed, `added` times that under a recorder."""
    draw, results = random.Random(seed), Results()
    workload = SimpleNamespace(name="program", variant="")
    for name, factor in (("bare", 1), ("again", 1), ("development", added)):
        for number in range(rounds):
            tried = []
            for _ in range(attempts):
                slowness = draw.choice((0.0, 0.1, 0.25, 0.45))
                taken = 100 * factor * (1 + k * slowness) * draw.gauss(1, noise)
                tried.append([taken, slowness, 0.0])
            taken, slowness, far = min(tried, key=lambda one: one[1])
            results.add(workload, SimpleNamespace(name=name), number,
                        {"units": 10, "cpu_ns": taken, "wall_ns": taken, "writer_ns": taken,
                         "cpu_raw_ns": tried[0][0], "wall_raw_ns": tried[0][0], "peak_kib": 1,
                         "slowness": slowness, "far": far, "tried": tried})
    results.compare()
    return results


def median(results, recorder, metric):
    return results.spread("program", "", recorder, metric).median


def test_normalised(t):
    """What a program takes at full speed is found, whatever a slow processor means to it."""
    for k in (0.5, 1.5, 2.5):
        results = made_up(k, 1.3, 0.01, seed=11)
        check_between(median(results, "bare", "sensitivity"), k - 0.15, k + 0.15, "sensitivity")
        check_between(median(results, "bare", "cpu_ns"), 98, 102, "bare")
        check_between(median(results, "again", "cpu_ratio"), 0.98, 1.02, "bare against itself")
        check_between(median(results, "development", "cpu_ratio"), 1.27, 1.33, "what it adds")
        check_between(median(results, "development", "writer_ns"), 12.7, 13.3, "its writer, a unit")
    raw = [made_up(2.5, 1, 0.01, seed=seed, rounds=1, attempts=1) for seed in range(40)]
    spread = {metric: statistics.stdev(median(results, "again", metric) for results in raw)
              for metric in ("cpu_ratio", "cpu_raw_ratio")}
    check(spread["cpu_ratio"] * 3 < spread["cpu_raw_ratio"], f"it takes most of it away: {spread}")


def test_nothing_to_learn(t):
    """Where all runs were at full speed, or there is one, nothing is changed."""
    check_equal(pacing.sensitivity([]), pacing.USUAL, "no run")
    check_equal(pacing.sensitivity([[(100.0, 0.0)] * 5]), pacing.USUAL, "no slow run")
    check_equal(pacing.at_full_speed(100.0, 0.0, 2.0), 100.0, "full speed")
    results, workload = Results(), SimpleNamespace(name="program", variant="")
    results.add(workload, SimpleNamespace(name="bare"), 0,
                {"units": 1, "cpu_ns": 7.0, "wall_ns": 8.0})  # as an older benchmark kept it
    results.compare()
    check_equal(median(results, "bare", "cpu_ns"), 7.0, "CPU")
    check_equal(results.noise("cpu_ratio"), None, "bare was not measured again")
    check_equal(report.noise_section(results), [], "nor is there a section about it")


def test_faster_later(t):
    """A machine that shows its full speed only later: what was measured before is judged again."""
    early, full = pacing.Reference(0.7, 400.0), pacing.Reference(0.5, 60.0)
    shown = [record(0.5, trip=60)] * 30 + [record(0.7, trip=400)] * 70
    check_equal(pacing.improved(early, shown), full, "it improves")
    check_equal(pacing.improved(full, [record(0.7, trip=400)] * 100), full, "it gets no worse")
    check_equal(pacing.improved(full, []), full, "nothing seen")
    before = {"slowness": 0.0, "far": 0.0, "reference": [0.7, 400.0], "tried": [[9.0, 0.0, 0.0]]}
    after = pacing.judged_again(before, full)
    check_between(after["slowness"], 0.399, 0.401, "it was slow")
    check_equal((after["far"], after["tried"][0][2]), (1.0, 1.0), "and distant")
    check_equal(pacing.judged_again(after, full), after, "once")
    alone = pacing.judged_again({**before, "reference": [0.5, 0.0]}, full)
    check_equal((alone["slowness"], alone["far"]), (0.0, 0.0), "distance does not matter to it")


def test_distant(t):
    """What distance costs is not divided out: such a round is left out, unless there is no other."""
    results, workload = Results(), SimpleNamespace(name="program", variant="")
    for number, taken, far in ((0, 130, 0.0), (1, 190, 1.0), (2, 132, 0.2), (3, 195, 0.9)):
        for name, cpu in (("bare", 100), ("development", taken)):
            results.add(workload, SimpleNamespace(name=name), number,
                        {"units": 1, "cpu_ns": cpu, "wall_ns": cpu, "cpu_raw_ns": cpu,
                         "slowness": 0.0, "far": far if name != "bare" else 0.0})
    for name, runs in results.runs["program", ""].items():
        results.runs["program", "far"] = {**results.runs.get(("program", "far"), {}),
                                          name: {1: runs[1], 3: runs[3]}}
    results.compare()
    spread = results.spread("program", "", "development", "cpu_ratio")
    check_equal(tuple(spread), (1.31, 1.3, 1.32, 2), "near rounds")
    check_equal(results.spread("program", "", "development", "cpu_raw_ratio").count, 4, "raw: all")
    check_equal(results.spread("program", "far", "development", "cpu_ratio").count, 2, "no other")
    check_equal(results.restless(), (5, 12), "runs that found no calm machine")


def test_page_says_its_noise(t):
    results = made_up(1.5, 1.3, 0.01, seed=5)
    text = "\n".join(report.noise_section(results))
    check("## Bare, measured again" in text and "| CPU | 1 | x" in text, text)


def test_pace(t):
    """pace.c finds a busy program on the processors where it is, and costs next to nothing."""
    sandbox = Sandbox()
    try:
        pace = pacing.Pace(sandbox)
        check_equal(pace.end().far, 0, "before anything is known")
        busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
        try:
            pace.begin(busy.pid)
            time.sleep(1)
            records = pace.read(pace.start)
            pace.end()
        finally:
            busy.kill()
            busy.wait()
        used = sum(int(open(f"/proc/{pace.process.pid}/task/{task}/schedstat").read().split()[0])
                   for task in os.listdir(f"/proc/{pace.process.pid}/task"))
        met = sum(one.running for one in records)
        check(met >= 5, f"it was running in {met} of {len(records)} records")
        check(all(one.running <= 1 for one in records), "it is one thread")
        check(all(0 < one.pace_ns < 1000 for one in records), "what the loop takes")
        processors = len(os.sched_getaffinity(0))
        check_equal(len({one.processor for one in records}), processors, "processors")
        check(used < 0.01e9 * processors, f"{used / 1e6:.1f} ms of CPU in a second")
        pace.calibrate(0.2, 0.2)
        check(pace.reference.pace_ns > 0, "what is full speed")
        first = sandbox.program("micro")
        text = subprocess.run([first, "malloc", "3", "1", "20", *pace.limits(near=True)],
                              capture_output=True, text=True, timeout=30).stdout
        found = json.loads(text)
        check(0 < found["cpu_ns"] <= found["cpu_raw_ns"] * 3 and found["pairs"] > 0, text)
        wrong = subprocess.run([first, "malloc", "3", "1", "20", "1", "1", "/nowhere"])
        check_equal(wrong.returncode, 2, "a board that is not there")
    finally:
        sandbox.close()
