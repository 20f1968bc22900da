# SPDX-License-Identifier: Apache-2.0
"""Full disks and low limits: the program is unharmed, what fitted is readable, the loss is counted."""
import os
import resource
import signal
import subprocess
import sys

from support.outcome import Skip, check, check_between, check_equal

LIMIT = 120
FILL = """if True:
    import os, sys, time
    file, said, size = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT), False, 1 << 20
    while True:
        try:
            os.write(file, bytes(size))
        except OSError:
            if size == 1 << 12 and not said:
                said = print("full", flush=True) is None
            size = 1 << 12
            time.sleep(0.0001)
"""
ROUNDS = ["busy", "400000", "2"]
TRUTH = '{"rounds": 400000, "threads": 2}\n'


class SmallDisk:
    """A tmpfs of `kib` KiB, for as long as the block runs."""

    def __init__(self, t, kib):
        self.path, self.kib = os.path.join(t.folder, "disk"), kib

    def __enter__(self):
        os.mkdir(self.path)
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={self.kib}k,mode=700", "tmpfs",
                                  self.path], stderr=subprocess.PIPE, text=True)
        if mounted.returncode:
            raise Skip(f"no tmpfs can be mounted: {mounted.stderr.strip()}")
        return self.path

    def __exit__(self, *_):
        subprocess.run(["umount", "-l", self.path], check=True)


class Filler:
    """Takes whatever is free on the disk of `folder`, and what becomes free later, at once."""

    def __init__(self, folder):
        self.path, self.process = os.path.join(folder, "filler"), None

    def __enter__(self):
        self.process = subprocess.Popen([sys.executable, "-c", FILL, self.path],
                                        stdout=subprocess.PIPE)
        self.process.stdout.readline()  # it is full
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()
        os.unlink(self.path)


def check_one_line(run, *words):
    lines = run.stderr.splitlines()
    check(len(lines) <= 1, f"more than one line on stderr: {run.stderr!r}")
    for line in lines:
        check(line.startswith("inspect: "), f"stderr: {line!r}")


def check_partial(t, trace):
    """Readable, with something in it, and the rest counted."""
    report = t.report(trace)
    check(report.coverage.events > 0, "nothing was kept")
    check(report.coverage.events_lost > 0, "nothing is counted as lost")
    return report


def test_full_disk(t):
    """A disk of 3 MiB: the reserve alone keeps the recorder from writing much, or it fills up."""
    with SmallDisk(t, 3072) as disk:
        run = t.run(ROUNDS, env={"INSPECT_OUTPUT": f"{disk}/t.zst"})
        check_equal(run.stdout, TRUTH, "stdout")
        check_one_line(run)


def test_disk_fills_up_under_it(t):
    """Someone else fills the disk while we record: no SIGBUS, no ENOSPC for the program's fault."""
    with SmallDisk(t, 600 * 1024) as disk:
        env = {"INSPECT_OUTPUT": f"{disk}/t.zst"}
        process = t.start(["busy", "300000", "40"], env=env)
        # Of 40 threads more is to be said at the end than fits into what is left of a page.
        t.wait_until(lambda: any(os.path.getsize(path) >= 64 << 18 for path in t.traces("disk/*.rings")),
                     "rings for all threads")
        process.send_signal(signal.SIGSTOP)  # it must not be done before the disk is full
        with Filler(disk):
            process.send_signal(signal.SIGCONT)
            stdout, stderr = process.communicate(timeout=100)
            t.settle(disk)
        check_equal(process.returncode, 0, f"status ({stderr})")
        check_equal(stdout, '{"rounds": 300000, "threads": 40}\n', "stdout")
        check(len(stderr.splitlines()) <= 1, f"stderr {stderr!r}")
        report = check_partial(t, f"{disk}/t.zst")
        # Four of each round, and what starting and ending takes; of a thread that found no ring the
        # calls are counted, not their kinds.
        kept, lost = report.coverage.events, report.coverage.events_lost
        check_between(kept + lost, 48_000_000 - 8, 48_000_000 + 1000, f"kept {kept}, lost {lost}")


def test_no_room_for_the_rings(t):
    """Of a recording that could not begin there is one line, and no empty trace."""
    with SmallDisk(t, 300) as disk:
        run = t.run(ROUNDS, env={"INSPECT_OUTPUT": f"{disk}/t.zst"})
        check_equal(run.stdout, TRUTH, "stdout")
        check_one_line(run)
        check_equal(os.listdir(disk), [], "files")


def test_folder_is_gone(t):
    """The working directory has been removed: the one line says so."""
    run = t.run(["sh", "-c", f"mkdir d && cd d && INSPECT_ENABLED=0 rmdir ../d && exec {t.program('leaks')}"],
                env={"INSPECT_OUTPUT": "t.zst"})
    check_equal(run.stdout, '{"blocks": 14, "bytes": 5240}\n', "stdout")
    check_one_line(run)
    check("No such file" in run.stderr, run.stderr)


def test_read_only_folder(t):
    """The working directory cannot be written: one line, and the program runs."""
    with SmallDisk(t, 1024) as disk:
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        run = t.run("leaks", cwd=disk)
        check_equal(run.stdout, '{"blocks": 14, "bytes": 5240}\n', "stdout")
        check_equal(len(run.stderr.splitlines()), 1, f"lines on stderr: {run.stderr!r}")
        check(run.stderr.startswith("inspect: "), run.stderr)


def limited(t, what, value, command=ROUNDS, **options):
    return t.run(command, preexec_fn=lambda: resource.setrlimit(what, (value, value)), **options)


def test_file_size_limit(t):
    """RLIMIT_FSIZE is the program's: it gets no SIGXFSZ for our files."""
    for size in (0, 4096, 300 * 1024, 1 << 20):
        run = limited(t, resource.RLIMIT_FSIZE, size, env={"INSPECT_OUTPUT": f"f{size}.zst"})
        check_equal(run.stdout, TRUTH, f"stdout at {size}")
        check_one_line(run)


def test_few_descriptors(t):
    for count in (3, 4, 5, 8):
        native = limited(t, resource.RLIMIT_NOFILE, count, ["leaks"], recorded=False, status=None)
        run = limited(t, resource.RLIMIT_NOFILE, count, ["leaks"], status=None)
        check_equal((run.status, run.stdout), (native.status, native.stdout), f"at {count}")


def test_little_address_space(t):
    for mebibytes in (16, 64, 256):
        native = limited(t, resource.RLIMIT_AS, mebibytes << 20, ["leaks"], recorded=False)
        run = limited(t, resource.RLIMIT_AS, mebibytes << 20, ["leaks"])
        check_equal(run.stdout, native.stdout, f"stdout at {mebibytes} MiB")
        check_one_line(run)


def test_no_new_processes(t):
    """Where no writer can be started the program runs; the rings hold the newest events."""
    if os.getuid() == 0:
        setpriv = t.command("setpriv")
        os.chmod(t.folder, 0o777)
        # A user who has no other process: one more, and the kernel refuses the exec itself.
        user = str(1000000 + os.getpid())
        command = [setpriv, f"--reuid={user}", f"--regid={user}", "--clear-groups", t.program("leaks")]
    else:
        command = [t.program("leaks")]
    run = t.run(command, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NPROC, (0, 0)))
    check_equal(run.stdout, '{"blocks": 14, "bytes": 5240}\n', "stdout")


def test_max_size(t):
    """INSPECT_MAX_SIZE bounds the trace; the program runs on, and what is missing is counted."""
    run = t.run(ROUNDS, env={"INSPECT_MAX_SIZE": "1M", "INSPECT_OUTPUT": "m.zst"})
    check_equal(run.stdout, TRUTH, "stdout")
    t.settle()
    size = os.path.getsize(t.trace("m.zst"))
    check_between(size, 1 << 18, (1 << 20) + (1 << 16), "bytes of the trace")
    check_partial(t, t.trace("m.zst"))
    t.zstd_accepts(t.trace("m.zst"))


def test_max_events(t):
    """INSPECT_MAX_EVENTS keeps the newest and counts the rest."""
    t.run(ROUNDS, env={"INSPECT_MAX_EVENTS": "10000", "INSPECT_OUTPUT": "n.zst"})
    t.settle()
    report = check_partial(t, t.trace("n.zst"))
    total = report.coverage.events + report.coverage.events_lost
    check_between(report.coverage.events, 5000, 400000, "events kept")
    check(total >= 3_200_000, f"kept and lost are {total}")
