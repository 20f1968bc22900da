# SPDX-License-Identifier: Apache-2.0
"""What preloaded recorders of memory are known to fall into: one test each, by the number that the
pitfall has in this project's list."""
import cases.endings
import cases.forks
import cases.library
import cases.modes
import cases.operators
import cases.reopen
import cases.switched_off
import docs.inspect_run

import os
import re
import statistics
import subprocess

from support.expect import functions, own_leaks, site, sites_sum
from support.beside import as_native, declared, fresh
from support.outcome import Skip, check, check_between, check_equal

LIMIT = 120


def test_01_calls_before_any_constructor(t):
    """calloc, which dlsym itself may call, and dlsym are called before the recorder has begun."""
    as_native(t, "early_calls")


def early_library(t):
    return t.built("tests/programs/libearly.so")


def test_02_calls_before_relocation(t):
    """Another library allocates in its ifunc resolver, its constructor, as preload, as auditor."""
    as_native(t, "early_host")
    for variable, value in (("LD_PRELOAD", f"{early_library(t)}:{t.library}"),
                            ("LD_PRELOAD", f"{t.library}:{early_library(t)}"),
                            ("LD_AUDIT", early_library(t))):
        as_native(t, "early_host", env={variable: value})


def test_03_blocks_of_the_first_arena(t):
    """Blocks given out before the real malloc is known are resized, measured and freed later."""
    run, _, _ = as_native(t, "early_host")
    check_equal(run.truth.early, 3, "blocks that the resolver had")


def test_04_first_arena_is_used_up(t):
    """12 MiB asked for before any constructor: nobody ends."""
    run, _, _ = as_native(t, "early_calls")
    check_equal(run.truth.blocks, run.truth.usable, "blocks")


def test_05_malloc_in_the_executable(t):
    """It stays in place, no block is given to another's free, and the report says what is missing."""
    run, report, inside = as_native(t, "own_malloc")
    check_equal((run.truth.foreign, run.truth.own), (0, 1), "blocks of another allocator, own malloc")
    check("malloc" in str(report.coverage.not_seen), f"not seen: {report.coverage.not_seen}")
    check("malloc is the program's own" in inside.text(inside.trace("run.zst")), "the text does not say so")


def test_06_scopes_and_static_programs(t):
    """RTLD_DEEPBIND and dlmopen go past us, unharmed; a static program is refused with a reason."""
    _, report, _ = as_native(t, "dl_lookup")
    check_between(sites_sum(report, "allocate_in_a", "allocations"), 10, 20, "blocks of plugins")
    docs.inspect_run.test_refuses_static(t)


def test_07_dlopen_finds_what_it_would(t):
    """By the RUNPATH of the caller; dlsym with RTLD_NEXT and RTLD_DEFAULT; dlopen(NULL)."""
    run, _, _ = as_native(t, "dl_lookup")
    check_equal(run.stdout.splitlines()[0], "runpath plugin_runpath.so", "by RUNPATH")


def test_08_exceptions_of_a_plugin(t):
    """A C program loads a plugin in C++ that throws; the unwinder is the program's."""
    cases.operators.check_counts(t)
    symbols = cases.library.tool(t, "nm", "-D", t.library)
    check("_Unwind" not in symbols and "__gcc_personality" not in symbols, "an unwinder is bound")


def throw_ns(t, plugin, allocations):
    env = {"INSPECT_OUTPUT": "throw.zst", "INSPECT_ALLOCATIONS": str(allocations)}
    bare = allocations is None
    return t.run(["plugin_host", plugin, "30000"], recorded=not bare,
                 env=None if bare else env).truth.throw_ns


def test_08_cost_of_an_exception(t):
    """A throw costs within 5 % of what it costs bare: the ratio of the least batch of a run to that of
    the run before it, the median of many. Where its two blocks are recorded these cost what every
    block costs, and together with them it was measured at 3.4 %."""
    plugin = cases.operators.plugin(t)
    runs = [[throw_ns(t, plugin, allocations) for allocations in (None, 0, 1)] for _ in range(41)]
    passed = statistics.median(passed / bare for bare, passed, _ in runs)
    recorded = statistics.median(recorded / bare for bare, _, recorded in runs)
    check(passed <= 1.05, f"without its blocks a throw takes {passed:.3f} times what it does bare")
    check(recorded <= 1.07, f"a throw takes {recorded:.3f} times what it does bare")


test_08_cost_of_an_exception.long = True


def test_09_exports_and_needs(t):
    """Exactly the listed names, no library but libc, static thread-local storage."""
    cases.library.test_exports(t)
    cases.library.test_needs_only_libc(t)
    cases.library.test_thread_local_storage(t)


def test_10_another_library_at_the_same_address(t):
    cases.reopen.test(t)


def test_11_every_way_to_allocate(t):
    """The malloc family, and what the C library allocates for its caller: once each, balanced."""
    declared(t, "allocator_calls")
    _, report, _ = as_native(t, "library_blocks")
    for name in ("call_strdup", "call_asprintf", "call_getline", "call_scandir", "call_memstream"):
        check(sites_sum(report, name, "allocations") > 0, f"{name} has no allocation")
        check_equal(sites_sum(report, name, "live_blocks"), 0, f"blocks of {name} alive")
    check_equal(sites_sum(report, "call_strdup", "allocations"), 10, "blocks of strdup")


def test_12_calls_that_give_nothing(t):
    """Failed and empty requests are no allocation; a failed realloc keeps the block."""
    _, report, _ = as_native(t, "allocator_calls")
    vain = site(report, "call_in_vain")
    check_equal((vain.allocations, vain.bytes, vain.live_blocks), (1, 50, 0), "in vain")
    check_equal(own_leaks(report), [], "leaks")
    # The loader frees what it allocated before there was a recorder.
    _, other, _ = as_native(t, "leaks")
    check_equal(report.memory.unknown_frees, other.memory.unknown_frees, "frees of what was not there")


def test_13_blocks_handed_between_threads(t):
    """What one thread frees another is given at once. Heap events carry no stamp of their own, so
    between two anchors their order among threads is worked out by address: all but one in two thousand
    find their block, and what is left is right to one in ten thousand."""
    run, report, _ = as_native(t, "hand_off")
    given = run.truth.allocations
    check_between(report.memory.unknown_frees, 0, given // 2000, "blocks freed that were not given")
    left = run.truth.allocations - run.truth.frees
    check_between(sites_sum(report, "hand_main", "live_blocks"), left - given // 10000,
                  left + given // 10000, "blocks that are left")


def test_14_errno(t):
    declared(t, "errno_kept")


def test_15_signal_handlers(t):
    """A handler allocates wherever it interrupts, a small alternate stack included."""
    run = t.run(["signals", "300"], env={"INSPECT_OUTPUT": "run.zst"})
    check(run.truth.handled >= 300, f"handled {run.truth.handled}")
    t.settle()
    check(sites_sum(t.report(t.trace("run.zst")), "on_post", "allocations") > 0, "blocks of the handler")
    declared(t, "small_stack")


def test_16_ends_of_threads(t):
    """Cancellation, thread-local objects, destructors of keys in all rounds: recorded to the end."""
    declared(t, "cancel")
    run, report, _ = as_native(t, "last_words")
    check_equal(sites_sum(report, "late_block", "allocations"), run.truth.blocks, "late blocks")


def test_17_short_threads(t):
    """None is missing, and each finds memory that another has left (32 measures it); 15 has the small
    stacks."""
    count = 10000 if t.long else 3000
    _, report, _ = as_native(t, ["many_threads", str(count)])
    check_equal(len(report.tasks), count + 1, "threads")


def test_18_forks_among_allocations(t):
    """No child hangs; cases/forks makes 10,000 in the long run."""
    as_native(t, ["fork_storm", "100"])


def test_19_children_of_every_kind(t):
    """vfork with a failing exec, spawn, system, popen; clone(CLONE_VM); an empty environment; a setuid
    program, which is refused. cases/daemon has daemons, cases/forks clone and forkpty."""
    cases.forks.test_spawn(fresh(t, "spawn"))
    _, report, _ = as_native(t, "clone_vm")
    check_equal(sites_sum(report, "after_blocks", "allocations"), 150, "blocks after the children")
    as_native(t, ["sh", "-c", "env -i /bin/echo empty; timeout 5 echo timed; exit 3"], status=3)
    if os.getuid() == 0:
        docs.inspect_run.test_refuses_setuid(fresh(t, "setuid"))


def test_20_every_end(t):
    """However it ends, and while others still record, what was recorded before is there; cases/endings
    has every other end, killed_busy any moment of one."""
    declared(t, "exit_while_recording")
    for how in ("_exit", "quick_exit", "abort", "kill", "crash"):
        cases.endings.check_ending(fresh(t, how), how)


def test_21_descriptors_limits_root(t):
    """Descriptors closed and replaced, limits lowered, root, folder, user and umask changed;
    cases/limits has full disks, read-only folders, and limits from before the start."""
    for what in ("descriptors", "limits") + (("root",) if os.getuid() == 0 else ()):
        _, report, _ = as_native(t, ["confined", what])
        check_equal(sites_sum(report, "confined_main", "allocations"), 2000, f"blocks, {what}")


def test_22_signals_of_the_program(t):
    """sigwait, a storm of SIGCHLD, interrupted calls, SIGPIPE: none goes astray."""
    as_native(t, "signal_styles")


def test_23_handlers_are_the_programs(t):
    """No handler is installed or replaced, no signal blocked."""
    native, recorded = t.run_native("descriptors"), t.run("descriptors")
    check_equal(recorded.stdout, native.stdout, "handlers and mask")
    check_equal(recorded.truth.handlers, native.truth.handlers, "handlers")


def test_24_seccomp_namespaces_no_proc(t):
    """System calls refused, or deadly, after the start; no /proc; a process namespace."""
    for what in ("calls-refused", "calls-deadly"):
        _, report, _ = as_native(t, ["confined", what])
        check_equal(sites_sum(report, "confined_main", "allocations"), 2000, f"blocks, {what}")
    for what in ("strict", "clockless"):
        _, report, _ = as_native(t, ["confined", what])
        check_equal(sites_sum(report, "confined_main", "allocations"), 1000, f"blocks, {what}")
        check("the rest of the run" in str(report.warnings), f"warnings: {report.warnings}")
    for what in ("few", "fewest"):
        _, report, _ = as_native(t, ["confined", what])
        check_equal([sites_sum(report, name, "allocations") for name in ("confined_main", "descend")],
                    [2000, 40], f"blocks, {what}")
        whole = [s for s in report.memory.sites if {"descend", "main"} <= set(functions(s.stack))]
        check_equal(len(whole), 40, f"whole stacks, {what}")
    if os.getuid() != 0 or t.run_native([t.command("unshare"), "-mpf", "true"], status=None).status:
        raise Skip("no namespaces can be made here")
    leaks = t.program("leaks")
    # The kernel ends the writer with the first process of its namespace: the rings stay, and are read.
    for flags, before in (("-m", "umount -l /proc && "), ("-pf", "")):
        inside = fresh(t, flags)
        run = inside.run([t.command("unshare"), flags, "sh", "-c",
                          f"{before}LD_PRELOAD={t.library} INSPECT_OUTPUT=run.zst {leaks}"],
                         recorded=False)
        check_equal((run.stdout, run.stderr), ('{"blocks": 14, "bytes": 5240}\n', ""), flags)
        report = inside.report(inside.trace("run.zst"))
        check_equal(sum(leak.blocks for leak in own_leaks(report)), 14, f"leaks with {flags}")


def confined_from_outside(t, what):
    """Runs `leaks` under a filter that was there before its start: bare, and recorded."""
    leaks, launcher = t.program("leaks"), t.program("confine_exec")
    inside = fresh(t, what)
    confined = [launcher, what, leaks]
    native = inside.run(confined, recorded=False)
    recording = [f"LD_PRELOAD={t.library}", "INSPECT_OUTPUT=run.zst"]
    run = inside.run(confined + recording, recorded=False)
    check_equal(run.stdout, native.stdout, f"stdout, {what}")
    return run, inside


def test_24_filter_from_before_the_start(t):
    """A service or container confines the program before its exec: calls refused or deadly."""
    for what in ("none", "rest-refused", "rest-deadly", "rest-trapped"):
        run, inside = confined_from_outside(t, what)
        check_equal(run.stderr, "", f"stderr, {what}")
        inside.settle()
        report = inside.report(inside.trace("run.zst"))
        check_equal(sum(leak.blocks for leak in own_leaks(report)), 14, f"leaks, {what}")
        check(report.trace.complete and not report.coverage.events_lost, f"{what}: {report.coverage}")
        check_equal([name for name in os.listdir(inside.folder) if "core" in name], [], "cores")
    run, inside = confined_from_outside(t, "children-refused")
    check("only the newest events" in run.stderr, run.stderr)
    report = inside.report(inside.trace("run.zst"))
    check_equal(sites_sum(report, "main", "live_blocks"), 14, "blocks that are left without a writer")
    for what in ("files-refused", "files-deadly"):
        run, inside = confined_from_outside(t, what)
        check("cannot create the trace" in run.stderr and run.stderr.count("\n") == 1, run.stderr)
        check_equal(inside.traces(), [], f"traces, {what}")


def test_25_last_destructors(t):
    """Static objects, atexit, destructors of early priority, thread-local objects of main."""
    run, report, _ = as_native(t, "last_words")
    check_equal(sites_sum(report, "late_block", "allocations"), run.truth.blocks, "late blocks")
    check_equal(sites_sum(report, "late_block", "live_blocks"), 0, "late blocks never freed")


def test_26_jumps_and_coroutines(t):
    """longjmp out of a wait, swapcontext; stacks are those of the coroutine."""
    run, report, _ = as_native(t, "coroutines")
    check_equal(sites_sum(report, "coroutine_work", "allocations"), run.truth.blocks, "blocks")
    check_equal([s for s in report.memory.sites if {"coroutine_work", "main"} <= set(functions(s.stack))
                 and "coroutine_main" not in functions(s.stack)], [], "stacks of another")


def test_27_code_of_every_kind(t):
    """Without frame pointers, without the header of unwind tables, by another linker; and the rest
    of what tests/unit takes stacks through: signals, PLT, vDSO, alloca, realigned stacks."""
    for program in ("leaks", "leaks_no_header", "leaks_gold", "leaks_no_pointer"):
        run, report, _ = as_native(t, t.program(program))
        check_equal(sum(leak.blocks for leak in own_leaks(report)), run.truth.blocks, program)
    shapes = subprocess.run([t.built("tests/unit/unit-tests"), "stacks_shapes"], cwd=t.folder,
                            stdout=subprocess.PIPE, text=True)
    check_equal(shapes.returncode, 0, shapes.stdout[-300:])


def test_28_deep_recursion(t):
    """100,000 calls deep: no overflow, every block there, and what is cut is marked."""
    run, report, _ = as_native(t, "deep_recursion")
    check_equal(sites_sum(report, "descend", "allocations"), run.truth.blocks, "blocks")
    check(report.coverage.unwind_truncated > 0, "a stack of 100,000 calls is not marked as cut")


def test_29_sanitizers(t):
    docs.inspect_run.test_refuses_sanitizers(t)


def test_30_sampling_is_unbiased(t):
    """Sums of a known program, estimated from a sample, within their errors."""
    cases.modes.test_allocations_are_sampled(t)


def test_31_costs_when_off(t):
    """Switched off, a pair of malloc and free is a few instructions more."""
    cases.switched_off.test_instructions_of_malloc(t)


def least_ns_a_pair(t, settings):
    """The least of many short runs: what else the machine does only adds."""
    env = settings and {"INSPECT_OUTPUT": "pairs.zst", **settings}
    runs = [t.run(["micro", "malloc", "1000000"], recorded=bool(env), env=env).truth for _ in range(15)]
    return min(run.ns / run.pairs for run in runs)


def test_31_costs_of_recording(t):
    """A pair of malloc and free, every event kept: within 30 ns without its stack, within 80 with it."""
    bare = least_ns_a_pair(t, None)
    without, whole = (least_ns_a_pair(t, {"INSPECT_BACKTRACES": stacks}) for stacks in "01")
    check(without - bare <= 30, f"{without:.1f} ns without stacks, {bare:.1f} bare")
    check(whole - bare <= 80, f"{whole:.1f} ns with stacks, {bare:.1f} bare")


test_31_costs_of_recording.long = True


def recorders_mappings(pid):
    """[name, KiB in memory] of what the recorder has mapped in a process, but for code."""
    found, name = [], None
    with open(f"/proc/{pid}/smaps") as file:
        for line in file:
            if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
                name, code = (line.split(None, 5) + [""])[5].strip(), line.split()[1] == "r-xp"
            elif line.startswith("Rss:"):
                rss = int(line.split()[1])
            elif line.startswith("VmFlags:"):
                # wf: gone after fork, which is how the recorder maps what is its own
                own = "libinspect.so" in name or ".rings" in name or "wf" in line.split()
                if own and not code:
                    found.append([name or "anonymous", rss])
    return found


def test_32_memory_in_the_program(t):
    """2 MiB and 256 KiB a thread, after a long run of ever new stacks, threads and modules."""
    threads = 4
    process = t.start(["long_run", "3000000" if t.long else "40000", str(threads),
                       t.built("tests/programs/plugin_a.so")])
    t.wait_for_line(process, "done", limit=100)
    found = recorders_mappings(process.pid)
    t.kill(process)
    used = sum(rss for _, rss in found)
    check_between(used, 200, 2048 + 256 * (threads + 1), f"KiB in memory: {found}")


def test_33_damaged_traces(t):
    """Cut anywhere: a report or a clear refusal. cases/wrong_input has the rest, sanitized."""
    t.run("leaks", env={"INSPECT_OUTPUT": "whole.zst"})
    t.settle()
    with open(t.trace("whole.zst"), "rb") as file:
        content = file.read()
    for cut in range(0, len(content), len(content) // 30):
        with open(os.path.join(t.folder, "cut.zst"), "wb") as file:
            file.write(content[:cut])
        result = t.analyze(os.path.join(t.folder, "cut.zst"), status=None)
        check(result.returncode in (0, 3), f"status {result.returncode}, cut at {cut}")


def test_34_everyday_programs(t):
    """The same output and status; tests/real has servers, builds and whole test suites."""
    for command, status in ((["ls", "-la", "/usr/share"], 0), (["sort", "/etc/passwd"], 0),
                            (["sh", "-c", "for i in 1 2 3; do echo $((i * 7)); done; exit 9"], 9),
                            (["awk", "BEGIN { for (i = 0; i < 9999; i++) s += i; print s }"], 0),
                            (["perl", "-e", "print join(',', map { $_ * $_ } 1 .. 50), qq(\\n)"], 0),
                            (["python3", "-c", "print(sum(len(str(i)) for i in range(20000)))"], 0),
                            (["gcc", "-v"], 0), (["cat", "/nonexistent"], 1)):
        as_native(t, command, status=status)
