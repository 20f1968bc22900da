# SPDX-License-Identifier: Apache-2.0
"""The commands and options of inspect-analyze, as scripts rely on them."""
import csv
import os
import shutil
import subprocess

from support.outcome import check, check_equal
from support.recording import parse

COLUMNS = {
    "tasks.csv": "id,name,state,created_at_ms,duration_ms,poll_count,run_time_ms,parent_id,kind,"
                 "scheduled_ns,idle_ns,blocked_ns,max_poll_ns,site",
    "events.csv": "event_id,task_id,timestamp_ms,kind,details",
    "locks.csv": "id,kind,name,address,acquisitions,contended,wait_total_ns,wait_p50_ns,wait_p95_ns,"
                 "wait_p99_ns,wait_max_ns,hold_total_ns,hold_p50_ns,hold_p95_ns,hold_p99_ns,"
                 "hold_max_ns,site",
    "lock_edges.csv": "from_id,to_id,from_name,to_name,count,threads,from_site,to_site",
    "deadlocks.csv": "id,verdict,kind,cycle,threads,reason",
    "loops.csv": "id,threads,turns,events,busy_ns,idle_ns,lag_p50_ns,lag_p95_ns,lag_p99_ns,"
                 "lag_max_ns,stalls",
    "allocations.csv": "site_id,function,file,line,allocations,bytes,live_blocks,live_bytes,"
                       "peak_bytes,temporary,stack",
    "histograms.csv": "metric,object_id,object,low_ns,high_ns,count",
    "pools.csv": "id,threads,waits_on,jobs",
    "threads.csv": None,
    "wakers.csv": "woken_id,woken,waker_id,waker,how,count,waited_ns,latency_ns,latency_max_ns,site",
    "warnings.csv": None,
}


def record(t, program, *arguments, status=0):
    t.run([program, *arguments], env={"INSPECT_OUTPUT": f"{program}.zst"}, status=status)
    t.settle()
    return t.trace(f"{program}.zst")


def read_csv(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_csv(t):
    """Every table with its columns, as many rows as the JSON has items, RFC 4180."""
    trace = record(t, "abba")
    folder = os.path.join(t.folder, "csv")
    os.mkdir(folder)
    result = t.analyze("--csv", folder, "--events", trace)
    check_equal(result.stdout, "", "stdout")
    report = t.report(trace)
    for name, columns in COLUMNS.items():
        with open(os.path.join(folder, name), newline="") as file:
            header = file.readline()
        check(header.endswith("\r\n"), f"{name}: lines end with CR LF: {header!r}")
        if columns:
            check(header.strip() == columns or header.startswith(columns + ","), f"{name}: {header!r}")
    check_equal(len(read_csv(f"{folder}/tasks.csv")), len(report.tasks), "tasks")
    check_equal({row["name"] for row in read_csv(f"{folder}/locks.csv")},
                {lock.name for lock in report.locks}, "locks")
    check_equal(len(read_csv(f"{folder}/events.csv")), report.coverage.events, "events")
    edges = {(row["from_name"], row["to_name"]): int(row["count"])
             for row in read_csv(f"{folder}/lock_edges.csv")}
    check_equal(edges, {("account_a", "account_b"): 3, ("account_b", "account_a"): 2}, "edges")
    check_equal(len(read_csv(f"{folder}/deadlocks.csv")), 1, "deadlocks")
    bytes_by_site = sum(int(row["bytes"]) for row in read_csv(f"{folder}/allocations.csv"))
    check_equal(bytes_by_site, report.memory.bytes_allocated, "bytes")


def test_fail_on(t):
    """1 where one of the kinds was found, 0 where not, and the report all the same."""
    abba, leaks = record(t, "abba"), record(t, "leaks")
    hold, loop = record(t, "contention"), record(t, "slow_handler")
    for trace, kinds, status in (
            (abba, "potential-deadlock", 1), (abba, "deadlock", 0), (abba, "any", 1),
            (abba, "leak", 0), (leaks, "leak", 1), (leaks, "potential-deadlock,leak", 1),
            (leaks, "deadlock,potential-deadlock,hazard,lost", 0), (hold, "deadlock", 0),
            (loop, "stall", 1), (loop, "deadlock", 0), (hold, "lost", 0)):
        result = t.analyze("--fail-on", kinds, trace, status=status)
        check(len(result.stdout) > 100, f"no report with --fail-on {kinds}")


def test_slight_leak(t):
    """A forgotten string is not the verdict of a large program, but --fail-on finds it."""
    trace = record(t, "slight_leak")
    verdict = t.text(trace).splitlines()[2]
    check(verdict.startswith("Verdict: nothing wrong was found") and
          "40 B in 1 block left at exit, most from name_copy" in verdict, verdict)
    t.analyze("--fail-on", "leak", trace, status=1)


def test_fail_on_actual(t):
    process = t.start("self_lock", env={"INSPECT_OUTPUT": "hang.zst"})
    t.wait_for_hang(process)
    t.analyze("--fail-on", "deadlock", t.trace("hang.zst"), status=1)
    t.kill(process)
    t.settle()
    t.analyze("--fail-on", "deadlock", t.trace("hang.zst"), status=1)


def test_sections(t):
    trace = record(t, "abba")
    whole = t.text(trace)
    only = t.text(trace, arguments=("--report", "locks"))
    check("account_a" in only and len(only) < len(whole), "one section is less than all")


def test_dump(t):
    """One line an event; as JSON lines the same number; facts can be told apart."""
    trace = record(t, "abba")
    lines = t.analyze("dump", trace).stdout.splitlines()
    events = [parse(line) for line in t.analyze("dump", "--format", "json", trace).stdout.splitlines()]
    check_equal(len(lines), len(events), "lines")
    acquires = [event for event in events if event.event == "lock-acquire"]
    check(len(acquires) >= 10, f"{len(acquires)} lock-acquire")
    times = [event.time_ns for event in events]
    check_equal(times, sorted(times), "events are in time order")


def test_info(t):
    trace = record(t, "leaks")
    info = t.analyze("info", trace).stdout
    for word in ("leaks", "libc.so.6", "development"):
        check(word in info, f"{word!r} not in {info}")


def test_recover(t):
    """A crash's trace and its leftovers as one complete file, with the same content."""
    process = t.start("abba_hang", env={"INSPECT_OUTPUT": "hang.zst"})
    t.wait_for_hang(process)
    t.analyze("recover", t.trace("hang.zst"), "-o", "whole.zst")
    t.kill(process)
    t.zstd_accepts(f"{t.folder}/whole.zst")
    os.mkdir(f"{t.folder}/elsewhere")
    moved = f"{t.folder}/elsewhere/whole.zst"
    os.rename(f"{t.folder}/whole.zst", moved)
    report = t.report(moved)
    check_equal(report.deadlocks[0].verdict, "actual", "verdict in the recovered trace")


def test_recover_refuses_its_input(t):
    trace = record(t, "leaks")
    before = os.path.getsize(trace)
    result = t.analyze("recover", trace, "-o", trace, status=None)
    check(result.returncode != 0, "recover onto its own input was accepted")
    check_equal(os.path.getsize(trace), before, "size of the input")


def test_same_bytes(t):
    """The same input gives the same output, in every format."""
    trace = record(t, "condition_ping_pong")
    for command in ((), ("--format", "json"), ("dump",), ("info",)):
        first = t.analyze(*command, trace).stdout
        check_equal(t.analyze(*command, trace).stdout, first, f"second output of {command}")


def test_json_document(t):
    report = t.report(record(t, "leaks"))
    check_equal((report.format, report.version), ("inspect-report", 1), "format and version")
    for key in ("trace", "coverage", "deadlocks", "locks", "tasks", "loops", "pools", "memory",
                "warnings"):
        check(key in report, f"no {key}")
    for key in ("program", "arguments", "pid", "start", "duration_ns", "mode", "sampling", "complete",
                "format_version"):
        check(key in report.trace, f"no trace.{key}")
    for key in ("events", "events_lost", "lost_by_kind", "tasks_dropped", "unwind_truncated", "hooks",
                "not_seen", "overhead_ns"):
        check(key in report.coverage, f"no coverage.{key}")
    for key in ("allocations", "frees", "bytes_allocated", "live_bytes", "live_blocks", "peak_bytes",
                "temporary", "sites", "leaks", "sizes"):
        check(key in report.memory, f"no memory.{key}")
    check_equal(report.memory.live_blocks, report.memory.allocations - report.memory.frees, "live")
    frame = report.memory.sites[0].stack[0]
    for key in ("function", "file", "line", "module", "offset", "inlined"):
        check(key in frame, f"no {key} in a frame")


def test_first_lines(t):
    """Line 1: program, pid, duration, mode. Line 2: what was seen and lost. Line 3: the verdict."""
    run = t.run("leaks")
    t.settle()
    lines = t.text(t.trace()).splitlines()
    for word in ("leaks", str(run.pid), "development"):
        check(word in lines[0], f"{word!r} not in line 1: {lines[0]!r}")
    check("events" in lines[1], f"line 2: {lines[1]!r}")
    check(len(lines[2]) > 10, f"line 3: {lines[2]!r}")


def test_stripped(t):
    """A stripped program still gives module and offset."""


    shutil.copy(t.program("leaks"), f"{t.folder}/bare")
    subprocess.run([t.command("strip"), "-s", f"{t.folder}/bare"], check=True)
    t.run([f"{t.folder}/bare"])
    t.settle()
    report = t.report(t.trace())
    frames = [frame for leak in report.memory.leaks for frame in leak.stack if frame.module == "bare"]
    check(frames and all(frame.function is None and frame.offset > 0 for frame in frames),
          f"frames of a stripped program: {frames[:3]}")
    check_equal(sum(leak.blocks for leak in report.memory.leaks if not leak.runtime), 14, "blocks")


def test_colours(t):
    check("\x1b" not in t.text(record(t, "abba")), "colours in a pipe")
