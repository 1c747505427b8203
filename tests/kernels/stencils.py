"""Kernels that update a grid from its neighbours."""

from __future__ import annotations

import numpy as np

from tests.kernels.kernel import Kernel, uniform

__all__ = ["KERNELS"]


def jacobi_1d(TSTEPS, A, B):
    for _t in range(1, TSTEPS):
        B[1:-1] = 0.33333 * (A[:-2] + A[1:-1] + A[2:])
        A[1:-1] = 0.33333 * (B[:-2] + B[1:-1] + B[2:])


def jacobi_2d(TSTEPS, A, B):
    for _t in range(1, TSTEPS):
        B[1:-1, 1:-1] = 0.2 * (A[1:-1, 1:-1] + A[1:-1, :-2] + A[1:-1, 2:] + A[2:, 1:-1] + A[:-2, 1:-1])
        A[1:-1, 1:-1] = 0.2 * (B[1:-1, 1:-1] + B[1:-1, :-2] + B[1:-1, 2:] + B[2:, 1:-1] + B[:-2, 1:-1])


def heat_3d(TSTEPS, A, B):
    for _t in range(1, TSTEPS):
        for source, target in ((A, B), (B, A)):
            centre = source[1:-1, 1:-1, 1:-1]
            target[1:-1, 1:-1, 1:-1] = (
                0.125 * (source[2:, 1:-1, 1:-1] - 2.0 * centre + source[:-2, 1:-1, 1:-1])
                + 0.125 * (source[1:-1, 2:, 1:-1] - 2.0 * centre + source[1:-1, :-2, 1:-1])
                + 0.125 * (source[1:-1, 1:-1, 2:] - 2.0 * centre + source[1:-1, 1:-1, :-2])
                + centre
            )


def seidel_2d(TSTEPS, N, A):
    for _t in range(TSTEPS - 1):
        for i in range(1, N - 1):
            A[i, 1:-1] += A[i - 1, :-2] + A[i - 1, 1:-1] + A[i - 1, 2:] + A[i, 2:]
            A[i, 1:-1] += A[i + 1, :-2] + A[i + 1, 1:-1] + A[i + 1, 2:]
            for j in range(1, N - 1):
                A[i, j] += A[i, j - 1]
                A[i, j] /= 9.0


def fdtd_2d(TMAX, ex, ey, hz, _fict_):
    for t in range(TMAX):
        ey[0, :] = _fict_[t]
        ey[1:, :] -= 0.5 * (hz[1:, :] - hz[:-1, :])
        ex[:, 1:] -= 0.5 * (hz[:, 1:] - hz[:, :-1])
        hz[:-1, :-1] -= 0.7 * (ex[:-1, 1:] - ex[:-1, :-1] + ey[1:, :-1] - ey[:-1, :-1])


def adi(TSTEPS, N, u):
    v = np.empty(u.shape, dtype=u.dtype)
    p = np.empty(u.shape, dtype=u.dtype)
    q = np.empty(u.shape, dtype=u.dtype)
    mul1 = 2.0 * N / TSTEPS
    mul2 = 1.0 * N / TSTEPS
    a, b = -mul1 / 2.0, 1.0 + mul1
    d, e = -mul2 / 2.0, 1.0 + mul2
    for _t in range(TSTEPS):
        v[0, 1:-1] = 1.0
        p[1:-1, 0] = 0.0
        q[1:-1, 0] = v[0, 1:-1]
        for j in range(1, N - 1):
            p[1:-1, j] = -a / (a * p[1:-1, j - 1] + b)
            q[1:-1, j] = -d * u[j, : N - 2] + (1.0 + 2.0 * d) * u[j, 1:-1] - d * u[j, 2:] - a * q[1:-1, j - 1]
            q[1:-1, j] /= a * p[1:-1, j - 1] + b
        v[N - 1, 1:-1] = 1.0
        for j in range(N - 2, 0, -1):
            v[j, 1:-1] = p[1:-1, j] * v[j + 1, 1:-1] + q[1:-1, j]
        u[1:-1, 0] = 1.0
        p[1:-1, 0] = 0.0
        q[1:-1, 0] = u[1:-1, 0]
        for j in range(1, N - 1):
            p[1:-1, j] = -d / (d * p[1:-1, j - 1] + e)
            q[1:-1, j] = -a * v[: N - 2, j] + (1.0 + 2.0 * a) * v[1:-1, j] - a * v[2:, j] - d * q[1:-1, j - 1]
            q[1:-1, j] /= d * p[1:-1, j - 1] + e
        u[1:-1, N - 1] = 1.0
        for j in range(N - 2, 0, -1):
            u[1:-1, j] = p[1:-1, j] * u[1:-1, j + 1] + q[1:-1, j]


def hdiff(in_field, out_field, coeff):
    rows, cols, _levels = out_field.shape
    lap = 4.0 * in_field[1 : rows + 3, 1 : cols + 3, :] - (
        in_field[2 : rows + 4, 1 : cols + 3, :]
        + in_field[0 : rows + 2, 1 : cols + 3, :]
        + in_field[1 : rows + 3, 2 : cols + 4, :]
        + in_field[1 : rows + 3, 0 : cols + 2, :]
    )
    res = lap[1:, 1 : cols + 1, :] - lap[:-1, 1 : cols + 1, :]
    flx = np.where(
        (res * (in_field[2 : rows + 3, 2 : cols + 2, :] - in_field[1 : rows + 2, 2 : cols + 2, :])) > 0, 0, res
    )
    res = lap[1 : rows + 1, 1:, :] - lap[1 : rows + 1, :-1, :]
    fly = np.where(
        (res * (in_field[2 : rows + 2, 2 : cols + 3, :] - in_field[2 : rows + 2, 1 : cols + 2, :])) > 0, 0, res
    )
    out_field[:] = in_field[2 : rows + 2, 2 : cols + 2, :] - coeff * (
        flx[1:, :, :] - flx[:-1, :, :] + fly[:, 1:, :] - fly[:, :-1, :]
    )


def vadv(stage, position, wcon, dt):
    rows, cols, levels = stage.shape
    ccol = np.zeros((rows, cols, levels))
    dcol = np.zeros((rows, cols, levels))
    column = np.ndarray((rows, cols), dtype=stage.dtype)
    for k in range(levels):
        below = -0.25 * wcon[:, :, k] if k > 0 else 0.0
        above = 0.25 * wcon[:, :, k + 1] if k < levels - 1 else 0.0
        bcol = 1.0 / dt - below - above
        dcol[:, :, k] = position[:, :, k] / dt + stage[:, :, k]
        if k > 0:
            divided = 1.0 / (bcol - ccol[:, :, k - 1] * below)
            ccol[:, :, k] = above * divided
            dcol[:, :, k] = (dcol[:, :, k] - dcol[:, :, k - 1] * below) * divided
        else:
            ccol[:, :, k] = above / bcol
            dcol[:, :, k] /= bcol
    for k in range(levels - 1, -1, -1):
        datacol = dcol[:, :, k]
        if k < levels - 1:
            datacol = dcol[:, :, k] - ccol[:, :, k] * column[:, :]
        column[:] = datacol
        stage[:, :, k] = (datacol - position[:, :, k]) / dt


def deriche(alpha, image):
    k = (1.0 - np.exp(-alpha)) ** 2 / (1.0 + alpha * np.exp(-alpha) * 2.0 - np.exp(2.0 * -alpha))
    a1, a2 = k, k * np.exp(-alpha) * (alpha - 1.0)
    a3, a4 = k * np.exp(-alpha) * (alpha + 1.0), -k * np.exp(2.0 * -alpha)
    b1, b2 = 2.0**-alpha, -np.exp(-2.0 * alpha)
    y1 = np.empty_like(image)
    y1[:, 0] = a1 * image[:, 0]
    y1[:, 1] = a1 * image[:, 1] + a2 * image[:, 0] + b1 * y1[:, 0]
    for j in range(2, image.shape[1]):
        y1[:, j] = a1 * image[:, j] + a2 * image[:, j - 1] + b1 * y1[:, j - 1] + b2 * y1[:, j - 2]
    y2 = np.empty_like(image)
    y2[:, -1] = 0.0
    y2[:, -2] = a3 * image[:, -1]
    for j in range(image.shape[1] - 3, -1, -1):
        y2[:, j] = a3 * image[:, j + 1] + a4 * image[:, j + 2] + b1 * y2[:, j + 1] + b2 * y2[:, j + 2]
    return y1 + y2


def wave_equation(c, dt, dx, u0, steps):
    previous = u0.copy()
    current = u0.copy()
    following = np.zeros_like(u0)
    for _step in range(steps):
        following[1:-1] = (
            2 * current[1:-1] - previous[1:-1] + (c * dt / dx) ** 2 * (current[2:] - 2 * current[1:-1] + current[:-2])
        )
        previous, current, following = current, following, previous
    return current


def burgers(u, nu, dt, dx, steps):
    for _step in range(steps):
        un = u.copy()
        u[1:-1] = (
            un[1:-1] - un[1:-1] * dt / dx * (un[1:-1] - un[:-2]) + nu * dt / dx**2 * (un[2:] - 2 * un[1:-1] + un[:-2])
        )
        u[0] = un[0] - un[0] * dt / dx * (un[0] - un[-2]) + nu * dt / dx**2 * (un[1] - 2 * un[0] + un[-2])
        u[-1] = u[0]


def gray_scott(U, V, Du, Dv, F, k, steps):
    u, v = U[1:-1, 1:-1], V[1:-1, 1:-1]
    for _step in range(steps):
        Lu = U[0:-2, 1:-1] + U[1:-1, 0:-2] - 4 * U[1:-1, 1:-1] + U[1:-1, 2:] + U[2:, 1:-1]
        Lv = V[0:-2, 1:-1] + V[1:-1, 0:-2] - 4 * V[1:-1, 1:-1] + V[1:-1, 2:] + V[2:, 1:-1]
        uvv = u * v * v
        u += Du * Lu - uvv + F * (1 - u)
        v += Dv * Lv + uvv - (F + k) * v
        for Z in (U, V):
            Z[0, :] = Z[1, :]
            Z[-1, :] = Z[-2, :]
            Z[:, 0] = Z[:, 1]
            Z[:, -1] = Z[:, -2]


def diffuse_into_buffer(grid, D, dt, iterations):
    scratch = np.zeros_like(grid)

    def laplacian(values, out):
        np.copyto(out, values)
        np.multiply(out, -4.0, out)
        out += np.roll(values, +1, 0)
        out += np.roll(values, -1, 0)
        out += np.roll(values, +1, 1)
        out += np.roll(values, -1, 1)

    for _iteration in range(iterations):
        laplacian(grid, scratch)
        scratch *= D * dt
        np.add(grid, scratch, out=grid)


def laplace_until_settled(p, tolerance):
    change = 1.0
    pn = np.empty_like(p)
    while change > tolerance:
        pn[:] = p
        p[1:-1, 1:-1] = 0.25 * (pn[1:-1, 2:] + pn[1:-1, :-2] + pn[2:, 1:-1] + pn[:-2, 1:-1])
        p[0, :] = p[1, :]
        change = np.sum(np.abs(p - pn)) / np.sum(np.abs(pn))
    return p


def upwind_advection(u, c, dt, dx, steps):
    history = np.zeros((steps + 1, u.size))
    history[0] = u
    for n in range(steps):
        history[n + 1, 1:] = history[n, 1:] - c * dt / dx * (history[n, 1:] - history[n, :-1])
        history[n + 1, 0] = history[n + 1, -1]
    return history


_GRID = uniform(6, 6)

KERNELS = [
    Kernel(jacobi_1d, (4, uniform(8), uniform(8, seed=1)), updates=(1, 2)),
    Kernel(jacobi_2d, (3, _GRID, uniform(6, 6, seed=1)), updates=(1, 2)),
    Kernel(heat_3d, (3, uniform(4, 4, 5), uniform(4, 4, 5, seed=1)), updates=(1, 2)),
    Kernel(seidel_2d, (3, 5, uniform(5, 5)), updates=(2,)),
    Kernel(fdtd_2d, (3, *(uniform(4, 5, seed=k) for k in range(3)), uniform(3)), updates=(1, 2, 3)),
    Kernel(adi, (3, 6, _GRID), updates=(2,)),
    Kernel(hdiff, (uniform(7, 8, 2), np.zeros((3, 4, 2)), uniform(3, 4, 2)), updates=(1,)),
    Kernel(vadv, (uniform(2, 3, 4), uniform(2, 3, 4, seed=1), uniform(2, 3, 4, seed=2), 0.4), updates=(0,)),
    Kernel(deriche, (0.25, uniform(4, 6))),
    Kernel(wave_equation, (1.3, 0.1, 0.25, uniform(9), 5)),
    Kernel(burgers, (uniform(9), 0.07, 0.02, 0.3, 4), updates=(0,)),
    Kernel(gray_scott, (uniform(6, 5), uniform(6, 5, seed=1), 0.16, 0.08, 0.035, 0.065, 3), updates=(0, 1)),
    Kernel(diffuse_into_buffer, (uniform(4, 5), 0.7, 0.1, 3), updates=(0,)),
    Kernel(laplace_until_settled, (uniform(5, 6), 0.02), updates=(0,)),
    Kernel(upwind_advection, (uniform(7), 0.8, 0.1, 0.2, 4)),
]
