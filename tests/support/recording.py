# SPDX-License-Identifier: Apache-2.0
"""Running programs under the recorder and reading what it wrote: the hands of a test."""
import glob
import json
import os
import signal
import subprocess
import time

from .invariants import check_report
from .outcome import Failure, Skip, check, shorten


class Fields(dict):
    """A JSON object whose fields read as attributes."""

    def __getattr__(self, name):
        if name not in self:
            raise Failure(f"no field {name!r} in {shorten(dict(self))}")
        return self[name]


def parse(text):
    return json.loads(text, object_hook=Fields)


class Run:
    """A program that has ended: status is its exit status, or -N for signal N."""

    def __init__(self, pid, status, stdout, stderr):
        self.pid, self.status, self.stdout, self.stderr = pid, status, stdout, stderr

    @property
    def truth(self):
        """What the program says of itself: the last line of stdout that is a JSON object."""
        for line in reversed(self.stdout.splitlines()):
            if line.startswith("{"):
                return parse(line)
        raise Failure(f"no JSON on stdout: {shorten(self.stdout)}; stderr: {shorten(self.stderr)}")


def times_of_threads(pid):
    """How long each thread has run and waited for a processor, how often it was put on one."""
    times = {}
    for path in glob.glob(f"/proc/{pid}/task/*/schedstat"):
        with open(path) as file:
            times[path] = file.read()
    return times


class Test:
    """What a case is given: its folder, the build, and how to record and analyse in them."""

    def __init__(self, folder, build, asan_build, source, long):
        self.folder, self.build, self.asan_build, self.source = folder, build, asan_build, source
        self.long = long

    # ---- where things are
    def program(self, name):
        path = os.path.join(self.build, "tests/programs", name)
        check(os.path.exists(path), f"{path} is not built")
        return path

    @property
    def library(self):
        path = os.path.join(self.build, "preload/libinspect.so")
        check(os.path.exists(path), f"{path} is not built")
        return path

    @property
    def analyzer(self):
        return self.built("analyzer/inspect-analyze")

    def built(self, name):
        path = os.path.join(self.build, name)
        check(os.path.exists(path), f"{path} is not built")
        return path

    def command(self, name):
        """The path of an installed program, else the test is skipped."""
        for folder in ("/usr/bin", "/usr/sbin", "/bin", "/sbin", "/usr/local/bin"):
            path = os.path.join(folder, name)
            if os.access(path, os.X_OK):
                return path
        raise Skip(f"{name} is not installed")

    # ---- running
    def environment(self, recorded, extra=None):
        values = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": self.folder,
                  "LANG": "C.UTF-8", "TMPDIR": self.folder}
        if recorded:
            values["LD_PRELOAD"] = self.library
        values.update(extra or {})
        return {name: value for name, value in values.items() if value is not None}

    def resolve(self, command):
        if isinstance(command, str):
            command = [command]
        first = command[0]
        if "/" not in first:
            ours = any(os.path.exists(os.path.join(self.source, "tests/programs", first + suffix))
                       for suffix in (".c", ".cc"))
            first = self.program(first) if ours else self.command(first)
        return [first, *command[1:]]

    def start(self, command, env=None, recorded=True, cwd=None, **options):
        """A started process (subprocess.Popen), its output in pipes unless said otherwise."""
        options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("stdout", subprocess.PIPE)
        options.setdefault("stderr", subprocess.PIPE)
        return subprocess.Popen(self.resolve(command), env=self.environment(recorded, env),
                                cwd=cwd or self.folder, text=True, errors="replace", **options)

    def run(self, command, env=None, recorded=True, limit=60, input=None, status=0, **options):
        """Runs to the end. `status`: what the exit status must be, None where anything will do."""
        if input is not None:
            options["stdin"] = subprocess.PIPE
        process = self.start(command, env, recorded, **options)
        try:
            stdout, stderr = process.communicate(input, timeout=limit)
        except subprocess.TimeoutExpired:
            process.kill()
            stdout, stderr = process.communicate()
            raise Failure(f"{command}: no end after {limit} s; stdout {shorten(stdout)}, "
                          f"stderr {shorten(stderr)}") from None
        run = Run(process.pid, process.returncode, stdout or "", stderr or "")
        if status is not None and run.status != status:
            raise Failure(f"{command}: status {run.status}, expected {status}; "
                          f"stdout {shorten(run.stdout)}, stderr {shorten(run.stderr)}")
        return run

    def run_native(self, command, **options):
        return self.run(command, recorded=False, **options)

    def wait_for_line(self, process, marker, limit=30):
        """Reads the process's stdout up to the line that begins with `marker`; gives all lines."""
        lines = []
        deadline = time.monotonic() + limit
        while time.monotonic() < deadline:
            line = process.stdout.readline()
            if not line:
                break
            lines.append(line.rstrip("\n"))
            if line.startswith(marker):
                return lines
        raise Failure(f"{marker!r} not on stdout; found {shorten(lines)}")

    def wait_for_hang(self, process):
        """Reads up to the line "hanging", then waits until no thread has run for a while."""
        lines = self.wait_for_line(process, "hanging")
        ran = [None]

        def stands_still():
            before, ran[0] = ran[0], times_of_threads(process.pid)
            time.sleep(0.05)
            return ran[0] == before

        self.wait_until(stands_still, "the threads to stand still")
        return lines

    def kill(self, process, number=signal.SIGKILL):
        """Ends a started process and takes its remaining output."""
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=30)
        return Run(process.pid, process.returncode, stdout or "", stderr or "")

    def wait_until(self, condition, what, limit=20):
        deadline = time.monotonic() + limit
        while not condition():
            if time.monotonic() > deadline:
                raise Failure(f"{what}: not within {limit} s")
            time.sleep(0.02)

    # ---- traces
    def traces(self, pattern="*.zst"):
        return sorted(glob.glob(os.path.join(self.folder, pattern)))

    def trace(self, pattern="*.zst"):
        """The only trace there is."""
        found = self.traces(pattern)
        check(len(found) == 1, f"one trace {pattern} expected, found {found}")
        return found[0]

    def remove(self, path):
        """Removes a file that its writer may be about to remove, too."""
        try:
            os.unlink(path)
        except FileNotFoundError:
            pass

    def settle(self, folder=None):
        """Waits for the writers to finish: until no rings are left beside the traces."""
        folder = folder or self.folder
        self.wait_until(lambda: not glob.glob(os.path.join(glob.escape(folder), "*.rings")),
                        "the writer to remove the rings")

    def recorded(self, command, settle=True, **options):
        """Runs under the recorder. Gives the run and the report on its only trace."""
        run = self.run(command, **options)
        if settle:
            self.settle()
        return run, self.report(self.trace())

    # ---- analysing
    def analyze(self, *arguments, status=0, analyzer=None, limit=120, **options):
        options.setdefault("stdout", subprocess.PIPE)
        result = subprocess.run([analyzer or self.analyzer, *arguments], stderr=subprocess.PIPE,
                                stdin=subprocess.DEVNULL, cwd=self.folder, text=True,
                                errors="replace", timeout=limit, **options,
                                env=self.environment(False, {"ASAN_OPTIONS": "exitcode=99",
                                                             "UBSAN_OPTIONS": "exitcode=99"}))
        if status is not None and result.returncode != status:
            raise Failure(f"inspect-analyze {' '.join(arguments)}: status {result.returncode}, "
                          f"expected {status}; stderr {shorten(result.stderr, 900)}")
        return result

    def report(self, *traces, arguments=(), status=0):
        report = parse(self.analyze("--format", "json", *arguments, *traces, status=status).stdout)
        check_report(report)
        return report

    def text(self, *traces, arguments=()):
        return self.analyze(*arguments, *traces).stdout

    def events(self, trace):
        """The events of a trace, as `dump --format json` gives them."""
        output = self.analyze("dump", "--format", "json", trace).stdout
        return [parse(line) for line in output.splitlines()]

    def zstd_accepts(self, trace):
        """`zstd -t` and `zstd -d` take the trace as a plain .zst."""
        zstd = self.command("zstd")
        for flags in (["-t"], ["-d", "-c"]):
            result = subprocess.run([zstd, "-q", *flags, trace], stdout=subprocess.DEVNULL,
                                    stderr=subprocess.PIPE, text=True)
            check(result.returncode == 0, f"zstd {flags} {trace}: {result.stderr.strip()}")
