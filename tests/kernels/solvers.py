"""Kernels that factor matrices and solve equations."""

from __future__ import annotations

import numpy as np

from tests.kernels.kernel import Kernel, positive_definite, uniform

__all__ = ["KERNELS"]


def trisolv(L, x, b):
    for i in range(x.shape[0]):
        x[i] = (b[i] - L[i, :i] @ x[:i]) / L[i, i]


def lu(A):
    for i in range(A.shape[0]):
        for j in range(i):
            A[i, j] -= A[i, :j] @ A[:j, j]
            A[i, j] /= A[j, j]
        for j in range(i, A.shape[0]):
            A[i, j] -= A[i, :i] @ A[:i, j]


def ludcmp(A, b):
    n = A.shape[0]
    x = np.zeros_like(b)
    y = np.zeros_like(b)
    lu(A)
    for i in range(n):
        y[i] = b[i] - A[i, :i] @ y[:i]
    for i in range(n - 1, -1, -1):
        x[i] = (y[i] - A[i, i + 1 :] @ x[i + 1 :]) / A[i, i]
    return x, y


def cholesky(A):
    A[0, 0] = np.sqrt(A[0, 0])
    for i in range(1, A.shape[0]):
        for j in range(i):
            A[i, j] -= np.dot(A[i, :j], A[j, :j])
            A[i, j] /= A[j, j]
        A[i, i] -= np.dot(A[i, :i], A[i, :i])
        A[i, i] = np.sqrt(A[i, i])


def durbin(r):
    y = np.empty_like(r)
    alpha = -r[0]
    beta = 1.0
    y[0] = -r[0]
    for k in range(1, r.shape[0]):
        beta *= 1.0 - alpha * alpha
        alpha = -(r[k] + np.dot(np.flip(r[:k]), y[:k])) / beta
        y[:k] += alpha * np.flip(y[:k])
        y[k] = alpha
    return y


def gramschmidt(A):
    Q = np.zeros_like(A)
    R = np.zeros((A.shape[1], A.shape[1]), dtype=A.dtype)
    for k in range(A.shape[1]):
        nrm = np.dot(A[:, k], A[:, k])
        R[k, k] = np.sqrt(nrm)
        Q[:, k] = A[:, k] / R[k, k]
        for j in range(k + 1, A.shape[1]):
            R[k, j] = np.dot(Q[:, k], A[:, j])
            A[:, j] -= Q[:, k] * R[k, j]
    return Q, R


def thomas(lower, diagonal, upper, right):
    n = len(diagonal)
    c = np.zeros(n - 1)
    d = np.zeros(n)
    c[0] = upper[0] / diagonal[0]
    d[0] = right[0] / diagonal[0]
    for i in range(1, n):
        pivot = diagonal[i] - lower[i - 1] * c[i - 1]
        if i < n - 1:
            c[i] = upper[i] / pivot
        d[i] = (right[i] - lower[i - 1] * d[i - 1]) / pivot
    x = np.zeros(n)
    x[-1] = d[-1]
    for i in range(n - 2, -1, -1):
        x[i] = d[i] - c[i] * x[i + 1]
    return x


def gauss_with_pivoting(A, b):
    n = len(b)
    for k in range(n):
        p = k + np.argmax(np.abs(A[k:, k]))
        if p != k:
            A[[k, p]] = A[[p, k]]
            b[k], b[p] = b[p], b[k]
        for i in range(k + 1, n):
            factor = A[i, k] / A[k, k]
            A[i, k:] -= factor * A[k, k:]
            b[i] -= factor * b[k]
    x = np.empty(n)
    for i in reversed(range(n)):
        x[i] = (b[i] - A[i, i + 1 :].dot(x[i + 1 :])) / A[i, i]
    return x


def householder(A):
    m, n = A.shape
    for k in range(n):
        v = A[k:, k].copy()
        v[0] += np.copysign(np.linalg.norm(v), v[0])
        v /= np.linalg.norm(v)
        A[k:, k:] -= 2.0 * np.outer(v, v @ A[k:, k:])
    return np.triu(A[:n])


def gauss_seidel(A, b, x):
    for _sweep in range(4):
        for i in range(len(b)):
            x[i] = (b[i] - A[i, :i] @ x[:i] - A[i, i + 1 :] @ x[i + 1 :]) / A[i, i]


def successive_over_relaxation(A, b, omega):
    x = np.zeros_like(b)
    residual = 1.0
    while residual > 0.05:
        for i in range(b.shape[0]):
            sigma = A[i].dot(x) - A[i, i] * x[i]
            x[i] = (1 - omega) * x[i] + omega / A[i, i] * (b[i] - sigma)
        residual = np.linalg.norm(A.dot(x) - b)
    return x


def conjugate_gradient(A, b):
    x = np.zeros(b.size)
    r = b.copy()
    p = r.copy()
    rs = r.dot(r)
    for _iteration in range(3):
        Ap = A.dot(p)
        alpha = rs / p.dot(Ap)
        x += alpha * p
        r -= alpha * Ap
        rs_new = r.dot(r)
        p *= rs_new / rs
        p += r
        rs = rs_new
    return x


def power_iteration(A, v):
    for _iteration in range(6):
        v[:] = A.dot(v)
        v /= np.sqrt((v**2).sum())
    return v.dot(A).dot(v)


def jacobi_rotations(A):
    n = A.shape[0]
    for p in range(n - 1):
        for q in range(p + 1, n):
            theta = 0.5 * np.arctan2(2 * A[p, q], A[q, q] - A[p, p])
            c, s = np.cos(theta), np.sin(theta)
            rows = A[[p, q]]
            A[p] = c * rows[0] - s * rows[1]
            A[q] = s * rows[0] + c * rows[1]
            cols = A[:, [p, q]]
            A[:, p] = c * cols[:, 0] - s * cols[:, 1]
            A[:, q] = s * cols[:, 0] + c * cols[:, 1]
    return np.diag(A)


def newton_roots(coefficients, start):
    derivative = np.polyder(coefficients)
    x = start
    while abs(np.polyval(coefficients, x)) > 1e-3:
        x = x - np.polyval(coefficients, x) / np.polyval(derivative, x)
    return x


def neville(nodes, values, at):
    table = values.copy()
    n = len(nodes)
    for level in range(1, n):
        for i in range(n - level):
            table[i] = (at - nodes[i + level]) * table[i] + (nodes[i] - at) * table[i + 1]
            table[i] /= nodes[i] - nodes[i + level]
    return table[0]


def divided_differences(nodes, values, at):
    coefficients = values.copy()
    for level in range(1, len(nodes)):
        coefficients[level:] = (coefficients[level:] - coefficients[level - 1 : -1]) / (nodes[level:] - nodes[:-level])
    total = np.full_like(at, coefficients[-1])
    for k in range(len(nodes) - 2, -1, -1):
        total *= at - nodes[k]
        total += coefficients[k]
    return total


_DOMINANT = uniform(4, 4) + 4.0 * np.eye(4)
_NODES = np.array([0.0, 0.7, 1.1, 1.9])

KERNELS = [
    Kernel(trisolv, (_DOMINANT, uniform(4), uniform(4, seed=1)), updates=(1,)),
    Kernel(lu, (_DOMINANT,), updates=(0,)),
    Kernel(ludcmp, (_DOMINANT, uniform(4)), updates=(0,)),
    Kernel(cholesky, (positive_definite(4),), updates=(0,)),
    Kernel(durbin, (uniform(6, low=0.05, high=0.4),)),
    Kernel(gramschmidt, (uniform(5, 3),), updates=(0,)),
    Kernel(thomas, (uniform(4), 2.0 + uniform(5), uniform(4, seed=1), uniform(5, seed=2))),
    Kernel(gauss_with_pivoting, (uniform(4, 4, low=-1.0), uniform(4)), updates=(0, 1)),
    Kernel(householder, (uniform(5, 3, low=-1.0),), updates=(0,)),
    Kernel(gauss_seidel, (_DOMINANT, uniform(4), uniform(4, seed=1)), updates=(2,)),
    Kernel(successive_over_relaxation, (_DOMINANT, uniform(4), 1.1)),
    Kernel(conjugate_gradient, (positive_definite(5), uniform(5))),
    Kernel(power_iteration, (positive_definite(4), uniform(4)), updates=(1,)),
    Kernel(jacobi_rotations, (positive_definite(3),), updates=(0,)),
    Kernel(newton_roots, (np.array([1.0, 0.3, -2.0]), 1.9)),
    Kernel(neville, (_NODES, uniform(4), 0.9)),
    Kernel(divided_differences, (_NODES, uniform(4), uniform(3))),
]
