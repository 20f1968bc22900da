# SPDX-License-Identifier: Apache-2.0
"""tools/bench --quick works: every workload is measured under every recorder that is installed,
what is missing is named, and nothing stays. Its figures are not judged here."""
import csv
import os
import xml.etree.ElementTree

from support.outcome import check, check_between, check_equal

LIMIT = 400
WARM_PAIRS = 8000  # pairs that a micro loop makes before it measures
OURS = ("development", "analysis", "production", "off")
PROGRAMS = ("short", "redis", "db_bench", "python", "nginx", "memcached", "pigz")


def bench(t, *arguments, **options):
    return t.run([f"{t.source}/tools/bench", "--build", t.build, "--output", f"{t.folder}/out",
                  *arguments], recorded=False, limit=390, **options)


def measured(t):
    """(workload, variant, recorder) -> {metric: median}."""
    found = {}
    with open(f"{t.folder}/out/bench.csv", newline="") as file:
        for row in csv.DictReader(file):
            key = row["workload"], row["variant"], row["recorder"]
            found.setdefault(key, {})[row["metric"]] = float(row["median"])
    return found


def check_measures(found, page):
    workloads = {workload for workload, _, _ in found}
    for name in ("malloc", "mutex", *PROGRAMS):
        check(name in workloads or f"- {name}: " in page, f"{name} is not measured and not named")
    for workload, variant, recorder in found:
        metrics = found[workload, variant, recorder]
        check(metrics["cpu_ns"] > 0 and metrics["wall_ns"] > 0,
              f"{workload} under {recorder}: {metrics}")
    for workload, variant in {key[:2] for key in found}:
        for recorder in ("bare", *OURS):
            check((workload, variant, recorder) in found,
                  f"{workload} {variant} is not measured under {recorder}")


def check_events(found):
    """The trace of a loop has as many events as the loop says that it made."""
    for loop in ("malloc", "mutex"):
        metrics = found[loop, "depth 12, 1 thread", "development"]
        pairs = metrics["units"] + WARM_PAIRS
        check_between(metrics["events"] + metrics["lost"], 2 * pairs, 2 * pairs + 100,
                      f"events of {loop}")


def test(t):
    bench(t, "--quick")
    with open(f"{t.folder}/out/bench.md") as file:
        page = file.read()
    with open(f"{t.folder}/out/bench.svg") as file:
        drawing = file.read()
    xml.etree.ElementTree.fromstring(drawing)
    check("## Failed" not in page, page[page.find("## Failed"):][:500])
    for text in (page, drawing):
        check(t.folder not in text and t.build not in text, "a path of this machine is in there")
    found = measured(t)
    check_measures(found, page)
    check_events(found)
    check_equal([name for name in os.listdir(t.folder) if name.startswith("inspect-bench.")], [],
                "folders left behind")


def test_wrong_use(t):
    run = bench(t, "--only", "nothing", status=2)
    check("redis" in run.stderr, f"it names what there is: {run.stderr!r}")
    check("--rounds" in bench(t, "--help").stdout, "--help")
