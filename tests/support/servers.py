# SPDX-License-Identifier: Apache-2.0
"""Servers and clients of the tests: on loopback or a unix socket in the test's folder."""
import contextlib
import os
import signal
import socket
import subprocess
import threading
import time

from .outcome import Failure, check
from .recording import parse


def free_port():
    """A port that nobody has at the moment, far from the usual ones."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_socket(address, limit=20):
    """Waits until something listens at a path or at a loopback port."""
    deadline = time.monotonic() + limit
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    while True:
        with socket.socket(family) as client:
            try:
                client.connect(address if isinstance(address, str) else ("127.0.0.1", address))
                return
            except OSError as error:
                if time.monotonic() > deadline:
                    raise Failure(f"nobody listens at {address}: {error}") from None
        time.sleep(0.02)


class Redis:
    """redis-server on a unix socket, recorded or not."""

    def __init__(self, t, name="redis", env=None, recorded=True, arguments=()):
        self.t = t
        self.socket = os.path.join(t.folder, f"{name}.sock")
        settings = {"INSPECT_OUTPUT": f"{name}.zst"}
        settings.update(env or {})
        self.process = t.start(
            [t.command("redis-server"), "--port", "0", "--unixsocket", self.socket, "--save", "",
             "--appendonly", "no", "--dir", t.folder, "--loglevel", "warning", *arguments],
            env=settings, recorded=recorded)
        wait_for_socket(self.socket)

    def connect(self):
        client = socket.socket(socket.AF_UNIX)
        client.connect(self.socket)
        return client

    def info(self):
        """INFO as a dictionary."""
        with self.connect() as client:
            client.sendall(b"INFO\r\n")
            data = b""
            while b"\r\n" not in data:
                data += client.recv(1 << 16)
            head, rest = data.split(b"\r\n", 1)
            size = int(head[1:])
            while len(rest) < size:
                rest += client.recv(1 << 16)
        lines = rest.decode().split("\r\n")
        return dict(line.split(":", 1) for line in lines if ":" in line)

    def benchmark(self, requests, *arguments):
        result = subprocess.run(
            [self.t.command("redis-benchmark"), "-s", self.socket, "-q", "-n", str(requests),
             *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)
        check(result.returncode == 0, f"redis-benchmark: {result.stdout[-500:]}")
        return result.stdout

    def stop(self):
        """SHUTDOWN as an operator would; gives the ended run."""
        with self.connect() as client:
            client.sendall(b"SHUTDOWN NOSAVE\r\n")
            client.recv(100)
        stdout, stderr = self.process.communicate(timeout=30)
        check(self.process.returncode == 0, f"redis-server ended with {self.process.returncode}")
        check(stderr == "", f"stderr of redis-server: {stderr!r}")


NGINX_CONF = """
worker_processes {workers};
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
{main}
events {{ worker_connections 256; }}
http {{
  access_log {folder}/access.log;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port};
    location / {{ root {folder}/www; }}
    location /status {{ stub_status; access_log off; }}
    {locations}
  }}
}}
"""


class Nginx:
    """nginx on a loopback port, recorded or not; `prefix` goes before the command, `main` and
    `locations` into its configuration."""

    def __init__(self, t, env=None, recorded=True, prefix=(), workers=1, main="", locations=""):
        self.t, self.port = t, free_port()
        os.makedirs(f"{t.folder}/www", exist_ok=True)
        with open(f"{t.folder}/www/index.html", "w") as file:
            file.write("<p>hello</p>\n" * 20)
        with open(f"{t.folder}/nginx.conf", "w") as file:
            file.write(NGINX_CONF.format(folder=t.folder, port=self.port, workers=workers, main=main,
                                         locations=locations))
        os.chmod(t.folder, 0o777)  # the worker has given up root, and must make its trace here
        self.process = t.start([*prefix, t.command("nginx"), "-c", f"{t.folder}/nginx.conf", "-p",
                                t.folder, "-e", f"{t.folder}/error.log"], env=env, recorded=recorded)
        wait_for_socket(self.port)

    def get(self, path="/", connection="close", port=None):
        """The page, asked for at `port` where something stands in front."""
        with socket.create_connection(("127.0.0.1", port or self.port)) as client:
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: {connection}\r\n\r\n".encode())
            data = b""
            while piece := client.recv(1 << 16):
                data += piece
        check(data.startswith(b"HTTP/1.1 200"), f"answer {data[:60]!r}")
        return data.split(b"\r\n\r\n", 1)[1].decode()

    def status(self):
        """(accepted connections, requests) as stub_status gives them, its own included."""
        lines = self.get("/status").splitlines()
        accepts, _, requests = map(int, lines[2].split())
        return accepts, requests

    def stop(self):
        self.process.send_signal(signal.SIGQUIT)
        stdout, stderr = self.process.communicate(timeout=30)
        check(self.process.returncode == 0, f"nginx ended with {self.process.returncode}: {stderr}")
        return stderr


class Memcached:
    """memcached with four workers on a loopback port, recorded or not."""

    def __init__(self, t, env=None, recorded=True, threads=4):
        self.t, self.port = t, free_port()
        self.process = t.start(
            [t.command("memcached"), "-l", "127.0.0.1", "-p", str(self.port), "-U", "0", "-t",
             str(threads), *(["-u", "root"] if os.geteuid() == 0 else [])], env=env,
            recorded=recorded)
        wait_for_socket(self.port)

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def load(self, connections, gets):
        """Connections one after the other, each with one `set` and so many `get`; every answer is
        waited for, so that no two commands share a packet."""
        for number in range(connections):
            with self.connect() as client:
                value = b"x" * (100 + number % 50)
                client.sendall(b"set key%d 0 0 %d\r\n%s\r\n" % (number % 100, len(value), value))
                check(client.recv(100) == b"STORED\r\n", "a set was not stored")
                for _ in range(gets):
                    client.sendall(b"get key%d\r\n" % (number % 100))
                    answer = receive_until(client, b"END\r\n")
                    check(value in answer, f"a get gave {answer[:60]!r}")

    def stats(self):
        with self.connect() as client:
            client.sendall(b"stats\r\n")
            lines = receive_until(client, b"END\r\n").decode().splitlines()
        return dict(line.split()[1:3] for line in lines if line.startswith("STAT "))

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        _, stderr = self.process.communicate(timeout=30)
        check(self.process.returncode in (0, -signal.SIGTERM),
              f"memcached ended with {self.process.returncode}: {stderr}")
        return stderr


HAPROXY_CONF = """
global
  stats socket {folder}/haproxy.stats level admin
  nbthread 2
  maxconn 400
defaults
  mode http
  timeout connect 10s
  timeout client 60s
  timeout server 60s
frontend front
  bind 127.0.0.1:{port}
  default_backend back
backend back
  server one 127.0.0.1:{behind}
"""


class Haproxy:
    """haproxy with two threads on a loopback port, in front of what listens at `behind`."""

    def __init__(self, t, behind, env=None, recorded=True):
        self.t, self.port = t, free_port()
        with open(f"{t.folder}/haproxy.conf", "w") as file:
            file.write(HAPROXY_CONF.format(folder=t.folder, port=self.port, behind=behind))
        self.process = t.start([t.command("haproxy"), "-q", "-db", "-f", f"{t.folder}/haproxy.conf"],
                               env=env, recorded=recorded)
        wait_for_socket(self.port)

    def ask(self, command):
        """What its stats socket answers."""
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(f"{self.t.folder}/haproxy.stats")
            client.sendall(command.encode() + b"\n")
            return receive_all(client).decode()

    def info(self):
        return dict(line.split(": ", 1) for line in self.ask("show info").splitlines()
                    if ": " in line)

    def statistics(self):
        """{(proxy, server): {column: value}}"""
        lines = self.ask("show stat").strip().splitlines()
        columns = lines[0].lstrip("# ").split(",")
        rows = [dict(zip(columns, line.split(","))) for line in lines[1:]]
        return {(row["pxname"], row["svname"]): row for row in rows}

    def stop(self):
        self.process.send_signal(signal.SIGUSR1)
        _, stderr = self.process.communicate(timeout=60)
        check(self.process.returncode == 0, f"haproxy ended with {self.process.returncode}: {stderr}")
        return stderr


class Script:
    """A server that a test has written in a language of its own: started with its port as last
    argument, says `listening` when it does, and on SIGTERM a line of JSON about itself."""

    def __init__(self, t, command, text, env=None, recorded=True):
        self.t, self.port = t, free_port()
        path = os.path.join(t.folder, "server.script")
        with open(path, "w") as file:
            file.write(text)
        self.process = t.start([*command, path, str(self.port)], env=env, recorded=recorded)
        t.wait_for_line(self.process, "listening")

    def get(self, path="/"):
        """(answer, the port that the request came from)"""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as client:
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            return receive_all(client).decode(), client.getsockname()[1]

    def stop(self):
        """Ends it; gives the JSON it printed."""
        self.process.send_signal(signal.SIGTERM)
        stdout, stderr = self.process.communicate(timeout=30)
        check(self.process.returncode == 0 and not stderr,
              f"the server ended with {self.process.returncode}: {stderr[-500:]}")
        return parse(stdout.strip().splitlines()[-1])


def answer_slowly(client, delay):
    with client:
        try:
            while client.recv(1 << 16):
                time.sleep(delay)
                client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n")
        except OSError:
            return


@contextlib.contextmanager
def slow_server(delay):
    """Gives the port of a server in this process that needs `delay` seconds for every answer."""
    def serve():
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=answer_slowly, args=(client, delay), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def receive_all(client):
    data = b""
    while piece := client.recv(1 << 16):
        data += piece
    return data


def receive_until(client, end):
    data = b""
    while not data.endswith(end):
        piece = client.recv(1 << 16)
        check(piece, f"the connection ended after {data[-100:]!r}")
        data += piece
    return data


def wrk(t, port, seconds, connections=8, path="/"):
    """Runs wrk. Gives requests, answers that were no 2xx, and latencies in ns as it measured them."""
    script = os.path.join(t.folder, "wrk.lua")
    with open(script, "w") as file:
        file.write(WRK_SCRIPT)
    result = subprocess.run([t.command("wrk"), "-t1", f"-c{connections}", f"-d{seconds}s", "-s", script,
                             f"http://127.0.0.1:{port}{path}"], stdout=subprocess.PIPE, text=True,
                            timeout=seconds + 60)
    check(result.returncode == 0, f"wrk: {result.stdout[-500:]}")
    return parse(result.stdout.strip().splitlines()[-1])


WRK_SCRIPT = """
function done(summary, latency)
  io.write(string.format('{"requests": %d, "errors": %d, "mean": %d, "p50": %d, "p99": %d, "max": %d}\\n',
    summary.requests, summary.errors.status + summary.errors.read + summary.errors.timeout,
    latency.mean * 1000, latency:percentile(50) * 1000, latency:percentile(99) * 1000,
    latency.max * 1000))
end
"""
