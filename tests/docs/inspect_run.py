# SPDX-License-Identifier: Apache-2.0
"""inspect-run does what inspect-run(1) says: exit statuses, signals, what it refuses."""
import os
import re
import shutil
import signal
import subprocess

from support.outcome import Skip, check, check_equal

LIMIT = 60


def inspect_run(t, *arguments, **options):
    return t.run([t.built("tools/inspect-run"), *arguments], recorded=False, **options)


def last_line(run):
    return run.stderr.rstrip("\n").rsplit("\n", 1)[-1]


def test_report_goes_to_stderr(t):
    run = inspect_run(t, "-o", "x.zst", "--", "sh", "-c", "echo out; echo err >&2")
    check_equal(run.stdout, "out\n", "stdout")
    check(run.stderr.startswith("err\n"), f"the command's stderr comes first: {run.stderr!r}")
    check("sh" in run.stderr.split("\n")[1], f"the report names the program: {run.stderr!r}")
    check_equal(last_line(run), "inspect-run: the trace is x.zst", "last line")


def test_no_report(t):
    run = inspect_run(t, "--no-report", "--", "echo", "out")
    check_equal((run.stdout, run.stderr), ("out\n", ""), "output")
    t.zstd_accepts(t.trace("inspect.echo.*.zst"))


def test_trace_is_complete(t):
    for number in range(5):
        inspect_run(t, "--no-report", "-o", f"{number}.zst", "--", "true")
        check_equal([name for name in os.listdir(t.folder) if name.endswith(".rings")], [],
                    "rings left when inspect-run has ended")
        check_equal(t.report(os.path.join(t.folder, f"{number}.zst")).trace.complete, True,
                    "complete")


def test_exit_status_is_the_commands(t):
    for command, status in ((["true"], 0), (["sh", "-c", "exit 7"], 7),
                            (["sh", "-c", "kill -KILL $$"], 128 + signal.SIGKILL),
                            (["sh", "-c", "kill -TERM $$"], 128 + signal.SIGTERM)):
        inspect_run(t, "--no-report", "--", *command, status=status)


def test_found_something(t):
    abba = t.program("abba")
    inspect_run(t, "--fail-on", "potential-deadlock", "--", abba, status=1)
    inspect_run(t, "--fail-on", "lost", "--", abba, status=0)
    inspect_run(t, "--fail-on", "any", "--no-report", "--", abba, status=1)
    run = inspect_run(t, "--fail-on", "any", "--", "sh", "-c", f"{abba} >/dev/null; exit 3", status=3)
    check(run.stderr != "", "a report")


def test_no_verdict_is_a_failure(t):
    run = inspect_run(t, "--fail-on", "any", "-o", "/no/such/folder/x.zst", "--", "true", status=125)
    check("no trace" in last_line(run), last_line(run))
    inspect_run(t, "-o", "/no/such/folder/x.zst", "--", "true", status=0)


def test_cannot_run(t):
    script = os.path.join(t.folder, "script")
    with open(script, "w") as file:
        file.write("#!/bin/sh\n")
    for command, status, text in (("./nothing", 127, "No such file"), ("nothing", 127, "No such"),
                                  ("./script", 126, "Permission denied"), ("/", 126, "denied")):
        run = inspect_run(t, "--", command, status=status)
        check(text in run.stderr and command in run.stderr, run.stderr)
    os.chmod(script, 0o755)
    inspect_run(t, "--no-report", "--", "./script", status=0)


def test_usage(t):
    for arguments in ([], ["--bogus"], ["--mode", "fast", "true"], ["--sampling", "2", "true"],
                      ["--timeout", "-1", "true"], ["--timeout", "1x", "true"], ["-o", ""],
                      ["--fail-on", "leak,rust", "true"], ["--mode"], ["--timeout"]):
        run = inspect_run(t, *arguments, status=125)
        check_equal(run.stderr.count("\n"), 1, f"lines on stderr for {arguments}: {run.stderr!r}")
        check(run.stderr.startswith("inspect-run: "), run.stderr)


def test_variables(t):
    run = inspect_run(t, "-o", "x.zst", "--mode", "production", "--sampling", "0.5", "--no-report",
                      "--", "env", env={"LD_PRELOAD": t.library, "INSPECT_MODE": "analysis"})
    values = dict(line.split("=", 1) for line in run.stdout.splitlines() if "=" in line)
    found = [values.get("INSPECT_" + name) for name in ("OUTPUT", "MODE", "SAMPLING")]
    check_equal(found, ["x.zst", "production", "0.5"], "variables")
    check_equal(values["LD_PRELOAD"].split(":"), [t.library, t.library], "LD_PRELOAD")


def test_timeout(t):
    run = inspect_run(t, "--timeout", "0.3", "--no-report", "--", "sleep", "60", status=124)
    check("sent TERM" in run.stderr, run.stderr)


def test_timeout_of_a_hang_is_an_actual_deadlock(t):
    run = inspect_run(t, "--timeout", "1", "-o", "x.zst", "--", t.program("abba_hang"), status=124)
    report = t.report(os.path.join(t.folder, "x.zst"))
    check_equal([d.verdict for d in report.deadlocks], ["actual"], "verdicts")
    check("deadlock" in run.stderr.lower(), "the report tells")
    stacks, told = run.stderr.split("time is up")[0], run.stderr.split("time is up")[1]
    for thread, function in (("left", "take_left"), ("right", "take_right")):
        mine = stacks.split(f"thread {thread} (")[1].split("thread ")[0]
        check("pthread_mutex_lock" in mine and function in mine, f"stack of {thread}: {mine}")
    check("main (abba_hang" in stacks.split("thread abba_hang (")[1].split("thread ")[0], stacks)
    check("libinspect.so" not in stacks, f"the recorder's own frames: {stacks}")
    check(re.search("DEADLOCK: (left|right)", told), f"the report comes after the stacks: {told}")


def test_timeout_shows_what_was_started_too(t):
    run = inspect_run(t, "--timeout", "0.5", "--no-report", "--", "sh", "-c",
                      f"{t.program('abba_hang')} & trap 'kill -9 $!' TERM; wait", status=124)
    check("take_left" in run.stderr and "(sh)" in run.stderr, run.stderr)
    check("inspect-writer" not in run.stderr, run.stderr)


def test_timeout_where_stacks_are_refused(t):
    run = inspect_run(t, "--timeout", "0.5", "--no-report", "--", t.program("traced_hang"),
                      status=124)
    check("the kernel does not let its threads be looked at: Operation not permitted" in run.stderr,
          run.stderr)


def test_timeout_kills_what_ignores_term(t):
    run = inspect_run(t, "--timeout", "0.3", "--no-report", "--", "sh", "-c",
                      "trap '' TERM; echo ready; while :; do sleep 0.1; done", status=124)
    check("sent KILL" in run.stderr, run.stderr)


def test_signals_are_passed_on(t):
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        name = number.name[3:]
        process = t.start([t.built("tools/inspect-run"), "--no-report", "--", "sh", "-c",
                           f"trap 'echo {name}; exit 9' {name}; echo ready; "
                           "while :; do sleep 0.05; done"], recorded=False)
        t.wait_for_line(process, "ready")
        run = t.kill(process, number)
        check_equal((run.stdout, run.status), (name + "\n", 9), f"stdout and status on {name}")


def ignore_signals():
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)


def test_ignored_signals_stay_ignored(t):
    run = inspect_run(t, "--no-report", "--", "grep", "SigIgn", "/proc/self/status",
                      preexec_fn=ignore_signals)
    mask = int(run.stdout.split()[1], 16)
    check(mask >> (signal.SIGHUP - 1) & 1, f"HUP is ignored in the command: {mask:x}")
    check(mask >> (signal.SIGCHLD - 1) & 1, f"CHLD is ignored in the command: {mask:x}")


# ---- commands that cannot be recorded
def refused(t, command, why):
    run = inspect_run(t, "--", *command, status=125)
    check_equal(run.stderr.count("\n"), 1, f"lines on stderr: {run.stderr!r}")
    check(why in run.stderr, f"{why!r} in {run.stderr!r}")


def compile(t, *arguments, compiler="gcc"):
    compiler = t.command(compiler)
    path = os.path.join(t.folder, "program")
    result = subprocess.run([compiler, "-x", "c", "-", "-o", path, *arguments], text=True,
                            input="int main(void) { return 5; }", capture_output=True)
    if result.returncode != 0:
        raise Skip(f"{compiler} {' '.join(arguments)}: {result.stderr.splitlines()[-1]}")
    return path


def test_refuses_static(t):
    program = compile(t, "-static")
    refused(t, [program], "statically linked")
    inspect_run(t, "--force", "--no-report", "--", program, status=5)
    script = os.path.join(t.folder, "script")
    with open(script, "w") as file:
        file.write(f"#! {program} -x\n")
    os.chmod(script, 0o755)
    refused(t, ["./script"], f"its interpreter {program} is statically linked")


def test_refuses_static_pie(t):
    refused(t, [compile(t, "-static-pie")], "statically linked")


def test_refuses_foreign_libc(t):
    refused(t, [compile(t, "-Wl,--dynamic-linker=/lib/ld-musl-x86_64.so.1")], "not glibc")


def test_refuses_sanitizers(t):
    refused(t, [compile(t, "-fsanitize=address")], "sanitizer")
    refused(t, [compile(t, "-fsanitize=thread")], "sanitizer")
    refused(t, [compile(t, "-fsanitize=leak")], "sanitizer")
    # clang's are part of the program, gcc's a library
    refused(t, [compile(t, "-fsanitize=address", compiler="clang")], "sanitizer")
    # This one intercepts nothing.
    inspect_run(t, "--no-report", "--", compile(t, "-fsanitize=undefined"), status=5)


def test_refuses_setuid(t):
    if os.getuid() != 0:
        raise Skip("needs root")
    program = compile(t)
    os.chown(program, 65534, 65534)
    os.chmod(program, 0o4755)
    refused(t, [program], "setuid")
    # What changes nothing is no reason.
    os.chown(program, 0, 0)
    os.chmod(program, 0o4755)
    inspect_run(t, "--no-report", "--", program, status=5)


def test_refuses_foreign_machine(t):
    program = compile(t)
    with open(program, "r+b") as file:
        file.seek(18)
        file.write((183).to_bytes(2, "little"))  # EM_AARCH64
    refused(t, [program], "another kind of processor")


def test_finds_command_as_exec_does(t):
    folder = os.path.join(t.folder, "bin")
    os.mkdir(folder)
    shutil.copy("/bin/true", os.path.join(folder, "unlikely-name"))
    inspect_run(t, "--no-report", "--", "unlikely-name", env={"PATH": f"/nowhere:{folder}"})
    inspect_run(t, "--no-report", "--", "unlikely-name", status=127)
    inspect_run(t, "--no-report", "--", "true", env={"PATH": None})
