"""Expressions of ``np.linalg`` and ``np.fft``.

Eigenvectors and singular vectors are free up to a sign or phase, and eigenvalues come in no promised
order, so those rows return functions of them that do not depend on the choice.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.coverage.row import Row, spread

__all__ = ["ROWS"]

SQUARE = spread(3, 3) + 2.0 * np.eye(3)
TALL = spread(4, 3, seed=1)
WIDE = spread(3, 4, seed=2)
STACK = spread(2, 3, 3, seed=3) + 3.0 * np.eye(3)
COLUMNS = spread(3, 2, seed=4)
VECTOR = spread(4, seed=5)
POINTS = spread(4, 3, seed=6)
TENSOR = spread(6, 2, 3, seed=7) + np.eye(6).reshape(6, 2, 3)
RIGHT = spread(6, seed=8)
SIGNAL = spread(7, seed=9)
IMAGE = spread(3, 5, seed=10)
OTHER_IMAGE = spread(3, 5, seed=11)
VOLUME = spread(2, 3, 4, seed=12)
OTHER_VOLUME = spread(2, 3, 4, seed=13)


def linalg(function: str, expression: Callable[..., Any], *args: np.ndarray) -> Row:
    return Row("linalg", f"linalg.{function}", expression, args)


def fft(function: str, expression: Callable[..., Any], *args: np.ndarray) -> Row:
    return Row("fft", f"fft.{function}", expression, args)


def damped_by_singular_values(x: np.ndarray) -> np.ndarray:
    u, s, vh = np.linalg.svd(x, full_matrices=False)
    return (u * np.exp(-s)) @ vh


def exponential_of_symmetric(x: np.ndarray) -> np.ndarray:
    w, v = np.linalg.eigh(x + x.T)
    return (v * np.exp(-w)) @ v.T


def exponential_by_eig(x: np.ndarray) -> np.ndarray:
    w, v = np.linalg.eig(x)
    return ((v * np.exp(w)) @ np.linalg.inv(v)).real


ROWS = [
    linalg("inv", lambda x: np.linalg.inv(x), STACK),
    linalg("pinv", lambda x: np.linalg.pinv(x), TALL),
    linalg("solve", lambda a, b: np.linalg.solve(a, b), SQUARE, COLUMNS),
    linalg("det", lambda x: np.linalg.det(x), STACK),
    linalg("slogdet", lambda x: np.linalg.slogdet(x), SQUARE),
    linalg("cholesky", lambda x: np.linalg.cholesky(x @ x.T + 3 * np.eye(3)), SQUARE),
    linalg("qr", lambda x: np.linalg.qr(x), SQUARE),
    linalg("qr (tall)", lambda x: np.linalg.qr(x), TALL),
    linalg("svd", lambda x: np.linalg.svd(x, compute_uv=False), TALL),
    linalg("svd (vectors)", damped_by_singular_values, WIDE),
    linalg("svdvals", lambda x: np.linalg.svdvals(x), WIDE),
    linalg("eigh", lambda x: np.linalg.eigh(x + x.T)[0], SQUARE),
    linalg("eigh (vectors)", exponential_of_symmetric, SQUARE),
    linalg("eigvalsh", lambda x: np.linalg.eigvalsh(x + x.T), SQUARE),
    linalg("eig", exponential_by_eig, SQUARE),
    linalg("eigvals", lambda x: np.sum(np.abs(np.linalg.eigvals(x)) ** 3), SQUARE),
    linalg("lstsq", lambda a, b: np.linalg.lstsq(a, b)[0], TALL, VECTOR),
    linalg("norm (fro)", lambda x: np.linalg.norm(x, "fro"), TALL),
    linalg("norm (nuc)", lambda x: np.linalg.norm(x, "nuc"), TALL),
    linalg("norm (2)", lambda x: np.linalg.norm(x, 2), TALL),
    linalg("norm (1)", lambda x: np.linalg.norm(x, 1), TALL),
    linalg("vector_norm", lambda x: np.linalg.vector_norm(x, axis=1, ord=3), TALL),
    linalg("matrix_norm", lambda x: np.linalg.matrix_norm(x), STACK),
    linalg("matrix_power", lambda x: np.linalg.matrix_power(x, 3), SQUARE),
    linalg("multi_dot", lambda a, b, c: np.linalg.multi_dot([a, b, c]), TALL, SQUARE, COLUMNS),
    linalg("cond", lambda x: np.linalg.cond(x), SQUARE),
    linalg("tensorsolve", lambda a, b: np.linalg.tensorsolve(a, b), TENSOR, RIGHT),
    linalg("tensorinv", lambda a: np.linalg.tensorinv(a, ind=1), TENSOR),
    linalg("trace", lambda x: np.linalg.trace(x), STACK),
    linalg("diagonal", lambda x: np.linalg.diagonal(x), STACK),
    linalg("outer", lambda x, y: np.linalg.outer(x, y), VECTOR, RIGHT),
    linalg("cross", lambda x, y: np.linalg.cross(x, y), POINTS, TALL),
    linalg("matmul", lambda x, y: np.linalg.matmul(x, y), STACK, COLUMNS),
    linalg("tensordot", lambda x, y: np.linalg.tensordot(x, y, axes=1), STACK, COLUMNS),
    linalg("vecdot", lambda x, y: np.linalg.vecdot(x, y), POINTS, TALL),
    linalg("matrix_transpose", lambda x: np.linalg.matrix_transpose(x), VOLUME),
    fft("fft", lambda x: np.fft.fft(x), SIGNAL),
    fft("ifft", lambda x, y: np.fft.ifft(x + 1j * y), IMAGE, OTHER_IMAGE),
    fft("fft2", lambda x: np.fft.fft2(x), IMAGE),
    fft("ifft2", lambda x, y: np.fft.ifft2(x + 1j * y), IMAGE, OTHER_IMAGE),
    fft("fftn", lambda x: np.abs(np.fft.fftn(x)) ** 2, VOLUME),
    fft("ifftn", lambda x, y: np.fft.ifftn(x + 1j * y), VOLUME, OTHER_VOLUME),
    fft("rfft", lambda x: np.fft.rfft(x, axis=1), IMAGE),
    fft("irfft", lambda x, y: np.fft.irfft(x + 1j * y, n=7), IMAGE, OTHER_IMAGE),
    fft("rfft2", lambda x: np.fft.rfft2(x), IMAGE),
    fft("irfft2", lambda x, y: np.fft.irfft2(x + 1j * y), IMAGE, OTHER_IMAGE),
    fft("rfftn", lambda x: np.fft.rfftn(x), VOLUME),
    fft("irfftn", lambda x, y: np.fft.irfftn(x + 1j * y), VOLUME, OTHER_VOLUME),
    fft("hfft", lambda x, y: np.fft.hfft(x + 1j * y), IMAGE, OTHER_IMAGE),
    fft("ihfft", lambda x: np.fft.ihfft(x), SIGNAL),
    fft("fftshift", lambda x: np.fft.fftshift(x), IMAGE),
    fft("ifftshift", lambda x: np.fft.ifftshift(x), IMAGE),
]
