# SPDX-License-Identifier: Apache-2.0
"""python3's asyncio: a server with a coroutine that calls time.sleep, which holds up all others."""
import socket

from support.expect import find, one
from support.outcome import check, check_equal
from support.servers import Script

LIMIT = 120
SLOW, QUICK, SLOW_MS = 3, 40, 60
SERVER = """
import asyncio, json, signal, sys, time
slow = []

async def serve(reader, writer):
    request = await reader.readuntil(b"\\r\\n\\r\\n")
    if b"/slow" in request:
        start = time.monotonic_ns()
        time.sleep(%f)
        slow.append(time.monotonic_ns() - start)
    else:
        await asyncio.sleep(0.001)
    writer.write(b"HTTP/1.1 200 OK\\r\\n\\r\\nok")
    await writer.drain()
    writer.close()

async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]))
    end = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, end.set)
    print("listening", flush=True)
    await end.wait()
    server.close()

asyncio.run(main())
print(json.dumps({"slow": slow}))
""" % (SLOW_MS / 1000)


def test_sleep_in_coroutine(t):
    """Each sleep is a stall, blocked in sleep for as long as it took; the lint says so with its site,
    and nothing that is awaited is blamed."""
    server = Script(t, [t.command("python3")], SERVER, env={"INSPECT_OUTPUT": "asyncio.zst"})
    for number in range(QUICK):
        answer, _ = server.get("/slow" if number % (QUICK // SLOW) == 5 else "/")
        check(answer.endswith("ok"), answer)
    truth = server.stop()
    check_equal(len(truth.slow), SLOW, "slow requests")
    t.settle()
    report = t.report(t.trace())
    loop = one([loop for loop in report.loops if loop.response_ns.count])
    stalls = find(loop.stalls, blocked_in="sleep")
    check_equal(len(stalls), SLOW, "stalls blocked in sleep")
    check("blocked in sleep at python3" in t.text(t.trace()).splitlines()[2], "verdict")
    for stall, took in zip(sorted(stalls, key=lambda stall: stall.at_ns), truth.slow):
        check(stall.blocked_ns >= SLOW_MS * 1e6, f"blocked for {stall.blocked_ns} ns")
        check(stall.blocked_ns <= took, f"blocked for {stall.blocked_ns} ns, time.sleep took {took}")
        check(stall.duration_ns >= stall.blocked_ns, "a stall is shorter than what blocked in it")
    site = one(loop.blocking_by_site, kind="sleep")
    check_equal(site.count, SLOW, "sleeps in the loop")
    lint = one(report.warnings, where="blocking-in-loop")
    check("sleep" in lint.text and "python3" in lint.text, f"lint: {lint.text}")
    connections = find(report.tasks, what="connection")
    check_equal(len(connections), QUICK, "connection tasks")


HANGS = """
import asyncio, socket, sys
behind = socket.create_server(("127.0.0.1", 0))

async def serve(reader, writer):
    await reader.readuntil(b"\\r\\n\\r\\n")
    client = socket.create_connection(behind.getsockname())
    print("asks", client.getsockname()[1], behind.getsockname()[1], flush=True)
    print("hanging", flush=True)
    client.recv(1)

async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]))
    print("listening", flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


def test_hangs_in_a_blocking_client(t):
    """A coroutine asks a server that never answers, with a socket that blocks and is in no loop: while
    it hangs the verdict says that the loop stands still, in which call, and who does not answer."""
    server = Script(t, [t.command("python3")], HANGS, env={"INSPECT_OUTPUT": "asyncio.zst"})
    client = socket.create_connection(("127.0.0.1", server.port), timeout=30)
    with client:
        client.sendall(b"GET / HTTP/1.1\r\n\r\n")
        _, own, behind = t.wait_for_line(server.process, "asks")[-1].split()
        t.wait_for_hang(server.process)
        text, report = t.text(t.trace()), t.report(t.trace())
    t.kill(server.process)
    verdict = text.splitlines()[2]
    peer = f"(tcp 127.0.0.1:{own} 127.0.0.1:{behind})"
    check("event loop stalled 1 time, now for" in verdict and "blocked in read on client" in verdict
          and peer in verdict, verdict)
    stall = one([stall for loop in report.loops for stall in loop.stalls])
    check_equal([stall.open, stall.blocked_in], [True, "read"], "the stall")
    check(peer in stall.blocked_on, stall.blocked_on)
    # python3 is linked at a fixed address: its own stub of malloc is no malloc of its own
    check_equal(find(report.warnings, where="coverage"), [], "warnings")
