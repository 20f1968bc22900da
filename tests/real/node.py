# SPDX-License-Identifier: Apache-2.0
"""node from Debian: an HTTP server one of whose handlers now and then computes for 50 ms."""
from support.expect import find, one
from support.inversion import check_only_injected, with_inversion
from support.outcome import check, check_equal
from support.servers import Script

LIMIT = 120
SLOW, QUICK, SLOW_MS = 4, 60, 50
# V8 stops its workers, and waits for their part of a collection, while it holds locks of the isolate
# and the heap, which no worker takes meanwhile: hazards by their shape, and by design.
COLLECTION = ("v8::internal::IsolateSafepoint::*", "v8::internal::Heap::PerformGarbageCollection*")
SERVER = """
const http = require('http'), slow = [];
const now = () => Number(process.hrtime.bigint());
let requests = 0, connections = 0;
const server = http.createServer((request, response) => {
  requests++;
  if (request.url === '/slow') {
    const start = now();
    while (now() - start < %d * 1e6);
    slow.push({port: request.socket.remotePort, ns: now() - start});
  }
  response.end('ok');
});
server.on('connection', () => connections++);
server.listen(Number(process.argv[2]), '127.0.0.1', () => console.log('listening'));
process.on('SIGTERM', () => {
  console.log(JSON.stringify({slow, requests, connections}));
  server.close(() => process.exit(0));
});
""" % SLOW_MS


def test_slow_handler(t):
    """Each slow request is a stall, named by its listener and the peer that sent it, at least as long
    as the handler took; nothing else is as long. An inversion in the same process is found."""
    server = Script(t, [t.command("node")], SERVER, env=with_inversion(t, INSPECT_OUTPUT="node.zst"))
    for number in range(QUICK):
        answer, _ = server.get("/slow" if number % (QUICK // SLOW) == 7 else "/")
        check(answer.startswith("HTTP/1.1 200"), answer)
    truth = server.stop()
    check_equal((len(truth.slow), truth.requests), (SLOW, QUICK), "requests")
    t.settle()
    report = check_only_injected(t, t.trace("node.zst"), examined=COLLECTION)
    check_equal(report.coverage.lost_by_kind, {}, "lost")
    listener = next(task for task in find(report.tasks, what="listener") if task.accepts)
    check(f"127.0.0.1:{server.port}" in listener.name, f"the listener is {listener.name}")
    connections = find(report.tasks, what="connection", parent=listener.id)
    check_equal(len(connections), truth.connections, "connection tasks")
    check_equal(sum(task.response_ns.count for task in connections), QUICK, "answers")
    loop = one([loop for loop in report.loops if loop.response_ns.count])
    for slow in truth.slow:
        name = f"127.0.0.1:{server.port} 127.0.0.1:{slow.port}"
        stall = one([stall for stall in loop.stalls if name in (stall.task or "")])
        check(stall.duration_ns >= slow.ns, f"stall of {stall.duration_ns} ns, handler {slow.ns} ns")
        check(stall.blocked_ns < slow.ns / 2, f"{stall.blocked_ns} ns in {stall.blocked_in}, but the "
              "handler computes")
    check_text(t, server.port, truth.slow)


def check_text(t, port, slow):
    """A reader of the report meets the handler's connection without looking for it."""
    text = t.text(t.trace("node.zst"), arguments=["--report", "summary,loops"])
    check("stall" in text.splitlines()[2], f"verdict: {text.splitlines()[2]}")
    check(any(f"127.0.0.1:{port} 127.0.0.1:{one.port})" in text for one in slow),
          "no slow connection is named")
