# SPDX-License-Identifier: Apache-2.0
"""Modes and sampling: what is thinned out, and what never is."""
import json
import os
import signal

from support.outcome import check, check_between, check_equal
from support.writers import writers_of

PRODUCTION = {"INSPECT_MODE": "production"}


def check_abba(report):
    check_equal(len(report.deadlocks), 1, "deadlocks")
    finding = report.deadlocks[0]
    check(finding.verdict in ("feasible", "potential"), f"verdict {finding.verdict}")
    check_equal(sorted(set(finding.cycle)), ["account_a", "account_b"], "cycle")
    for leg in finding.legs:
        functions = {frame.function for frame in leg.wants.stack}
        check(functions & {"transfer_out", "transfer_back"}, f"stack of a leg: {functions}")


def test_lock_order_at_any_sampling(t):
    """A lock-order edge is recorded the first time a thread meets it, with its stacks, in every mode."""
    for number, env in enumerate(({"INSPECT_SAMPLING": "0.01"}, {"INSPECT_SAMPLING": "0"}, PRODUCTION,
                                  {"INSPECT_MODE": "analysis"},
                                  {**PRODUCTION, "INSPECT_SAMPLING": "0"})):
        t.run("abba", env={**env, "INSPECT_OUTPUT": f"m{number}.zst"})
        t.settle()
        check_abba(t.report(t.trace(f"m{number}.zst")))


def test_deadlock_in_production(t):
    """A real one, with who waits for what."""
    process = t.start("abba_hang", env={**PRODUCTION, "INSPECT_OUTPUT": "p.zst"})
    t.wait_for_hang(process)
    report = t.report(t.trace("p.zst"))
    t.kill(process)
    check_equal([finding.verdict for finding in report.deadlocks], ["actual"], "verdicts")
    check_equal(sorted(leg.thread.name for leg in report.deadlocks[0].legs), ["left", "right"], "threads")


def test_defaults_of_modes(t):
    for mode, sampling in (("development", 1), ("analysis", 0.1), ("production", 0.01)):
        t.run("leaks", env={"INSPECT_MODE": mode, "INSPECT_OUTPUT": f"{mode}.zst"})
        t.settle()
        report = t.report(t.trace(f"{mode}.zst"))
        check_equal((report.trace.mode, report.trace.sampling), (mode, sampling), "mode and sampling")
        check_equal(report.memory.allocations > 0, mode == "development", f"allocations in {mode}")


def test_long_waits_in_production(t):
    """Waits longer than a threshold are complete whatever the sampling."""
    run = t.run("contention", env={**PRODUCTION, "INSPECT_OUTPUT": "c.zst"})
    t.settle()
    busy = [lock for lock in t.report(t.trace("c.zst")).locks if lock.name == "busy_lock"]
    check_equal([lock.contended for lock in busy], [run.truth.rounds], "contended")
    check(abs(busy[0].wait_ns.total - run.truth.waited_ns) < run.truth.waited_ns / 50,
          f"waited {busy[0].wait_ns.total} of {run.truth.waited_ns}")


def check_estimate(object, key, truth, what):
    """Within 5 standard errors: less than one in a million misses, if the error is right."""
    error = object[key + "_error"]
    check(error > 0, f"{what}: {key} has no error")
    check(abs(object[key] - truth) <= 5 * error, f"{what}: {key} {object[key]} +- {error}, truth {truth}")


def check_pairs(events):
    """Of the sample nothing is missing, and there is nothing besides: each block that is given back
    was given before."""
    live = set()
    for event in events:
        kind = event.event
        if kind == "allocate":
            live.add(event.block)
        elif kind in ("free", "reallocate-start"):
            check(event.block in live, f"{kind} of {event.block}, which is not in the sample")
            live.discard(event.block)
        elif kind == "reallocate" and event.block:
            live.add(event.block)
    return live


def test_allocations_are_sampled(t):
    """Sums are unbiased and say how far off they may be; a block is in the record or out of it."""
    for rate in ("0.1", "0.01"):
        run = t.run("sampled_heap", env={"INSPECT_SAMPLING": rate, "INSPECT_OUTPUT": f"s{rate}.zst"})
        t.settle()
        trace = t.trace(f"s{rate}.zst")
        memory = t.report(trace).memory
        check_equal(memory.estimated, True, "estimated")
        check_equal(memory.sampling_bytes, round(512 / float(rate)), "mean distance")
        check_between(memory.samples, 100, run.truth.blocks // 2, f"samples at {rate}")
        check_estimate(memory, "allocations", run.truth.blocks, rate)
        check_estimate(memory, "bytes_allocated", run.truth.bytes, rate)
        check_estimate(memory, "live_blocks", run.truth.live, rate)
        check_estimate(memory, "live_bytes", run.truth.live_bytes, rate)
        leak = max(memory.leaks, key=lambda site: site.bytes)
        check_equal([frame.function for frame in leak.stack][:1], ["keep_some"], "greatest leak")
        check_estimate(leak, "bytes", run.truth.live_bytes, f"leak at {rate}")
        check_equal(memory.temporary, None, "temporary")
        check(len(check_pairs(t.events(trace))) > 0, "nothing of the sample is live")
        text = t.text(trace)
        check("±" in text and "estimated" in text, text)
        t.analyze("--fail-on", "leak", trace, status=1)


def test_sampling_nothing(t):
    """At the rate 0 memory is not recorded, and the report says why."""
    t.run("leaks", env={"INSPECT_SAMPLING": "0", "INSPECT_OUTPUT": "n.zst"})
    t.settle()
    report = t.report(t.trace("n.zst"))
    check_equal(report.memory.recorded, False, "recorded")
    check("INSPECT_SAMPLING=0" in t.text(t.trace("n.zst")), "why is not said")


def test_lock_order_in_a_bounded_trace(t):
    """What is met first is recorded again once the file that has it has gone: an order from the
    beginning, and one from the end, are a cycle as long as the first still occurs."""
    for number, env in enumerate(({**PRODUCTION, "INSPECT_MAX_EVENTS": "2000"},
                                  {"INSPECT_SAMPLING": "0.1", "INSPECT_MAX_EVENTS": "20000"})):
        run = t.run("late_inversion", env={**env, "INSPECT_OUTPUT": f"b{number}.zst"}, limit=60)
        t.settle()
        report = t.report(t.trace(f"b{number}.zst"))
        check_between(report.coverage.events_lost, 1, run.truth.rounds * run.truth.others // 2,
                      f"dropped with {env}")
        check_equal({tuple(sorted(set(found.cycle))) for found in report.deadlocks},
                    {("early", "late")}, f"cycles with {env}")
        names = {task.name for task in report.tasks if task.kind == "thread"}
        check(names >= {"forward_main", "backward_main"}, f"threads with {env}: {names}")


def functions_of(stack):
    return [frame.function for frame in stack]


def test_locks_are_sampled(t):
    """Of holds that nobody waits for a part is recorded; what was acquired while others were held is
    all there, with its stacks, and nobody is said to hold what another thread released."""
    for number, env in enumerate(({"INSPECT_SAMPLING": "0.1"}, {"INSPECT_SAMPLING": "0.01"},
                                  {"INSPECT_SAMPLING": "0"}, PRODUCTION)):
        run = t.run("sampled_locks", env={**env, "INSPECT_OUTPUT": f"l{number}.zst"})
        t.settle()
        trace = t.trace(f"l{number}.zst")
        report = t.report(trace)
        check_equal([sorted(set(found.cycle)) for found in report.deadlocks], [["early", "late"]],
                    f"cycles with {env}")
        for leg in report.deadlocks[0].legs:
            taker = "take_" + leg.holds.lock
            check(taker in functions_of(leg.holds.stack)[:1], f"held: {functions_of(leg.holds.stack)}")
            check(taker in functions_of(leg.wants.stack)[:1], f"wanted: {functions_of(leg.wants.stack)}")
        acquired = [event for event in t.events(trace) if event.event == "lock-acquire"]
        check_between(len(acquired), 4, (run.truth.early + run.truth.late) // 5, f"recorded with {env}")
        for lock in report.locks:
            if env != {"INSPECT_SAMPLING": "0"} and lock.name in ("early", "late"):
                check_estimate(lock, "acquisitions", run.truth[lock.name], f"{lock.name} with {env}")


def test_sites_do_not_displace_each_other(t):
    """Of many places where a lock is taken none is taken for new again and again, because it shares
    its place in a table with another."""
    truth = t.run("lock_sites", env={**PRODUCTION, "INSPECT_MAX_EVENTS": "0", "INSPECT_OUTPUT": "s.zst"}).truth
    t.settle()
    acquired = [event for event in t.events(t.trace("s.zst")) if event.event == "lock-acquire"]
    certain = [event for event in acquired if "drawn" not in event.lock]
    check_between(len(certain), 1, truth.threads * (truth.sites + 16) + 100, "recorded and not drawn")
    check_between(len(acquired) - len(certain), truth.holds // 200, truth.holds // 50, "drawn")


def check_states(task):
    states = task.running_ns + task.scheduled_ns + task.idle_ns + task.blocked_ns
    check_equal(states, (task.ended_ns or states + task.created_ns) - task.created_ns, f"states of {task.name}")


def check_stalls(loop, truth):
    """Whoever it was, in the sample or out of it: with its name, and what blocked."""
    check_equal([stall.blocked_in for stall in loop.stalls], [None, "sleep"], "stalls")
    for stall, who in zip(loop.stalls, (truth.spun, truth.slept)):
        check(stall.task.startswith(f"connection {who} "), f"descriptor {who} stalled, not {stall.task}")
        check_between(stall.duration_ns, 60e6, 500e6, "length of a stall")
        check(stall.task.startswith("connection ") and "@sampled-loop" in stall.task, f"task {stall.task}")
    check("serve" in functions_of(loop.stalls[1].stack), f"stack {functions_of(loop.stalls[1].stack)}")


def test_loops_are_sampled(t):
    """Turns, events and stalls are complete at any rate; a connection is in the record or out of it, and
    what all of them did is estimated."""
    for rate in ("1", "0.25", "0.1", "0"):
        truth = t.run("sampled_loop", env={"INSPECT_SAMPLING": rate, "INSPECT_STALL_MS": "50",
                                           "INSPECT_OUTPUT": f"l{rate}.zst"}).truth
        t.settle()
        report = t.report(t.trace(f"l{rate}.zst"))
        loop, = report.loops
        check_equal((loop.turns, loop.events, loop.stall_count), (truth.turns, truth.events, 2), rate)
        check_stalls(loop, truth)
        tasks = [task for task in report.tasks if task.kind == "descriptor"]
        for task in tasks:
            check_states(task)
        served = [task for task in tasks if task.what == "connection"]
        check_equal([(task.polls, task.bytes_in) for task in served], [(6, 500)] * len(served), "of the sample")
        listener, = (task for task in tasks if task.what == "listener")
        check_equal((listener.accepts, listener.polls), (truth.accepted, truth.events - 6 * truth.accepted - 1),
                    f"accepts, and in how many turns, at {rate}")
        totals = report.task_totals
        check_equal((totals.tasks, totals.recorded), (truth.accepted + 2, len(tasks)), f"tasks at {rate}")
        check_equal("estimated" in totals, rate != "1", "said to be estimated")
        if rate in ("0.25", "0.1"):
            check_between(totals.drawn, 1, truth.accepted // 2, f"drawn at {rate}")
            check_equal(totals.polls, truth.events, "polls, of which each connection has as many")
            check_equal((totals.bytes_in, totals.bytes_in_error), (truth.bytes, 0), "bytes, likewise")
            check(loop.batch.estimated and loop.lag_ns.estimated, "batch and lag are estimated")
            check(abs(loop.batch.count - truth.turns) <= 5 * loop.batch.count_error,
                  f"{loop.batch.count} +- {loop.batch.count_error} turns, truth {truth.turns}")
            check("standard error" in t.text(t.trace(f"l{rate}.zst")), "the text says so")


def test_connections_out_of_the_sample_are_counted(t):
    """Of each no more than its count is kept: which is exact of a process that lives, and of one that
    was killed."""
    process = t.start(["sampled_loop", "stay"], env={**PRODUCTION, "INSPECT_OUTPUT": "o.zst"})
    truth = json.loads(process.stdout.readline())
    live = t.report(t.trace("o.zst"))
    t.kill(process)
    t.settle()
    killed = t.report(t.trace("o.zst"))
    events = [event.event for event in t.events(t.trace("o.zst"))]
    for report, what in ((live, "alive"), (killed, "killed")):
        totals = report.task_totals
        check_equal(totals.tasks, truth["accepted"] + 2, f"tasks of the process, {what}")
        check_equal(report.coverage.events_lost, 0, f"said to be lost, {what}")
    check_between(events.count("accept"), 1, truth["accepted"] // 10, "accepts recorded")
    for kind in ("epoll-wait", "descriptor-sampled", "epoll-ctl", "read"):
        check_between(events.count(kind), 1, truth["accepted"] // 2, kind)


def test_clients_are_sampled(t):
    """Connections that the program opens are sampled like those that it accepts, whether they are
    registered before they are connected or after: whole, or not at all, and all of them counted."""
    for rate in ("1", "0.2", "0"):
        truth = t.run("sampled_clients", env={"INSPECT_SAMPLING": rate, "INSPECT_OUTPUT": f"c{rate}.zst"}).truth
        t.settle()
        trace = t.trace(f"c{rate}.zst")
        report = t.report(trace)
        loop, = report.loops
        check_equal((loop.turns, loop.events), (truth.turns, truth.events), f"turns and events at {rate}")
        tasks = [task for task in report.tasks if task.kind == "descriptor"]
        clients = [task for task in tasks if task.what == "client"]
        for task in tasks:
            check_states(task)
        check_equal([(task.polls, task.bytes_in, task.bytes_out) for task in clients],
                    [(5, 200, 500)] * len(clients), f"of the sample at {rate}")
        check("@sampled-clients" in clients[0].name, f"name {clients[0].name}")
        totals = report.task_totals
        check_equal((totals.tasks, totals.recorded), (truth.opened + 1, len(tasks)), f"tasks at {rate}")
        if rate != "0":
            check_equal(totals.polls, truth.events, f"polls at {rate}, of which each client has as many")
        least, most = {"1": (600, 600), "0.2": (60, 200), "0": (2, 2)}[rate]
        check_between(len(clients), least, most, f"clients at {rate}")
        calls = [event for event in t.events(trace) if event.event in ("read", "write")]
        check_between(len(calls), 10 * len(clients), 10 * len(clients) + 100, f"calls recorded at {rate}")
        kinds = [event.event for event in t.events(trace)]
        most = len(clients) + truth.opened // 10
        check(kinds.count("connect") <= most, f"{kinds.count('connect')} connects recorded at {rate}")
        check(rate != "0" or kinds.count("descriptor-open") <= most, "sockets of which nothing else is recorded")


def test_production_drops_and_does_not_wait(t):
    """A ring that is full because the writer stands still: events are dropped and counted as lost, the
    program waits for nobody but at its end."""
    env = {**PRODUCTION, "INSPECT_SAMPLING": "1", "INSPECT_ALLOCATIONS": "1", "INSPECT_MAX_EVENTS": "0",
           "INSPECT_OUTPUT": "d.zst"}
    process = t.start(["busy", "1000000", "1"], env=env)
    t.wait_until(lambda: t.traces("d.zst") and os.path.getsize(t.trace("d.zst")) > 10000, "a trace")
    writer = writers_of(t)[0]
    os.kill(writer, signal.SIGSTOP)
    process.communicate(timeout=60)
    os.kill(writer, signal.SIGCONT)
    t.settle()
    coverage = t.report(t.trace("d.zst")).coverage
    check(coverage.events_lost > 1000, f"lost {coverage.events_lost}")
    check_between(coverage.waits_for_writer, 0, 10, "waits")


def test_tasks_beyond_the_limit_are_counted(t):
    """INSPECT_MAX_TASKS descriptors are kept at a time; of the others it is said how many there were."""
    for limit, kept in (("5", 10), ("0", 40)):
        t.run("many_registered", env={"INSPECT_MAX_TASKS": limit, "INSPECT_OUTPUT": f"t{limit}.zst"})
        t.settle()
        report = t.report(t.trace(f"t{limit}.zst"))
        tasks = [task for task in report.tasks if task.kind == "descriptor"]
        check_equal((len(tasks), report.coverage.tasks_dropped), (kept, 40 - kept), f"limit {limit}")
        check_equal([task.polls for task in tasks], [1] * kept, "polls")


def test_jobs_are_counted_in_production(t):
    """The mutex of a queue is recorded whole: jobs of a pool are told by it."""
    run = t.run("pool", env={**PRODUCTION, "INSPECT_OUTPUT": "j.zst"})
    t.settle()
    report = t.report(t.trace("j.zst"))
    check_equal([pool.jobs for pool in report.pools], [run.truth.jobs], "jobs")
