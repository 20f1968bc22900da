# SPDX-License-Identifier: Apache-2.0
"""Servers native and recorded, through what an operator does to them: redis with its append-only file
and a background save, nginx reloaded, haproxy in front of it, memcached, node.

Each is asked the same, natively and recorded; answers, exit status and files must be the same.
"""
import os
import re
import signal
import socket

from support.native import Traces, first_difference
from support.outcome import check, check_equal
from support.servers import free_port, wait_for_socket

LIMIT = 120


def both(t, run):
    """run(folder, traces) natively (traces is None) and recorded; its results must be equal. Gives the
    second's and the traces' infos."""
    results, traces = [], Traces(t)
    os.chmod(t.folder, 0o711)
    for name, where in (("native", None), ("recorded", traces)):
        folder = f"{t.folder}/{name}"
        os.makedirs(folder)
        os.chmod(folder, 0o777)
        results.append(run(folder, where))
    for found, expected in zip(results[1], results[0]):
        check(found == expected, first_difference(found, expected))
    return results[1], traces.check_all()


def start(t, command, folder, traces, **options):
    return t.start(command, cwd=folder, recorded=traces is not None,
                   env={"TMPDIR": folder, **(traces.settings if traces else {})}, **options)


def ask(address, *requests, end=b"\r\n"):
    """Sends each request on one connection; all answers, each read to its end or the connection's."""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    answers = []
    with socket.socket(family) as client:
        client.settimeout(20)
        client.connect(address if isinstance(address, str) else ("127.0.0.1", address))
        for request in requests:
            client.sendall(request)
            answer = b""
            while not answer.endswith(end):
                piece = client.recv(1 << 16)
                if not piece:
                    break
                answer += piece
            answers.append(answer)
    return answers


def get(port, path="/"):
    """An HTTP request; status line and body."""
    answer, = ask(port, f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode(), end=b"\0end")
    head, _, body = answer.partition(b"\r\n\r\n")
    return head.split(b"\r\n")[0].decode(), body.decode()


def stop(process, number, expected=0):
    """Ends a server; the lines it wrote, which say nothing of us."""
    process.send_signal(number)
    said = "".join(text or "" for text in process.communicate(timeout=30))
    check("inspect:" not in said, f"the recorder speaks: {said}")
    check_equal(process.returncode, expected, "exit status")
    return said


def contents(path):
    with open(path, "rb") as file:
        return file.read()


def test_redis(t):
    """The append-only file is the same byte for byte; a background save and a rewrite of the file fork."""
    def run(folder, traces):
        address = f"{folder}/socket"
        process = start(t, ["redis-server", "--port", "0", "--unixsocket", address, "--dir", folder,
                            "--appendonly", "yes", "--appendfsync", "always", "--save", "",
                            "--aof-timestamp-enabled", "no"], folder, traces)
        wait_for_socket(address)
        answers = ask(address, *(b"SET key%d %s\r\n" % (i, b"v" * i) for i in range(300)),
                      *(b"INCR n\r\n" for _ in range(100)), *(b"LPUSH l %d\r\n" % i for i in range(100)))
        log = contents(f"{folder}/appendonlydir/appendonly.aof.1.incr.aof")
        for command in (b"BGSAVE", b"BGREWRITEAOF"):
            answers += ask(address, command + b"\r\n")
            t.wait_until(lambda: b"rdb_bgsave_in_progress:0" in (info := ask(address, b"INFO persistence\r\n")[0])
                         and b"aof_rewrite_in_progress:0" in info, command)
        answers += ask(address, b"LASTSAVE\r\n", b"DBSIZE\r\n")[1:]
        said = stop(process, signal.SIGTERM)
        check("bye bye" in said and "can't" not in said.lower(), said)
        check(b"REDIS" == contents(f"{folder}/dump.rdb")[:5], "the dump is whole")
        return answers, log, sorted(os.listdir(f"{folder}/appendonlydir"))
    _, infos = both(t, run)
    forked = [info for info in infos if info.forked]
    check_equal(len(forked), 2, "forked children of redis")
    check_equal([info.ended.count("exit status 0") for info in infos], [1, 1, 1], "exits with 0")


NGINX = """
worker_processes 2; daemon off; pid {0}/pid; error_log {0}/error.log notice; worker_shutdown_timeout 5s;
events {{ worker_connections 64; }}
http {{ access_log off; client_body_temp_path {0}/t1; proxy_temp_path {0}/t2; fastcgi_temp_path {0}/t3;
  uwsgi_temp_path {0}/t4; scgi_temp_path {0}/t5;
  server {{ listen 127.0.0.1:{1}; location / {{ return 200 "{2}\\n"; }} }} }}
"""


def count_lines(path, pattern):
    return len(re.findall(pattern, contents(path).decode()))


def test_nginx_reload(t):
    """Master and two workers, reloaded: two new workers answer, the old ones end; then SIGQUIT."""
    def run(folder, traces):
        port = free_port()

        def configure(answer):
            with open(f"{folder}/conf", "w") as file:
                file.write(NGINX.format(folder, port, answer))
        configure("before")
        process = start(t, ["nginx", "-c", f"{folder}/conf", "-p", folder, "-e", f"{folder}/error.log"],
                        folder, traces)
        wait_for_socket(port)
        answers = [get(port) for _ in range(20)]
        configure("after")
        process.send_signal(signal.SIGHUP)
        t.wait_until(lambda: count_lines(f"{folder}/error.log", r"worker process \d+ exited with code 0") == 2,
                     "the old workers to end")
        answers += [get(port) for _ in range(20)]
        said = stop(process, signal.SIGQUIT)
        check_equal(count_lines(f"{folder}/error.log", r"\[(alert|emerg|crit|error)\]"), 0, "errors")
        return answers, said, count_lines(f"{folder}/error.log", r"start worker process \d+")
    (answers, _, workers), infos = both(t, run)
    check_equal((answers[0][1], answers[-1][1], workers), ("before\n", "after\n", 4), "answers and workers")
    check_equal(sorted(info.forked for info in infos), [False] + [True] * 4, "traces: master and workers")


def test_memcached(t):
    def run(folder, traces):
        address = f"{folder}/socket"
        user = ["-u", "nobody"] if os.geteuid() == 0 else []
        process = start(t, ["memcached", "-s", address, "-t", "4", "-a", "777", *user], folder, traces)
        wait_for_socket(address)
        answers = []
        for n in range(40):  # a connection each: the four workers in turn
            answers += ask(address, *(b"set k%d_%d 0 0 %d\r\n%s\r\n" % (n, i, i, b"x" * i) for i in range(20)))
            answers += ask(address, *(b"get k%d_%d\r\n" % (n, i) for i in range(20)), end=b"END\r\n")
        stats = ask(address, b"stats\r\n", end=b"END\r\n")[0].decode()
        sets = re.search(r"STAT cmd_set (\d+)", stats).group(1)
        return answers, sets, stop(process, signal.SIGTERM)
    (_, sets, _), infos = both(t, run)
    check_equal((sets, len(infos)), ("800", 1), "sets and traces")
    # main, 4 workers, its crawlers and maintainers
    check(int(infos[0].row("threads")) >= 8, f"{infos[0].row('threads')} threads")


HAPROXY = """
global
  nbthread 2
defaults
  mode http
  timeout connect 5s
  timeout client 5s
  timeout server 5s
frontend front
  bind 127.0.0.1:{0}
  default_backend back
backend back
  server one 127.0.0.1:{1}
"""


def master_listens_to_signals(pid):
    """It has executed itself again, and SIGUSR1 is caught and not blocked: one that the image before
    had caught would be forgotten."""
    status = dict(line.split(":", 1) for line in contents(f"/proc/{pid}/status").decode().splitlines())
    bit = 1 << (signal.SIGUSR1 - 1)
    return (b"HAPROXY_MWORKER_WAIT_ONLY" in contents(f"/proc/{pid}/environ") and
            int(status["SigCgt"], 16) & bit and not int(status["SigBlk"], 16) & bit)


def test_haproxy(t):
    """haproxy as master, which executes itself again, and worker in front of nginx; ended softly."""
    def run(folder, traces):
        front, back = free_port(), free_port()
        with open(f"{folder}/conf", "w") as file:
            file.write(NGINX.format(folder, back, "behind"))
        with open(f"{folder}/haproxy.conf", "w") as file:
            file.write(HAPROXY.format(front, back))
        behind = start(t, ["nginx", "-c", f"{folder}/conf", "-p", folder, "-e", f"{folder}/error.log"],
                       folder, None)
        with open(f"{folder}/said", "w") as said:
            process = start(t, ["haproxy", "-W", "-f", f"{folder}/haproxy.conf"], folder, traces, stderr=said)
        wait_for_socket(back)
        t.wait_until(lambda: master_listens_to_signals(process.pid), "haproxy's master")
        answers = [get(front) for _ in range(30)]
        check_equal(stop(process, signal.SIGUSR1), "", "stdout")
        stop(behind, signal.SIGQUIT)
        return answers, sorted(re.sub(r"\d+", "#", contents(f"{folder}/said").decode()).splitlines())
    (answers, _), infos = both(t, run)
    check_equal(answers[0], ("HTTP/1.1 200 OK", "behind\n"), "an answer through haproxy")
    check_equal(sorted(info.forked for info in infos), [False, False, True],
                "traces: master, master again, worker")


SERVER = """
const http = require('http');
let served = 0;
const server = http.createServer((request, response) => {
  served++;
  if (request.url === '/slow') setTimeout(() => response.end('slow\\n'), 20);
  else response.end(request.url + '\\n');
});
server.listen(Number(process.argv[1]), '127.0.0.1');
process.on('SIGTERM', () => { console.log('served', served); server.close(() => process.exit(4)); });
"""


def test_node_server(t):
    def run(folder, traces):
        port = free_port()
        process = start(t, ["node", "-e", SERVER, str(port)], folder, traces)
        wait_for_socket(port)
        answers = [get(port, f"/{i}") for i in range(50)] + [get(port, "/slow") for _ in range(5)]
        return answers, stop(process, signal.SIGTERM, 4)
    (_, said), infos = both(t, run)
    check_equal((said, len(infos)), ("served 55\n", 1), "its own count, and traces")
    # as many as were served, and the one that only waited for it to listen
    check(infos[0].counts["accept"] >= 55, f"accepts: {infos[0].counts}")


for _server in (test_nginx_reload, test_memcached, test_haproxy, test_node_server):
    _server.long = True
