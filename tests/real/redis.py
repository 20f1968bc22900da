# SPDX-License-Identifier: Apache-2.0
"""redis-server from Debian: under redis-benchmark, read while it runs, and killed under load."""
import subprocess
import threading

from support.expect import find, one
from support.outcome import check, check_between, check_equal
from support.servers import Redis

LIMIT = 180
QUIET = {"INSPECT_ALLOCATIONS": "0"}


def transfers(t, trace, kind):
    """(calls, bytes) of one kind, read or write; a read of 0 is the end of a connection."""
    results = [event.result for event in t.events(trace) if event.event == kind]
    return len(results), sum(result for result in results if result > 0)


def test_commands(t):
    """Every read and write of a client that INFO counts is in the trace, to the last; a task for each
    connection, and an answer for each command."""
    redis = Redis(t, env=QUIET)
    redis.benchmark(4000, "-t", "set,get,lpush", "-c", "20")
    info = redis.info()
    redis.stop()
    t.settle()
    trace = t.trace("redis.zst")
    report = t.report(trace)
    check(report.trace.complete, "complete")
    check_equal(report.coverage.events_lost, 0, "events lost")
    check(int(info["total_commands_processed"]) >= 12000, "the benchmark ran")
    # after INFO: its own reply, SHUTDOWN, and connections that only probed
    reads, read_bytes = transfers(t, trace, "read")
    counted = int(info["total_reads_processed"])
    check_between(reads, counted, counted + 3, "reads against INFO total_reads_processed")
    check_between(read_bytes, int(info["total_net_input_bytes"]),
                  int(info["total_net_input_bytes"]) + 100, "bytes read against INFO")
    writes, written = transfers(t, trace, "write")
    counted = int(info["total_writes_processed"])
    check_between(writes, counted, counted + 3, "writes against INFO total_writes_processed")
    loop = max(report.loops, key=lambda item: item.events)
    check_between(loop.events, reads, reads * 1.2 + 200, "ready events against reads")
    check_connections(report, info)
    check_equal([item for item in report.deadlocks if item.verdict != "benign"], [], "deadlocks")


def check_connections(report, info):
    """INFO itself came over the last but one connection; the last said SHUTDOWN, and got no answer."""
    listener = one(report.tasks, what="listener")
    connections = find(report.tasks, what="connection", parent=listener.id)
    received = int(info["total_connections_received"])
    check_equal(len(connections), received + 1, "connection tasks against total_connections_received")
    check_equal(listener.accepts, received + 1, "accepts")
    # INFO does not count itself; redis-benchmark begins with two CONFIG GET in one packet
    check_equal(sum(task.response_ns.count for task in connections),
                int(info["total_commands_processed"]) + 1 - 1, "answers against total_commands_processed")


def test_whole_benchmark(t):
    """Everything recorded, every command of the benchmark: same replies, and consistent counts."""
    redis = Redis(t)
    redis.benchmark(2000, "-P", "8", "-c", "10", "-t", "set,get,incr,lpush,sadd,hset,zadd,lrange_100")
    info = redis.info()
    redis.stop()
    t.settle()
    report = t.report(t.trace("redis.zst"))
    check(report.trace.complete, "complete")
    check(report.coverage.events > 10000, f"{report.coverage.events} events")
    check_equal(report.coverage.events_lost, 0, f"events lost ({report.coverage.lost_by_kind})")
    check_equal(report.memory.live_blocks, report.memory.allocations - report.memory.frees, "blocks")
    check(len([task for task in report.tasks if task.kind == "thread"]) >= 4, "redis has 4 threads")
    connections = int(info["total_connections_received"])
    check_equal(len(find(report.tasks, what="connection")), connections + 1,
                "connection tasks against total_connections_received")
    t.zstd_accepts(t.trace("redis.zst"))


def load(redis, replies, limit_replies):
    """One client, one command at a time; counts the replies it got, until the server is gone."""
    with redis.connect() as client:
        try:
            for i in range(limit_replies):
                client.sendall(b"SET key%d value\r\n" % (i % 100))
                if not client.recv(64):
                    return
                replies.append(1)
        except OSError:
            return


def test_killed_under_load(t):
    """kill -9 in the midst of it: every reply that a client got is in the trace as a write."""
    redis = Redis(t, env={"INSPECT_MODE": "development"})
    replies = []
    client = threading.Thread(target=load, args=(redis, replies, 10**7))
    client.start()
    benchmark = subprocess.Popen([t.command("redis-benchmark"), "-s", redis.socket, "-q", "-n",
                                  "100000000", "-c", "10", "-t", "set"],
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    t.wait_until(lambda: len(replies) > 3000, "load")
    before = redis.info()
    t.kill(redis.process)
    client.join()
    benchmark.kill()
    benchmark.wait()
    trace = t.trace("redis.zst")
    report = t.report(trace)
    check(report.coverage.events > 10000, "events")
    lost = report.coverage.lost_by_kind.get("write", 0)
    writes = sum(task.writes for task in find(report.tasks, what="connection"))
    counted = int(before["total_writes_processed"])
    check(writes + lost >= counted, f"writes {writes}, INFO counted {counted} before the kill")
    t.settle()
    again = t.report(trace)
    check_equal(again.coverage.events, report.coverage.events, "events, once the writer has ended")
    t.zstd_accepts(trace)


def test_last_replies_before_kill(t):
    """One client alone: as many writes as replies, but the last, whose event may be missing."""
    redis = Redis(t)
    replies = []
    load(redis, replies, 2000)
    t.kill(redis.process)
    writes, _ = transfers(t, t.trace("redis.zst"), "write")
    check_between(writes, len(replies) - 1, len(replies), "writes against replies")


def test_read_while_running(t):
    """The trace of a server that runs: exit 0, the first lines say so, and the server goes on."""
    redis = Redis(t)
    redis.benchmark(2000, "-t", "set", "-c", "5")
    trace = t.trace("redis.zst")
    report = t.report(trace)
    check(not report.trace.complete, "not complete while it runs")
    check("run" in "\n".join(t.text(trace).splitlines()[:4]), "the first lines say that it runs")
    writes, _ = transfers(t, trace, "write")
    check(writes >= 2000, f"{writes} writes of at least 2000")
    check_equal(report.deadlocks, [], "deadlocks")
    redis.benchmark(1000, "-t", "get", "-c", "5")
    check(int(redis.info()["total_commands_processed"]) >= 3000, "the server went on")
    redis.stop()


def test_background_save(t):
    """A save forks: the child has a trace of its own, names its parent, and the dump is whole."""
    redis = Redis(t, arguments=("--dbfilename", "dump.rdb"))
    redis.benchmark(1000, "-t", "set", "-r", "1000", "-c", "5")
    with redis.connect() as client:
        client.sendall(b"BGSAVE\r\n")
        check(client.recv(100).startswith(b"+Background"), "BGSAVE was refused")
    t.wait_until(lambda: redis.info()["rdb_bgsave_in_progress"] == "0", "the save")
    check_equal(redis.info()["rdb_last_bgsave_status"], "ok", "status of the save")
    redis.stop()
    t.settle()
    children = [path for path in t.traces("redis.*.zst")]
    check_equal(len(children), 1, "traces of children")
    check(t.report(children[0]).trace.complete, "the child's trace is complete")
