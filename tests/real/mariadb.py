# SPDX-License-Identifier: Apache-2.0
"""MariaDB, native and recorded: making its tables, sysbench with 4 threads, and the end by SIGTERM.

    LD_PRELOAD=libinspect.so INSPECT_OUTPUT=traces/%e.%p.zst mariadbd --datadir=data --skip-networking
"""
import re

from support.databases import MariaDB
from support.native import Traces, first_difference
from support.outcome import check, check_between, check_equal

LIMIT, LONG = 180, True
TRANSACTIONS = 400


def run_server(t, name, traces):
    """(what must be the same natively and recorded, the server, what sysbench counted)."""
    server = MariaDB(t, name, traces)
    made = server.initialise()
    server.start()
    server.query("create database sbtest")
    prepared = server.sysbench("prepare")
    content = server.query("select count(*), sum(k), md5(group_concat(c order by id)) from sbtest.sbtest1")
    result = server.sysbench("run", "--threads=4", f"--events={TRANSACTIONS}", "--time=0")
    counted = {key: int(value) for key, value in re.findall(r"^ *([a-z ]+): +(\d+)", result, re.M)}
    status = dict(line.split("\t") for line in server.query(
        "show global status where variable_name in ('Com_commit', 'Connections')").splitlines())
    ended, printed = server.stop()
    with open(f"{server.folder}/log.err") as log:
        text = log.read() + printed + made.stdout + made.stderr
    check("inspect:" not in text, f"the recorder speaks: {text}")
    check("[ERROR]" not in text and "ready for connections" in text, f"log: {text}")
    check_equal(int(status["Com_commit"]), TRANSACTIONS, "commits")
    same = (made.stderr, prepared, content, counted["transactions"], ended, status["Connections"])
    return same, server, counted


def test_sysbench(t):
    """Same rows, transactions and exit status; reads of the server against sysbench's queries."""
    native, _, _ = run_server(t, "native", None)
    traces = Traces(t)
    recorded, server, counted = run_server(t, "recorded", traces)
    for found, expected in zip(recorded, native):
        check(found == expected, first_difference(found, expected))
    check_equal(recorded[4], 0, "exit status of mariadbd")
    infos = traces.check_all()
    daemon = [info for info in infos if info.row("process") == str(server.process.pid)]
    check_equal(len(daemon), 1, "traces of the server")
    check("exit status 0" in daemon[0].ended, f"the server {daemon[0].ended}")
    queries = counted["total"]
    # two reads a packet, the head and the body; besides sysbench, the statements of this test
    check_between(daemon[0].counts["read"], 2 * queries, 3 * queries + 2000, "reads of the server")
    report = t.report(daemon[0].path)
    wrong = [item for item in report.deadlocks if item.verdict in ("actual", "feasible")]
    check_equal(wrong, [], "deadlocks")
    check_equal(report.memory.live_blocks, report.memory.allocations - report.memory.frees, "blocks")
