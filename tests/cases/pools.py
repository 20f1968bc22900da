# SPDX-License-Identifier: Apache-2.0
"""Pools whose queue is a descriptor: jobs, their times and the backlog are what the program knows."""
import csv
import os
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


def burst(t, mode):
    """A pool that finds its jobs there when it starts, checked against what it knows."""
    run, report = t.recorded(["pool_burst", mode])
    truth, pool = run.truth, one(report.pools)
    check_equal([pool.jobs, len(pool.threads)], [truth.jobs, truth.workers], "jobs, workers")
    check("take_job" in pool.fetches_in, f"fetches in {pool.fetches_in}")
    check_near(report, pool.job_ns.total, truth.job_ns, "in jobs")
    check_equal([pool.submitted, pool.queue_ns.count], [truth.submitted] * 2, "jobs handed over")
    check_near(report, pool.queue_ns.total, truth.queued_ns, "queued")
    check_equal(pool.unseen, truth.jobs - truth.submitted, "handed over unseen")
    check_equal(pool.max_busy, truth.workers, "most at once")
    return report, pool


def test_jobs_before_a_wait(t):
    report, pool = burst(t, "wait")
    check_equal(pool.waits_on, "queue_filled", "waits on")
    check_equal(pool.max_backlog, pool.jobs, "all waited when the workers began")
    check(pool.jobs - pool.jobs_before_wait < len(pool.threads), f"{pool.jobs_before_wait} before")
    check("nobody was seen" not in t.text(t.trace()), "a gap that is none")


def test_workers_that_never_wait(t):
    report, pool = burst(t, "never")
    check_equal(pool.jobs_before_wait, pool.jobs, "jobs before anybody waited")
    check_equal(pool.waits_on, "queue_filled", "what was signalled")


def test_jobs_without_a_signal(t):
    """How many hand-overs nobody could see is said."""
    burst(t, "silent")
    check("of 60 of its 70 jobs nobody was seen to hand them over" in t.text(t.trace()), "the gap")


def test_posts_before_the_workers(t):
    """The last three posts end the workers: an iteration that ends its thread is no job."""
    run, report = t.recorded(["pool_burst", "semaphore"])
    pool = one([pool for pool in report.pools if "posted" in pool.waits_on])
    check_equal(pool.jobs, run.truth.jobs, "jobs")
    check_near(report, pool.job_ns.total, run.truth.job_ns, "in jobs")
    check(pool.queue_ns.count >= run.truth.jobs, f"{pool.queue_ns.count} were handed over")


def worker_states(t, trace):
    """{name: (state, idle, blocked)} of the workers, from tasks.csv; the JSON says the same."""
    folder = os.path.join(t.folder, "csv")
    t.analyze("--csv", folder, trace)
    with open(os.path.join(folder, "tasks.csv"), newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["name"] == "worker_main"]
    tasks = [task for task in t.report(trace).tasks if task.name == "worker_main"]
    check_equal([(row["state"], int(row["idle_ns"]), int(row["blocked_ns"])) for row in rows],
                [(task.state, task.idle_ns, task.blocked_ns) for task in tasks], "CSV and JSON")
    return rows


def test_workers_without_a_job_are_idle(t):
    """One waits for a job, and is idle; the other for a lock inside of one, and is blocked."""
    process = t.start(["pool", "stuck"])
    t.wait_for_line(process, "ready")
    t.kill(process, signal.SIGKILL)
    t.settle()
    rows = worker_states(t, t.trace())
    check_equal(sorted(row["state"] for row in rows), ["blocked", "idle"], "states")
    for row in rows:
        waits, held = int(row["idle_ns"]), int(row["blocked_ns"])
        if row["state"] == "idle":
            check(waits > 1e9 > held, f"the idle one: {row}")
        else:
            check(held > 1e9, f"the blocked one: {row}")
