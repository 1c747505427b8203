"""Measurements of chainrule's speed; run all with ``make bench`` or ``python -m benchmarks``."""
