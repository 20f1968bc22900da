# SPDX-License-Identifier: Apache-2.0
"""The tables of bench.md."""
import os
import shutil
from collections import namedtuple

import budgets
from figures import bytes_text, number_text, ratio_text, spread_text, time_text

Facts = namedtuple("Facts", "machine versions others options units speeds")
LOOPS = ("malloc", "mutex")


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return lines + ["| " + " | ".join(row) + " |" for row in rows] + [""]


def cell(spread, show):
    return spread_text(spread, show) if spread else "-"


def speed_rows(speeds):
    slow, slower, far, trip = speeds
    return [("slow processors", f"{slow * 100:.0f} % of the time, a small loop then takes "
                                f"{slower * 100:.0f} % longer" if slow else "never"),
            ("processors far from each other", f"{far * 100:.0f} % of the time, a line then takes "
                                               f"{trip:.0f} ns there and back" if far else "never")]


def noise_rows(results):
    """What bare had against itself: how far the figures of this run can be trusted."""
    rows = []
    for what, metric in (("CPU", "cpu_ratio"), ("the same, as the first attempts had it",
                                                "cpu_raw_ratio"), ("wall", "wall_ratio")):
        noise = results.noise(metric)
        if noise:
            low, high, least, most, count = noise
            rows.append([what, str(count), f"{ratio_text(low)} to {ratio_text(high)}",
                         f"{ratio_text(least)} to {ratio_text(most)}"])
    return rows


def noise_section(results):
    rows = noise_rows(results)
    if not rows:
        return []
    return ["## Bare, measured again", "",
            "Bare is run twice in each round, with other recorders between. What it has against",
            "itself is what a ratio below may be off; its own row in each table says it there.",
            "{} of {} runs met slow or distant processors in each attempt; rounds with distant ones"
            .format(*results.restless()), "count only where a workload has no others.",
            "", *table(["", "workloads", "medians", "single rounds"], rows)]


def conditions(facts, used):
    options = facts.options
    versions = [f"{recorder.title.split(',')[0]} {recorder.version}" for recorder in used
                if recorder.version and recorder.title.split(",")[0] != "inspect"]
    ours = {recorder.version for recorder in used if recorder.title.startswith("inspect")} - {""}
    versions = [f"inspect {version}" for version in ours] + versions
    versions += [f"{name} {version}" for name, version in facts.versions.items()]
    rows = [*facts.machine, ("versions", ", ".join(versions)),
            ("rounds", f"{options.rounds}" + (", --quick: for function, not for figures"
                                             if options.quick else "")),
            ("other work on the machine", f"{facts.others * 100:.0f} % of its processors' time"),
            *speed_rows(facts.speeds)]
    return table(["", ""], [[what, str(value)] for what, value in rows])


READING = """A figure is the median over the rounds, the least and the greatest in brackets. What a recorder
adds is taken against the bare run of the same round. CPU is that of the program alone; "with the
writer" adds what another process used for it: our writer, heaptrack's interpreter and zstd, LTTng's
consumer daemon. Times are those at the processors' full speed (see How it is measured); what was
measured as it came is in the CSV, as `raw`. Throughput and p99 are the client's, as they came.
""".splitlines()


def variants(results, name):
    return [variant for workload, variant in results.samples if workload == name]


def shown_variants(results, name):
    """Of the loops: every depth in one thread, any number of threads at one depth; CSV has all."""
    return [variant for variant in variants(results, name)
            if variant.endswith("1 thread") or variant.startswith("depth 12,")]


def micro_table(results, used, loop, metric, absolute):
    """One row a recorder; the bare row is absolute, the others are what they add."""
    columns = shown_variants(results, loop)
    rows = []
    for recorder in used:
        wanted = absolute if recorder.name == "bare" else metric
        spreads = [results.spread(loop, column, recorder.name, wanted) for column in columns]
        if any(spreads):
            sign = "" if recorder.name == "bare" else "+"
            rows.append([recorder.title, *(cell(spread, lambda value: number_text(value, sign))
                                           for spread in spreads)])
    return table([f"{loop}, ns", *columns], rows)


def micro_section(results, used):
    if not any(variants(results, loop) for loop in LOOPS):
        return []
    lines = ["## Micro loops", ""]
    for metric, absolute, text in (
            ("cpu_added", "cpu_ns", "CPU of the thread for a pair of calls; the first row is the "
             "bare loop, the others are what is added."),
            ("wall_added", "wall_ns", "The same as wall time: waits for a buffer that is full are "
             "in it, and waits for a processor.")):
        lines += [text, ""]
        for loop in LOOPS:
            if variants(results, loop):
                lines += micro_table(results, used, loop, metric, absolute)
    return lines


def program_row(results, place, recorder):
    def get(metric, show):
        return cell(results.spread(*place, recorder.name, metric), show)
    if recorder.name == "bare":
        times = [get("wall_ns", time_text), get("cpu_ns", time_text), "-"]
    else:
        times = [get(metric, ratio_text) for metric in ("wall_ratio", "cpu_ratio", "total_ratio")]
    return [recorder.title, *times, get("throughput", number_text),
            get("p99_us", lambda value: time_text(value * 1e3)),
            get("peak_kib", lambda value: bytes_text(value * 1024))]


def program_section(results, used, units):
    lines = []
    for place, recorders in results.samples.items():
        if place[0] in LOOPS:
            continue
        unit = units[place[0]]
        lines += [f"### {' '.join(place).strip()}", ""]
        lines += table(["", f"wall for each {unit}", f"CPU for each {unit}", "CPU with the writer",
                        "throughput, 1/s", "p99", "peak memory"],
                       [program_row(results, place, recorder) for recorder in used
                        if recorder.name in recorders])
    return ["## Programs", ""] + lines if lines else []


def trace_section(results, used):
    rows = []
    for place, recorders in results.samples.items():
        for recorder in used:
            if not recorders.get(recorder.name, {}).get("event_bytes"):
                continue
            if place[0] in LOOPS and not place[1].endswith("1 thread"):
                continue

            def get(metric, show):
                return cell(results.spread(*place, recorder.name, metric), show)
            rows.append([" ".join(place).strip(), recorder.title, get("events", number_text),
                         get("lost", number_text), get("event_bytes", number_text),
                         get("writer_event_ns", number_text), get("analyze_rate", number_text),
                         get("analyze_peak_kib", lambda value: bytes_text(value * 1024))])
    head = ["workload", "recorder", "events", "lost", "bytes an event", "writer, ns an event",
            "analyzer, events/s", "its peak memory"]
    text = ["Runs with less than 10,000 events are left out. The analyzer makes its whole text",
            "report, heaptrack_print its own; babeltrace2 reads every event and does no more.",
            "Rates are events for each second of the analyzer's CPU.", ""]
    return ["## Traces and their analysis", "", *text, *table(head, rows)] if rows else []


KEPT = {
    "development": "every event, with stacks",
    "analysis": "no allocations; one in ten of what is sampled; stacks",
    "production": "no allocations, no stacks of timings; one in a hundred of what is sampled; the "
                  "newest 100,000 events",
    "off": "nothing",
}
COSTS = (("malloc pair", "malloc", budgets.LINE, "cpu_added"),
         ("mutex pair", "mutex", budgets.LINE, "cpu_added"), ("redis", "redis", "", "total_ratio"),
         ("db_bench", "db_bench", "", "total_ratio"), ("python", "python", "", "total_ratio"),
         ("nginx", "nginx", "", "total_ratio"), ("memcached", "memcached", "", "total_ratio"))


def cost(results, name, place):
    """In a table of modes: CPU, that of the writer included where there is one."""
    _, workload, variant, metric = place
    if metric == "cpu_added":
        return cell(results.spread(workload, variant, name, metric),
                    lambda value: number_text(value, "+") + " ns")
    return cell(results.spread(workload, variant, name, metric)
                or results.spread(workload, variant, name, "cpu_ratio"), ratio_text)


def modes_section(results):
    rows = [[title, kept, *(cost(results, name, place) for place in COSTS)]
            for name, title, kept in (("again", "bare again", "-"),
                                      *((mode, mode, kept) for mode, kept in KEPT.items()))]
    return ["## Modes", "", "CPU, with the writer's for programs.", "",
            *table(["mode", "kept", *(place[0] for place in COSTS)], rows)]


def list_section(title, items):
    if not items:
        return []
    return [f"## {title}", "", *(f"- {what}: {why}" for what, why in items), ""]


def write(path, results, used, facts):
    """Writes the page and gives its text."""
    lines = ["# What recording costs", "", *conditions(facts, used), *READING, "",
             "![What recording adds](bench.svg)", "",
             *noise_section(results), "## Budgets", "", *table(budgets.HEAD, budgets.rows(results)),
             *modes_section(results), *micro_section(results, used),
             *program_section(results, used, facts.units), *trace_section(results, used),
             *list_section("Not measured", results.skipped),
             *list_section("Failed", results.failed)]
    text = "\n".join(lines).rstrip() + "\n"
    with open(path, "w") as file:
        file.write(text)
    return text


MARK = "<!-- generated by tools/bench from here on -->\n"


def renew(page, text, drawing):
    """Puts what was measured into a page whose upper part people write, and its drawing beside it."""
    with open(page) as file:
        written = file.read().partition(MARK)[0].rstrip()
    name = os.path.splitext(os.path.basename(page))[0] + ".svg"
    figures = text.split("\n", 2)[2].replace("(bench.svg)", f"({name})")
    with open(page, "w") as file:
        file.write(f"{written}\n\n{MARK}\n{figures}")
    shutil.copyfile(drawing, os.path.join(os.path.dirname(page), name))
