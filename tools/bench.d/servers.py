# SPDX-License-Identifier: Apache-2.0
"""Servers of the benchmark, each under its client, on a unix socket or loopback in its own folder.

CPU is that of the server while the client ran, start and end left out, for each request.
"""
import contextlib
import csv
import os
import pwd
import re
import signal
import socket
import subprocess
import time

import running
from workloads import Workload


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(address):
    """Whether something listens at a path or at a loopback port."""
    unix = isinstance(address, str)
    with socket.socket(socket.AF_UNIX if unix else socket.AF_INET) as client:
        try:
            client.connect(address if unix else ("127.0.0.1", address))
            return True
        except OSError:
            return False


class Server(Workload):
    unit = "request"
    end_signal = signal.SIGTERM

    def command(self, folder):
        """(the server's command line, where it will listen)."""
        raise NotImplementedError

    def load(self, address):
        """Runs the client: (requests, wall ns, throughput, p99 in us)."""
        raise NotImplementedError

    @contextlib.contextmanager
    def serving(self, session):
        command, address = self.command(session.folder)
        server = self.sandbox.start([*session.prefix, *command], session.values,
                                    cwd=session.folder)
        try:
            running.wait_until(lambda: answers(address) or server.poll() is not None,
                               f"{self.name} to listen")
            if server.poll() is not None:
                raise running.Failed(f"{self.name} ended at once, status {server.returncode}")
            yield server, address
        finally:
            if server.poll() is None:
                server.send_signal(self.end_signal)
        try:
            status = server.wait(timeout=30)
        except subprocess.TimeoutExpired:
            server.kill()
            raise running.Failed(f"{self.name} did not end when it was told to") from None
        if status:
            raise running.Failed(f"{self.name} ended with status {status}")

    def run(self, session):
        with self.serving(session) as (server, address):
            if self.sandbox.pace:
                self.sandbox.pace.begin(server.pid)
            before = running.cpu_ns(server.pid)
            requests, wall_ns, throughput, p99_us = self.load(address)
            used = running.cpu_ns(server.pid) - before
            state = self.sandbox.state()
            peak = running.peak_kib(server.pid)
        return {**state, "units": requests, "cpu_ns": used / requests, "wall_ns": wall_ns / requests,
                "throughput": throughput, "p99_us": p99_us, "peak_kib": peak}


class Redis(Server):
    """Pipelined SET and GET."""
    name = "redis"

    def check(self):
        self.server, self.client = running.find("redis-server"), running.find("redis-benchmark")

    def command(self, folder):
        path = os.path.join(folder, "socket")
        return [self.server, "--port", "0", "--unixsocket", path, "--save", "", "--appendonly",
                "no", "--dir", folder, "--loglevel", "warning"], path

    def load(self, address):
        number = max(20000, int(400000 * self.size))
        start = time.monotonic_ns()
        text = self.sandbox.run([self.client, "-s", address, "-t", "set,get", "-n", str(number),
                                 "-P", "16", "-c", "50", "-r", "10000", "-d", "64", "--csv"])
        wall = time.monotonic_ns() - start
        rows = [row for row in csv.DictReader(text.splitlines()) if row["test"] in ("SET", "GET")]
        if len(rows) != 2:
            raise running.Failed(f"redis-benchmark said {text[-200:]!r}")
        seconds = sum(number / float(row["rps"]) for row in rows)
        return (2 * number, wall, 2 * number / seconds,
                max(float(row["p99_latency_ms"]) for row in rows) * 1000)


class Nginx(Server):
    """One process that serves a small file."""
    name, end_signal = "nginx", signal.SIGQUIT
    times = {"us": 1.0, "ms": 1e3, "s": 1e6}
    configuration = """daemon off; master_process off; pid {0}/pid; error_log {0}/error;
events {{ worker_connections 256; }}
http {{ access_log off; keepalive_requests 1000000000; client_body_temp_path {0}/body;
  proxy_temp_path {0}/proxy; fastcgi_temp_path {0}/fastcgi; uwsgi_temp_path {0}/uwsgi;
  scgi_temp_path {0}/scgi; server {{ listen 127.0.0.1:{1}; root {0}; }} }}
"""

    def check(self):
        self.server, self.client = running.find("nginx"), running.find("wrk")

    def command(self, folder):
        port = free_port()
        with open(f"{folder}/nginx.conf", "w") as file:
            file.write(self.configuration.format(folder, port))
        with open(f"{folder}/index.html", "w") as file:
            file.write("x" * 1024)
        return [self.server, "-p", folder, "-c", "nginx.conf", "-e", f"{folder}/error"], port

    def load(self, address):
        seconds = max(1, int(3 * self.size))
        text = self.sandbox.run([self.client, "-t", "1", "-c", "16", "-d", f"{seconds}s",
                                 "--latency", f"http://127.0.0.1:{address}/"])
        total = re.search(r"(\d+) requests in ([\d.]+)(m?s),", text)
        speed = re.search(r"Requests/sec:\s+([\d.]+)", text)
        p99 = re.search(r"99%\s+([\d.]+)(us|ms|s)\b", text)
        if not total or not speed or not p99 or "Non-2xx" in text or not int(total.group(1)):
            raise running.Failed(f"wrk said {' '.join(text.split())[-200:]}")
        requests = int(total.group(1))
        return (requests, requests / float(speed.group(1)) * 1e9, float(speed.group(1)),
                float(p99.group(1)) * self.times[p99.group(2)])


class Memcached(Server):
    """Four threads; a client of our own with nine gets for each set."""
    name = "memcached"

    def check(self):
        self.server, self.client = running.find("memcached"), self.sandbox.program("cache_client")

    def command(self, folder):
        path = os.path.join(folder, "socket")
        user = pwd.getpwuid(os.getuid()).pw_name
        return [self.server, "-s", path, "-u", user, "-t", "4", "-m", "64"], path

    def load(self, address):
        number = max(10000, int(200000 * self.size))
        found = running.last_object(self.sandbox.run([self.client, address, "16", str(number)]))
        return (number, found["wall_ns"], number / found["wall_ns"] * 1e9, found["p99_ns"] / 1000)
