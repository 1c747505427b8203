"""What ``import chainrule`` adds to ``import numpy``, each time in a fresh process."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys

from benchmarks.measure import verdict

REPEATS = 15
PROGRAM = """
from time import perf_counter
start = perf_counter()
import numpy
between = perf_counter()
import chainrule
print(between - start, perf_counter() - between)
"""


def main() -> None:
    """Measure and print."""
    runs = []
    # As an installed package: with its modules compiled, which pip does and some environments forbid.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    for _ in range(REPEATS + 1):
        finished = subprocess.run(
            [sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True, env=environment
        )
        runs.append([float(word) * 1e3 for word in finished.stdout.split()])
    # The first run may have compiled modules and filled the file cache.
    of_numpy, added = (statistics.median(times) for times in zip(*runs[1:], strict=True))
    print("Import time")
    print(f"  numpy      {of_numpy:6.1f} ms")
    print(f"  chainrule  {added:6.1f} ms more ({verdict(added, 50)})")


if __name__ == "__main__":
    main()
