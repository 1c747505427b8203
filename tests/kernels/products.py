"""Kernels of linear algebra: products, rank updates and statistics of columns."""

from __future__ import annotations

import numpy as np

from tests.kernels.kernel import Kernel, uniform

__all__ = ["KERNELS"]


def atax(A, x):
    return (A @ x) @ A


def bicg(A, p, r):
    return r @ A, A @ p


def gemm(alpha, beta, C, A, B):
    C[:] = alpha * A @ B + beta * C


def gemver(alpha, beta, A, u1, v1, u2, v2, w, x, y, z):
    A += np.outer(u1, v1) + np.outer(u2, v2)
    x += beta * y @ A + z
    w += alpha * A @ x


def gesummv(alpha, beta, A, B, x):
    return alpha * A @ x + beta * B @ x


def mvt(x1, x2, y1, y2, A):
    x1 += A.dot(y1)
    x2 += y2.dot(A)


def syrk(alpha, beta, C, A):
    for i in range(A.shape[0]):
        C[i, : i + 1] *= beta
        for k in range(A.shape[1]):
            C[i, : i + 1] += alpha * A[i, k] * A[: i + 1, k]


def syr2k(alpha, beta, C, A, B):
    for i in range(A.shape[0]):
        C[i, : i + 1] *= beta
        for k in range(A.shape[1]):
            C[i, : i + 1] += A[: i + 1, k] * alpha * B[i, k] + B[: i + 1, k] * alpha * A[i, k]


def symm(alpha, beta, C, A, B):
    temp2 = np.empty((C.shape[1],), dtype=C.dtype)
    C *= beta
    for i in range(C.shape[0]):
        for j in range(C.shape[1]):
            C[:i, j] += alpha * B[i, j] * A[i, :i]
            temp2[j] = B[:i, j] @ A[i, :i]
        C[i, :] += alpha * B[i, :] * A[i, i] + alpha * temp2


def trmm(alpha, A, B):
    for i in range(B.shape[0]):
        for j in range(B.shape[1]):
            B[i, j] += np.dot(A[i + 1 :, i], B[i + 1 :, j])
    B *= alpha


def doitgen(NR, NQ, NP, A, C4):
    for r in range(NR):
        A[r, :, :] = np.reshape(np.reshape(A[r], (NQ, 1, NP)) @ C4, (NQ, NP))


def two_products(alpha, beta, A, B, C, D):
    D[:] = alpha * A @ B @ C + beta * D


def three_products(A, B, C, D):
    E = A @ B
    F = C @ D
    return E @ F


def correlation(M, float_n, data):
    mean = np.mean(data, axis=0)
    stddev = np.std(data, axis=0)
    stddev[stddev <= 0.1] = 1.0
    data -= mean
    data /= np.sqrt(float_n) * stddev
    corr = np.eye(M, dtype=data.dtype)
    for i in range(M - 1):
        corr[i + 1 : M, i] = corr[i, i + 1 : M] = data[:, i] @ data[:, i + 1 : M]
    return corr


def covariance(M, float_n, data):
    mean = np.mean(data, axis=0)
    data -= mean
    cov = np.zeros((M, M), dtype=data.dtype)
    for i in range(M):
        cov[i:M, i] = cov[i, i:M] = data[:, i] @ data[:, i:M] / (float_n - 1.0)
    return cov


def floyd_warshall(path):
    for k in range(path.shape[0]):
        path[:] = np.minimum(path[:], np.add.outer(path[:, k], path[k, :]))


def matrix_vector_by_elements(A, x):
    n, m = A.shape
    y = np.zeros(n)
    for i in range(n):
        total = 0.0
        for j in range(m):
            total += A[i, j] * x[j]
        y[i] = total
    return y


def spmv(A_row, A_col, A_val, x):
    y = np.empty(A_row.size - 1, A_val.dtype)
    for i in range(A_row.size - 1):
        cols = A_col[A_row[i] : A_row[i + 1]]
        vals = A_val[A_row[i] : A_row[i + 1]]
        y[i] = vals @ x[cols]
    return y


def scatter_coo(n, rows, cols, values, x):
    y = np.zeros(n)
    np.add.at(y, rows, values * x[cols])
    return y


def strassen(A, B, C):
    h = A.shape[0] // 2
    a11, a12, a21, a22 = A[:h, :h], A[:h, h:], A[h:, :h], A[h:, h:]
    b11, b12, b21, b22 = B[:h, :h], B[:h, h:], B[h:, :h], B[h:, h:]
    m1 = (a11 + a22) @ (b11 + b22)
    m2 = (a21 + a22) @ b11
    m3 = a11 @ (b12 - b22)
    m4 = a22 @ (b21 - b11)
    m5 = (a11 + a12) @ b22
    m6 = (a21 - a11) @ (b11 + b12)
    m7 = (a12 - a22) @ (b21 + b22)
    top, bottom = C[:h], C[h:]
    np.add(m1 + m4, m7 - m5, out=top[:, :h])
    top[:, h:] = m3 + m5
    bottom[:, :h] = m2 + m4
    np.subtract(m1 + m3 + m6, m2, out=bottom[:, h:])


def matrix_exponential(A):
    total = np.eye(A.shape[0])
    term = np.eye(A.shape[0])
    buffer = np.empty_like(term)
    for k in range(1, 9):
        np.matmul(term, A, out=buffer)
        buffer /= k
        term[...] = buffer
        total += term
    return total


def online_covariance(X):
    n, d = X.shape
    mean = np.zeros(d)
    scatter = np.zeros((d, d))
    for count in range(n):
        delta = X[count] - mean
        mean += delta / (count + 1)
        scatter += np.outer(delta, X[count] - mean)
    return mean, scatter / (n - 1)


_A = uniform(4, 5)
_SQUARE = uniform(4, 4, seed=1)

KERNELS = [
    Kernel(atax, (_A, uniform(5))),
    Kernel(bicg, (_A, uniform(5), uniform(4))),
    Kernel(gemm, (1.5, 1.2, uniform(4, 3), _A, uniform(5, 3)), updates=(2,)),
    Kernel(
        gemver,
        (1.5, 1.2, _SQUARE, *(uniform(4, seed=k) for k in range(4)), *(uniform(4, seed=k) for k in range(4, 8))),
        updates=(2, 7, 8),
    ),
    Kernel(gesummv, (1.5, 1.2, _SQUARE, uniform(4, 4, seed=2), uniform(4))),
    Kernel(mvt, (*(uniform(4, seed=k) for k in range(4)), _SQUARE), updates=(0, 1)),
    Kernel(syrk, (1.5, 1.2, uniform(4, 4), _A), updates=(2,)),
    Kernel(syr2k, (1.5, 1.2, uniform(4, 4), _A, uniform(4, 5, seed=2)), updates=(2,)),
    Kernel(symm, (1.5, 1.2, uniform(4, 3), _SQUARE, uniform(4, 3, seed=2)), updates=(2,)),
    Kernel(trmm, (1.5, _SQUARE, uniform(4, 3)), updates=(2,)),
    Kernel(doitgen, (2, 3, 4, uniform(2, 3, 4), _SQUARE), updates=(3,)),
    Kernel(two_products, (1.5, 1.2, _A, uniform(5, 3), uniform(3, 2), uniform(4, 2)), updates=(5,)),
    Kernel(three_products, (_A, uniform(5, 3), uniform(3, 4), uniform(4, 2))),
    Kernel(correlation, (4, 6.0, uniform(6, 4))),
    Kernel(covariance, (4, 6.0, uniform(6, 4)), updates=(2,)),
    Kernel(floyd_warshall, (uniform(5, 5),), updates=(0,)),
    Kernel(matrix_vector_by_elements, (_A, uniform(5))),
    Kernel(spmv, (np.array([0, 2, 3, 3, 6]), np.array([0, 3, 1, 0, 2, 3]), uniform(6), uniform(4))),
    Kernel(scatter_coo, (4, np.array([0, 2, 0, 3, 2]), np.array([1, 1, 0, 2, 2]), uniform(5), uniform(3))),
    Kernel(strassen, (_SQUARE, uniform(4, 4, seed=2), np.zeros((4, 4))), updates=(2,)),
    Kernel(matrix_exponential, (uniform(3, 3),)),
    Kernel(online_covariance, (uniform(5, 3),)),
]
