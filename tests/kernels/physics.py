"""Kernels that step physical systems through time."""

from __future__ import annotations

import numpy as np

from tests.kernels.kernel import Kernel, uniform

__all__ = ["KERNELS"]


def build_up_b(b, rho, dt, u, v, dx, dy):
    b[1:-1, 1:-1] = rho * (
        1 / dt * ((u[1:-1, 2:] - u[1:-1, 0:-2]) / (2 * dx) + (v[2:, 1:-1] - v[0:-2, 1:-1]) / (2 * dy))
        - ((u[1:-1, 2:] - u[1:-1, 0:-2]) / (2 * dx)) ** 2
        - 2 * ((u[2:, 1:-1] - u[0:-2, 1:-1]) / (2 * dy) * (v[1:-1, 2:] - v[1:-1, 0:-2]) / (2 * dx))
        - ((v[2:, 1:-1] - v[0:-2, 1:-1]) / (2 * dy)) ** 2
    )


def pressure_poisson(nit, p, dx, dy, b):
    pn = np.empty_like(p)
    pn[:] = p.copy()
    for _q in range(nit):
        pn[:] = p.copy()
        p[1:-1, 1:-1] = ((pn[1:-1, 2:] + pn[1:-1, 0:-2]) * dy**2 + (pn[2:, 1:-1] + pn[0:-2, 1:-1]) * dx**2) / (
            2 * (dx**2 + dy**2)
        ) - dx**2 * dy**2 / (2 * (dx**2 + dy**2)) * b[1:-1, 1:-1]
        p[:, -1] = p[:, -2]
        p[0, :] = p[1, :]
        p[:, 0] = p[:, 1]
        p[-1, :] = 0


def advance(u, un, vn, p, dt, dx, dy, rho, nu, axis):
    """One component of the momentum equation, in the interior."""
    centre = un[1:-1, 1:-1] if axis == 1 else vn[1:-1, 1:-1]
    w = un if axis == 1 else vn
    pressure = p[1:-1, 2:] - p[1:-1, 0:-2] if axis == 1 else p[2:, 1:-1] - p[0:-2, 1:-1]
    u[1:-1, 1:-1] = (
        centre
        - un[1:-1, 1:-1] * dt / dx * (w[1:-1, 1:-1] - w[1:-1, 0:-2])
        - vn[1:-1, 1:-1] * dt / dy * (w[1:-1, 1:-1] - w[0:-2, 1:-1])
        - dt / (2 * rho * (dx if axis == 1 else dy)) * pressure
        + nu
        * (
            dt / dx**2 * (w[1:-1, 2:] - 2 * w[1:-1, 1:-1] + w[1:-1, 0:-2])
            + dt / dy**2 * (w[2:, 1:-1] - 2 * w[1:-1, 1:-1] + w[0:-2, 1:-1])
        )
    )


def cavity_flow(ny, nx, nt, nit, u, v, dt, dx, dy, p, rho, nu):
    un = np.empty_like(u)
    vn = np.empty_like(v)
    b = np.zeros((ny, nx))
    for _n in range(nt):
        un[:] = u.copy()
        vn[:] = v.copy()
        build_up_b(b, rho, dt, u, v, dx, dy)
        pressure_poisson(nit, p, dx, dy, b)
        advance(u, un, vn, p, dt, dx, dy, rho, nu, 1)
        advance(v, un, vn, p, dt, dx, dy, rho, nu, 0)
        u[0, :] = 0
        u[:, 0] = 0
        u[:, -1] = 0
        u[-1, :] = 1
        v[0, :] = 0
        v[-1, :] = 0
        v[:, 0] = 0
        v[:, -1] = 0


def channel_flow(u, dt, dy, dx, rho, nu, F, tolerance):
    udiff = 1.0
    stepcount = 0
    while udiff > tolerance:
        un = u.copy()
        u[1:-1, 1:-1] = (
            un[1:-1, 1:-1]
            - un[1:-1, 1:-1] * dt / dx * (un[1:-1, 1:-1] - un[1:-1, 0:-2])
            + nu * dt / dx**2 * (un[1:-1, 2:] - 2 * un[1:-1, 1:-1] + un[1:-1, 0:-2])
            + nu * dt / dy**2 * (un[2:, 1:-1] - 2 * un[1:-1, 1:-1] + un[0:-2, 1:-1])
            + F * dt / rho
        )
        u[1:-1, -1] = un[1:-1, -1] - un[1:-1, -1] * dt / dx * (un[1:-1, -1] - un[1:-1, -2]) + F * dt / rho
        u[1:-1, 0] = un[1:-1, 0] - un[1:-1, 0] * dt / dx * (un[1:-1, 0] - un[1:-1, -1]) + F * dt / rho
        u[0, :] = 0
        u[-1, :] = 0
        udiff = (np.sum(u) - np.sum(un)) / np.sum(u)
        stepcount += 1
    return stepcount * u


def get_acceleration(pos, mass, G, softening):
    x, y, z = pos[:, 0:1], pos[:, 1:2], pos[:, 2:3]
    dx, dy, dz = x.T - x, y.T - y, z.T - z
    inv_r3 = dx**2 + dy**2 + dz**2 + softening**2
    near = inv_r3 > 0
    inv_r3[near] = inv_r3[near] ** (-1.5)
    ax = G * (dx * inv_r3) @ mass
    ay = G * (dy * inv_r3) @ mass
    az = G * (dz * inv_r3) @ mass
    return np.hstack((ax, ay, az))


def get_energy(pos, vel, mass, G):
    KE = 0.5 * np.sum(mass * vel**2)
    x, y, z = pos[:, 0:1], pos[:, 1:2], pos[:, 2:3]
    inv_r = np.sqrt((x.T - x) ** 2 + (y.T - y) ** 2 + (z.T - z) ** 2)
    inv_r[inv_r > 0] = 1.0 / inv_r[inv_r > 0]
    PE = G * np.sum(np.triu(-(mass * mass.T) * inv_r, 1))
    return KE, PE


def nbody(mass, pos, vel, Nt, dt, G, softening):
    vel -= np.mean(mass * vel, axis=0) / np.mean(mass)
    acc = get_acceleration(pos, mass, G, softening)
    KE = np.ndarray(Nt + 1, dtype=np.float64)
    PE = np.ndarray(Nt + 1, dtype=np.float64)
    KE[0], PE[0] = get_energy(pos, vel, mass, G)
    for i in range(Nt):
        vel += acc * dt / 2.0
        pos += vel * dt
        acc[:] = get_acceleration(pos, mass, G, softening)
        vel += acc * dt / 2.0
        KE[i + 1], PE[i + 1] = get_energy(pos, vel, mass, G)
    return KE, PE


def lennard_jones(positions, sigma, epsilon):
    forces = np.zeros_like(positions)
    energy = 0.0
    for i in range(len(positions) - 1):
        for j in range(i + 1, len(positions)):
            r = positions[i] - positions[j]
            r2 = r.dot(r)
            if r2 > 4.0:
                continue
            s6 = (sigma**2 / r2) ** 3
            energy += 4 * epsilon * (s6**2 - s6)
            f = 24 * epsilon * (2 * s6**2 - s6) / r2 * r
            forces[i] += f
            forces[j] -= f
    return energy, forces


def leapfrog(angle, speed, dt, steps):
    theta = np.empty(steps + 1)
    omega = np.empty(steps + 1)
    theta[0], omega[0] = angle, speed
    for n in range(steps):
        half = omega[n] - 0.5 * dt * np.sin(theta[n])
        theta[n + 1] = theta[n] + dt * half
        omega[n + 1] = half - 0.5 * dt * np.sin(theta[n + 1])
    return theta, omega


def lotka_volterra(state, rates):
    prey, predators = state
    a, b, c, d = rates
    return np.array([a * prey - b * prey * predators, d * prey * predators - c * predators])


def runge_kutta(start, rates, dt, steps):
    trajectory = np.zeros((steps + 1, len(start)))
    trajectory[0] = start
    for n in range(steps):
        y = trajectory[n]
        k1 = lotka_volterra(y, rates)
        k2 = lotka_volterra(y + dt / 2 * k1, rates)
        k3 = lotka_volterra(y + dt / 2 * k2, rates)
        k4 = lotka_volterra(y + dt * k3, rates)
        trajectory[n + 1] = y + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return trajectory


def crank_nicolson(u0, D, dt, dx, steps):
    n = len(u0)
    r = D * dt / (2 * dx**2)
    A = np.zeros((n, n))
    B = np.zeros((n, n))
    for i in range(n):
        A[i, i], B[i, i] = 1 + 2 * r, 1 - 2 * r
        if i > 0:
            A[i, i - 1], B[i, i - 1] = -r, r
        if i < n - 1:
            A[i, i + 1], B[i, i + 1] = -r, r
    U = np.zeros((n, steps + 1))
    U[:, 0] = u0
    for t in range(steps):
        U[:, t + 1] = np.linalg.solve(A, B.dot(U[:, t]))
    return U


def euler_1d(U, dt, dx, gamma, steps):
    for _step in range(steps):
        rho, momentum, energy = U
        velocity = momentum / rho
        pressure = (gamma - 1) * (energy - 0.5 * rho * velocity**2)
        flux = np.empty_like(U)
        flux[0] = momentum
        flux[1] = momentum * velocity + pressure
        flux[2] = (energy + pressure) * velocity
        speed = np.abs(velocity) + np.sqrt(gamma * pressure / rho)
        fastest = np.maximum(speed, np.roll(speed, -1))
        face = 0.5 * (flux + np.roll(flux, -1, axis=1)) - 0.5 * fastest * (np.roll(U, -1, axis=1) - U)
        U -= dt / dx * (face - np.roll(face, 1, axis=1))


def lattice_boltzmann(f, tau, steps):
    cx = np.array([0, 1, 0, -1, 0, 1, -1, -1, 1])
    cy = np.array([0, 0, 1, 0, -1, 1, 1, -1, -1])
    weights = np.array([4 / 9] + [1 / 9] * 4 + [1 / 36] * 4)
    feq = np.zeros(f.shape)
    for _step in range(steps):
        for i in range(9):
            f[i] = np.roll(np.roll(f[i], cx[i], axis=0), cy[i], axis=1)
        rho = np.sum(f, axis=0)
        ux = np.einsum("i,ixy->xy", cx, f) / rho
        uy = np.tensordot(cy, f, axes=1) / rho
        for i, (x, y, w) in enumerate(zip(cx, cy, weights, strict=True)):
            cu = x * ux + y * uy
            feq[i, :, :] = rho * w * (1 + 3 * cu + 9 * cu**2 / 2 - 3 * (ux**2 + uy**2) / 2)
        f += -(1.0 / tau) * (f - feq)
    return rho


def kuramoto(theta, omega, K, dt, steps):
    n = theta.shape[0]
    for _step in range(steps):
        change = np.zeros(n)
        for i in range(n):
            for j in range(n):
                change[i] += np.sin(theta[j] - theta[i])
        theta[:] = (theta + dt * (omega + K / n * change)) % (2 * np.pi)
    return np.abs(np.mean(np.exp(1j * theta)))


def shallow_water(h, u, dt, dx, g, steps):
    flux = np.zeros(h.size + 1)
    for _step in range(steps):
        flux[1:-1] = 0.5 * (h[1:] + h[:-1]) * u[1:-1]
        h[...] = h - dt / dx * (flux[1:] - flux[:-1])
        u[1:-1] -= g * dt / dx * np.diff(h)
        u[[0, -1]] = 0.0


def scattering_self_energies(neigh_idx, dH, G_real, G_imag, D, Sigma_real):
    G = G_real + 1j * G_imag
    Sigma = np.zeros(G.shape, dtype=np.complex128)
    Nkz, NE, NA = G.shape[:3]
    for k in range(Nkz):
        for E in range(NE):
            for q in range(D.shape[0]):
                for w in range(D.shape[1]):
                    for a in range(NA):
                        for b in range(neigh_idx.shape[1]):
                            if E - w >= 0:
                                dHG = G[k, E - w, neigh_idx[a, b]] @ dH[a, b]
                                dHD = dH[a, b] * D[q, w, a, b]
                                Sigma[k, E, a] += dHG @ dHD
    Sigma_real[...] = Sigma.real
    return Sigma.imag


def contour_integral(H0, H1, Y, radius, points):
    P0 = np.zeros(Y.shape, dtype=np.complex128)
    P1 = np.zeros(Y.shape, dtype=np.complex128)
    for k in range(points):
        z = radius * np.exp(2j * np.pi * (k + 0.5) / points)
        Tz = np.zeros(H0.shape, dtype=np.complex128)
        Tz += H0 + H1 / z - z * np.eye(len(H0))
        X = np.linalg.solve(Tz, Y)
        if abs(z) < 1.0:
            X = -X
        P0 += X
        P1 += z * X
    return P0.real, P0.imag, P1.real


_POS = uniform(4, 3, low=-1.0, high=1.0)
_CONSERVED = np.stack([uniform(6, low=0.9), uniform(6, low=-0.3, high=0.3), uniform(6, low=2.2, high=2.6)])

KERNELS = [
    Kernel(
        cavity_flow,
        (5, 6, 3, 3, uniform(5, 6), uniform(5, 6, seed=1), 0.01, 0.4, 0.5, uniform(5, 6, seed=2), 1.0, 0.1),
        updates=(4, 5, 9),
    ),
    Kernel(channel_flow, (uniform(5, 6), 0.05, 0.5, 0.6, 1.0, 0.1, 1.0, 0.03), updates=(0,)),
    Kernel(nbody, (uniform(4, 1), _POS, uniform(4, 3), 3, 0.05, 1.0, 0.3), updates=(1, 2)),
    Kernel(lennard_jones, (np.array([[0.0, 0.1], [1.1, 0.0], [0.4, 1.2], [3.0, 2.0]]), 0.9, 0.6)),
    Kernel(leapfrog, (0.7, 0.2, 0.1, 6)),
    Kernel(runge_kutta, (np.array([1.2, 0.7]), np.array([1.1, 0.4, 0.4, 0.1]), 0.2, 4)),
    Kernel(crank_nicolson, (uniform(5), 0.3, 0.1, 0.25, 3)),
    Kernel(euler_1d, (_CONSERVED, 0.02, 0.3, 1.4, 3), updates=(0,)),
    Kernel(lattice_boltzmann, (uniform(9, 3, 4), 0.8, 2), updates=(0,)),
    Kernel(kuramoto, (uniform(4, high=5.0), uniform(4), 1.3, 0.1, 3), updates=(0,)),
    Kernel(shallow_water, (uniform(5), uniform(6), 0.05, 0.4, 9.8, 3), updates=(0, 1)),
    Kernel(
        scattering_self_energies,
        (
            np.array([[1, 2], [0, 2], [1, 0]]),
            uniform(3, 2, 2, 2),
            uniform(1, 3, 3, 2, 2),
            uniform(1, 3, 3, 2, 2, seed=1),
            uniform(1, 2, 3, 2, 2, 2),
            np.zeros((1, 3, 3, 2, 2)),
        ),
        updates=(5,),
    ),
    Kernel(contour_integral, (uniform(3, 3), uniform(3, 3, seed=1), uniform(3, 2), 2.5, 4)),
]
