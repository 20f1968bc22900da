# SPDX-License-Identifier: Apache-2.0
"""Where and when the figures were taken, and how busy the machine was with other things."""
import os
import platform
import re
import resource
import time

from running import Failed, Missing, find, read_text

VERSIONS = {  # program: (arguments that make it tell its version, where it stands in the answer)
    "redis-server": (["--version"], r"v=([\d.]+)"),
    "db_bench": (["--version"], r"version ([\d.]+)"),
    "nginx": (["-v"], r"nginx/([\d.]+)"), "wrk": (["-v"], r"wrk \S*?([\d.]+)"),
    "memcached": (["-V"], r"memcached ([\d.]+)"), "python3": (["--version"], r"Python ([\d.]+)"),
    "pigz": (["--version"], r"pigz ([\d.]+)"), "git": (["--version"], r"version ([\d.]+)"),
    "cc": (["--version"], r"\) ([\d.]+)"),
    "babeltrace2": (["--version"], r"[Bb]abeltrace\D*([\d.]+)"),
}


def field(path, pattern, otherwise="unknown"):
    try:
        found = re.search(pattern, read_text(path), re.M)
    except OSError:
        found = None
    return found.group(1).strip() if found else otherwise


def describe():
    """[(what, value)], without a name that belongs to this machine."""
    memory = int(field("/proc/meminfo", r"^MemTotal:\s+(\d+)", "0"))
    return [("date", time.strftime("%Y-%m-%d")),
            ("processor", f"{field('/proc/cpuinfo', r'^model name.*: (.*)')}, "
                          f"{len(os.sched_getaffinity(0))} available"),
            ("memory", f"{memory / (1 << 20):.0f} GiB"),
            ("kernel", platform.release().split("-")[0]),
            ("system", field("/etc/os-release", r'^PRETTY_NAME="?([^"\n]*)')),
            ("libc", " ".join(platform.libc_ver()))]


def program_versions(sandbox):
    found = {}
    for name, (arguments, pattern) in VERSIONS.items():
        try:
            process = sandbox.start([find(name), *arguments], stdout=-1, stderr=-2, text=True)
            match = re.search(pattern, process.communicate(timeout=10)[0])
        except (Missing, Failed):
            continue
        found[name] = match.group(1) if match else "unknown"
    return found


class Others:
    """What share of the processors' time went to processes that are not of this benchmark."""

    def __init__(self):
        self.busy, self.own, self.start = self.busy_seconds(), self.own_seconds(), time.monotonic()

    @staticmethod
    def busy_seconds():
        values = [int(value) for value in read_text("/proc/stat").splitlines()[0].split()[1:9]]
        user, nice, system, _, _, hard, soft, steal = values
        return (user + nice + system + hard + soft + steal) / os.sysconf("SC_CLK_TCK")

    @staticmethod
    def own_seconds():
        return sum(used.ru_utime + used.ru_stime for used in
                   map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))

    def share(self):
        available = (time.monotonic() - self.start) * (os.cpu_count() or 1)
        others = self.busy_seconds() - self.busy - (self.own_seconds() - self.own)
        return min(1.0, max(0.0, others / available))
