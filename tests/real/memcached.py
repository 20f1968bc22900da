# SPDX-License-Identifier: Apache-2.0
"""memcached from Debian with four workers: its own statistics against tasks, loops and threads."""
import threading

from support.expect import find
from support.inversion import check_only_injected, with_inversion
from support.outcome import check, check_between, check_equal
from support.servers import Memcached

LIMIT = 120
CLIENTS, CONNECTIONS, GETS = 4, 15, 20


def test_against_its_statistics(t):
    """A task for each connection, an answer for each command, a loop for each worker; the locks of
    its cache are taken in one order, and an inversion put into the same process is found."""
    server = Memcached(t, env=with_inversion(t, INSPECT_OUTPUT="memcached.zst"))
    clients = [threading.Thread(target=server.load, args=(CONNECTIONS, GETS)) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    stats = server.stats()
    check_equal(server.stop(), "", "stderr of memcached")
    check_equal(int(stats["cmd_get"]), CLIENTS * CONNECTIONS * GETS, "cmd_get: the load")
    t.settle()
    report = check_only_injected(t, t.trace())
    check_equal(report.coverage.lost_by_kind, {}, "lost")
    connections = find(report.tasks, kind="descriptor", what="connection")
    listeners = find(report.tasks, kind="descriptor", what="listener")
    # memcached counts its listener as a connection
    check_equal(len(connections), int(stats["total_connections"]) - len(listeners),
                "connection tasks against total_connections")
    check_equal({task.parent for task in connections}, {listeners[0].id}, "who accepted them")
    commands = int(stats["cmd_get"]) + int(stats["cmd_set"])
    # after its own figures were made: the answer with them
    check_equal(sum(task.response_ns.count for task in connections), commands + 1,
                "answers against cmd_get and cmd_set")
    check_loops(report, commands)


def check_loops(report, commands):
    """The main thread accepts, each worker has a loop of its own and serves its share."""
    loops = find(report.loops, kind="epoll")
    check_equal([len(loop.threads) for loop in loops], [1] * 5, "threads of each loop")
    check_equal(len({loop.threads[0].tid for loop in loops}), 5, "loops of different threads")
    serving = [loop for loop in loops if loop.response_ns.count]
    check_equal(len(serving), 4, "workers that served")
    check_between(sum(loop.response_ns.count for loop in serving), commands, commands + 1,
                  "answers of the loops")
