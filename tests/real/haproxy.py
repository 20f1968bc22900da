# SPDX-License-Identifier: Apache-2.0
"""haproxy from Debian with two threads: its own statistics and the latency that wrk measured against
tasks, loops and answers."""
from support.expect import find
from support.outcome import check_between, check_equal
from support.servers import Haproxy, Nginx, slow_server, wrk

LIMIT = 120
SHORT = 30  # connections of one request each
DELAY = 0.03


def proxied(report, port):
    """Connections taken from haproxy's TCP listener, and what it opened to the server behind."""
    listener = next(task for task in find(report.tasks, what="listener")
                    if f"127.0.0.1:{port}" in task.name)
    return (listener, find(report.tasks, what="connection", parent=listener.id),
            find(report.tasks, what="client"))


def check_counts(report, listener, connections, clients, rows, in_flight=0):
    """`in_flight`: answers that wrk may have closed its connections on."""
    front, back = rows["front", "FRONTEND"], rows["back", "one"]
    check_equal(listener.accepts, int(front["conn_tot"]), "accepts against conn_tot")
    # one that only asked whether somebody listens is closed unread, and is no task
    check_between(len(connections), listener.accepts - 1, listener.accepts, "connection tasks")
    # one that changes threads leaves one epoll instance for another: two tasks of one address
    check_equal(len({task.address for task in clients}), int(back["connect"]),
                "connections to the server behind")
    answered = int(front["hrsp_2xx"])
    check_between(sum(task.response_ns.count for task in connections), answered - in_flight,
                  answered + in_flight, "answers against hrsp_2xx")
    check_equal(report.deadlocks, [], "deadlocks")
    check_equal(report.coverage.lost_by_kind, {}, "lost")


def test_short_connections(t):
    """haproxy reads a connection before it asks epoll for it, and closes many without ever asking:
    these are tasks nevertheless, each with its answer."""
    behind = Nginx(t, recorded=False)
    server = Haproxy(t, behind.port, env={"INSPECT_OUTPUT": "haproxy.zst"})
    for _ in range(SHORT):
        behind.get(port=server.port)
    rows = server.statistics()
    check_equal(server.stop(), "", "stderr of haproxy")
    behind.stop()
    t.settle()
    report = t.report(t.trace())
    listener, connections, clients = proxied(report, server.port)
    check_counts(report, listener, connections, clients, rows)
    check_equal(int(rows["front", "FRONTEND"]["hrsp_2xx"]), SHORT, "requests")
    served = [task for task in connections if task.bytes_in]
    check_equal([(task.response_ns.count, task.state) for task in served],
                [(1, "completed")] * SHORT, "answers and states")


def test_against_wrk(t):
    """Behind it a server that takes 30 ms for an answer: the median response time is wrk's, less the
    ways there and back and what wrk itself waits for the processor: a fifth is allowed. The mean
    is at most wrk's; below it by what wrk waits, which on a loaded machine is anything."""
    with slow_server(DELAY) as behind:
        server = Haproxy(t, behind, env={"INSPECT_OUTPUT": "haproxy.zst"})
        load = wrk(t, server.port, 5 if t.long else 1)
        rows = server.statistics()
        server.stop()
    t.settle()
    report = t.report(t.trace())
    check_equal(load.errors, 0, "errors of wrk")
    listener, connections, clients = proxied(report, server.port)
    check_counts(report, listener, connections, clients, rows, in_flight=8)
    times = [task.response_ns for task in connections]
    mean = sum(time.total for time in times) / sum(time.count for time in times)
    check_between(mean, DELAY * 1e9, load.mean * 1.02, "mean response time against wrk's, ns")
    for loop in report.loops:
        if loop.response_ns.count > 20:  # a bucket of the histogram is 3 % wide
            check_between(loop.response_ns.p50, load.p50 * 0.8, load.p50 * 1.05, "median of a loop, ns")


def test_under_load(t):
    """As fast as two threads and wrk can: every connection and request is there."""
    behind = Nginx(t, recorded=False, workers=2)
    server = Haproxy(t, behind.port, env={"INSPECT_OUTPUT": "haproxy.zst"})
    load = wrk(t, server.port, 10, connections=50)
    rows = server.statistics()
    server.stop()
    behind.stop()
    t.settle()
    report = t.report(t.trace())
    check_equal(load.errors, 0, "errors of wrk")
    listener, connections, clients = proxied(report, server.port)
    check_counts(report, listener, connections, clients, rows, in_flight=50)
    check_equal(len([loop for loop in report.loops if loop.response_ns.count]), 2, "loops")


test_under_load.long = True
