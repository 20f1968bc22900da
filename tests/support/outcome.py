# SPDX-License-Identifier: Apache-2.0
"""How a test ends other than well."""


class Failure(Exception):
    """The test found something wrong; the text says what was expected and what was found."""


class Skip(Exception):
    """The test cannot be done here; the text says why."""


def check(condition, message):
    if not condition:
        raise Failure(message)


def check_equal(found, expected, what):
    if found != expected:
        raise Failure(f"{what}: expected {shorten(expected)}, found {shorten(found)}")


def check_near(found, expected, percent, what):
    """`found` is within `percent` of `expected`."""
    if abs(found - expected) > abs(expected) * percent / 100:
        raise Failure(f"{what}: expected {expected} within {percent} %, found {found}")


def check_between(found, low, high, what):
    if not low <= found <= high:
        raise Failure(f"{what}: expected {low} to {high}, found {found}")


def shorten(value, limit=300):
    text = repr(value)
    return text if len(text) <= limit else text[:limit] + "..."
