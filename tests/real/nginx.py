# SPDX-License-Identifier: Apache-2.0
"""nginx from Debian: master and worker under wrk, and its waits against strace."""
import os
import re

from support.expect import count, find, one
from support.outcome import check, check_between, check_equal
from support.servers import Nginx, slow_server, wrk

LIMIT = 180


DELAY = 0.03


def worker_report(t):
    """The report on the worker: its master has no event loop."""
    return max((t.report(path) for path in t.traces("nginx*.zst")),
               key=lambda report: sum(loop.events for loop in report.loops))


def check_no_errors(t):
    with open(f"{t.folder}/error.log") as file:
        text = file.read()
    check("[alert]" not in text and "[emerg]" not in text, f"error.log: {text[:500]}")


def connections_of(report, port):
    """The task of the TCP listener, and those of the connections it accepted."""
    listener = next(task for task in find(report.tasks, what="listener")
                    if f"127.0.0.1:{port}" in task.name)
    return listener, find(report.tasks, what="connection", parent=listener.id)


def test_under_wrk(t):
    """A task for each connection that stub_status counts, an answer for each line of the access log,
    and no wrong finding."""
    nginx = Nginx(t, env={"INSPECT_OUTPUT": "nginx.zst"})
    load = wrk(t, nginx.port, 2)
    check(not load.errors and load.requests > 100, f"wrk: {load}")
    accepts, _ = nginx.status()
    check_equal(nginx.stop(), "", "stderr of nginx")
    t.settle()
    check_equal(len(t.traces("nginx*.zst")), 2, "traces: master and worker")
    report = worker_report(t)
    check(report.trace.complete, "complete")
    check_equal(report.coverage.lost_by_kind, {}, "lost")
    listener, connections = connections_of(report, nginx.port)
    check_equal(listener.accepts, accepts, "accepts against stub_status")
    check_equal(len(connections), accepts, "connection tasks against stub_status")
    with open(f"{t.folder}/access.log") as file:
        logged = sum(1 for _ in file)
    check(load.requests <= logged <= load.requests + 8, f"{logged} logged, wrk had {load.requests}")
    loop = max(report.loops, key=lambda item: item.events)
    # the log leaves out the question for the status, and the last answers of wrk may lack a reader
    check_between(sum(task.response_ns.count for task in connections), logged - 8, logged + 1,
                  "answers against the access log")
    check_between(loop.events, logged, logged * 1.3 + 100, "ready events against requests")
    check_equal(report.deadlocks, [], "deadlocks")
    check_no_errors(t)


def test_response_times_against_wrk(t):
    """Passing on to a server that takes 30 ms for an answer: the median response time is wrk's, less
    the ways there and back and what wrk itself waits for the processor: a fifth is allowed. The mean
    is at most wrk's; below it by what wrk waits, which on a loaded machine is anything."""
    with slow_server(DELAY) as behind:
        nginx = Nginx(t, env={"INSPECT_OUTPUT": "nginx.zst"},
                      locations=f"location /slow {{ proxy_pass http://127.0.0.1:{behind}/; }}")
        load = wrk(t, nginx.port, 1, path="/slow")
        nginx.stop()
    check(not load.errors and load.requests > 20, f"wrk: {load}")
    t.settle()
    report = worker_report(t)
    times = [task.response_ns for task in connections_of(report, nginx.port)[1]]
    mean = sum(time.total for time in times) / sum(time.count for time in times)
    check_between(mean, DELAY * 1e9, load.mean * 1.02, "mean response time against wrk's, ns")
    loop = max(report.loops, key=lambda item: item.events)  # a bucket of its histogram is 3 % wide
    check_between(loop.response_ns.p50, load.p50 * 0.8, load.p50 * 1.05, "median against wrk's, ns")


def check_sample(t, limit, rate):
    """Production mode, a connection for each request: as many as nginx accepted, though few are
    recorded; and what the sample says of all is right within its standard error."""
    nginx = Nginx(t, env={"INSPECT_OUTPUT": f"sample{limit}.zst", "INSPECT_MODE": "production",
                          "INSPECT_MAX_EVENTS": str(limit), "INSPECT_SAMPLING": str(rate)}, locations="keepalive_timeout 0;")
    wrk(t, nginx.port, 1)
    accepts, _ = nginx.status()
    nginx.stop()
    t.settle()
    path = max(t.traces(f"sample{limit}*.zst"), key=lambda path: t.report(path).task_totals.tasks)
    report = t.report(path)
    totals = report.task_totals
    check(totals.estimated and totals.drawn < totals.tasks * max(0.1, 2 * rate), f"no sample: {totals}")
    check_equal(totals.tasks, totals.recorded + totals.not_recorded, "tasks")
    check_between(totals.drawn + totals.not_recorded + totals.lost, accepts - 1, accepts + 1,
                  "connections against stub_status")
    check_equal(one(report.tasks, kind="thread").name, "main", "the worker's thread")
    return totals, path


def test_connections_of_a_sample(t):
    totals, _ = check_sample(t, 0, 0.01)
    check_equal(totals.lost, 0, "missing connections")
    with open(f"{t.folder}/access.log") as file:
        logged = sum(1 for _ in file)
    check(totals.drawn > 3, f"drawn: {totals}")
    check(abs(totals.responses - logged) <= 4 * totals.responses_error + logged / 50,
          f"answers: {totals.responses} ± {totals.responses_error}, {logged} in the access log")


def test_connections_beyond_the_limit(t):
    """What the limit dropped is counted and said."""
    totals, path = check_sample(t, 300, 0.2)
    check(totals.lost, f"nothing is missing: {totals}")
    text = t.text(path)
    check(re.search(rf"{totals.lost:,} connections? more (was|were) in the part of the record that is missing",
                    text), "not in the text")


def strace_count(path, call):
    with open(path) as file:
        for line in file:
            fields = line.split()
            if fields and fields[-1] == call:
                return int(fields[3])
    return 0


def test_waits_against_strace(t):
    """strace -c counts the epoll_waits of the very same run."""
    summary = f"{t.folder}/strace.out"
    nginx = Nginx(t, recorded=False,
                  prefix=[t.command("strace"), "-f", "-c", "-e", "trace=epoll_wait,accept4,epoll_ctl",
                          "-o", summary, "-E", f"LD_PRELOAD={t.library}", "-E",
                          f"INSPECT_OUTPUT={t.folder}/nginx.zst"])
    for _ in range(100):
        nginx.get()
    nginx.process.send_signal(0)
    with open(f"{t.folder}/nginx.pid") as file:
        master = int(file.read())
    os.kill(master, 3)
    nginx.process.communicate(timeout=30)
    t.settle()
    events = [event for path in t.traces("nginx*.zst") for event in t.events(path)]
    for call, kind in (("epoll_wait", "epoll-wait"), ("epoll_ctl", "epoll-ctl"), ("accept4", "accept")):
        check_equal(count(events, kind), strace_count(summary, call), f"{kind} against strace -c")
    check(count(events, "accept") >= 100, "the clients were served")


def test_same_answers(t):
    """Bare and recorded, the client gets the same."""
    answers = []
    for recorded in (False, True):
        nginx = Nginx(t, recorded=recorded, env={"INSPECT_OUTPUT": f"nginx.zst"})
        answers.append([nginx.get() for _ in range(20)])
        nginx.stop()
    check_equal(answers[1], answers[0], "answers")
