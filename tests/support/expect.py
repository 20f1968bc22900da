# SPDX-License-Identifier: Apache-2.0
"""Declarative cases: a TOML file says what is run, how it ends and what must be found.

  program = "abba"           in tests/programs; or command = [...]
  arguments = [...]          environment = { NAME = "value" }
  status = 0                 exit status, -N for signal N
  after = "ready"            waits for a line of stdout that begins so, then does `then`:
  then = "kill"              "kill": SIGKILL and then analyse (default);
                             "read": analyse while it runs, then kill
  quiet = true               nothing on stderr (default)
  complete = true            the trace is complete and zstd accepts it (default unless `after`)
  analysis = ["--all"]       further arguments of inspect-analyze
  expect = [...]             Python expressions that must hold

Names in expressions: report (JSON), text (text report), lines (its lines), truth (JSON printed by
the program), events (what dump prints), run, pid, and the functions below.
"""
import ast
import time
import tomllib

from .outcome import Failure, check, check_equal, shorten


def near(found, expected, percent):
    return abs(found - expected) <= abs(expected) * percent / 100


def slack(report):
    """By how much a total may differ from what the program measured: its threads may lose the
    processor between its clock and the recorder's, for 12 ms, or for as long as they had none."""
    waited = sum(task.runnable_ns or 0 for task in report.tasks if task.kind == "thread")
    return max(12_000_000, waited)


def find(items, **fields):
    """The items whose fields are as given."""
    return [item for item in items if all(item.get(key) == value for key, value in fields.items())]


def one(items, **fields):
    """The only item whose fields are as given."""
    found = find(items, **fields)
    if len(found) != 1:
        raise Failure(f"one item with {fields} expected, found {shorten(found)} in {shorten(items)}")
    return found[0]


def functions(stack):
    return [frame.get("function") for frame in stack]


def has(stack, *names):
    """The stack goes through the named functions, innermost first."""
    remaining = iter(functions(stack))
    return all(name in remaining for name in names)


def leg(report, name):
    """The leg of the only deadlock that is the named thread's."""
    legs = [leg for leg in report.deadlocks[0].legs if leg.thread.name == name]
    if len(legs) != 1:
        raise Failure(f"one leg of {name!r} expected in {shorten(report.deadlocks[0].legs)}")
    return legs[0]


def in_head(lines, *words):
    """All words stand in the first dozen lines, in whatever case."""
    head = "\n".join(lines[:12]).lower()
    missing = [word for word in words if word.lower() not in head]
    if missing:
        raise Failure(f"{missing} not in the first lines: {shorten(head, 900)}")
    return True


def sites(report, function):
    return [site for site in report.memory.sites if function in functions(site.stack)]


def site(report, function):
    """The only allocation site inside the function."""
    found = sites(report, function)
    if len(found) != 1:
        raise Failure(f"one site in {function} expected, found {shorten(found)}")
    return found[0]


def sites_sum(report, function, field):
    return sum(site[field] for site in sites(report, function))


def own_leaks(report):
    return [leak for leak in report.memory.leaks if not leak.runtime]


def count(events, kind):
    return sum(event.event == kind for event in events)


HELPERS = {function.__name__: function for function in
           (near, find, one, functions, has, leg, in_head, site, sites_sum, own_leaks, count)}


def sides(expression, names):
    """The values of a failed comparison, for the message."""
    tree = ast.parse(expression.strip(), mode="eval").body
    if not isinstance(tree, ast.Compare):
        return ""
    parts = [tree.left, *tree.comparators]
    values = [shorten(eval(compile(ast.Expression(part), "case", "eval"), names)) for part in parts]
    return ": " + " against ".join(values)


def check_expression(expression, names):
    try:
        holds = eval(expression.strip(), names)
    except Failure as failure:
        raise Failure(f"{expression.strip()}: {failure}") from None
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        raise Failure(f"{expression.strip()}: {type(error).__name__}: {error}") from None
    if not holds:
        raise Failure(expression.strip() + sides(expression, names))


KEYS = {"program", "command", "arguments", "environment", "status", "after", "then", "quiet",
        "complete", "expect", "limit", "long", "analysis"}


class DeclarativeCase:
    def __init__(self, path):
        with open(path, "rb") as file:
            self.spec = tomllib.load(file)
        unknown = set(self.spec) - KEYS
        if unknown:
            raise ValueError(f"{path}: unknown keys {sorted(unknown)}")
        if not self.spec.get("expect"):
            raise ValueError(f"{path}: expects nothing")
        self.limit = self.spec.get("limit", 60)
        self.long = self.spec.get("long", False)

    def reports(self, test):
        arguments = self.spec.get("analysis", [])
        trace = test.trace()
        return test.report(trace, arguments=arguments), test.text(trace, arguments=arguments)

    def run_to_end(self, test, command):
        run = test.run(command, env=self.spec.get("environment"), status=self.spec.get("status", 0))
        test.settle()
        return run, *self.reports(test)

    def run_until_marker(self, test, command):
        process = test.start(command, env=self.spec.get("environment"))
        if self.spec["after"] == "hanging":
            seen = test.wait_for_hang(process)
        else:
            seen = test.wait_for_line(process, self.spec["after"])
            time.sleep(0.2)  # the marker comes before the call that waits
        if self.spec.get("then") == "read":
            report, text = self.reports(test)
            run = test.kill(process)
        else:
            run = test.kill(process)
            report, text = self.reports(test)
        run.stdout = "\n".join(seen) + "\n" + run.stdout
        return run, report, text

    def __call__(self, test):
        spec = self.spec
        command = spec.get("command") or [spec["program"]]
        command = command + spec.get("arguments", [])
        if "after" in spec:
            run, report, text = self.run_until_marker(test, command)
        else:
            run, report, text = self.run_to_end(test, command)
            if spec.get("complete", True):
                check(report.trace.complete, f"the trace is not complete: {shorten(report.trace)}")
                test.zstd_accepts(test.trace())
        if spec.get("quiet", True):
            check_equal(run.stderr, "", "stderr")
        names = dict(HELPERS, report=report, text=text, lines=text.splitlines(), run=run, pid=run.pid,
                     truth=LazyTruth(run))
        if any("count(events" in expression for expression in spec["expect"]):
            names["events"] = test.events(test.trace())
        for expression in spec["expect"]:
            check_expression(expression, names)


class LazyTruth:
    """run.truth, asked for only by cases whose program prints one."""

    def __init__(self, run):
        self.run = run

    def __getattr__(self, name):
        return getattr(self.run.truth, name)
