# SPDX-License-Identifier: Apache-2.0
"""libinspect.so itself: what it exports, needs, and takes from the program."""
import glob
import os
import re
import subprocess

from support.outcome import check, check_equal

STACK_LIMIT = 1024
TLS_LIMIT = 512
NEWEST_GLIBC = (2, 35)


def tool(t, *command):
    return subprocess.run([t.command(command[0]), *command[1:]], check=True, stdout=subprocess.PIPE,
                          text=True).stdout


def exported(t):
    """NAME, or NAME@@VERSION, of everything that is exported."""
    lines = tool(t, "nm", "-D", "--defined-only", t.library).splitlines()
    return {line.split()[-1] for line in lines if line.split()[-2] != "A"}  # A: a version's name


def listed_exports(t):
    with open(os.path.join(t.source, "tests/golden/exports")) as file:
        return set(file.read().split())


def test_exports(t):
    """Exactly the list, which changes by decision only; nothing of zstd or our own."""
    check_equal(sorted(exported(t) - listed_exports(t)), [], "exported but not listed")
    check_equal(sorted(listed_exports(t) - exported(t)), [], "listed but not exported")


def test_versions(t):
    """The versions of exports.map are those that are exported."""
    with open(os.path.join(t.source, "preload/exports.map")) as file:
        text = re.sub(r"#[^\n]*", "", file.read())
    mapped = {f"{name}@@{node}" for node, body in re.findall(r"([\w.]+)\s*\{(.*?)\}", text, re.S)
              for name in re.findall(r"(\w+)\s*;", body)}
    check(mapped, "no versions in exports.map")
    check_equal(sorted(name for name in exported(t) if "@" in name), sorted(mapped), "versions")


def test_exports_are_libcs(t):
    """Every name stands for a function of libc, so that none can catch a program's own symbol."""
    libc = set()
    for line in tool(t, "nm", "-D", "--defined-only", libc_path(t)).splitlines():
        libc.add(line.split()[-1].split("@")[0])
    # those that libc has only in newer versions, and those that malloc replacements add
    libc |= {"free_sized", "free_aligned_sized", "cfree", "epoll_pwait2", "memalign", "pvalloc"}
    # and the operators new and delete of C++
    names = {name for name in (name.split("@")[0] for name in exported(t))
             if not re.match(r"_Z(nw|na|dl|da)[mP]", name)}
    check_equal(sorted(names - libc), [], "names that libc does not have")


def libc_path(t):
    found = re.search(r"libc\.so\.6 => (\S+)", tool(t, "ldd", t.command("sleep")))
    return found.group(1)


def test_needs_only_libc(t):
    needed = re.findall(r"NEEDED.*\[(.*?)\]", tool(t, "readelf", "-d", t.library))
    check(set(needed) <= {"libc.so.6", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"},
          f"needed: {needed}")


def test_thread_local_storage(t):
    """Static, small, and never asked of __tls_get_addr."""
    sizes = [int(line.split()[5], 16) for line in
             tool(t, "readelf", "-lW", t.library).splitlines() if line.split()[:1] == ["TLS"]]
    check(len(sizes) == 1 and 0 < sizes[0] <= TLS_LIMIT, f"size of TLS: {sizes}")
    relocations = tool(t, "readelf", "-rW", t.library)
    check("DTPMOD" not in relocations and "TLSDESC" not in relocations, "dynamic TLS is used")
    check("__tls_get_addr" not in tool(t, "nm", "-D", t.library), "__tls_get_addr is used")


def test_oldest_glibc(t):
    versions = {tuple(map(int, version.split(".")))
                for version in re.findall(r"GLIBC_(\d+(?:\.\d+)+)", tool(t, "nm", "-D", t.library))}
    check(versions and max(versions) <= NEWEST_GLIBC, f"needs glibc {max(versions)}")


def test_no_text_relocations_no_exec_stack(t):
    dynamic = tool(t, "readelf", "-dW", t.library)
    check("TEXTREL" not in dynamic, "text relocations")
    stack = [line.split() for line in tool(t, "readelf", "-lW", t.library).splitlines()
             if "GNU_STACK" in line]
    check(stack and "E" not in stack[0][6], f"executable stack: {stack}")


def stack_usage(t):
    """{function: bytes} of what is compiled for hooks, from -fstack-usage."""
    files = glob.glob(os.path.join(t.build, "preload/**/*.su"), recursive=True)
    check(files, "no .su files in the build tree")
    usage = {}
    for path in files:
        if "/writer/" in path or "/formats/" in path:
            continue  # the writer's process has a stack of its own
        with open(path) as file:
            for line in file:
                place, size, kind = line.rstrip("\n").split("\t")
                usage[place.rsplit(":", 1)[-1] + " " + os.path.basename(path)] = (int(size), kind)
    return usage


# Functions that run once, before main, or in the child of a fork, where the stack is the program's
# main one or as it was.
BEFORE_MAIN = re.compile(r"(settings|naming|session|session_name|start|process|message|system|"
                         r"lifecycle|reader|image|inherited)\.")


def test_stack_of_hooks(t):
    """No single function on a hook's path takes as much as the whole path may."""
    large = {name: size for name, (size, kind) in stack_usage(t).items()
             if size >= STACK_LIMIT and not BEFORE_MAIN.search(name)}
    check_equal(large, {}, f"functions that use {STACK_LIMIT} bytes of stack or more")
    unbounded = [name for name, (size, kind) in stack_usage(t).items()
                 if "dynamic" in kind and "bounded" not in kind and not BEFORE_MAIN.search(name)]
    check_equal(unbounded, [], "functions whose use of the stack has no bound")


def test_unwind_tables(t):
    """The library keeps unwind tables, so that a program's exceptions pass through it."""
    sections = tool(t, "readelf", "-SW", t.library)
    check(".eh_frame_hdr" in sections, "no unwind tables")


def test_depth_of_hooks(t):
    """Measured on a painted stack: a hook with all that it calls adds less than 1 KiB."""
    bare, recorded = t.run_native("stack_depth").truth, t.run("stack_depth").truth
    added = {name: recorded[name] - bare[name] for name in bare}
    deep = {name: bytes for name, bytes in added.items() if bytes >= STACK_LIMIT}
    check_equal(deep, {}, f"calls that use more stack (all: {added})")
    check(max(added.values()) > 32, f"the recorder was not there: {added}")
