# SPDX-License-Identifier: Apache-2.0
"""Pools whose queue is a descriptor: jobs, their times and the backlog are what the program knows."""
import signal

from support.expect import functions, near, one, slack
from support.outcome import check, check_between, check_equal

NAMES = {"pipe": "pipe", "eventfd": "wake-up", "pair": "socket-pair", "epoll": "epoll"}


def check_near(report, found, expected, what):
    check(near(found, expected, 2) or abs(found - expected) <= slack(report),
          f"{what}: {found} ns, the program measured {expected}")


def check_pool(t, kind):
    run, report = t.recorded(["pool_descriptor", kind])
    truth, pool = run.truth, one(report.pools)
    check_equal(pool.waits_on, f"{NAMES[kind]} {truth.descriptor}", "waits on")
    check_equal(len(pool.threads), truth.workers, "workers")
    return report, truth, pool


def check_times(report, truth, pool):
    check_equal([pool.jobs, pool.queue_ns.count], [truth.jobs] * 2, "jobs")
    check_near(report, pool.job_ns.total, truth.job_ns, "in jobs")
    check_near(report, pool.queue_ns.total, truth.queued_ns, "queued")
    check(abs(pool.job_ns.max - truth.longest_ns) < slack(report),
          f"longest job {pool.job_ns.max}: {truth}")
    check_equal(pool.max_busy, 2, "most at once")


def check_backlog(pool):
    """A burst is six jobs, of which two are fetched at once."""
    parts = pool.backlog_over_time.parts
    check_between(max(parts), 2, pool.max_backlog, f"backlog over time {parts}")
    check(0 in parts, f"a pool that catches up: {parts}")
    check_between(pool.mean_waiting, 0.01, 2, "waiting workers")


def test_pipe(t):
    report, truth, pool = check_pool(t, "pipe")
    check_times(report, truth, pool)
    check_backlog(pool)
    check("backlog" in t.text(t.trace()), "no backlog in the text")


def test_eventfd(t):
    report, truth, pool = check_pool(t, "eventfd")
    check_times(report, truth, pool)
    check_backlog(pool)


def test_socket_pair(t):
    check_times(*check_pool(t, "pair"))


def test_epoll(t):
    """Here workers may also wake and find that another was faster: a job of no length."""
    report, truth, pool = check_pool(t, "epoll")
    check(pool.jobs >= truth.jobs, f"{pool.jobs} jobs")
    check_near(report, pool.job_ns.total, truth.job_ns, "in jobs")
    check_equal(pool.max_busy, 2, "most at once")


def test_stuck_worker(t):
    """The one that does not come back, since when, and in which call."""
    process = t.start(["pool_descriptor", "pipe", "stuck"])
    t.wait_for_line(process, "ready")
    try:
        report = t.report(t.trace())
    finally:
        t.kill(process, signal.SIGKILL)
    stuck = one(one(report.pools).stuck)
    check_equal(stuck.doing, "waiting for a lock", "doing")
    check("do_job" in functions(stuck.stack), f"stack {stuck.stack}")
    check_between(report.trace.duration_ns - stuck.since_ns, 1e9, 60e9, "since")
