# SPDX-License-Identifier: Apache-2.0
"""Runs every command that README.md and the man pages mark as runnable, as a reader would: in an
empty folder with the programs that the text speaks of, and with inspect installed.

Markdown: a fenced block whose info string is `sh test`, or `sh test status=N`.
Man page: `.\\" test`, or `.\\" test status=N`, in the line before `.Bd -literal`.
The status is that of the block's last command, which runs under `sh -e`.
"""
import glob
import os
import re
import shutil
import subprocess

from support.outcome import Failure, check, check_equal, shorten
from support.recording import Run

LIMIT = 300
MARKDOWN = re.compile(r"^```sh test(?: status=(\d+))?\n(.*?)^```$", re.M | re.S)
MAN = re.compile(r"^\.\\\" test(?: status=(\d+))?\n\.Bd -literal[^\n]*\n(.*?)^\.Ed$", re.M | re.S)
# A program that the pages speak of, and which of tests/programs plays it.
PLAYERS = {"app": "abba", "tests": "no_deadlock", "hangs": "abba_hang"}


def man_text(text):
    """The escapes that a literal display needs."""
    return text.replace("\\&", "").replace("\\-", "-").replace("\\e", "\\")


def blocks(source):
    for path in [os.path.join(source, "README.md"), *sorted(glob.glob(source + "/man/*"))]:
        with open(path) as file:
            text = file.read()
        markdown = path.endswith(".md")
        for match in (MARKDOWN if markdown else MAN).finditer(text):
            line = text.count("\n", 0, match.start(2)) + 1
            commands = match.group(2) if markdown else man_text(match.group(2))
            yield f"{os.path.basename(path)}:{line}", commands, int(match.group(1) or 0)


def install(t):
    prefix = os.path.join(t.folder, "installed")
    t.run(["cmake", "--install", t.build, "--prefix", prefix], recorded=False)
    return prefix


def run_block(t, prefix, number, commands, status):
    folder = os.path.join(t.folder, str(number))
    os.mkdir(folder)
    for name, program in PLAYERS.items():
        shutil.copy(t.program(program), os.path.join(folder, name))
    environment = t.environment(False, {"LD_LIBRARY_PATH": prefix + "/lib"})
    environment["PATH"] = f"{prefix}/bin:{environment['PATH']}"
    result = subprocess.run(["timeout", "-k", "5", "60", "sh", "-e", "-c", commands], cwd=folder,
                            env=environment, text=True, errors="replace", capture_output=True,
                            stdin=subprocess.DEVNULL)
    if result.returncode != status:
        raise Failure(f"status {result.returncode}, expected {status}; "
                      f"stderr {shorten(result.stderr[-400:], 400)}")


def test(t):
    prefix = install(t)
    results = []
    for number, (name, commands, status) in enumerate(blocks(t.source)):
        try:
            run_block(t, prefix, number, commands, status)
            results.append(["ok", name, ""])
        except Failure as failure:
            results.append(["not ok", name, str(failure)])
    check(len(results) >= 8, f"only {len(results)} runnable blocks are left in the pages")
    return results


def test_installed_files(t):
    """What `cmake --install` puts where, and that it works from there."""
    prefix = install(t)
    for name in ("bin/inspect-run", "bin/inspect-analyze", "lib/libinspect.so",
                 "share/man/man1/inspect-run.1", "share/man/man1/inspect-analyze.1",
                 "share/man/man5/inspect-trace.5", "share/man/man7/libinspect.so.7"):
        check(os.path.exists(os.path.join(prefix, name)), f"{name} is not installed")
    t.run([prefix + "/bin/inspect-run", "-o", "x.zst", "--", "true"], recorded=False)


def test_options_match_the_page(t):
    """Every option that --help names is in the man page."""
    for program in ("tools/inspect-run", "analyzer/inspect-analyze"):
        text = t.run([t.built(program), "--help"], recorded=False).stdout
        options = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", text))
        page = t.source + f"/man/{os.path.basename(program)}.1"
        shown = t.run(["man", "-l", page], recorded=False,
                      env={"MANPAGER": "cat", "MANWIDTH": "200"}).stdout
        shown = re.sub(".\b", "", shown).replace("\u2010", "-").replace("\u2212", "-")
        missing = {option for option in options
                   if not re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", shown)}
        check_equal(missing, set(), f"options missing in {page}")


def test_variables_match_the_pages(t):
    """The variables that the recorder knows are those that the pages explain."""
    with open(t.source + "/preload/settings.c") as file:
        known = {"INSPECT_" + name for name in re.findall(r'VARIABLE\("([A-Z_]+)"', file.read())}
    check(len(known) > 10, f"found only {known} in settings.c")
    for page in ("README.md", "man/libinspect.so.7"):
        with open(os.path.join(t.source, page)) as file:
            shown = set(re.findall(r"\bINSPECT_[A-Z_]+\b", file.read()))
        check_equal(shown, known, f"variables in {page}")


def test_functions_match_the_page(t):
    """libinspect.so(7) names the functions that the library stands in front of: exactly these."""
    symbols = t.run(["nm", "-D", "--defined-only", t.library], recorded=False).stdout
    exported = {line.split()[-1].split("@")[0] for line in symbols.splitlines()
                if line.split()[-2] in "TWi"}
    # Aliases of the C library and the operators of C++ begin so; the page has a sentence for each.
    exported = {name for name in exported if not name.startswith(("__", "_IO_", "_Z"))}
    with open(t.source + "/man/libinspect.so.7") as file:
        section = re.search(r"^\.Ss Functions\n(.*?)^\.Ss ", file.read(), re.M | re.S).group(1)
    lists = "\n".join(re.findall(r"^\.It [A-Z].*\n((?:[^.].*\n)+)", section, re.M))
    named = set(re.findall(r"\w+", lists))
    check_equal((sorted(exported - named), sorted(named - exported)), ([], []),
                "functions that the page lacks, and that the library lacks")


def test_pages_are_well_formed(t):
    for path in [t.built("man/inspect-trace.5"), *sorted(glob.glob(t.source + "/man/*.[157]"))]:
        result = subprocess.run(["groff", "-mandoc", "-ww", "-z", path], text=True,
                                capture_output=True)
        check_equal(result.stderr, "", f"groff on {path}")
