# SPDX-License-Identifier: Apache-2.0
"""Connections whose program knows how long each waited, ran and was blocked: so do their tasks."""
from support.expect import near, one, slack
from support.outcome import check, check_equal

ROUNDS = 30  # of requests; a loop of poll is one from the second on


def check_near(report, found, expected, what):
    check(near(found, expected, 2) or abs(found - expected) <= slack(report),
          f"{what}: {found} ns, the program measured {expected}")


def check_connection(report, truth, rounds):
    name = f"connection {truth.descriptor}"
    task = one(report.tasks, kind="descriptor", descriptor=truth.descriptor)
    check_equal(task.what, "connection", name)
    check_equal(task.polls, rounds, f"polls of {name}")
    check_near(report, task.scheduled_ns, truth.scheduled_ns, f"{name}, scheduled")
    check_near(report, task.blocked_ns, truth.blocked_ns, f"{name}, blocked")
    check_near(report, task.response_ns.max, truth.answer_max_ns, f"{name}, slowest answer")
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
        check_near(report, task.running_ns, connection.running_ns, "running")
        check_near(report, task.max_poll_ns, connection.longest_ns, "longest")


def check_poll_loop(t, call):
    """The same of a loop in which nothing is registered."""
    run = t.run(["tasks", call])
    report = t.report(t.trace())
    for truth in run.truth.connections:
        check_connection(report, truth, run.truth.rounds)
    check_running(report, run.truth)
    check_equal(one(report.loops, kind="poll").turns, run.truth.rounds, "turns")


def test_states_in_a_loop_of_poll(t):
    check_poll_loop(t, "poll")


def test_states_in_a_loop_of_ppoll(t):
    check_poll_loop(t, "ppoll")


def test_states_in_a_loop_of_select(t):
    check_poll_loop(t, "select")


def test_states_in_a_loop_of_pselect(t):
    check_poll_loop(t, "pselect")


def check_epoll_loop(t, *mode):
    run = t.run(["tasks", *mode])
    report = t.report(t.trace())
    listener = one(report.tasks, what="listener", descriptor=run.truth.listener)
    check_equal(listener.accepts, 3, "accepts")
    for truth in run.truth.connections:
        task = check_connection(report, truth, run.truth.rounds)
        check_equal(task.parent, listener.id, "parent")
    check_running(report, run.truth)
    check_equal(one(report.loops).response_ns.count, 3 * run.truth.rounds, "answers")


def test_states_of_connections(t):
    """States, answers and parents of the tasks of an epoll loop."""
    check_epoll_loop(t)


def test_edge_triggered(t):
    check_epoll_loop(t, "edge")


def test_one_shot(t):
    check_epoll_loop(t, "oneshot")
