# SPDX-License-Identifier: Apache-2.0
"""Children, mappings, names and daemon(3): seen, and as they are without us."""
import os

from support.outcome import check, check_equal

OUTPUT = {"INSPECT_OUTPUT": "run.zst"}


def of(events, kind):
    return [event for event in events if event.event == kind]


def test(t):
    run = t.run("every_process", env=OUTPUT)
    check_equal(run.stderr, "", "stderr")
    t.settle()
    # the children are images of their own, with traces of their own: the youngest has the name
    traces = [path for path in t.traces() if any(
        "names" == e.get("name") or e.event == "thread-affinity" for e in t.events(path))]
    check_equal(len(traces), 1, "traces that hold the program")
    events = t.events(traces[0])
    spawned = [event.child for event in of(events, "spawn")]
    check_equal(spawned[0], run.truth.child, "first child")
    check(spawned[1] > 0, f"children: {spawned}")
    check_equal(spawned[2:], [-2, 0, 0], "the others")
    check_equal([e.name for e in of(events, "thread-name")], ["renamed"], "names")
    check_equal(len(of(events, "thread-affinity")), 2, "bindings")
    check(all(e.processors >= 1 for e in of(events, "thread-affinity")), "processors")
    pages = [e.size // 4096 for e in of(events, "map")]
    check(4 in pages and 8 in pages, f"mappings: {pages}")
    check_equal([e.size // 4096 for e in of(events, "remap")], [1024, 4], "mappings moved")
    check_equal([e.size // 4096 for e in of(events, "unmap")], [8, 1], "mappings given back")
    check(not of(events, "lost"), "events were lost")


def daemon_says(t, recorded):
    path = os.path.join(t.folder, "recorded" if recorded else "bare")
    folder = os.path.join(t.folder, "traces")
    os.makedirs(folder, exist_ok=True)
    t.run(["every_process", path], recorded=recorded,
          env={"INSPECT_OUTPUT": folder + "/run.zst"} if recorded else None)
    t.wait_until(lambda: os.path.exists(path) and os.path.getsize(path) > 0, "the daemon to write")
    if recorded:
        t.settle(folder)
    with open(path) as file:
        return file.read()


def test_daemon(t):
    check_equal(daemon_says(t, True), daemon_says(t, False), "what the daemon says")
    ends = [e.how for path in t.traces("traces/*.zst") for e in of(t.events(path), "exit")
            if e.get("status") in (0, 3)]
    check(len(ends) >= 2, f"how they ended: {ends}")
