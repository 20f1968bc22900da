# SPDX-License-Identifier: Apache-2.0
"""Processes of the benchmark: started in a temporary folder, timed, and none left behind."""
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

PR_SET_CHILD_SUBREAPER = 36
PATH = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"
HERE = os.path.dirname(os.path.abspath(__file__))
# A library must see the calls that the source makes, from the frames that the source has.
CFLAGS = ["-O2", "-g", "-Wall", "-Wextra", "-D_GNU_SOURCE", "-fno-builtin-malloc", "-fno-builtin-free",
          "-fno-optimize-sibling-calls", "-pthread"]


class Failed(Exception):
    """A run that did not end as it must; the text says why."""


class Missing(Exception):
    """Something that is not installed; the text names it."""


def find(name):
    """The path of an installed program."""
    path = shutil.which(name, path=PATH)
    if not path:
        raise Missing(f"{name} is not installed")
    return path


def read_text(path):
    with open(path, errors="replace") as file:
        return file.read()


def descendants(root):
    """Processes below `root` that are no zombies: {pid: name}."""
    parents = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            head, tail = read_text(f"/proc/{entry}/stat").rsplit(")", 1)
        except OSError:
            continue
        state, parent = tail.split()[:2]
        parents[int(entry)] = (int(parent), head.split("(", 1)[1], state)
    below, grown = {root}, True
    while grown:
        new = {pid for pid, (parent, _, _) in parents.items() if parent in below} - below
        below |= new
        grown = bool(new)
    return {pid: parents[pid][1] for pid in below - {root} if parents[pid][2] != "Z"}


def cpu_ns(pid):
    """CPU time of the threads that a process has now."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            total += int(read_text(f"/proc/{pid}/task/{task}/schedstat").split()[0])
        except OSError:
            continue  # it has ended meanwhile
    return total


def peak_kib(pid):
    """Peak memory of a process since its exec."""
    for line in read_text(f"/proc/{pid}/status").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    raise Failed("the process has ended")


def last_object(text):
    """The last line of what was printed that is a JSON object."""
    for line in reversed(text.splitlines()):
        if line.startswith("{"):
            return json.loads(line)
    raise Failed(f"no result in {text[-200:]!r}")


def wait_until(condition, what, limit=20):
    deadline = time.monotonic() + limit
    while not condition():
        if time.monotonic() > deadline:
            raise Failed(f"{what}: not within {limit} s")
        time.sleep(0.005)


class Sandbox:
    """The temporary folder of a whole benchmark, and all that was started for it.

    This process becomes the parent of whatever it left: writers of a recorder, daemons. close()
    ends what still runs and removes the folder.
    """

    def __init__(self):
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self.folder = tempfile.mkdtemp(prefix="inspect-bench.")
        self.programs, self.scratch = {}, []
        self.count = 0
        self.lasting = set()  # processes that stay from run to run, with what they started
        self.pace = None      # of pacing.py; what it watches is what is measured
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

    def environment(self, values=None):
        home = os.path.join(self.folder, "home")
        os.makedirs(home, exist_ok=True)
        return {"PATH": PATH, "HOME": home, "LANG": "C.UTF-8", "TMPDIR": self.folder,
                **(values or {})}

    def new_folder(self):
        """For one run."""
        self.count += 1
        path = os.path.join(self.folder, str(self.count))
        os.mkdir(path)
        self.scratch.append(path)
        return path

    def program(self, name, *flags):
        """One of the C programs beside this file, built when it is first asked for."""
        key = "-".join([name, *(flag.rsplit("=", 1)[-1] for flag in flags)])
        if key not in self.programs:
            path = os.path.join(self.folder, key)
            built = subprocess.run([find("cc"), *CFLAGS, *flags, os.path.join(HERE, name + ".c"),
                                    "-o", path, "-lm"], capture_output=True, text=True)
            if built.returncode:
                raise Missing(f"a compiler that builds {key}: {built.stderr.strip()[:200]}")
            self.programs[key] = path
        return self.programs[key]

    def start(self, command, values=None, **options):
        """Popen with a clean environment and nothing to read."""
        options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("stdout", subprocess.DEVNULL)
        options.setdefault("stderr", subprocess.DEVNULL)
        options.setdefault("cwd", self.folder)
        return subprocess.Popen(command, env=self.environment(values), **options)

    def run(self, command, values=None, limit=300, watched=False, **options):
        """Runs to the end; gives what it printed."""
        process = self.start(command, values, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             text=True, errors="replace", **options)
        if watched and self.pace:
            self.pace.begin(process.pid)
        try:
            out, err = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise Failed(f"{os.path.basename(command[0])}: no end after {limit} s") from None
        if process.returncode:
            raise Failed(f"{os.path.basename(command[0])}: status {process.returncode}: "
                         f"{' '.join((err or out).split())[-300:]}")
        return out + err

    def measure(self, command, values=None, times=1, limit=300, **options):
        """Runs a command as launch.c does: (what it measured, what the command printed)."""
        self.count += 1
        result = os.path.join(self.folder, f"launch.{self.count}")
        assignments = [f"{name}={value}" for name, value in (values or {}).items()]
        text = self.run([self.program("launch"), result, str(times), *assignments, *command],
                        limit=limit, watched=True, **options)
        measured = {**json.loads(read_text(result)), **self.state()}
        os.unlink(result)
        return measured, text

    def calm(self):
        """Waits for a processor at full speed, as long as patience lasts."""
        if self.pace:
            self.pace.wait()

    def state(self):
        """How the machine was since pace.begin()."""
        return self.pace.end()._asdict() if self.pace else {"slowness": 0.0, "far": 0.0}

    def running(self):
        """What was started for the last run, or was left by it, and has not ended."""
        found = descendants(os.getpid())
        for pid in self.lasting & set(found):
            for kept in [pid, *descendants(pid)]:
                found.pop(kept, None)
        return found

    def settle(self):
        """After a run: waits a few seconds for what it left, ends it, and removes its folder."""
        deadline = time.monotonic() + 5
        while self.running() and time.monotonic() < deadline:
            self.collect()
            time.sleep(0.005)
        self.end(self.running(), signal.SIGKILL)
        self.collect()
        for path in self.scratch:
            shutil.rmtree(path, ignore_errors=True)
        self.scratch.clear()

    @staticmethod
    def end(pids, number):
        for pid in pids:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    def collect(self):
        """Takes the exit statuses of orphans."""
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            pass

    def close(self):
        """Nothing stays: no process, no file."""
        self.lasting.clear()
        self.end(descendants(os.getpid()), signal.SIGTERM)
        self.settle()
        shutil.rmtree(self.folder, ignore_errors=True)
