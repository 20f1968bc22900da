# SPDX-License-Identifier: Apache-2.0
"""Correct programs under load: not a word about deadlocks. That this is no deafness, an inversion that
is preloaded into each of them shows: it is found in the same run."""
import os

from support.databases import MariaDB, Postgres
from support.expect import find
from support.inversion import check_only_injected, with_inversion
from support.outcome import check, check_equal
from support.servers import Nginx, Redis, wrk

LIMIT = 150


def injected(t):
    """What is recorded here: traces apart from the program's own files."""
    os.makedirs(f"{t.folder}/traces", exist_ok=True)
    os.chmod(f"{t.folder}/traces", 0o777)
    return with_inversion(t, INSPECT_OUTPUT=f"{t.folder}/traces/%e.%p.zst")


def reports(t, examined=()):
    """The checked reports on all that was recorded."""
    t.settle(f"{t.folder}/traces")
    traces = t.traces("traces/*.zst")
    check(traces, "nothing was recorded")
    return [check_only_injected(t, trace, examined) for trace in traces]


def acquisitions(report):
    return sum(lock.acquisitions for lock in report.locks)


def test_redis(t):
    """Four threads that read and write, and the three that free and sync in the background."""
    redis = Redis(t, env=injected(t), arguments=("--io-threads", "4", "--io-threads-do-reads", "yes",
                                                 "--appendonly", "yes", "--lazyfree-lazy-user-del", "yes"))
    redis.benchmark(20000 if t.long else 1000, "-t", "set,get,lpush", "-c", "40", "-P", "4")
    with redis.connect() as client:
        client.sendall(b"FLUSHALL ASYNC\r\n")
        check(client.recv(10) == b"+OK\r\n", "FLUSHALL")
    redis.stop()
    report, = reports(t)
    threads = find(report.tasks, kind="thread")
    check(len(threads) >= 7 + 2, f"{len(threads)} threads")


def test_nginx_with_threads(t):
    """Files are read in a pool of threads; master and worker are judged apart."""
    nginx = Nginx(t, env=injected(t), main="thread_pool default threads=4;", locations="location /aio/ "
                  f"{{ alias {t.folder}/www/; aio threads; sendfile off; output_buffers 1 64k; }}")
    with open(f"{t.folder}/www/large", "w") as file:
        file.write("0123456789abcde\n" * 20000)
    load = wrk(t, nginx.port, 1, connections=8, path="/aio/large")
    check(load.requests > 20 and not load.errors, f"wrk: {load}")
    nginx.stop()
    found = reports(t)
    check_equal(len(found), 2, "traces: master and worker")
    check(max(len(find(report.tasks, kind="thread")) for report in found) >= 5 + 2, "the pool's threads")


# DBImpl::CloseHelper waits for background jobs while it holds closing_mutex_, which only closing takes:
# a hazard by its shape (a job that closed its own database would hang), and by design.
CLOSING = ("rocksdb::DBImpl::Close*",)


def test_db_bench(t):
    """RocksDB with four threads that read while one writes, and its own for flushes and compactions."""
    t.run([t.command("db_bench"), "--benchmarks=fillrandom,readwhilewriting", "--threads=4",
           "--compression_type=none", f"--num={50000 if t.long else 1500}", "--write_buffer_size=100000",
           f"--db={t.folder}/db", "--seed=7"], env=injected(t), limit=100)
    report, = reports(t, CLOSING)
    check(acquisitions(report) > 10000, f"{acquisitions(report)} acquisitions")


PYTHON = """
import concurrent.futures, queue, subprocess, threading
numbers, results, lock, filled = queue.Queue(10), [], threading.RLock(), threading.Condition()

def work():
    while (number := numbers.get()) is not None:
        with lock, filled:
            with lock:
                results.append(number * number)
            filled.notify_all()
        numbers.task_done()

workers = [threading.Thread(target=work) for _ in range(4)]
for worker in workers: worker.start()
for number in range(2000): numbers.put(number)
numbers.join()
with filled: filled.wait_for(lambda: len(results) == 2000)
for worker in workers: numbers.put(None)
for worker in workers: worker.join()
with concurrent.futures.ThreadPoolExecutor(6) as pool:
    print(sum(results), sum(pool.map(lambda x: x % 7, range(2000))))
barrier, once = threading.Barrier(4), threading.Event()
def meet():
    for _ in range(50): barrier.wait()
    once.wait()
meeting = [threading.Thread(target=meet) for _ in range(4)]
for thread in meeting: thread.start()
once.set()
for thread in meeting: thread.join()
print(subprocess.run(["true"]).returncode)
"""


def test_python(t):
    """Queues, pools, conditions, barriers and events of python's own threads."""
    run = t.run([t.command("python3"), "-c", PYTHON], env=injected(t))
    check_equal(run.stdout, "2664667000 5995\n0\n", "output")
    report = max(reports(t), key=acquisitions)
    check(acquisitions(report) > 10000, f"{acquisitions(report)} acquisitions")


def test_pigz(t):
    """Four threads that compress, one that writes."""
    with open(f"{t.folder}/data", "w") as file:
        file.writelines(f"{i * i % 7919} {i}\n" for i in range(400000 if t.long else 100000))
    t.run([t.command("pigz"), "-k", "-p", "4", "-b", "128", "data"], env=injected(t))
    t.run_native([t.command("pigz"), "-t", "data.gz"])
    report, = reports(t)
    check(len(find(report.tasks, kind="thread")) >= 4 + 2, "threads")


def record_from_now_on(t, server):
    server.traces = True
    server.environment.update(injected(t))


def test_mariadb(t):
    """InnoDB, the SQL layer and the pools of MariaDB, with four threads of sysbench."""
    server = MariaDB(t)
    server.initialise()
    record_from_now_on(t, server)
    server.start()
    server.query("create database sbtest")
    server.sysbench("prepare")
    server.sysbench("run", "--threads=4", "--events=1000", "--time=0")
    status, text = server.stop()
    check_equal(status, 0, f"exit status of mariadbd, which wrote {text}")
    report = max(reports(t), key=acquisitions)
    check("mariadbd" in report.trace.program, f"most locks in {report.trace.program}")
    check(acquisitions(report) > 100000, f"{acquisitions(report)} acquisitions")


def test_postgresql(t):
    """A process for each client, and the server's own: each is judged."""
    server = Postgres(t)
    server.initialise()
    record_from_now_on(t, server)
    server.start()
    server.client("pgbench", "-i", "-q")
    server.client("pgbench", "-n", "-c", "8", "-j", "2", "-t", "200", limit=120)
    check_equal(server.stop(), 0, "exit status of the server")
    found = reports(t)
    check(len([report for report in found if "postgres" in report.trace.program]) >= 8 + 5, "processes")


test_mariadb.long = test_postgresql.long = True
