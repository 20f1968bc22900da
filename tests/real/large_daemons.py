# SPDX-License-Identifier: Apache-2.0
"""Programs that leave their starter behind, fork, or bring threads of their own, native and recorded:
unbound, dnsmasq, lighttpd, varnish, Erlang. Each is started by a shell, asked, and ended by its pid.

    LD_PRELOAD=libinspect.so INSPECT_OUTPUT=traces/%e.%p.zst unbound -c unbound.conf
"""
from support.native import compare
from support.outcome import check, check_equal
from support.servers import free_port

LIMIT, LONG = 120, True

# await FILE: until it has something in it. stop FILE: ends the process whose pid it holds.
SHELL = """
await() { for i in $(seq 200); do [ -s "$1" ] && return; sleep 0.05; done; echo "no $1"; }
stop() {
  read -r pid < "$1"; kill "$pid"
  for i in $(seq 200); do
    grep -qs 'State:.[^Z]' "/proc/$pid/status" || return 0  # a zombie has ended
    sleep 0.05
  done
  echo "$pid lives"
}
"""
# name@port: asks for its address a hundred times, once more by TCP.
RESOLVE = """python3 - {0} {1} <<'X'
import socket, struct, sys, time
name, port = sys.argv[1].split("."), int(sys.argv[2])
tail = b"".join(bytes([len(part)]) + part.encode() for part in name) + bytes([0, 0, 1, 0, 1])
def query(i):
    return struct.pack(">HHHHHH", i, 0x100, 1, 0, 0, 0) + tail
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
    asker.settimeout(0.2)
    for i in range(100):
        for attempt in range(50):
            try:
                asker.sendto(query(i), ("127.0.0.1", port))
                answer = asker.recv(512)
                break
            except OSError:
                time.sleep(0.1)
print(answer[-4:].hex())
with socket.create_connection(("127.0.0.1", port), 5) as asker:
    asker.sendall(struct.pack(">H", len(query(7))) + query(7))
    print(asker.recv(512)[-4:].hex())
X
"""
FETCH = """python3 - {0} <<'X'
import sys, time, urllib.error, urllib.request
for i in range(20):
    for attempt in range(100):
        try:
            print(urllib.request.urlopen("http://127.0.0.1:%s/" % sys.argv[1], timeout=5).read())
            break
        except OSError:
            time.sleep(0.1)
X
"""


def run(t, *needs, script):
    for need in needs:
        t.command(need)
    return compare(t, ["bash", "-c", SHELL + script], files=False)


def named(infos, name):
    return [info for info in infos if info.program == name]


def test_unbound(t):
    port = free_port()
    infos = run(t, "unbound", script=f"""
cat > conf <<X
server:
  directory: "$PWD"
  username: ""
  chroot: ""
  pidfile: "$PWD/pid"
  interface: 127.0.0.1@{port}
  port: {port}
  num-threads: 3
  do-daemonize: yes
  use-syslog: no
  logfile: "$PWD/log"
  local-zone: "x.test." static
  local-data: "a.x.test. A 10.1.2.3"
remote-control:
  control-enable: no
X
unbound -c conf; echo $?; await pid
{RESOLVE.format("a.x.test", port)}
stop pid""")
    check_equal(max(int(info.row("threads")) for info in named(infos, "unbound")), 3, "threads")


def test_dnsmasq(t):
    port = free_port()
    infos = run(t, "dnsmasq", script=f"""
dnsmasq --no-resolv --no-hosts --port={port} --listen-address=127.0.0.1 --bind-interfaces \\
  --address=/t.test/10.9.8.7 --pid-file=$PWD/pid --user=$(id -un) --conf-file=/dev/null \\
  --log-facility=$PWD/log
echo $?; await pid
{RESOLVE.format("t.test", port)}
stop pid""")
    check(len(named(infos, "dnsmasq")) >= 3, "starter, daemon, and a child for the connection")


def test_lighttpd(t):
    port = free_port()
    infos = run(t, "lighttpd", script=f"""
mkdir pages; echo page > pages/index.html
cat > conf <<X
server.document-root = "$PWD/pages"
server.port = {port}
server.bind = "127.0.0.1"
server.pid-file = "$PWD/pid"
server.errorlog = "$PWD/log"
index-file.names = ("index.html")
server.max-worker = 2
X
lighttpd -f conf; echo $?; await pid
{FETCH.format(port)}
stop pid""")
    check(len(named(infos, "lighttpd")) >= 4, "starter, master and two workers")


def test_varnish(t):
    """It compiles its configuration with gcc, loads that, and works in a child with many threads."""
    port = free_port()
    infos = run(t, "varnishd", "gcc", script=f"""
printf 'vcl 4.1;\\nbackend default none;\\nsub vcl_recv {{ return(synth(200)); }}\\n' > vcl
printf 'sub vcl_synth {{ synthetic("hello"); return(deliver); }}\\n' >> vcl
mkdir state; varnishd -j none -n $PWD/state -a 127.0.0.1:{port} -f $PWD/vcl -P $PWD/pid -s malloc,16m
echo $?; await pid
{FETCH.format(port)}
stop pid""")
    check(max(int(info.row("threads")) for info in named(infos, "varnishd")) > 100, "threads of its pools")


def test_erlang(t):
    infos = run(t, "erl", script="""erl -noshell -eval 'S = self(),
[spawn(fun() -> S ! {I, lists:sum(lists:seq(1, I * 10000))} end) || I <- lists:seq(1, 50)],
R = [receive {I, X} -> {I, X} end || I <- lists:seq(1, 50)],
io:format("~p~n", [lists:sum([X || {_, X} <- R])]),
io:format("~s", [os:cmd("echo sub")]), halt(0).'""")
    check(max(int(info.row("threads")) for info in named(infos, "beam.smp")) > 8, "threads of its schedulers")
