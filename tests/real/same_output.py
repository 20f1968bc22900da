# SPDX-License-Identifier: Apache-2.0
"""Everyday programs, bare and recorded: the same output, exit status and files."""
import os

from support.beside import fresh
from support.native import compare, count_images
from support.outcome import check, check_equal

LIMIT = 180


def test_bash(t):
    script = r"""
set -o pipefail
for i in $(seq 1 30); do x=$(echo "$i" | tr 0-9 a-j); printf '%s ' "$x"; done; echo
f() { local n=$1; if [ "$n" -le 1 ]; then echo 1; else echo $((n * $(f $((n - 1))))); fi; }
f 8
cat <<EOF | sort -r | head -3
$(ls / | head -5)
EOF
(exit 3); echo "status $?"
sleep 0.05 & wait $!; echo "waited $?"
trap 'echo trapped' EXIT
kill -TERM $BASHPID
"""
    command = ["bash", "-c", script]
    infos = compare(t, command, statuses=(0, -15, 143))
    check_equal(len(infos), count_images(t, command, t.folder), "traces, against images in strace")


def test_git(t):
    script = """
git init -q -b main . && git config user.email a@example.org && git config user.name A
for i in 1 2 3 4 5; do echo "line $i" >> file; git add file; git commit -qm "change $i"; done
git log --format='%s %T' && git diff HEAD~3 --stat && git status --short
git clone -q . ../clone && git -C ../clone log --oneline --format=%T | head -2
git gc -q && git fsck
"""
    dates = {"GIT_AUTHOR_DATE": "2026-01-01T00:00:00Z", "GIT_COMMITTER_DATE": "2026-01-01T00:00:00Z",
             "GIT_CONFIG_NOSYSTEM": "1"}
    command = ["sh", "-ec", script]
    infos = compare(t, command, env=dates, files=False)
    os.makedirs(f"{t.folder}/traced/work")
    images = count_images(t, command, f"{t.folder}/traced/work", env=dates)
    check_equal(len(infos), images, "traces, against images in strace")


def test_make_and_gcc(t):
    def prepare(folder):
        rules = "".join(f"o{i}.o: o{i}.c\n\tgcc -O1 -c $<\n" for i in range(4))
        with open(f"{folder}/Makefile", "w") as file:
            file.write("all: program\nprogram: o0.o o1.o o2.o o3.o main.c\n\tgcc -o $@ $^\n" + rules)
        for i in range(4):
            with open(f"{folder}/o{i}.c", "w") as file:
                file.write(f"int f{i}(int x) {{ return x * {i + 2}; }}\n")
        with open(f"{folder}/main.c", "w") as file:
            file.write("#include <stdio.h>\n" + "".join(f"int f{i}(int);\n" for i in range(4)) +
                       'int main(void) { printf("%d\\n", f0(1) + f1(2) + f2(3) + f3(4)); }\n')
    infos = compare(t, ["sh", "-ec", "make -s -j2 && ./program"], prepare=prepare)
    check_equal(sum(info.program == "cc1" for info in infos), 5, "runs of the compiler recorded")


def test_pigz(t):
    def prepare(folder):
        with open(f"{folder}/data", "w") as file:
            file.writelines(f"{i * i % 7919} {i}\n" for i in range(200000))
    t.command("pigz")
    infos = compare(t, ["sh", "-ec", "pigz -k -p 4 data && pigz -dc data.gz | md5sum && pigz -t data.gz "
                                     "&& rm data.gz"], prepare=prepare)
    pigz = max((t.report(info.path) for info in infos if info.program == "pigz"),
               key=lambda report: len(report.tasks))
    check(len(pigz.tasks) >= 4, "pigz has threads")
    check_equal([item for item in pigz.deadlocks if item.verdict in ("actual", "feasible")], [],
                "deadlocks")
    for info in infos:
        t.zstd_accepts(info.path)


def test_sqlite(t):
    script = """
sqlite3 a.db "create table t(x integer primary key, y text); begin;
with recursive c(n) as (select 1 union all select n+1 from c where n < 20000)
insert into t select n, hex(n) from c; commit; select count(*), sum(x), max(y) from t;
create index i on t(y); select x from t where y = '3939'; pragma integrity_check;"
sqlite3 a.db .dump | md5sum
"""
    compare(t, ["sh", "-ec", script])


def test_perl(t):
    script = ('my %h; $h{$_ % 997} .= chr(65 + $_ % 26) for 1 .. 50000; my $n = 0; '
              '$n += length for values %h; print "$n\n"; print scalar(`echo sub`), "\n"; '
              'my $p = fork; if (!$p) { print "child\n"; exit 4 } waitpid $p, 0; print $? >> 8, "\n"; '
              '$| = 1; print sort { $a <=> $b } map { $_ % 7 } 1 .. 20; exit 9;')
    compare(t, ["perl", "-e", script], statuses=(9,))


def test_text_tools(t):
    compare(t, ["sh", "-c", "seq 1 20000 | sort -R --random-source=/bin/ls | sort -n | uniq -c | "
                            "awk '{s += $2} END {print s}'; find /usr/share/doc -maxdepth 1 | sort | "
                            "head -50 | xargs -n 5 echo | md5sum; tar cf - -C /etc passwd | tar tf -; "
                            "nonexistent-command"], statuses=(127,))


RUBY = """
t = (0..4).map { |i| Thread.new { x = []; 2000.times { |j| x << ("s" * (j % 50)) }; x.size } }
puts t.map(&:value).sum; p `echo sub`
pid = fork { exit 5 }; Process.wait pid; p $?.exitstatus
r, w = IO.pipe
if fork then w.close; p r.read; Process.wait else r.close; w.write "child"; w.close; exit!(3) end
q = Queue.new; th = Thread.new { q.pop }; q << 1; p th.value
require "socket"
s = TCPServer.new("127.0.0.1", 0); Thread.new { a = s.accept; a.write "hi"; a.close }
p TCPSocket.new("127.0.0.1", s.addr[1]).read; exit 4
"""
PHP = """
$a = []; for ($i = 0; $i < 20000; $i++) $a[] = str_repeat("x", $i % 40); echo count($a), "\n";
echo shell_exec("echo sub"); $p = proc_open(["cat"], [["pipe", "r"], ["pipe", "w"]], $pipes);
fwrite($pipes[0], "hello"); fclose($pipes[0]); echo stream_get_contents($pipes[1]); echo proc_close($p);
exit(6);
"""
GAWK = """BEGIN {
  for (i = 0; i < 200000; i++) a[i % 1000] = a[i % 1000] i % 7; print asorti(a, b)
  "echo x" | getline y; print y; print system("exit 3")
  cmd = "sort"; print "b" |& cmd; print "a" |& cmd; close(cmd, "to")
  while ((cmd |& getline l) > 0) print l; close(cmd); exit 7 }"""
LUA = """
local t = {} for i = 1, 50000 do t[#t + 1] = ("x"):rep(i % 30) end print(#t)
local co = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i) end end) print(co(), co())
local f = io.popen("echo sub") print(f:read("a")) f:close() print(pcall(error, "e")) os.exit(8, true)
"""
GUILE = """
(use-modules (ice-9 threads) (ice-9 popen) (ice-9 rdelim))
(display (apply + (par-map (lambda (x) (* x x)) (iota 100))))
(let ((p (open-input-pipe "echo sub"))) (display (read-line p)) (close-pipe p))
(let ((pid (primitive-fork)))
  (if (zero? pid) (primitive-exit 3) (display (status:exit-val (cdr (waitpid pid))))))
(gc) (exit 9)
"""


def test_interpreters(t):
    """Threads, children, pipes, garbage collectors and exit statuses of five more, in both modes."""
    for command, status in ((["ruby", "-e", RUBY], 4), (["php", "-r", PHP], 6), (["gawk", GAWK], 7),
                            (["lua5.4", "-e", LUA], 8),
                            (["guile", "--no-auto-compile", "-c", GUILE], 9)):
        for mode in ("development", "production"):
            compare(fresh(t, f"{command[0]}.{mode}"), [t.command(command[0]), *command[1:]],
                    env={"INSPECT_MODE": mode}, statuses=(status,), files=False)


test_interpreters.long = True
