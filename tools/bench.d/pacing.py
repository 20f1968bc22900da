# SPDX-License-Identifier: Apache-2.0
"""How fast the machine was while something ran on it, and what it would have taken at full speed.

pace.c notes two things all the time: what a round of a small loop takes on each processor, and what
a cache line takes from one processor to another and back. Both change on a virtual machine, within
seconds. `slowness` of a run: by how much the loop was slower than at full speed, on average over
the places where the threads of the program ran (0.4: it took 1.4 times as long). `far`: the share
of the run in which the processors were far from each other.
"""
import math
import mmap
import os
import struct
import time
from collections import namedtuple

RECORD = struct.Struct("<QIIff")   # as in pace.c
BOARD = struct.Struct("<if")       # as in pace.h
# Of what is fast, the loop takes up to so much more than usual; what is slow begins at 1.2.
SLOWER, FARTHER = 1.08, 2.5
# The part of all records that is no slower than the reference: in it are slips of the clock, too.
FASTEST = 0.1
CALM_SLOWNESS, CALM_FAR = 0.05, 0.1
LATELY_NS, LATEST = 80_000_000, 400  # at least one record of each processor; some seconds
WAIT_MOST = 3.0
MUCH, WINDOW = 1.2, 2000             # records, of the last 10 s with two processors

State = namedtuple("State", "slowness far")
Reference = namedtuple("Reference", "pace_ns round_trip_ns")
Record = namedtuple("Record", "when processor running pace_ns round_trip_ns")


def fastest(values):
    """The value that one in ten is below, or 0 where there is none."""
    values = sorted(values)
    return values[int(len(values) * FASTEST)] if values else 0.0


def reference_of(records):
    return Reference(fastest(record.pace_ns for record in records),
                     fastest(trips_of(records)))


def slowness(pace_ns, reference):
    """Within what is usual at full speed it is 0: k times a jitter of 2 % would be noise."""
    if not reference.pace_ns or pace_ns <= reference.pace_ns * SLOWER:
        return 0.0
    return pace_ns / reference.pace_ns - 1


def state_of(records, trips, reference):
    """Each processor counts as often as the target ran there; all alike where it was never met.
    `trips`: what a line took from processor to processor and back, in ns, as often as it was timed."""
    weights = [record.running for record in records]
    if not any(weights):
        weights = [1] * len(records)
    slower = sum(weight * slowness(record.pace_ns, reference)
                 for weight, record in zip(weights, records)) / max(1, sum(weights))
    far = sum(trip > reference.round_trip_ns * FARTHER for trip in trips) / max(1, len(trips))
    return State(slower, far)


def trips_of(records):
    return [record.round_trip_ns for record in records if record.round_trip_ns]


def improved(reference, records):
    """The reference, or what is full speed where these records show a much higher one: a machine may
    have been slow, or its processors far from each other, as long as it was looked at before."""
    found = reference_of(records)
    return Reference(*(new if new and (not old or new * MUCH < old) else old
                       for old, new in zip(reference, found)))


def judged_again(measures, reference):
    """The measures of a run, of which another reference was taken for full speed."""
    before = Reference(*measures.get("reference", reference))
    slower = before.pace_ns / reference.pace_ns if reference.pace_ns else 1
    distant = before.round_trip_ns > reference.round_trip_ns * FARTHER
    if slower <= SLOWER and not distant:
        return measures

    def state(slowness, far):
        return ((1 + slowness) * slower - 1 if slower > SLOWER else slowness, 1.0 if distant else far)
    slowness, far = state(measures["slowness"], measures["far"])
    return {**measures, "slowness": slowness, "far": far, "reference": list(reference),
            "tried": [[taken, *state(*rest)] for taken, *rest in measures["tried"]]}


def is_calm(state):
    return state.slowness <= CALM_SLOWNESS and state.far <= CALM_FAR


class Pace:
    """pace.c, running beside the benchmark. `reference`: what is full speed here."""

    def __init__(self, sandbox, reference=None):
        self.path = os.path.join(sandbox.folder, "pace.records")
        self.board_path = os.path.join(sandbox.folder, "pace.board")
        for path, content in ((self.path, b""), (self.board_path, bytes(BOARD.size))):
            with open(path, "wb") as file:
                file.write(content)
        with open(self.board_path, "r+b") as file:
            self.board = mmap.mmap(file.fileno(), BOARD.size)
        self.process = sandbox.start([sandbox.program("pace"), self.path, self.board_path])
        sandbox.lasting.add(self.process.pid)
        self.reference = reference or Reference(0.0, 0.0)
        self.start = 0
        self.looked = time.monotonic()
        self.patience = 0.0  # seconds that may still be spent on waiting and repeating

    def calibrate(self, least, most):
        """Looks at the machine for some seconds, longer where it has shown one speed only."""
        begin = time.monotonic()
        while True:
            time.sleep(0.1)
            spent, records = time.monotonic() - begin, self.read(0)
            if spent > most or (spent > least and self.has_two(records)):
                self.reference = reference_of(records)
                return

    @staticmethod
    def has_two(records):
        """Whether fast and slow, near and far were seen."""
        reference = reference_of(records)
        slow = sum(slowness(record.pace_ns, reference) > 0 for record in records)
        far = sum(trip > reference.round_trip_ns * FARTHER for trip in trips_of(records))
        return slow > len(records) * FASTEST and far > 2

    def limits(self, near):
        """What micro.c may take for full speed, `near`: with processors near each other, too."""
        pace, trip = self.reference
        return [f"{pace * SLOWER:.4f}" if pace else "inf",
                f"{trip * FARTHER:.1f}" if near and trip else "inf", self.board_path]

    def read(self, position):
        with open(self.path, "rb") as file:
            file.seek(position)
            content = file.read()
        whole = len(content) // RECORD.size * RECORD.size
        return [Record(*values) for values in RECORD.iter_unpack(content[:whole])]

    def size(self):
        return os.path.getsize(self.path) // RECORD.size * RECORD.size

    def begin(self, pid):
        """From here on the threads of a process and of its children are looked for."""
        if time.monotonic() - self.looked > 5:
            self.looked = time.monotonic()
            self.reference = improved(self.reference, self.latest(WINDOW))
        self.start = self.size()
        self.board[:4] = struct.pack("<i", pid)

    def end(self):
        """The state since begin()."""
        self.board[:4] = bytes(4)
        records = self.read(self.start)
        return state_of(records, trips_of(records) or self.latest_trip(), self.reference)

    def latest(self, count=LATEST):
        return self.read(max(0, self.size() - count * RECORD.size))

    def latest_trip(self):
        return trips_of(self.latest())[-1:]

    def lately(self):
        since = time.monotonic_ns() - LATELY_NS
        recent = [record._replace(running=0) for record in self.latest() if record.when >= since]
        return state_of(recent, self.latest_trip(), self.reference)

    def wait(self, near=True, fast=True):
        """Until the processors are near each other and at full speed, where these matter; some
        seconds at most, and no longer than patience lasts."""
        begin = time.monotonic()
        while time.monotonic() - begin < min(self.patience, WAIT_MOST):
            slower, far = self.lately()
            if is_calm(State(slower if fast else 0, far if near else 0)):
                break
            time.sleep(0.01)
        self.patience -= time.monotonic() - begin

    def whole(self):
        """(share of time slow, slowness then, share of time far, round trip then) of it all."""
        records = self.read(0)
        slow = [value for value in (slowness(record.pace_ns, self.reference) for record in records)
                if value]
        trips = trips_of(records)
        far = [trip for trip in trips if trip > self.reference.round_trip_ns * FARTHER]
        return (len(slow) / max(1, len(records)), sum(slow) / max(1, len(slow)),
                len(far) / max(1, len(trips)), sum(far) / max(1, len(far)))


# How much more a program suffers from a slow processor than the loop: of what was tried here pigz
# 0.9, python 2.3. A workload's own value is found from its runs, starting from this one.
USUAL, USUAL_WIDTH, RUN_NOISE = 1.5, 0.7, 0.04
STEPS = [step / 50 for step in range(201)]


def sensitivity(groups):
    """`groups`: lists of (time, slowness), each list of runs that differ in speed only. Gives k, so
    that time / (1 + k * slowness) agrees best within each group: least squares of the logarithms,
    against a prior (USUAL) that holds where the runs say little."""
    def badness(k):
        total = ((k - USUAL) / USUAL_WIDTH) ** 2
        for group in groups:
            values = [math.log(at_full_speed(taken, slower, k)) for taken, slower in group]
            mean = sum(values) / len(values) if values else 0
            total += sum(((value - mean) / RUN_NOISE) ** 2 for value in values)
        return total
    return min(STEPS, key=badness)


def at_full_speed(taken, slower, k):
    return taken / (1 + k * slower)
