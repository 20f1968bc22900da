# SPDX-License-Identifier: Apache-2.0
"""What export writes, checked as its reader would take it: Chrome's JSON of trace events, where spans
of a track lie apart or in one another, arrows have two ends in spans, and all tracks have names."""
import bisect
import json
import math

from .outcome import Failure, check

REQUIRED = {"X": ("ts", "dur", "name"), "M": ("name", "args"), "C": ("ts", "name", "args"),
            "s": ("ts", "id", "cat", "name"), "f": ("ts", "id", "cat", "name", "bp")}
GROUPS = {1: "threads", 2: "event loops", 3: "tasks"}
ROUNDING_US = 1e-3


def refuse(constant):
    raise Failure(f"{constant} is no JSON")


def load(path):
    with open(path, encoding="utf-8") as file:
        drawing = json.load(file, parse_constant=refuse)
    check(isinstance(drawing.get("traceEvents"), list), f"keys {list(drawing)}")
    return drawing["traceEvents"]


def track(event):
    return event["pid"], event["tid"]


def check_fields(events):
    for event in events:
        check(event.get("ph") in REQUIRED, f"phase of {event}")
        missing = [key for key in REQUIRED[event["ph"]] if key not in event]
        check(not missing, f"{missing} missing in {event}")
        check(type(event["pid"]) is int and type(event["tid"]) is int, f"track of {event}")
        for key in ("ts", "dur"):
            value = event.get(key, 0)
            check(isinstance(value, (int, float)) and math.isfinite(value) and value >= 0,
                  f"{key} of {event}")
        check("name" not in event or (isinstance(event["name"], str) and event["name"]),
              f"name of {event}")
        if event["ph"] == "C":
            check(event["args"] and all(type(value) is int and value >= 0
                                        for value in event["args"].values()), f"counter {event}")


def check_names(events):
    """Every track has one name, and the groups are there."""
    names = {}
    for event in events:
        if event["ph"] != "M":
            continue
        key = (event["name"], *((event["pid"],) if event["name"] == "process_name" else track(event)))
        check(key not in names, f"a second name of {key}: {event}")
        check(event["args"].get("name"), f"an empty name: {event}")
        names[key] = event["args"]["name"]
    for group, name in GROUPS.items():
        check(names.get(("process_name", group)) == name, f"group {group}: {names}")
    for event in events:
        if event["ph"] == "X":
            check(("thread_name", *track(event)) in names, f"a track without a name: {event}")


def spans_by_track(events):
    tracks = {}
    for event in events:
        if event["ph"] == "X":
            tracks.setdefault(track(event), []).append((event["ts"], -event["dur"], event))
    return {key: [item[2] for item in sorted(spans, key=lambda item: item[:2])]
            for key, spans in tracks.items()}


def check_nesting(tracks):
    """Spans of a track lie apart or in one another."""
    for spans in tracks.values():
        open_until = []
        for span in spans:
            end = span["ts"] + span["dur"]
            while open_until and open_until[-1] <= span["ts"] + ROUNDING_US:
                open_until.pop()
            check(not open_until or end <= open_until[-1] + ROUNDING_US,
                  f"{span} reaches over the end of the span around it, {open_until}")
            open_until.append(end)


def is_in_span(starts, furthest, time):
    """Whether one of the spans begins before and ends after: `furthest` is how far those up to each
    reach."""
    at = bisect.bisect_right(starts, time + ROUNDING_US) - 1
    return at >= 0 and furthest[at] >= time - ROUNDING_US


def check_arrows(events, tracks):
    """Each arrow has a beginning and a later end, each in a span of its track, or viewers leave it
    out."""
    reach = {}
    for key, spans in tracks.items():
        furthest, last = [], 0
        for span in spans:
            last = max(last, span["ts"] + span["dur"])
            furthest.append(last)
        reach[key] = [span["ts"] for span in spans], furthest
    ends = {}
    for event in events:
        if event["ph"] in "sf":
            check(is_in_span(*reach.get(track(event), ([], [])), event["ts"]),
                  f"outside of any span: {event}")
            ends.setdefault(event["id"], []).append((event["ph"], event["ts"]))
    for number, pair in ends.items():
        phases, times = [phase for phase, _ in pair], [time for _, time in pair]
        check(phases == ["s", "f"] and times[0] <= times[1] + ROUNDING_US, f"arrow {number}: {pair}")


def check_drawing(events):
    check_fields(events)
    check_names(events)
    tracks = spans_by_track(events)
    check_nesting(tracks)
    check_arrows(events, tracks)
