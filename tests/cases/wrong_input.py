# SPDX-License-Identifier: Apache-2.0
"""inspect-analyze on what is no trace, or a damaged one: a clear error or a partial report, never a
crash. With the sanitizer build where there is one."""
import os
import random
import re
import shutil
import subprocess

from support.outcome import Skip, check, check_equal, shorten

LIMIT = 240


def analyzers(t):
    """The build's own, and the sanitized one where there is one."""
    asan = os.path.join(t.asan_build, "analyzer/inspect-analyze")
    return [t.analyzer] + ([asan] if os.path.exists(asan) else [])


def sanitized(t):
    asan = os.path.join(t.asan_build, "analyzer/inspect-analyze")
    if not os.path.exists(asan):
        raise Skip("no asan build")
    return asan


def write(t, name, content):
    path = os.path.join(t.folder, name)
    with open(path, "wb") as file:
        file.write(content)
    return path


def small_trace(t):
    """A trace of a few KiB, moved away from its rings: the file alone."""
    t.run("leaks", env={"INSPECT_OUTPUT": "small.zst"})
    t.settle()
    with open(t.trace("small.zst"), "rb") as file:
        content = file.read()
    os.unlink(t.trace("small.zst"))
    check(200 < len(content) < 100_000, f"a small trace has {len(content)} bytes")
    return content


def check_refused(t, path, words=()):
    for analyzer in analyzers(t):
        for command in ((), ("info",), ("dump",), ("--format", "json")):
            result = t.analyze(*command, path, status=3, analyzer=analyzer)
            check_equal(result.stdout, "", f"stdout of {command}")
            first = result.stderr.splitlines()[0]
            check(first.startswith(f"inspect-analyze: {path}: "), f"stderr: {first!r}")
            for word in words:
                check(word in result.stderr, f"{word!r} not in {result.stderr!r}")


def test_empty(t):
    check_refused(t, write(t, "empty.zst", b""))


def test_text(t):
    check_refused(t, write(t, "text.zst", b"this is not a trace\n" * 50), ["not an inspect trace"])


def test_binary(t):
    check_refused(t, write(t, "noise.zst", random.Random(1).randbytes(20000)))


def test_other_zstd(t):
    source = write(t, "plain", b"hello " * 1000)
    subprocess.run([t.command("zstd"), "-q", source, "-o", source + ".zst"], check=True)
    check_refused(t, source + ".zst", ["not an inspect trace"])


def test_directory(t):
    path = os.path.join(t.folder, "folder.zst")
    os.mkdir(path)
    check_refused(t, path)


def test_missing(t):
    check_refused(t, os.path.join(t.folder, "missing.zst"), ["No such file"])


def test_unreadable(t):
    path = write(t, "secret.zst", small_trace(t))
    os.chmod(path, 0)
    if os.access(path, os.R_OK):
        command = [t.command("setpriv"), "--reuid=65534", "--regid=65534", "--clear-groups", t.analyzer]
        os.chmod(t.folder, 0o755)
        result = subprocess.run([*command, path], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                text=True)
        check_equal(result.returncode, 3, f"status ({result.stderr!r})")
        check("Permission denied" in result.stderr, result.stderr)
    else:
        check_refused(t, path, ["Permission denied"])


def test_newer_version(t):
    """A trace of a later format is refused by name, not misread; the same of ours is not."""
    tool = t.built("tests/write-version")
    path = os.path.join(t.folder, "newer.zst")
    subprocess.run([tool, path, "999"], check=True)
    t.zstd_accepts(path)
    check_refused(t, path, ["newer"])
    subprocess.run([tool, path, "1"], check=True)
    t.analyze("info", path)


def run_damaged(t, analyzer, path, *command):
    """A damaged trace: status 0 or 3, no sanitizer report, no signal; gives the result."""
    result = t.analyze(*command, path, analyzer=analyzer, status=None, limit=30)
    if result.returncode not in (0, 3):
        kept = os.path.join(t.folder, "crash.zst")
        shutil.copy(path, kept)
        raise AssertionError(f"status {result.returncode} on a damaged trace: "
                             f"{shorten(result.stderr, 1500)}")
    if result.returncode == 3:
        check(result.stderr.startswith("inspect-analyze: "), f"stderr {shorten(result.stderr)}")
    return result


def batch(t, analyzer, contents, *command):
    """Runs over many damaged traces."""
    read = 0
    for content in contents:
        path = write(t, "damaged.zst", content)
        read += run_damaged(t, analyzer, path, *command).returncode == 0
    return read


def test_truncated(t):
    """Cut at every byte (every 7th in the short run after the first 300)."""
    content = small_trace(t)
    analyzer = sanitized(t)
    step = 1 if t.long else max(7, len(content) // 400)
    cuts = sorted(set(range(0, min(300, len(content)))) | set(range(0, len(content), step)))
    read = batch(t, analyzer, (content[:cut] for cut in cuts))
    check(read > len(cuts) / 4, f"only {read} of {len(cuts)} truncated traces gave a report")


def test_bit_flips(t):
    """One to three bits anywhere: what the checksum catches is left out, and said."""
    content = small_trace(t)
    analyzer = sanitized(t)
    chance = random.Random(7)

    def flipped():
        damaged = bytearray(content)
        for _ in range(chance.randint(1, 3)):
            damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
        return bytes(damaged)

    batch(t, analyzer, (flipped() for _ in range(3000 if t.long else 250)))


def test_damage_is_said(t):
    """A hole in the middle: a report, exit 0, and a line that says so with the offset."""
    t.run(["busy", "100000", "2"], env={"INSPECT_OUTPUT": "big.zst"})
    t.settle()
    path = t.trace("big.zst")
    with open(path, "r+b") as file:
        size = file.seek(0, 2)
        file.seek(size // 2)
        file.write(b"\0" * 2000)
    for analyzer in analyzers(t):
        result = t.analyze("--format", "json", path, analyzer=analyzer)
        check(re.search(r"offset \d+", result.stdout + result.stderr), "no offset is named")
    report = t.report(path)
    check(not report.trace.complete, "a damaged trace is not complete")


def test_trailing_garbage(t):
    path = write(t, "tail.zst", small_trace(t) + b"garbage" * 100)
    for analyzer in analyzers(t):
        t.analyze(path, analyzer=analyzer)


def test_csv_without_room(t):
    """--csv into a missing folder, a file, a full disk: status not 0, and a line that says why."""
    path = write(t, "small.zst", small_trace(t))
    notes = write(t, "file", b"x")
    for folder in (os.path.join(t.folder, "a/b/c"), notes, "/dev/full"):
        result = t.analyze("--csv", folder, path, status=None)
        check(result.returncode in (2, 3), f"status {result.returncode} for --csv {folder}")
        check(result.stderr.startswith("inspect-analyze: "), f"stderr {result.stderr!r}")


def test_stdout_is_full(t):
    """A report that cannot be written is an error, not a success."""
    path = write(t, "small.zst", small_trace(t))
    for command in ((), ("--format", "json"), ("dump",), ("info",)):
        with open("/dev/full", "w") as full:
            result = t.analyze(*command, path, status=None, stdout=full)
        check(result.returncode not in (0, 99) and result.returncode > 0,
              f"status {result.returncode} for {command} into a full disk")
        check("inspect-analyze: " in result.stderr, f"stderr {result.stderr!r}")


def test_usage(t):
    for arguments in ((), ("--nonsense",), ("--format", "xml", "x"), ("--top", "-1", "x"),
                      ("--fail-on", "nothing-known", "x"), ("recover", "x")):
        result = t.analyze(*arguments, status=2)
        check(result.stderr.startswith("inspect-analyze: "), f"{arguments}: {result.stderr!r}")
        check_equal(result.stdout, "", "stdout")
