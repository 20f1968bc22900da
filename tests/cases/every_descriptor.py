# SPDX-License-Identifier: Apache-2.0
"""Descriptors: where they come from, their names, what is read and written, waits for them."""
from support.outcome import check, check_equal


def of(events, kind):
    return [event for event in events if event.event == kind]


def names(events):
    return [event.name for event in of(events, "descriptor-name")]


def test(t):
    run = t.run("every_descriptor")
    truth = run.truth
    t.settle()
    events = t.events(t.trace())
    check_equal(len(of(events, "descriptor-open")), truth.opened, "descriptors opened")
    # all are closed, the accepted one too; a dup2 and a dup3 close what they replace
    check_equal(len(of(events, "close")), truth.opened + 1, "descriptors closed")
    check_equal(len(of(events, "read")), truth.reads, "reads")
    check_equal(len(of(events, "write")), truth.writes, "writes")
    check_equal(sum(max(e.result, 0) for e in of(events, "read")), truth.bytes_read, "bytes read")
    check_equal(sum(max(e.result, 0) for e in of(events, "write")), truth.bytes_written, "bytes written")
    check_equal(len(of(events, "poll")), truth.polls, "polls and selects")
    check_equal(len(of(events, "ready-descriptor")), truth.found, "descriptors found ready")
    check_equal(len(of(events, "sleep")), truth.sleeps, "sleeps")
    check_equal(sorted(e.result for e in of(events, "sync")), [-9, 0, 0], "syncs")
    check_equal(sorted(e.result for e in of(events, "resolve")), [-2, 0], "names looked up")
    check_equal(sorted(e.result for e in of(events, "connect")), [-2, 0], "connects")
    check_equal([e.backlog for e in of(events, "listen")], [5], "listens")
    check_equal(len(of(events, "accept")), 1, "connections taken")
    check_equal(len(of(events, "shutdown")), 1, "shutdowns")
    server, client = run.stdout.splitlines()[0].split()
    expected = {"eventfd", "timerfd", "signalfd", "inotify", "pipe", "unix",
                f"tcp-listener 127.0.0.1:{server}",
                f"tcp 127.0.0.1:{server} 127.0.0.1:{client}",
                f"tcp 127.0.0.1:{client} 127.0.0.1:{server}"}
    check_equal(set(names(events)), expected, "names")
    check(not of(events, "lost"), "events were lost")


def test_redacted(t):
    """Addresses and paths are hashes; what they are of is still said."""
    t.run("every_descriptor", env={"INSPECT_REDACT": "1"})
    t.settle()
    found = names(t.events(t.trace()))
    check(any(name.startswith("tcp-listener #") for name in found), f"names: {found}")
    check(not any("127.0.0.1" in name for name in found), f"names: {found}")
