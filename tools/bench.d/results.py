# SPDX-License-Identifier: Apache-2.0
"""What was measured: one value for each workload, recorder, metric and round; medians, spread, and
what a recorder adds to the bare run of the same round."""
import csv
import operator
import statistics
from collections import namedtuple

# Times are ns for each unit of work, except where the name says otherwise.
UNITS = {"cpu_ns": "ns", "wall_ns": "ns", "typical_ns": "ns", "throughput": "1/s", "p99_us": "us",
         "peak_kib": "KiB", "writer_ns": "ns", "waited_ns": "ns", "events": "1", "lost": "1",
         "trace_bytes": "B", "analyze_ns": "ns", "analyze_peak_kib": "KiB", "units": "1",
         "cpu_ratio": "x bare", "total_ratio": "x bare", "wall_ratio": "x bare",
         "cpu_added": "ns", "wall_added": "ns", "typical_added": "ns", "memory_added": "KiB",
         "event_bytes": "B", "writer_event_ns": "ns", "analyze_rate": "1/s"}
PER_UNIT = ("writer_ns", "waited_ns")
# A trace of fewer says nothing of what one event costs.
EVENTS_ENOUGH = 10000

Spread = namedtuple("Spread", "median low high count")


class Results:
    def __init__(self):
        self.samples = {}   # (workload, variant) -> recorder -> metric -> {round: value}
        self.skipped = []   # (what, why)
        self.failed = []    # (what, why)

    def add(self, workload, recorder, number, metrics):
        """Metrics of one run; what comes for a whole run is divided by its units of work."""
        metrics = dict(metrics)
        units = metrics["units"]
        for name in PER_UNIT:
            if name in metrics:
                metrics[name] /= units
        events = metrics.get("events")
        if events and events >= EVENTS_ENOUGH:
            metrics["event_bytes"] = metrics["trace_bytes"] / events
            if not metrics.get("lost"):  # of those the writer may have had its work too
                metrics["writer_event_ns"] = metrics.get("writer_ns", 0) * units / events
        analyzed = metrics.pop("analyzed", 0)
        if analyzed >= EVENTS_ENOUGH:
            metrics["analyze_rate"] = analyzed / metrics["analyze_ns"] * 1e9
        place = self.samples.setdefault((workload.name, workload.variant), {}) \
                            .setdefault(recorder.name, {})
        for name, value in metrics.items():
            place.setdefault(name, {})[number] = value

    def compare(self):
        """Adds what each run cost against the bare run of its round."""
        for recorders in self.samples.values():
            bare = recorders.get("bare", {})
            for found in recorders.values():
                for name in ("cpu", "wall", "typical"):
                    self.pair(found, bare, f"{name}_ns", f"{name}_ratio", operator.truediv)
                    self.pair(found, bare, f"{name}_ns", f"{name}_added", operator.sub)
                self.pair(found, bare, "peak_kib", "memory_added", operator.sub)
                found["all_ns"] = {number: value + found["writer_ns"][number]
                                   for number, value in found.get("cpu_ns", {}).items()
                                   if number in found.get("writer_ns", {})}
                self.pair(found, {"all_ns": bare.get("cpu_ns", {})}, "all_ns", "total_ratio",
                          operator.truediv)
                del found["all_ns"]

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
