"""Comparisons with JAX, PyTorch and autograd; skipped where they are not installed."""
