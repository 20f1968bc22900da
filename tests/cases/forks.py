# SPDX-License-Identifier: Apache-2.0
"""fork, vfork, spawn and exec: a trace for each process image, each with its own events only."""
import os
import re

from support.beside import as_native
from support.expect import sites_sum
from support.inversion import with_inversion
from support.outcome import check, check_equal

LIMIT = 120


def names(t):
    return {os.path.basename(path) for path in t.traces()}


def test_child(t):
    """The child's record begins at the fork; the parent's goes on; the report names the child."""
    run = t.run("fork_child")
    t.settle()
    parent_pid, child_pid = run.truth.parent, run.truth.child
    parent_trace = f"inspect.fork_child.{parent_pid}.zst"
    child_trace = f"inspect.fork_child.{parent_pid}.{child_pid}.zst"
    check_equal(names(t), {parent_trace, child_trace}, "traces")
    parent, child = t.report(t.trace(parent_trace)), t.report(t.trace(child_trace))
    for report, function, blocks in ((parent, "both_blocks", 100), (parent, "parent_blocks", 300),
                                     (parent, "child_blocks", 0), (child, "child_blocks", 200),
                                     (child, "parent_blocks", 0), (child, "both_blocks", 0)):
        check_equal(sites_sum(report, function, "allocations"), blocks, function)
    check_equal(parent.trace.pid, parent_pid, "pid of the parent")
    check_equal(child.trace.pid, child_pid, "pid of the child")
    check(parent.trace.complete and child.trace.complete, "both traces are complete")
    text = t.text(t.trace(parent_trace))
    check(child_trace in "\n".join(text.splitlines()[-5:]),
          f"the end of the report does not name the child: {text[-500:]}")
    info = t.analyze("info", t.trace(child_trace)).stdout
    check(str(parent_pid) in info, f"info names the parent: {info}")


def test_handler_that_starts_threads(t):
    """Handlers of pthread_atfork run before fork returns in the child, and their threads may be faster
    than it: the child has one trace all the same."""
    for number in range(20):
        run = t.run("fork_child", env=with_inversion(t, INSPECT_OUTPUT=f"h{number}.zst"))
        t.settle()
        expected = {f"h{number}.zst", f"h{number}.{run.truth.child}.zst"}
        check_equal({name for name in names(t) if name.startswith(f"h{number}.")}, expected, "traces")


def test_output_without_pid(t):
    """With a plain name the first process has it, and the child's gets .PID."""
    run = t.run("fork_child", env={"INSPECT_OUTPUT": "trace.zst"})
    t.settle()
    check_equal(names(t), {"trace.zst", f"trace.{run.truth.child}.zst"}, "traces")
    check_equal(t.report(t.trace("trace.zst")).trace.pid, run.truth.parent, "pid in trace.zst")


def test_storm(t):
    """Forks in the midst of allocations: nobody hangs, and each child ends as it would."""
    count = 10000 if t.long else 300
    run = t.run(["fork_storm", str(count)], limit=100 * (4 if t.long else 1),
                env={"INSPECT_OUTPUT": "storm.zst"})
    check_equal(run.truth.children, count, "children")
    check_equal(run.stderr, "", "stderr")
    t.settle()
    # In the long run its two busy threads record hundreds of millions of events.
    info = t.analyze("info", t.trace("storm.zst"), limit=400).stdout
    check(re.search(r"complete +yes", info), f"the parent's trace is whole: {info}")
    if not t.long:
        check(t.report(t.trace("storm.zst")).trace.complete, "the report says so too")


def test_forks_past_the_hooks(t):
    """forkpty, clone and the system calls: each child goes on as it would, and has a trace of its own."""
    run, _, inside = as_native(t, ["forks_unseen", "100"])
    check_equal(run.stdout.count("\n"), 4, run.stdout)
    children = inside.traces("run.*.zst")
    check_equal(len(children), 4, "traces of children")
    for path in children:
        report = inside.report(path)
        check(report.trace.complete, f"{path} is not complete")
        check_equal(sites_sum(report, "child_blocks", "allocations"), 200, f"blocks, {path}")


def test_spawn(t):
    """The parent's record outlives children that exec, fail to exec and _exit in a vfork."""
    run = t.run("spawn", env={"INSPECT_OUTPUT": "spawn.zst"})
    check_equal(run.stderr, "", "stderr")
    t.settle()
    report = t.report(t.trace("spawn.zst"))
    check_equal(report.trace.pid, run.truth.pid, "pid")
    check_equal(sites_sum(report, "last_blocks", "allocations"), run.truth.blocks, "last blocks")
    check(report.trace.complete, "complete")
    events = t.events(t.trace("spawn.zst"))
    check_equal([e.child > 0 for e in events if e.event == "spawn"], [True, True, True, False, False],
                "two by vfork, posix_spawn, system and popen, which do not say")
    check_equal(sum(e.event == "fork" for e in events), 1, "forks")
    programs = [os.path.basename(t.report(path).trace.program) for path in t.traces()]
    check(sum(program in ("sh", "dash") for program in programs) >= 5,
          f"one trace for each shell that was started: {programs}")


def test_exec_chain(t):
    """env, nice and sh -c 'exec' leave the program under the name that was asked for."""
    program = t.program("leaks")
    run = t.run(["env", "A=1", "nice", "-n", "1", "sh", "-c", f"exec {program}"],
                env={"INSPECT_OUTPUT": "app.zst"})
    t.settle()
    check_equal(os.path.basename(t.report(t.trace("app.zst")).trace.program), "leaks", "program")
    check_equal(names(t), {"app.zst"} | {f"app.{run.pid}.{n}.zst" for n in (1, 2, 3)}, "traces")
    images = [os.path.basename(t.report(t.trace(f"app.{run.pid}.{n}.zst")).trace.program)
              for n in (1, 2, 3)]
    check_equal(images[:2], ["env", "nice"], "earlier images")


def test_shell_substitution(t):
    """$(...) ends when the command does: no helper keeps the pipe open."""
    run = t.run(["sh", "-c", 'x=$(echo inner); y=$(printf "%s" "$x" | cat); echo "$x$y"'], limit=10)
    check_equal(run.stdout, "innerinner\n", "stdout")
    check_equal(run.stderr, "", "stderr")


def test_pipe_of_reader(t):
    """The reader of a recorded program's output sees its end when the program ends."""
    for how in ("return", "_exit", "kill"):
        process = t.start(["ends", how])
        out, err = process.communicate(timeout=10)
        check_equal((out, err), ("", ""), f"output of {how}")
