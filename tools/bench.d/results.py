# SPDX-License-Identifier: Apache-2.0
"""What was measured: one value for each workload, recorder, metric and round, at the machine's full
speed; medians, spread, and what a recorder adds to the bare run of the same round."""
import csv
import operator
import statistics
from collections import namedtuple

import pacing

# Times are ns for each unit of work, except where the name says otherwise.
UNITS = {"cpu_ns": "ns", "wall_ns": "ns", "typical_ns": "ns", "throughput": "1/s", "p99_us": "us",
         "peak_kib": "KiB", "writer_ns": "ns", "waited_ns": "ns", "events": "1", "lost": "1",
         "trace_bytes": "B", "analyze_ns": "ns", "analyze_peak_kib": "KiB", "units": "1",
         "cpu_ratio": "x bare", "total_ratio": "x bare", "wall_ratio": "x bare",
         "cpu_added": "ns", "wall_added": "ns", "typical_added": "ns", "memory_added": "KiB",
         "event_bytes": "B", "writer_event_ns": "ns", "analyze_rate": "1/s",
         "cpu_raw_ns": "ns", "wall_raw_ns": "ns", "cpu_raw_ratio": "x bare",
         "wall_raw_ratio": "x bare", "slowness": "1", "far": "1", "analyze_slowness": "1",
         "sensitivity": "1", "attempts": "1"}
PER_UNIT = ("writer_ns", "waited_ns")
# Times of the program and of what runs beside it; each has been as slow as the program itself.
TIMES = ("cpu_ns", "wall_ns", "typical_ns", "writer_ns")
# So large a part of a run with distant processors is more than an accident of its ends.
FAR_MOST = 0.5
# A trace of fewer says nothing of what one event costs.
EVENTS_ENOUGH = 10000

Spread = namedtuple("Spread", "median low high count")


class Results:
    def __init__(self):
        self.runs = {}      # (workload, variant) -> recorder -> {round: metrics as measured}
        self.samples = {}   # (workload, variant) -> recorder -> metric -> {round: value}
        self.skipped = []   # (what, why)
        self.failed = []    # (what, why)

    def add(self, workload, recorder, number, metrics):
        """Metrics of one run. `tried`: [CPU, slowness, far] of each attempt at it."""
        self.runs.setdefault((workload.name, workload.variant), {}) \
                 .setdefault(recorder.name, {})[number] = metrics

    def find(self, workload, recorder, number):
        """The metrics of a run that was added, or None."""
        place = workload.name, workload.variant
        return self.runs.get(place, {}).get(recorder.name, {}).get(number)

    def compare(self):
        """Works out what the runs took at full speed, and what each cost against the bare run of
        its round."""
        for place, recorders in self.runs.items():
            k = self.sensitivity(recorders)
            for name, rounds in recorders.items():
                for number, metrics in rounds.items():
                    self.sample(place, name, number, self.derived(metrics, k))
        for recorders in self.samples.values():
            self.compare_with(recorders.get("bare", {}), recorders.values())

    @staticmethod
    def sensitivity(recorders):
        """One for a workload: all its runs, under a recorder each, near enough to each other."""
        groups = [[(taken, slowness) for metrics in rounds.values()
                   for taken, slowness, far in metrics.get("tried", ()) if far <= pacing.CALM_FAR]
                  for rounds in recorders.values()]
        return pacing.sensitivity(groups)

    @staticmethod
    def derived(metrics, k):
        """The metrics of a run at full speed, each for a unit of work."""
        metrics = {name: value for name, value in metrics.items() if not isinstance(value, list)}
        units, slowness = metrics["units"], metrics.get("slowness", 0.0)
        for name in TIMES:
            if name in metrics:
                metrics[name] = pacing.at_full_speed(metrics[name], slowness, k)
        metrics["sensitivity"] = k
        for name in PER_UNIT:
            if name in metrics:
                metrics[name] /= units
        events = metrics.get("events")
        if events and events >= EVENTS_ENOUGH:
            metrics["event_bytes"] = metrics["trace_bytes"] / events
            if not metrics.get("lost"):  # of those the writer may have had its work too
                metrics["writer_event_ns"] = metrics.get("writer_ns", 0) * units / events
        analyzed = metrics.pop("analyzed", 0)
        if analyzed:
            metrics["analyze_ns"] = pacing.at_full_speed(metrics["analyze_ns"],
                                                         metrics.get("analyze_slowness", 0.0), k)
        if analyzed >= EVENTS_ENOUGH:
            metrics["analyze_rate"] = analyzed / metrics["analyze_ns"] * 1e9
        return metrics

    def sample(self, place, recorder, number, metrics):
        found = self.samples.setdefault(place, {}).setdefault(recorder, {})
        for name, value in metrics.items():
            found.setdefault(name, {})[number] = value

    def compare_with(self, bare, recorders):
        for found in recorders:
            for name in ("cpu", "wall", "typical"):
                for what, combine in (("ratio", operator.truediv), ("added", operator.sub)):
                    self.pair(found, bare, f"{name}_ns", f"{name}_{what}", combine)
                    self.leave_out_distant(found, bare, f"{name}_{what}")
                self.pair(found, bare, f"{name}_raw_ns", f"{name}_raw_ratio", operator.truediv)
            self.pair(found, bare, "peak_kib", "memory_added", operator.sub)
            found["all_ns"] = {number: value + found["writer_ns"][number]
                               for number, value in found.get("cpu_ns", {}).items()
                               if number in found.get("writer_ns", {})}
            self.pair(found, {"all_ns": bare.get("cpu_ns", {})}, "all_ns", "total_ratio",
                      operator.truediv)
            self.leave_out_distant(found, bare, "total_ratio")
            del found["all_ns"]

    @staticmethod
    def leave_out_distant(found, bare, name):
        """Rounds in which the processors stayed far from each other, where there are others: what
        that cost cannot be divided out."""
        values = found.get(name, {})
        near = {number: value for number, value in values.items()
                if all(runs.get("far", {}).get(number, 0) <= FAR_MOST for runs in (found, bare))}
        if near:
            found[name] = near

    def restless(self):
        """(runs that met a slow or distant processor in each attempt, runs in all)."""
        states = [pacing.State(metrics.get("slowness", 0.0), metrics.get("far", 0.0))
                  for recorders in self.runs.values() for rounds in recorders.values()
                  for metrics in rounds.values()]
        return sum(not pacing.is_calm(state) for state in states), len(states)

    def noise(self, metric):
        """What bare had against itself: (least, greatest) of the medians, the same of single
        rounds, how many workloads; or None."""
        found = [recorders["again"][metric].values() for recorders in self.samples.values()
                 if recorders.get("again", {}).get(metric)]
        if not found:
            return None
        medians = [statistics.median(values) for values in found]
        every = [value for values in found for value in values]
        return min(medians), max(medians), min(every), max(every), len(found)

    @staticmethod
    def pair(found, bare, source, name, combine):
        values = {number: combine(value, bare[source][number])
                  for number, value in found.get(source, {}).items()
                  if bare.get(source, {}).get(number)}
        if values:
            found[name] = values

    def spread(self, workload, variant, recorder, metric):
        """Median, least, greatest and count, or None where it was not measured."""
        values = self.samples.get((workload, variant), {}).get(recorder, {}).get(metric)
        if not values:
            return None
        values = list(values.values())
        return Spread(statistics.median(values), min(values), max(values), len(values))

    def write_csv(self, path):
        with open(path, "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["workload", "variant", "recorder", "metric", "unit", "median", "min",
                             "max", "rounds", "values"])
            for (workload, variant), recorders in self.samples.items():
                for recorder, metrics in recorders.items():
                    for metric in metrics:
                        spread = self.spread(workload, variant, recorder, metric)
                        writer.writerow(
                            [workload, variant, recorder, metric, UNITS.get(metric, "x bare"),
                             *(f"{value:.6g}" for value in spread[:3]), spread.count,
                             " ".join(f"{value:.6g}" for value in metrics[metric].values())])
