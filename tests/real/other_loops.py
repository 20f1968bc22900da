# SPDX-License-Identifier: Apache-2.0
"""Event loops of other makes: unbound (libevent, two threads), lighttpd, mosquitto, stunnel, h2o. As many
tasks and answers as their clients count."""
import os
import signal
import socket
import ssl
import struct
import subprocess

from support.drawing import check_drawing, load
from support.expect import find, one
from support.outcome import check, check_between, check_equal
from support.servers import free_port, slow_server, wait_for_socket, wrk

LIMIT, LONG = 120, True
QUERIES, MESSAGES = 40, 500


def started(t, command, port, name):
    process = t.start(command, env={"INSPECT_OUTPUT": f"{name}.zst"})
    wait_for_socket(port)
    return process


def stopped(t, process, name):
    """The report on the server, ended as an operator ends it."""
    t.kill(process, signal.SIGTERM)
    t.settle()
    report = t.report(t.trace(f"{name}.zst"))
    check_equal(report.coverage.lost_by_kind, {}, "lost")
    check_equal([item for item in report.deadlocks if item.verdict != "benign"], [], "deadlocks")
    return report


def check_drawing_of(t, name):
    path = os.path.join(t.folder, f"{name}.json")
    t.analyze("export", "--to", "perfetto", "-o", path, t.trace(f"{name}.zst"))
    check_drawing(load(path))


def write(t, name, text):
    path = os.path.join(t.folder, name)
    with open(path, "w") as file:
        file.write(text)
    return path


UNBOUND = """
server:
  interface: 127.0.0.1@{port}
  port: {port}
  chroot: ""
  username: ""
  do-daemonize: no
  use-syslog: no
  logfile: "{folder}/unbound.log"
  pidfile: "{folder}/unbound.pid"
  directory: "{folder}"
  num-threads: 2
  local-zone: "example.test." static
  local-data: "www.example.test. IN A 10.1.2.3"
  module-config: "iterator"
remote-control:
  control-enable: no
"""
QUERY = (struct.pack(">6H", 7, 0x100, 1, 0, 0, 0) + b"\x03www\x07example\x04test\x00" +
         struct.pack(">2H", 1, 1))


def ask_name_server(port):
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        client.sendall(struct.pack(">H", len(QUERY)) + QUERY)
        answer = client.recv(1000)
    check(b"\x0a\x01\x02\x03" in answer, f"answer {answer}")


def test_unbound(t):
    """libevent takes a descriptor out and puts it back to ask for something else: it stays one task;
    and what libevent does is said to be done by who called it."""
    port = free_port()
    path = write(t, "unbound.conf", UNBOUND.format(port=port, folder=t.folder))
    server = started(t, [t.command("unbound"), "-d", "-c", path], port, "unbound")
    for _ in range(QUERIES):
        ask_name_server(port)
    report = stopped(t, server, "unbound")
    served = [task for task in find(report.tasks, what="connection") if task.bytes_in]
    check_equal(len(served), QUERIES, "connections that asked")
    check_equal([task.response_ns.count for task in served], [1] * QUERIES, "answers")
    check_equal({task.bytes_in for task in served}, {len(QUERY) + 2}, "bytes in")
    check("libevent" not in served[0].site, f"registered in {served[0].site}")
    check_equal(len([loop for loop in report.loops if loop.events]), 2, "loops")


def test_lighttpd(t):
    port = free_port()
    os.mkdir(f"{t.folder}/www")
    write(t, "www/index.html", "<p>hello</p>\n" * 20)
    path = write(t, "lighttpd.conf", f'server.document-root = "{t.folder}/www"\nserver.port = {port}\n'
                 'server.bind = "127.0.0.1"\nindex-file.names = ( "index.html" )\n')
    server = started(t, [t.command("lighttpd"), "-D", "-f", path], port, "lighttpd")
    result = wrk(t, port, 2)
    report = stopped(t, server, "lighttpd")
    check_equal(result.errors, 0, "errors of wrk")
    listener = one(report.tasks, what="listener")
    connections = find(report.tasks, what="connection", parent=listener.id)
    check_equal(len(connections), listener.accepts, "connection tasks")
    check(listener.accepts >= 8, f"accepts {listener.accepts}")  # it ends them after many requests
    check_between(sum(task.response_ns.count for task in connections), result.requests,
                  result.requests + 8, "answers against wrk")


def test_mosquitto(t):
    """What the clients sent and got is what their tasks read and wrote, and more: headers."""
    port = free_port()
    path = write(t, "mosquitto.conf", f"listener {port} 127.0.0.1\nallow_anonymous true\nuser root\n")
    server = started(t, [t.command("mosquitto"), "-c", path], port, "mosquitto")
    reader = subprocess.Popen([t.command("mosquitto_sub"), "-p", str(port), "-t", "a/b", "-C",
                               str(MESSAGES)], stdout=subprocess.PIPE, text=True)
    t.wait_until(lambda: any(event.event == "write" and event.result > 4
                             for event in t.events(t.trace("mosquitto.zst"))), "subscription")
    lines = "".join(f"message {number}\n" for number in range(MESSAGES))
    subprocess.run([t.command("mosquitto_pub"), "-p", str(port), "-t", "a/b", "-l"], input=lines,
                   text=True, check=True, timeout=60)
    check_equal(reader.communicate(timeout=60)[0], lines, "what the subscriber got")
    report = stopped(t, server, "mosquitto")
    least = len(lines) - MESSAGES  # without the ends of lines
    given = [task for task in find(report.tasks, what="connection") if task.bytes_in > least]
    taken = [task for task in find(report.tasks, what="connection") if task.bytes_out > least]
    check_equal([len(given), len(taken)], [1, 1], "publisher and subscriber")
    check(given[0].id != taken[0].id, "one connection for both")
    check_between(taken[0].bytes_out, given[0].bytes_in * 0.9, given[0].bytes_in * 1.1, "bytes")


def test_stunnel(t):
    """A thread for each connection, that polls its ends."""
    with slow_server(0.01) as behind:
        port = free_port()
        subprocess.run([t.command("openssl"), "req", "-x509", "-newkey", "rsa:4096", "-nodes", "-keyout",
                        f"{t.folder}/key.pem", "-out", f"{t.folder}/cert.pem", "-days", "1", "-subj",
                        "/CN=x"], check=True, capture_output=True, timeout=100)
        path = write(t, "stunnel.conf", f"foreground = yes\npid =\n[x]\naccept = 127.0.0.1:{port}\n"
                     f"connect = 127.0.0.1:{behind}\ncert = {t.folder}/cert.pem\n"
                     f"key = {t.folder}/key.pem\n")
        server = started(t, [t.command("stunnel"), path], port, "stunnel")
        for _ in range(10):
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            with socket.create_connection(("127.0.0.1", port), timeout=30) as plain, \
                    context.wrap_socket(plain) as client:
                client.sendall(b"GET / HTTP/1.1\r\n\r\n")
                check(client.recv(100).startswith(b"HTTP/1.1 200"), "no answer")
        report = stopped(t, server, "stunnel")
    listener = max(find(report.tasks, what="listener"), key=lambda task: task.accepts)
    check(listener.accepts >= 9, f"{listener.accepts} connections")  # a loop of poll from its second wait
    check(len([loop for loop in report.loops if loop.kind == "poll"]) >= 9, "loops of connections")
    check_drawing_of(t, "stunnel")


def test_h2o(t):
    """An event for each request that its access log has, or more; threads that share a listener."""
    port = free_port()
    os.mkdir(f"{t.folder}/www")
    write(t, "www/index.html", "<p>hello</p>\n" * 20)
    path = write(t, "h2o.conf", f"""
listen: {{ host: 127.0.0.1, port: {port} }}
num-threads: 2
user: root
access-log: {t.folder}/access.log
hosts: {{ "x": {{ paths: {{ /: {{ file.dir: {t.folder}/www }} }} }} }}
""")
    server = started(t, [t.command("h2o"), "-m", "worker", "-c", path], port, "h2o")
    result = wrk(t, port, 2)
    report = stopped(t, server, "h2o")
    with open(f"{t.folder}/access.log") as file:
        logged = sum(1 for _ in file)
    check_between(logged, result.requests, result.requests + 8, "access log against wrk")
    served = find(report.tasks, what="connection")
    check_between(sum(task.response_ns.count for task in served), logged - 8, logged + 1, "answers")
    check_between(sum(loop.events for loop in report.loops), logged, logged * 1.3 + 100, "events")
    check_drawing_of(t, "h2o")
