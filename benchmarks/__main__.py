"""Run every benchmark in one go."""

from __future__ import annotations

from importlib.metadata import version

from benchmarks import bench_check, bench_import, bench_network, bench_trace, bench_write
from benchmarks.measure import machine

if __name__ == "__main__":
    print(machine())
    print(", ".join(f"{name} {version(name)}" for name in ("numpy", "torch", "jax", "autograd", "mygrad")))
    for benchmark in (bench_network, bench_trace, bench_import, bench_write, bench_check):
        print(flush=True)
        benchmark.main()
