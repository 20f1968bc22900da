# SPDX-License-Identifier: Apache-2.0
"""Larger tools, native and recorded: openssl, node and npm, strace around others, archivers with threads."""
import json
import re

from support.native import compare
from support.outcome import check, check_between, check_equal

LIMIT, LONG = 120, True
NODE = """
const { Worker } = require('worker_threads');
let sum = 0;
for (let i = 0; i < 3e6; i++) sum += i % 7;
console.log(sum);
require('fs').readFile('/etc/passwd', (e, data) => console.log('read', data.length > 0));
require('crypto').pbkdf2('a', 'b', 1000, 32, 'sha256', (e, key) => {
  console.log(key.toString('hex'));
  console.log(String(require('child_process').execSync('echo child; exit 0')));
  new Worker('setTimeout(() => process.exit(3), 20)', { eval: true }).on('exit', (code) => {
    console.log('worker', code);
    process.exit(6);
  });
});
"""


def test_openssl_speed(t):
    """With -multi it forks for each: a trace for each, and the same lines but for the figures."""
    command = ["sh", "-c", "openssl speed -seconds 1 -bytes 1024 sha256 2>&1; "
                           "openssl speed -multi 2 -seconds 1 -bytes 1024 aes-128-cbc 2>&1"]
    infos = compare(t, command, same=lambda text: "\n".join(
        sorted(re.sub(r"[\d.]+ *", "N ", line) for line in text.splitlines())))
    check_equal(sorted(info.forked for info in infos if info.program == "openssl"),
                [False, False, True, True], "openssl's processes: forked")


def test_node(t):
    infos = compare(t, ["node", "-e", NODE], statuses=(6,))
    node = [info for info in infos if info.program == "node" and not info.forked]
    check_equal(len(node), 1, "traces of node")
    # main, 4 of V8's platform, its inspector, 4 of libuv, the worker
    check_between(int(node[0].row("threads")), 10, 14, "threads of node")
    check("exit status 6" in node[0].ended, node[0].ended)


def test_npm(t):
    """Without a network: packing a folder and running its script."""
    def prepare(folder):
        with open(f"{folder}/package.json", "w") as file:
            json.dump({"name": "x", "version": "1.0.0", "scripts": {"t": "echo ran; exit 4"}}, file)
        with open(f"{folder}/index.js", "w") as file:
            file.write("module.exports = 1;\n")
    script = ("npm --version; npm pack --offline; tar tzf x-1.0.0.tgz; rm x-1.0.0.tgz; "
              "npm run --offline t")
    t.command("npm")
    compare(t, ["sh", "-c", script], env={"npm_config_update_notifier": "false", "npm_config_cache": "../npm",
                                          "npm_config_audit": "false"}, prepare=prepare, statuses=(4,),
            same=lambda text: re.sub(r"\S*_logs\S*", "LOG", text))


def test_archivers(t):
    """xz and zstd with 4 threads each: the same files."""
    script = ("seq 1 300000 > f; xz -T4 -k --block-size=100000 f; zstd -q -T4 f; bzip2 -k f; "
              "xz -dc f.xz | cmp - f; zstd -dqc f.zst | cmp - f; mv f.zst f.z; tar czf - f | tar tzf -; "
              "rm f")
    infos = compare(t, ["sh", "-ec", script])
    threads = max(int(info.row("threads")) for info in infos if info.program == "xz")
    check(threads >= 4, f"{threads} threads of xz")


def test_perl_threads(t):
    script = ("use threads; use threads::shared; my $n :shared = 0; my @t = map { threads->create(sub { "
              "for (1..500) { lock($n); $n++ } return $_[0] ** 2 }, $_) } 1..6; "
              "print join(',', map { $_->join } @t), \" $n\\n\"; exit 5")
    infos = compare(t, ["perl", "-e", script], statuses=(5,))
    check_equal(infos[0].row("threads"), "7", "threads")


def test_python_processes(t):
    """A pool of forked processes, and a spawned one (by vfork, as is its helper)."""
    script = ("import multiprocessing as m\n"
              "if __name__ == '__main__':\n"
              "    with m.get_context('fork').Pool(4) as pool:\n"
              "        print(sum(pool.map(abs, range(-2000, 0))))\n"
              "        pool.close(); pool.join()\n"
              "    q = m.get_context('spawn').Process(target=print, args=('spawned',))\n"
              "    q.start(); q.join(); print(q.exitcode)\n")

    def prepare(folder):
        with open(f"{folder}/p.py", "w") as file:
            file.write(script)
    infos = compare(t, ["python3", "p.py"], prepare=prepare)
    check_equal(sum(info.forked for info in infos), 4, "forked processes")


def test_strace(t):
    """strace waits for any child at all, the recorder's writer included if it were one."""
    script = "strace -f -o s -e trace=execve sh -c 'true; /bin/true; exit 3'; echo $?; grep -c execve s; rm s"
    compare(t, ["sh", "-c", script])


def test_find_and_xargs(t):
    infos = compare(t, ["sh", "-c", "find /usr/include -name '*.h' | xargs -P 4 -n 200 "
                                    "grep -l pthread_mutex_t | sort | md5sum"])
    check(sum(info.program == "grep" for info in infos) >= 2, "greps")
