# SPDX-License-Identifier: Apache-2.0
"""Servers and clients of the tests: on loopback or a unix socket in the test's folder."""
import os
import signal
import socket
import subprocess
import time

from .outcome import Failure, check


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
events {{ worker_connections 256; }}
http {{
  access_log {folder}/access.log;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port};
    location / {{ root {folder}/www; }}
    location /status {{ stub_status; access_log off; }}
  }}
}}
"""


class Nginx:
    """nginx on a loopback port, recorded or not; `prefix` goes before the command."""

    def __init__(self, t, env=None, recorded=True, prefix=(), workers=1):
        self.t, self.port = t, free_port()
        os.makedirs(f"{t.folder}/www", exist_ok=True)
        with open(f"{t.folder}/www/index.html", "w") as file:
            file.write("<p>hello</p>\n" * 20)
        with open(f"{t.folder}/nginx.conf", "w") as file:
            file.write(NGINX_CONF.format(folder=t.folder, port=self.port, workers=workers))
        os.chmod(t.folder, 0o777)  # the worker has given up root, and must make its trace here
        self.process = t.start([*prefix, t.command("nginx"), "-c", f"{t.folder}/nginx.conf", "-p",
                                t.folder, "-e", f"{t.folder}/error.log"], env=env, recorded=recorded)
        wait_for_socket(self.port)

    def get(self, path="/", connection="close"):
        with socket.create_connection(("127.0.0.1", self.port)) as client:
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
