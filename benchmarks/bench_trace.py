"""Tracing and differentiating long programs: time and memory must grow with the number of steps and no faster.

Each length runs in a process of its own, so that its peak of memory is its own.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

import chainrule as cr
from benchmarks.measure import verdict

LENGTHS = (10_000, 30_000, 100_000)
REPEATS = 3
STEPS_PER_TURN = 4


def recurrence(x: Any, w: Any, turns: int) -> Any:
    """A loop of four elementwise steps per turn on a small array."""
    for _ in range(turns):
        x = x - 0.01 * np.tanh(x * w)
    return x.sum()


def peak_memory() -> float:
    """The most memory that this process has held so far, in MiB."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux: getrusage would count what the parent held when it forked
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def run_once(steps: int) -> dict[str, float]:
    """The seconds for one value and gradient, and this process's peak of memory in MiB before and after."""
    x, w = np.linspace(-1.0, 1.0, 5), np.linspace(0.5, 1.5, 5)
    cr.value_and_grad(recurrence, argnums=(0, 1))(x, w, 10)
    before = peak_memory()
    start = time.perf_counter()
    cr.value_and_grad(recurrence, argnums=(0, 1))(x, w, steps // STEPS_PER_TURN)
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "before": before, "after": peak_memory()}


def measure(steps: int) -> dict[str, float]:
    """``run_once`` in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.bench_trace", str(steps)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    """Measure all lengths in turns and print."""
    found: dict[int, list[dict[str, float]]] = {steps: [] for steps in LENGTHS}
    for _ in range(REPEATS):
        for steps in LENGTHS:
            found[steps].append(measure(steps))
    print("Tracing and differentiating a program of many steps (a Python loop on arrays of 5)")
    seconds = {steps: statistics.median(run["seconds"] for run in runs) for steps, runs in found.items()}
    for steps, runs in found.items():
        peak = max(run["after"] for run in runs)
        grown = statistics.median(run["after"] - run["before"] for run in runs)
        print(
            f"  {steps:7,d} steps {seconds[steps]:7.2f} s   {seconds[steps] / steps * 1e6:6.1f} µs a step"
            f"   peak {peak:5.0f} MiB, {grown:.0f} of them for the program"
        )
    shortest, longest = LENGTHS[0], LENGTHS[-1]
    growth = seconds[longest] / seconds[shortest] / (longest / shortest)
    peak = max(run["after"] for run in found[longest])
    print(f"  seconds for {longest:,d} steps: {seconds[longest]:.2f} ({verdict(seconds[longest], 10)})")
    print(f"  MiB for {longest:,d} steps: {peak:.0f} ({verdict(peak, 1024)})")
    print(f"  time a step, {longest:,d} against {shortest:,d}: {growth:.2f} ({verdict(growth, 1.5)})")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(run_once(int(sys.argv[1]))))
    else:
        main()
