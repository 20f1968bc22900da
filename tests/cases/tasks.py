# SPDX-License-Identifier: Apache-2.0
"""Connections whose program knows how long each waited, ran and was blocked: so do their tasks."""
from support.expect import near, one
from support.outcome import check, check_equal

# A thread may lose the processor, a few times, between the program's clock and the recorder's, or in
# a read that then looks blocked. The totals that matter are above 150 ms.
TIME_SLICE = 12_000_000
ROUNDS = 30  # of requests; a loop of poll is one from the second on


def check_near(found, expected, what):
    check(near(found, expected, 2) or abs(found - expected) <= TIME_SLICE,
          f"{what}: {found} ns, the program measured {expected}")


def check_connection(report, truth, rounds):
    name = f"connection {truth.descriptor}"
    task = one(report.tasks, kind="descriptor", descriptor=truth.descriptor)
    check_equal(task.what, "connection", name)
    check_equal(task.polls, rounds, f"polls of {name}")
    check_near(task.scheduled_ns, truth.scheduled_ns, f"{name}, scheduled")
    check_near(task.blocked_ns, truth.blocked_ns, f"{name}, blocked")
    check_near(task.response_ns.max, truth.answer_max_ns, f"{name}, slowest answer")
    check_equal([task.bytes_in, task.bytes_out, task.response_ns.count], [ROUNDS] * 3, name)
    check("127.0.0.1:" in task.name, f"{name} is called {task.name!r}")
    life = task.running_ns + task.scheduled_ns + task.blocked_ns + task.idle_ns
    check_equal(life, (task.ended_ns or report.trace.duration_ns) - task.created_ns,
                f"states of {name}")
    return task


def check_running(report, truth):
    """Not of the last in the batch, whose running lasts until the next wait."""
    for connection in truth.connections[:2]:
        task = one(report.tasks, kind="descriptor", descriptor=connection.descriptor)
        check_near(task.running_ns, connection.running_ns, "running")
        check_near(task.max_poll_ns, connection.longest_ns, "longest")


def test_states_in_a_loop_of_poll(t):
    """The same of a loop of poll, in which nothing is registered."""
    run = t.run(["tasks", "poll"])
    report = t.report(t.trace())
    for truth in run.truth.connections:
        check_connection(report, truth, run.truth.rounds)
    check_running(report, run.truth)
    check_equal(one(report.loops, kind="poll").turns, run.truth.rounds, "turns")


def test_states_of_connections(t):
    """States, answers and parents of the tasks of an epoll loop."""
    run = t.run(["tasks"])
    report = t.report(t.trace())
    listener = one(report.tasks, what="listener", descriptor=run.truth.listener)
    check_equal(listener.accepts, 3, "accepts")
    for truth in run.truth.connections:
        task = check_connection(report, truth, run.truth.rounds)
        check_equal(task.parent, listener.id, "parent")
    check_running(report, run.truth)
    check_equal(one(report.loops).response_ns.count, 3 * run.truth.rounds, "answers")

