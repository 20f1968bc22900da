# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL, native and recorded: initdb, a process for each of 8 clients of pgbench, and its shutdowns.

Run as nobody where the tests run as root, with its own cluster and socket in the test's folder:

    LD_PRELOAD=libinspect.so INSPECT_OUTPUT=traces/%e.%p.zst initdb -D data; postgres -D data
"""
import re
import signal

from support.databases import Postgres
from support.native import Traces, first_difference
from support.outcome import check, check_equal

LIMIT = 180
# The startup process, checkpointer, background writer, WAL writer, launcher of replication.
HELPERS = 5
# Each client draws from its own sequence of the seed, so that the end is the same in whatever order
# their transactions come.
CONTENT = """select count(*), sum(delta) from pgbench_history;
select md5(string_agg(aid || ' ' || abalance, ',' order by aid)) from pgbench_accounts;
select md5(string_agg(bid || ' ' || bbalance, ',' order by bid)) from pgbench_branches"""


def messages(path):
    """What the server logged, sorted, without what differs from run to run."""
    with open(path) as file:
        return "\n".join(sorted(re.sub(r'"[^"]*/[^"]*"|\d+', "#", line) for line in file))


def run_clients(postgres, transactions):
    """initdb, start, and pgbench with 8 clients; what all of them printed."""
    outputs = [postgres.initialise().stdout.replace(postgres.folder, "FOLDER")]
    postgres.start()
    check_equal(postgres.client("pgbench", "-i", "-q", "-I", "dtgp").status, 0, "pgbench -i")
    run = postgres.client("pgbench", "-n", "-c", "8", "-j", "2", "-t", str(transactions),
                          "--random-seed=7", limit=120)
    check_equal(run.stderr, "pgbench: setting random seed to 7\n", "stderr of pgbench")
    outputs += [line for line in run.stdout.splitlines() if not re.search(r"latency|tps|time", line)]
    outputs += [postgres.query(CONTENT)]
    return "\n".join(outputs)


def check_traces(postgres, infos):
    """One trace for the server, one for each helper and each connection that it logged."""
    server = [info for info in infos if info.row("process") == str(postgres.process.pid)]
    check_equal(len(server), 1, "traces of the postmaster")
    children = [info for info in infos
                if info.row("process").endswith(f"forked by {postgres.process.pid}")]
    with open(postgres.log) as file:
        log = file.read()
    check("inspect:" not in log, f"the recorder speaks: {log}")
    connections = log.count("connection received")
    check_equal(len(children), connections + HELPERS, "traces of children, against logged connections")
    check_equal(server[0].counts["fork"], len(children), "forks of the postmaster")


def shut_down(t, number, transactions):
    """The same run natively and recorded, ended by a signal; gives the traces' infos."""
    results, traces = [], Traces(t)
    for name, where in (("native", None), ("recorded", traces)):
        postgres = Postgres(t, name, where)
        printed = run_clients(postgres, transactions)
        results.append((printed, postgres.stop(number), messages(postgres.log)))
    native, recorded = results
    check(f"{8 * transactions}|" in native[0], f"pgbench's history: {native[0]}")
    for what, found, expected in zip(("output", "exit status", "log"), recorded, native):
        check(found == expected, f"{what}: {first_difference(found, expected)}")
    check_equal(native[1], 0, "exit status of the server")
    infos = traces.check_all()
    check_traces(postgres, infos)
    return postgres, infos


def test_pgbench(t):
    """Ends by SIGTERM once its clients have gone: every process ended with status 0 or 1."""
    _, infos = shut_down(t, signal.SIGTERM, 200 if t.long else 40)
    bench = [info for info in infos if info.program == "pgbench" and "-c 8" in info.arguments]
    check_equal([info.row("threads") for info in bench], ["2"], "threads of pgbench")


def test_immediate_shutdown(t):
    """SIGQUIT: helpers end with _exit(2), and the next start recovers what was committed."""
    postgres, infos = shut_down(t, signal.SIGQUIT, 40)
    check(any("status 2" in info.ended for info in infos), "a helper ends with status 2")
    before = len(infos)
    postgres.start()
    check(postgres.query(CONTENT).startswith("320|"), "what was committed is there after recovery")
    check_equal(postgres.stop(signal.SIGINT), 0, "exit status after a fast shutdown")
    check(len(postgres.traces.check_all()) > before, "the second start was recorded")


test_immediate_shutdown.long = True
