# SPDX-License-Identifier: Apache-2.0
"""Numbers as people read them."""


def number_text(value, sign=""):
    """Three digits that count: 0.123, 12.3, 1,230, 12.3 M."""
    mark = "-" if value < 0 else sign
    value = abs(value)
    for limit, suffix, scale in ((1e9, " G", 1e9), (1e6, " M", 1e6), (1e5, " k", 1e3)):
        if value >= limit:
            return mark + three_digits(value / scale) + suffix
    return mark + three_digits(value)


def three_digits(value):
    if value == 0:
        return "0"
    for limit, form in ((100, "{:,.0f}"), (10, "{:.1f}"), (1, "{:.2f}"), (0, "{:.3f}")):
        if value >= limit:
            return form.format(value)
    return str(value)


def ratio_text(value):
    return f"x{value:.3f}" if value < 2 else f"x{three_digits(value)}"


def bytes_text(value):
    mark = "-" if value < 0 else ""
    for suffix in ("B", "KiB", "MiB"):
        if abs(value) < 1024:
            return f"{mark}{three_digits(abs(value))} {suffix}"
        value /= 1024
    return f"{mark}{three_digits(abs(value))} GiB"


def time_text(nanoseconds):
    mark = "-" if nanoseconds < 0 else ""
    value = abs(nanoseconds)
    for limit, unit, scale in ((1e9, "s", 1e9), (1e6, "ms", 1e6), (1e3, "us", 1e3)):
        if value >= limit:
            return f"{mark}{three_digits(value / scale)} {unit}"
    return f"{mark}{three_digits(value)} ns"


def spread_text(spread, show):
    """The median, and least and greatest where they are others."""
    text = show(spread.median)
    low, high = show(spread.low), show(spread.high)
    return text if spread.count < 2 or low == high else f"{text} ({low} to {high})"
