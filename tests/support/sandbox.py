# SPDX-License-Identifier: Apache-2.0
"""One test in a process tree of its own: a temporary folder, a time limit, nothing left running.

A supervisor is forked for each test and made a subreaper, so that whatever the test starts, daemons
and the recorder's writers included, stays below it and is found when the test ends.
"""
import ctypes
import json
import os
import shutil
import signal
import tempfile
import time
import traceback

from .outcome import Failure, Skip

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
# What a test leaves behind may still be ending by itself: a writer finishing its trace.
LEAVING_SECONDS = 5


def children(pid):
    """All descendants of `pid` that are not zombies, as {pid: command name}."""
    parents = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat", errors="replace") as file:
                head, tail = file.read().rsplit(")", 1)
        except OSError:
            continue
        state, parent = tail.split()[:2]
        parents[int(entry)] = (int(parent), head.split("(", 1)[1], state)
    found, known = {}, {pid}
    while True:
        new = {p for p, (parent, _, _) in parents.items() if parent in known and p not in known}
        if not new:
            return {p: name for p, name in found.items() if parents[p][2] != "Z"}
        for p in new:
            found[p] = parents[p][1]
        known |= new


def reap():
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def kill_all(pids):
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def wait_until_alone(seconds):
    """Waits for all descendants to end; gives what still runs."""
    deadline = time.monotonic() + seconds
    while True:
        reap()
        left = children(os.getpid())
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.02)


def run_body(body, folder, result_path):
    """In the test's own process: runs it and writes [outcome, message] lines."""
    results = []
    try:
        for name in body(folder) or []:
            results.append(name)
        results = results or [["ok", "", ""]]
    except Skip as reason:
        results = [["skip", "", str(reason)]]
    except Failure as failure:
        results = [["not ok", "", str(failure)]]
    except Exception:
        results = [["not ok", "", traceback.format_exc().strip().replace("\n", " | ")]]
    with open(result_path, "w") as file:
        json.dump(results, file)


def wait_for(pid, seconds):
    """True where the test's process ended in time; it is reaped."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        ended, _ = os.waitpid(pid, os.WNOHANG)
        if ended:
            return True
        time.sleep(0.005)
    return False


def give_up(*_):
    """tests/run was interrupted: nothing of the test may stay."""
    kill_all(children(os.getpid()))
    os._exit(1)


def supervise(body, limit, report_path, keep):
    """In the supervisor: never returns."""
    os.setsid()
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    signal.signal(signal.SIGTERM, give_up)
    folder = tempfile.mkdtemp(prefix="inspect-test.")
    result_path = report_path + ".body"
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.chdir(folder)
        run_body(body, folder, result_path)
        os._exit(0)
    results = []
    if wait_for(pid, limit):
        try:
            with open(result_path) as file:
                results = json.load(file)
        except (OSError, ValueError):
            results = [["not ok", "", "the test's process died"]]
    else:
        running = children(os.getpid())
        results = [["not ok", "", f"no end after {limit} s; running: {sorted(running.values())}"]]
        kill_all(running)
    failed = any(result[0] != "ok" for result in results)
    left = wait_until_alone(0.2 if failed else LEAVING_SECONDS)
    if left:
        kill_all(left)
        wait_until_alone(LEAVING_SECONDS)
        if not failed:
            results.append(["not ok", "left-running", f"still running: {sorted(left.items())}"])
    if keep and any(result[0] == "not ok" for result in results):
        results.append(["note", "", f"folder kept: {folder}"])
    else:
        shutil.rmtree(folder, ignore_errors=True)
    with open(report_path, "w") as file:
        json.dump(results, file)
    os._exit(0)
