# SPDX-License-Identifier: Apache-2.0
"""inspect-run: exit status, where the report goes, and commands that cannot be recorded."""
import os
import signal
import subprocess

from support.outcome import check, check_equal


def launch(t, *arguments, status=0, **options):
    return t.run([t.built("tools/inspect-run"), *arguments], recorded=False, status=status, **options)


def test_status_and_output(t):
    """The command's own status and stdout; the report on stderr; a trace under the name asked for."""
    run = launch(t, "-o", "x.zst", "--", t.program("ends"), "exit", status=7)
    check_equal(run.stdout, "", "stdout")
    check("keep_blocks" in run.stderr or "counted" in run.stderr, f"the report: {run.stderr[:300]}")
    check(os.path.exists(f"{t.folder}/x.zst"), "x.zst")


def test_stdout_is_the_commands(t):
    run = launch(t, "--no-report", "--", t.program("leaks"))
    check_equal(run.stdout, '{"blocks": 14, "bytes": 5240}\n', "stdout")


def test_signal(t):
    launch(t, "--no-report", "--", t.program("ends"), "term", status=128 + signal.SIGTERM)
    launch(t, "--no-report", "--", t.program("ends"), "kill", status=128 + signal.SIGKILL)


def test_fail_on(t):
    launch(t, "--fail-on", "potential-deadlock", "--", t.program("abba"), status=1)
    launch(t, "--fail-on", "leak", "--", t.program("abba"), status=0)
    launch(t, "--fail-on", "leak", "--", t.program("ends"), "exit", status=7)


def test_mode(t):
    launch(t, "--mode", "analysis", "--no-report", "-o", "m.zst", "--", t.program("abba"))
    t.settle()
    check_equal(t.report(t.trace("m.zst")).trace.mode, "analysis", "mode")


def test_not_found(t):
    launch(t, "--", "/nonexistent/program", status=127)
    path = f"{t.folder}/plain"
    with open(path, "w") as file:
        file.write("no program")
    launch(t, "--", path, status=126)


def test_usage(t):
    for arguments in ((), ("--",), ("--nonsense", "--", "true"), ("--sampling", "2", "--", "true")):
        run = launch(t, *arguments, status=125)
        check(run.stderr.startswith("inspect-run: "), f"{arguments}: {run.stderr!r}")


def test_static(t):
    """A statically linked command cannot be recorded: a line, and no run."""
    source = f"{t.folder}/static.c"
    with open(source, "w") as file:
        file.write('#include <stdio.h>\nint main(void) { puts("ran"); return 0; }\n')
    subprocess.run([t.command("gcc"), "-static", "-o", f"{t.folder}/static", source], check=True)
    run = launch(t, "--", f"{t.folder}/static", status=125)
    check_equal(run.stdout, "", "it was not run")
    check("static" in run.stderr, f"stderr {run.stderr!r}")


def test_setuid(t):
    path = f"{t.folder}/setuid"
    subprocess.run(["cp", t.program("leaks"), path], check=True)
    os.chmod(path, 0o4755)
    run = launch(t, "--", path, status=125)
    check_equal(run.stdout, "", "it was not run")
    check("setuid" in run.stderr.lower() or "set-user" in run.stderr.lower(), f"{run.stderr!r}")


def test_signals_are_passed_on(t):
    process = t.start([t.built("tools/inspect-run"), "--no-report", "--", "sleep", "30"],
                      recorded=False)
    t.wait_until(lambda: t.traces(), "the trace")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=10)
    check_equal(process.returncode, 128 + signal.SIGTERM, "status")
