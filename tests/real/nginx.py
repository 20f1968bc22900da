# SPDX-License-Identifier: Apache-2.0
"""nginx from Debian: master and worker under wrk, and its waits against strace."""
import os
import re
import subprocess

from support.expect import count
from support.outcome import check, check_between, check_equal
from support.servers import Nginx

LIMIT = 180


def worker_trace(t):
    """The trace with the most events of a descriptor kind: the worker's."""
    return max(t.traces("nginx*.zst"), key=lambda path: len(t.report(path).loops) and
               max(loop.events for loop in t.report(path).loops))


def check_no_errors(t):
    with open(f"{t.folder}/error.log") as file:
        text = file.read()
    check("[alert]" not in text and "[emerg]" not in text, f"error.log: {text[:500]}")


def test_under_wrk(t):
    """As many accepts as stub_status counts, requests as the access log has, and no wrong finding."""
    nginx = Nginx(t, env={"INSPECT_OUTPUT": "nginx.zst"})
    result = subprocess.run([t.command("wrk"), "-t1", "-c8", "-d2s",
                             f"http://127.0.0.1:{nginx.port}/"], stdout=subprocess.PIPE, text=True)
    requests = int(re.search(r"(\d+) requests in", result.stdout).group(1))
    check("Non-2xx" not in result.stdout and requests > 100, result.stdout)
    accepts, _ = nginx.status()
    stderr = nginx.stop()
    check_equal(stderr, "", "stderr of nginx")
    t.settle()
    check_equal(len(t.traces("nginx*.zst")), 2, "traces: master and worker")
    trace = worker_trace(t)
    report = t.report(trace)
    events = t.events(trace)
    check(report.trace.complete, "complete")
    lost = report.coverage.lost_by_kind
    accepted = sum(event.event == "accept" and event.result >= 0 for event in events)
    check_between(accepted + lost.get("accept", 0), accepts, accepts, "accepts against stub_status")
    with open(f"{t.folder}/access.log") as file:
        logged = sum(1 for _ in file)
    check(requests <= logged <= requests + 8, f"{logged} in the access log, wrk had {requests}")
    loop = max(report.loops, key=lambda item: item.events)
    check_between(loop.events + lost.get("ready", 0), logged, logged * 1.3 + 100, "ready events against requests")
    check_equal([item for item in report.deadlocks if item.verdict != "benign"], [], "deadlocks")
    check_no_errors(t)


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
