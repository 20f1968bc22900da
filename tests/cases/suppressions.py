# SPDX-License-Identifier: Apache-2.0
"""--strict-order and --suppressions: what is reported on request, and what is left out on request."""
import os
import time

from support.outcome import check, check_equal


def write_rules(t, text):
    path = os.path.join(t.folder, "rules")
    with open(path, "w") as file:
        file.write(text)
    return path


def recorded(t, program, **options):
    t.run([program], **options)
    t.settle()
    return t.trace()


def test_strict_order_reports_what_is_kept_apart(t):
    trace = recorded(t, "lock_p04_gate")
    check_equal(t.report(trace).deadlocks, [], "findings")
    found = t.report(trace, arguments=["--strict-order"]).deadlocks
    check_equal([finding.verdict for finding in found], ["potential"], "with --strict-order")
    check("--strict-order" in " ".join(found[0].why_not_ruled_out), found[0].why_not_ruled_out)
    t.analyze("--fail-on", "potential-deadlock", trace, status=0)
    t.analyze("--fail-on", "potential-deadlock", "--strict-order", trace, status=1)


def test_each_kind_of_rule_suppresses(t):
    trace = recorded(t, "lock_p01_abba")
    for rule in ("function:lock_both", "function:fort*", "file:*/lock_p01_abba.c",
                 "module:*lock_p01_abba", "lock:a"):
        rules = write_rules(t, f"# looked at in May\n\n  {rule}  # why\n")
        report = t.report(trace, arguments=["--suppressions", rules])
        check_equal(report.deadlocks, [], rule)
        check(not [w for w in report.warnings if w.where == "suppressions"], report.warnings)
    t.analyze("--fail-on", "potential-deadlock", "--suppressions", rules, trace, status=0)
    check("1 finding was suppressed" in t.text(trace, arguments=["--suppressions", rules]), "count")


def test_unused_rules_are_named(t):
    trace = recorded(t, "lock_p01_abba")
    rules = write_rules(t, "lock:a\nfunction:nobody\n")
    unused = [warning.text for warning in t.report(trace, arguments=["--suppressions", rules]).warnings
              if warning.where == "suppressions"]
    check_equal(len(unused), 1, f"warnings {unused}")
    check("line 2: function:nobody suppressed nothing" in unused[0], unused[0])


def test_bad_rules_are_refused(t):
    trace = recorded(t, "lock_p01_abba")
    rules = write_rules(t, "lock:a\nfunktion:b\n")
    refused = t.analyze("--suppressions", rules, trace, status=2)
    check("line 2: \"funktion:b\": expected function:NAME" in refused.stderr, refused.stderr)
    refused = t.analyze("--suppressions", rules + ".none", trace, status=2)
    check("No such file" in refused.stderr, refused.stderr)


def test_an_actual_deadlock_is_never_suppressed(t):
    process = t.start(["lock_p15_self"])
    t.wait_for_hang(process)
    time.sleep(0.3)  # the marker comes before the call that hangs
    t.kill(process)
    rules = write_rules(t, "lock:a\n")
    report = t.report(t.trace(), arguments=["--suppressions", rules])
    check_equal([finding.verdict for finding in report.deadlocks], ["actual"], "verdicts")
