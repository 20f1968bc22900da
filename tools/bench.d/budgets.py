# SPDX-License-Identifier: Apache-2.0
"""What recording may cost at most, and what was measured of it."""
from figures import bytes_text, number_text, ratio_text, spread_text

HEAD = ["what", "others, in this run", "bare again", "ours, at most", "ours, in this run", ""]
LINE = "depth 12, 1 thread"


def added(value):
    return number_text(value, "+") + " ns"


def nanoseconds(value):
    return number_text(value) + " ns"


def milliseconds(value):
    return number_text(value / 1e6, "+") + " ms"


def plain_bytes(value):
    return number_text(value) + " B"


def rate(value):
    return number_text(value) + "/s"


def kibibytes(value):
    return bytes_text(value * 1024)


class Budget:
    """`measures`: (label, workload, variant, metric, limit) each, of one of our recorders; `limit`
    is what the median may be at most (at least, where `least`); None: for information."""

    def __init__(self, what, limit, show, measures, recorder="development", others=(), least=False,
                 scale=1):
        self.what, self.limit, self.show, self.measures = what, limit, show, measures
        self.recorder, self.others, self.least, self.scale = recorder, others, least, scale

    def spread(self, results, measure, recorder):
        _, workload, variant, metric, _ = measure
        found = results.spread(workload, variant, recorder, metric)
        return found and found._replace(**{name: getattr(found, name) * self.scale
                                           for name in ("median", "low", "high")})

    def row(self, results):
        own, kept = [], []
        for measure in self.measures:
            spread = self.spread(results, measure, self.recorder)
            if not spread:
                continue
            own.append(f"{measure[0]} {spread_text(spread, self.show)}".strip())
            if measure[4] is None:
                continue  # told, not judged
            kept.append(spread.median >= measure[4] if self.least else spread.median <= measure[4])
        verdict = "not measured" if not kept else "within" if all(kept) else \
            "over" if not any(kept) else "over in part"
        return [self.what, self.rivals(results), self.noise(results), self.limit,
                "; ".join(own) or "-", verdict]

    def noise(self, results):
        """What bare has against itself there: differences of that size say nothing."""
        found = []
        for name, workload, variant, metric, _ in self.measures:
            metric = "cpu_ratio" if metric == "total_ratio" else metric
            spread = self.spread(results, (name, workload, variant, metric, None), "again")
            if spread:
                found.append(f"{name} {self.show(spread.median)}".strip())
        return "; ".join(found) or "-"

    def rivals(self, results):
        found = []
        for name, title in self.others:
            spread = self.spread(results, self.measures[0], name)
            if spread:
                found.append(f"{title} {self.show(spread.median)}")
        return ", ".join(found) or "-"


PEERS = (("heaptrack", "heaptrack"), ("lttng", "LTTng"))
LOCK_PEERS = (("lttng", "LTTng"), ("tsan", "ThreadSanitizer"), ("helgrind", "Helgrind"))
PROGRAMS = (("redis", ""), ("db_bench", ""), ("nginx", ""), ("memcached", ""), ("pigz", ""))

BUDGETS = (
    Budget("malloc+free under 12 frames, exact stack, every event kept (CPU)", "+20 ns", added,
           [("", "malloc", LINE, "cpu_added", 20)], others=PEERS),
    Budget("uncontended mutex pair, every event kept (CPU)", "+15 ns", added,
           [("", "mutex", LINE, "cpu_added", 15)], others=LOCK_PEERS),
    Budget("switched off, a call", "+3 ns", added,
           [(name, name, LINE, "cpu_added", 3) for name in ("malloc", "mutex")], "off", scale=0.5),
    Budget("redis-server, pipelined SET/GET, everything recorded: its own CPU", "x1.15", ratio_text,
           [("", "redis", "", "cpu_ratio", 1.15)], others=PEERS),
    Budget("the same with the writer", "x1.25", ratio_text,
           [("", "redis", "", "total_ratio", 1.25)], others=PEERS),
    Budget("db_bench fillrandom+readrandom, 4 threads, wall", "x1.15", ratio_text,
           [("", "db_bench", "", "wall_ratio", 1.15), ("CPU", "db_bench", "", "cpu_ratio", None)],
           others=PEERS),
    Budget("python json, PYTHONMALLOC=malloc, wall", "x1.25", ratio_text,
           [("", "python", "", "wall_ratio", 1.25), ("CPU", "python", "", "cpu_ratio", None)],
           others=PEERS),
    Budget("production mode, CPU with the writer", "x1.01; python x1.03", ratio_text,
           [(name, name, variant, "total_ratio", 1.01) for name, variant in PROGRAMS]
           + [("python", "python", "", "total_ratio", 1.03)], "production"),
    Budget("writer, encoding and compression, an event of a repetitive stream", "5 ns", nanoseconds,
           [(name, name, LINE, "writer_event_ns", 5) for name in ("malloc", "mutex")]),
    Budget("start and end of a short process", "+1 ms", milliseconds,
           [(f"{name}: {what}", "short", name, f"{what.lower()}_added", limit)
            for name in ("true", "git status") for what, limit in (("wall", 1e6), ("CPU", None))],
           others=PEERS),
    Budget("trace, bytes an event", "2 B", plain_bytes,
           [(name, name, "", "event_bytes", 2) for name in
            ("python", "redis", "db_bench", "nginx", "memcached")], others=PEERS),
    Budget("trace, bytes an event of repetitive work", "0.5 B", plain_bytes,
           [(name, name, LINE, "event_bytes", 0.5) for name in ("malloc", "mutex")], others=PEERS),
    Budget("analyzer, whole report", "at least 50 M/s", rate,
           [(name, name, "", "analyze_rate", 50e6) for name in ("python", "redis")]
           + [(name, name, LINE, "analyze_rate", 50e6) for name in ("malloc", "mutex")],
           others=(("heaptrack", "heaptrack_print"), ("lttng", "babeltrace2")), least=True),
    # The main thread is one of the threads; redis-server has five.
    Budget("memory added to the program", "2 MiB + 256 KiB a thread", kibibytes,
           [("python", "python", "", "memory_added", 2304),
            ("redis", "redis", "", "memory_added", 3328),
            ("mutex in 4 threads", "mutex", "depth 12, 4 threads", "memory_added", 3328)],
           others=PEERS),
)


def rows(results):
    return [budget.row(results) for budget in BUDGETS]
