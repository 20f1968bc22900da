# SPDX-License-Identifier: Apache-2.0
"""What programs are run under: bare, ours in each mode, and what people use today.

A recorder says what it needs (`check`), which workloads it is for (`refuses`), and opens a session
for each run: what the command is preceded by, what is added to its environment, and afterwards what
was recorded and what that cost.
"""
import contextlib
import glob
import json
import os
import re
import signal
import socket
import subprocess

from running import Failed, Missing, cpu_ns, descendants, find, wait_until


def analysis_of(measured, events):
    """Metrics of an analyzer's run, by its CPU: other work on the machine does not count."""
    return {"analyzed": events, "analyze_ns": measured["user_ns"] + measured["system_ns"],
            "analyze_slowness": measured["slowness"],
            "analyze_peak_kib": measured["peak_kib"]}


class Session:
    """One run. `prefix` and `values` start the command; `flags` build the micro loops; `slow`: a
    start takes hundreds of milliseconds; `paced`: the micro loops can tell the processor's speed;
    `near`: what they measure depends on how far the processors are from each other."""
    paced = near = True

    def __init__(self, folder, prefix=(), values=None, flags=(), slow=False):
        self.folder, self.prefix, self.values = folder, list(prefix), values or {}
        self.flags, self.slow = flags, slow
        self.metrics = {}


class Recorder:
    name = title = version = ""
    micro_only = False   # too slow for programs, or another program
    once = False         # far too slow for its spread to matter: the first round only
    loops = ("malloc", "mutex")
    flags = ()
    passes_on = True     # what it records is read on another processor

    def __init__(self, sandbox, build):
        self.sandbox, self.build = sandbox, build

    def check(self):
        """Missing, where something that it needs is not there."""

    def refuses(self, workload):
        """Why a workload is not run under this, or None."""
        if workload.is_micro and workload.name not in self.loops:
            return f"it does not record a {workload.name}"
        if self.micro_only and not workload.is_micro:
            return "micro loops only"
        return None

    def worth_reading(self, workload):
        """The traces of most micro loops say the same, and are long."""
        return not workload.is_micro or workload.depth == 12

    @contextlib.contextmanager
    def session(self, workload, analyse):
        yield Session(self.sandbox.new_folder(), flags=self.flags)

    def close(self):
        """Ends what was started by check()."""


class Bare(Recorder):
    name, title, passes_on = "bare", "bare", False


class Again(Bare):
    """What it has against bare is how far any figure may be off."""
    name, title = "again", "bare, measured again"


class Ours(Recorder):
    """libinspect.so from the build, with the settings of a mode."""
    settings = {}

    def check(self):
        self.library = self.built("preload/libinspect.so")
        self.analyzer = self.built("analyzer/inspect-analyze")
        self.version = self.sandbox.run([self.analyzer, "--version"]).split()[-1]

    def built(self, name):
        path = os.path.join(self.build, name)
        if not os.path.exists(path):
            raise Missing(f"{name} is not built; --build names the build")
        return path

    @contextlib.contextmanager
    def session(self, workload, analyse):
        folder = self.sandbox.new_folder()
        session = Session(folder, values={"LD_PRELOAD": self.library, **self.settings,
                                          "INSPECT_OUTPUT": os.path.join(folder, "%e.%p.zst")})
        yield session
        if self.worth_reading(workload):
            self.read(session, analyse)

    def read(self, session, analyse):
        wait_until(lambda: not glob.glob(os.path.join(session.folder, "*.rings")),
                   "the writer to end")
        traces = glob.glob(os.path.join(session.folder, "*.zst"))
        if not traces:
            raise Failed("no trace was written")
        coverage = [self.coverage(trace) for trace in traces]
        events = sum(item["events"] for item in coverage)
        waited = sum(item.get("waited_for_writer_ns", 0) for item in coverage)
        session.metrics = {
            "events": events, "lost": sum(item["events_lost"] for item in coverage),
            "writer_ns": sum(item["overhead_ns"] for item in coverage) - waited,
            "waited_ns": waited, "trace_bytes": sum(map(os.path.getsize, traces))}
        if analyse and events:
            self.analyse(session, max(traces, key=os.path.getsize), events)

    def coverage(self, trace):
        text = self.sandbox.run([self.analyzer, "--format", "json", "--report", "summary", trace])
        return json.loads(text)["coverage"]

    def analyse(self, session, trace, events):
        """The whole report, as a person would ask for it."""
        self.sandbox.calm()
        measured, _ = self.sandbox.measure([self.analyzer, trace])
        session.metrics.update(analysis_of(measured, events))


class Development(Ours):
    name, title, settings = "development", "inspect, development", {"INSPECT_MODE": "development"}


class Analysis(Ours):
    name, title, settings = "analysis", "inspect, analysis", {"INSPECT_MODE": "analysis"}


class Production(Ours):
    name, title, settings = "production", "inspect, production", {"INSPECT_MODE": "production"}


class Off(Ours):
    passes_on = False
    name, title, settings = "off", "inspect, switched off", {"INSPECT_ENABLED": "0"}

    def worth_reading(self, workload):
        return True

    def read(self, session, analyse):
        left = [name for name in os.listdir(session.folder) if name.endswith((".zst", ".rings"))]
        if left:
            raise Failed(f"switched off, it wrote {left}")


class Heaptrack(Recorder):
    """Its preload library, interpreter and zstd, put together as its script does."""
    name, title, loops = "heaptrack", "heaptrack", ("malloc",)

    def check(self):
        self.script, self.printer = find("heaptrack"), find("heaptrack_print")
        self.zstd = find("zstd")
        top = os.path.join(os.path.dirname(os.path.dirname(self.script)), "lib/heaptrack")
        self.library = os.path.join(top, "libheaptrack_preload.so")
        self.interpreter = os.path.join(top, "libexec/heaptrack_interpret")
        self.version = self.sandbox.run([self.script, "--version"]).split()[-1]

    @contextlib.contextmanager
    def session(self, workload, analyse):
        folder = self.sandbox.new_folder()
        output = os.path.join(folder, "heap.zst")
        if workload.is_short:
            yield Session(folder, [self.script, "-o", os.path.join(folder, "heap")], slow=True)
            return
        pipe = os.path.join(folder, "pipe")
        os.mkfifo(pipe)
        session = Session(folder, values={"LD_PRELOAD": self.library,
                                          "DUMP_HEAPTRACK_OUTPUT": pipe})
        with self.interpreting(session, pipe, output):
            yield session
        session.metrics["trace_bytes"] = os.path.getsize(output)
        if analyse and self.worth_reading(workload):
            self.analyse(session, output)

    @contextlib.contextmanager
    def interpreting(self, session, pipe, output):
        """interpreter | zstd > output, for as long as the program runs; what they cost."""
        kept_open = os.open(pipe, os.O_RDWR)  # until then the interpreter does not see an end
        with open(pipe, "rb") as source, open(output, "wb") as sink:
            first = self.sandbox.start([self.interpreter], stdin=source, stdout=subprocess.PIPE)
            second = self.sandbox.start([self.zstd, "-q", "-c"], stdin=first.stdout, stdout=sink)
            first.stdout.close()
        try:
            yield
        finally:
            os.close(kept_open)
            session.metrics["writer_ns"] = sum(self.end(process) for process in (first, second))

    @staticmethod
    def end(process):
        """Waits for a helper; gives the CPU it used."""
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = status
        return int((used.ru_utime + used.ru_stime) * 1e9)

    def analyse(self, session, output):
        lines = subprocess.Popen([self.zstd, "-q", "-d", "-c", output], stdout=subprocess.PIPE)
        counted = subprocess.run([find("grep"), "-c", "^[+-]"], stdin=lines.stdout,
                                 stdout=subprocess.PIPE, text=True)
        lines.wait()
        self.sandbox.calm()
        measured, _ = self.sandbox.measure([self.printer, "-f", output])
        session.metrics.update(events=int(counted.stdout),
                               **analysis_of(measured, int(counted.stdout)))


class Lttng(Recorder):
    """lttng-ust's wrappers of libc and pthread, with a session daemon of our own; no stacks."""
    name, title = "lttng", "LTTng, no stacks"
    wrappers = "liblttng-ust-pthread-wrapper.so.1:liblttng-ust-libc-wrapper.so.1"
    daemon = None

    def check(self):
        self.client, self.reader = find("lttng"), find("babeltrace2")
        if not any(glob.glob(f"{top}/liblttng-ust-libc-wrapper.so.1")
                   for top in ("/usr/lib/*-linux-gnu", "/usr/lib64", "/usr/lib")):
            raise Missing("liblttng-ust is not installed")
        self.version = re.search(r"[\d.]+", self.sandbox.run([self.client, "--version"])).group()
        self.daemon_start()

    # As root it has one place for its sockets, whatever HOME is.
    def run_folder(self):
        return "/var/run/lttng" if os.getuid() == 0 else self.sandbox.folder + "/home/.lttng"

    def answers(self):
        with socket.socket(socket.AF_UNIX) as client:
            try:
                client.connect(os.path.join(self.run_folder(), "client-lttng-sessiond"))
                return True
            except OSError:
                return False

    def daemon_start(self):
        if self.answers():
            raise Missing("an LTTng session daemon of somebody else runs here")
        self.had = {path for path in self.places() if os.path.exists(path)}
        self.daemon = self.sandbox.start([find("lttng-sessiond"), "--no-kernel", "--quiet"])
        self.sandbox.lasting.add(self.daemon.pid)
        wait_until(self.answers, "the session daemon of LTTng")

    def places(self):
        return [self.run_folder(), "/dev/shm/lttng-ust-wait-8",
                f"/dev/shm/lttng-ust-wait-8-{os.getuid()}"]

    def close(self):
        if not self.daemon:
            return
        self.sandbox.lasting.discard(self.daemon.pid)
        self.daemon.send_signal(signal.SIGTERM)
        try:
            self.daemon.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.daemon.kill()
        for path in set(self.places()) - self.had:
            with contextlib.suppress(OSError):
                os.rmdir(path) if os.path.isdir(path) else os.unlink(path)

    def command(self, *arguments):
        return self.sandbox.run([self.client, "--no-sessiond", *arguments], limit=60)

    def consumer_ns(self):
        return sum(cpu_ns(pid) for pid, name in descendants(self.daemon.pid).items()
                   if name.startswith("lttng-consumerd"))

    @contextlib.contextmanager
    def session(self, workload, analyse):
        folder = self.sandbox.new_folder()
        self.command("create", "bench", f"--output={folder}/trace")
        try:
            self.command("enable-channel", "-u", "--subbuf-size=1M", "--num-subbuf=16", "all")
            self.command("enable-event", "-u", "-c", "all", "lttng_ust_libc:*,lttng_ust_pthread:*")
            self.command("add-context", "-u", "-c", "all", "-t", "vtid")
            self.command("start")
            session = Session(folder, values={"LD_PRELOAD": self.wrappers})
            before = self.consumer_ns()
            yield session
            text = self.command("stop")
            session.metrics["writer_ns"] = self.consumer_ns() - before
        finally:
            self.command("destroy", "bench")
        lost = re.search(r"(\d+) events? (?:were |was )?discarded", text)
        session.metrics["lost"] = int(lost.group(1)) if lost else 0
        session.metrics["trace_bytes"] = sum(
            os.path.getsize(os.path.join(top, name))
            for top, _, names in os.walk(folder + "/trace") for name in names)
        if analyse and self.worth_reading(workload) and not workload.is_short:
            self.analyse(session, folder + "/trace")

    def analyse(self, session, trace):
        """Reads every event and does nothing with it."""
        self.sandbox.calm()
        measured, text = self.sandbox.measure(
            [self.reader, trace, "--component=sink.utils.counter", "--params=step=+0"])
        events = int(re.search(r"(\d+) Event messages", text).group(1))
        session.metrics.update(events=events, **analysis_of(measured, events))


class Valgrind(Recorder):
    micro_only = once = True
    passes_on = False
    tool = ""

    def check(self):
        self.valgrind = find("valgrind")
        self.version = self.sandbox.run([self.valgrind, "--version"]).strip().split("-")[-1]

    @contextlib.contextmanager
    def session(self, workload, analyse):
        folder = self.sandbox.new_folder()
        options = [f"--dhat-out-file={folder}/dhat.out"] if self.tool == "dhat" else []
        session = Session(folder, prefix=[self.valgrind, "-q", f"--tool={self.tool}", *options])
        session.paced = False
        yield session


class Helgrind(Valgrind):
    name, title, tool = "helgrind", "Helgrind", "helgrind"


class Dhat(Valgrind):
    name, title, tool, loops = "dhat", "DHAT", "dhat", ("malloc",)


class Tsan(Recorder):
    """The micro loops built with ThreadSanitizer, at fixed addresses: it maps fixed ones itself."""
    name, title, micro_only, flags = "tsan", "TSan (rebuilt)", True, ("-fsanitize=thread",)
    passes_on = False

    def check(self):
        self.setarch = find("setarch")
        self.sandbox.program("micro", *self.flags)
        self.version = self.sandbox.run([find("cc"), "-dumpfullversion"]).strip()

    @contextlib.contextmanager
    def session(self, workload, analyse):
        yield Session(self.sandbox.new_folder(), prefix=[self.setarch, "-R"], flags=self.flags)


ALL = (Bare, Again, Development, Analysis, Production, Off, Heaptrack, Lttng, Helgrind, Dhat, Tsan)
