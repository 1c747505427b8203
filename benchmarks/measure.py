"""Timing that survives a busy machine: contenders take turns, and what counts is the ratio of their medians."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path

SLICE = 0.02


def machine() -> str:
    """The processor, the number of cores this process may use, and Python's version."""
    processor = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.exists():
        models = [
            line.partition(":")[2].strip() for line in information.read_text().splitlines() if "model name" in line
        ]
        processor = models[0] if models else processor
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{processor}, {cores} cores, {platform.system()}, Python {platform.python_version()}"


def _time(call: Callable[[], object], number: int) -> float:
    start = time.perf_counter()
    for _ in range(number):
        call()
    return (time.perf_counter() - start) / number


def interleave(contenders: Mapping[str, Callable[[], object]], rounds: int = 25) -> dict[str, float]:
    """The median seconds per call of each contender, over rounds in which all take turns.

    Each turn takes about ``SLICE`` seconds, and the order rotates, so that a burst of other work on the machine or
    a change of its clock meets all alike.
    """
    numbers = {}
    for name, call in contenders.items():
        call()
        numbers[name] = max(1, round(SLICE / max(_time(call, 3), 1e-7)))
    order = list(contenders)
    times: dict[str, list[float]] = {name: [] for name in order}
    for turn in range(rounds):
        first = turn % len(order)
        for name in order[first:] + order[:first]:
            times[name].append(_time(contenders[name], numbers[name]))
    return {name: statistics.median(found) for name, found in times.items()}


def verdict(value: float, limit: float, *, at_least: bool = False) -> str:
    """Whether a figure meets its target, in words."""
    met = value >= limit if at_least else value <= limit
    return f"target: {'at least' if at_least else 'at most'} {limit:g}, {'met' if met else 'MISSED'}"
