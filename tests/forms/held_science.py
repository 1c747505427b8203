"""Held out: models of physics, epidemics and imaging."""

import numpy as np

from tests.forms.form import Form


class LennardJonesPairs(Form):
    title, group = "Lennard-Jones energy over all pairs", "science"
    wrt = "pos"
    needs = "SEED SCAL OUT FACT SCAT UNB"
    ref = "Allen & Tildesley 2017 s.1.4 (forces)"

    @staticmethod
    def make(random):
        grid = np.stack(np.meshgrid([0, 1.2], [0, 1.2], [0, 1.2]), -1).reshape(-1, 3)
        return dict(pos=grid + 0.1 * random.standard_normal((8, 3)), epsilon=0.7, sigma=1.0)

    @staticmethod
    def forward(pos, epsilon, sigma):
        i, j = np.triu_indices(len(pos), k=1)
        r = np.sqrt(np.sum((pos[i] - pos[j]) ** 2, axis=1))
        sr6 = (sigma / r) ** 6
        return np.sum(4 * epsilon * (sr6**2 - sr6))

    @staticmethod
    def expert(pos, epsilon, sigma):
        i, j = np.triu_indices(len(pos), k=1)
        d = pos[i] - pos[j]
        r2 = np.sum(d**2, axis=1)
        sr6 = (sigma**2 / r2) ** 3
        sr12 = sr6**2
        yield np.sum(4 * epsilon * (sr12 - sr6))
        f = (24 * epsilon * (sr6 - 2 * sr12) / r2)[:, None] * d
        grad = np.zeros_like(pos)
        np.add.at(grad, i, f)
        np.subtract.at(grad, j, f)
        return dict(pos=grad)


class SpringNetworkEnergy(Form):
    title, group = "Elastic energy of a network of springs under gravity", "science"
    wrt = "x k"
    needs = "SEED SCAL OUT FACT SCAT CANC ASM"
    assumes = "no spring has length zero"
    ref = "Baraff & Witkin 1998; standard Hooke forces"

    @staticmethod
    def make(random):
        edges = np.array([[0, 1], [1, 2], [2, 3], [0, 2], [1, 3]])
        return dict(
            x=2 * random.standard_normal((4, 2)),
            k=random.random(5) + 0.5,
            edges=edges,
            rest=random.random(5) + 0.5,
            mass=random.random(4),
            gravity=9.81,
        )

    @staticmethod
    def forward(x, k, edges, rest, mass, gravity):
        length = np.linalg.norm(x[edges[:, 0]] - x[edges[:, 1]], axis=1)
        elastic = 0.5 * np.sum(k * (length - rest) ** 2)
        return elastic + gravity * np.sum(mass * x[:, 1])

    @staticmethod
    def expert(x, k, edges, rest, mass, gravity):
        d = x[edges[:, 0]] - x[edges[:, 1]]
        length = np.linalg.norm(d, axis=1)
        stretch = length - rest
        squared = stretch**2
        yield 0.5 * np.sum(k * squared) + gravity * np.sum(mass * x[:, 1])
        force = (k * stretch / length)[:, None] * d
        dx = np.zeros_like(x)
        np.add.at(dx, edges[:, 0], force)
        np.subtract.at(dx, edges[:, 1], force)
        dx[:, 1] += gravity * mass
        return dict(x=dx, k=0.5 * squared)


class SoftenedGravity(Form):
    title, group = "Gravitational potential of N bodies by broadcasting, softened", "science"
    wrt = "pos"
    needs = "SEED SCAL OUT FACT MM UNB ZERO SYM"
    ref = "Aarseth 2003 s.1.2"

    @staticmethod
    def make(random):
        return dict(pos=random.standard_normal((5, 3)), mass=random.random(5) + 0.5, G=0.6, softening=0.1)

    @staticmethod
    def forward(pos, mass, G, softening):
        r = pos[None, :, :] - pos[:, None, :]
        inv_r = 1.0 / np.sqrt((r**2).sum(axis=-1) + softening**2)
        pairs = np.outer(mass, mass) * inv_r
        return -G * np.sum(np.triu(pairs, 1))

    @staticmethod
    def expert(pos, mass, G, softening):
        r = pos[None, :, :] - pos[:, None, :]
        r2 = (r**2).sum(axis=-1) + softening**2
        pairs = np.outer(mass, mass) * (1.0 / np.sqrt(r2))
        yield -G * np.sum(np.triu(pairs, 1))
        # The diagonal has r = 0 and does no harm; the upper and the lower half make one symmetric sum.
        w = G * pairs / r2
        return dict(pos=np.einsum("ij,ijd->jd", w, r))


class LotkaVolterraEuler(Form):
    title, group = "Lotka-Volterra by five Euler steps from two initial densities, squared error", "science"
    wrt = "alpha beta delta gamma"
    needs = "SEED SCAL OUT CAT FACT"
    ref = "discrete adjoint, Giles & Pierce 2000"

    @staticmethod
    def make(random):
        parameters = dict(zip(("alpha", "beta", "delta", "gamma"), random.random((4, 3)) + 0.5, strict=True))
        return dict(
            x0=random.random(3) + 1, y0=random.random(3) + 1, data=random.random((2, 5, 3)), **parameters, dt=0.1
        )

    @staticmethod
    def forward(x0, y0, data, alpha, beta, delta, gamma, dt):
        x, y = x0, y0
        loss = 0.0
        for t in range(5):
            dx = x * (alpha - beta * y)
            dy = y * (delta * x - gamma)
            x, y = x + dt * dx, y + dt * dy
            loss = loss + np.sum((x - data[0, t]) ** 2 + (y - data[1, t]) ** 2)
        return loss

    @staticmethod
    def expert(x0, y0, data, alpha, beta, delta, gamma, dt):
        xs, ys, birth, death, rx, ry = [x0], [y0], [], [], [], []
        loss = 0.0
        for t in range(5):
            x, y = xs[t], ys[t]
            birth.append(alpha - beta * y)
            death.append(delta * x - gamma)
            xs.append(x + dt * (x * birth[t]))
            ys.append(y + dt * (y * death[t]))
            rx.append(xs[-1] - data[0, t])
            ry.append(ys[-1] - data[1, t])
            loss = loss + np.sum(rx[t] ** 2 + ry[t] ** 2)
        yield loss
        # Half of the cotangents, which are linear in the residuals.
        gx, gy = rx[4], ry[4]
        ps, qs = [], []
        for t in range(4, -1, -1):
            p, q = gx * xs[t], gy * ys[t]  # of the two brackets, but for dt
            ps.append(p)
            qs.append(q)
            if t > 0:
                gx, gy = (
                    gx + dt * (gx * birth[t] + q * delta) + rx[t - 1],
                    gy + dt * (gy * death[t] - p * beta) + ry[t - 1],
                )
        P, Q = 2 * dt * np.stack(ps[::-1]), 2 * dt * np.stack(qs[::-1])
        return dict(
            alpha=P.sum(0),
            beta=-(P * np.stack(ys[:5])).sum(0),
            delta=(Q * np.stack(xs[:5])).sum(0),
            gamma=-Q.sum(0),
        )


class RungeKuttaNeuralField(Form):
    title, group = "One classical Runge-Kutta step of a tanh vector field", "science"
    wrt = "y W V"
    needs = "OUT MM SCAL FACT CAT"
    ref = "Hairer, Norsett & Wanner 1993 s.II.1; Sanz-Serna 2016 (adjoints of Runge-Kutta methods)"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(y=normal((4, 2)), W=normal((2, 5)), V=normal((5, 2)), h=0.3)

    @staticmethod
    def forward(y, W, V, h):
        def f(y):
            return np.tanh(y @ W) @ V

        k1 = f(y)
        k2 = f(y + h / 2 * k1)
        k3 = f(y + h / 2 * k2)
        k4 = f(y + h * k3)
        return y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)

    @staticmethod
    def expert(y, W, V, h):
        stages, hidden = [y], [np.tanh(y @ W)]
        ks = [hidden[0] @ V]
        for c in (h / 2, h / 2, h):
            stages.append(y + c * ks[-1])
            hidden.append(np.tanh(stages[-1] @ W))
            ks.append(hidden[-1] @ V)
        g = yield y + h / 6 * (ks[0] + 2 * ks[1] + 2 * ks[2] + ks[3])
        g6 = h / 6 * g
        g3 = 2 * g6
        dk = g6
        dks, das = [], []
        dy = g
        for s, (direct, c) in enumerate([(g3, h), (g3, h / 2), (g6, h / 2), (None, None)]):
            T = hidden[3 - s]
            da = dk @ V.T * (1 - T**2)
            dstage = da @ W.T
            dks.append(dk)
            das.append(da)
            dy = dy + dstage
            if direct is not None:
                dk = direct + c * dstage
        return dict(
            y=dy,
            W=np.concatenate(stages[::-1]).T @ np.concatenate(das),
            V=np.concatenate(hidden[::-1]).T @ np.concatenate(dks),
        )


class SirEpidemicFit(Form):
    title, group = "SIR epidemic by three daily steps, Poisson likelihood of new cases over regions", "science"
    wrt = "log_beta log_gamma"
    needs = "SEED SCAL OUT CANC FACT"
    ref = "Kermack & McKendrick 1927; discrete adjoint"

    @staticmethod
    def make(random):
        return dict(
            S0=random.random(4) * 50 + 100,
            I0=random.random(4) * 5 + 2,
            cases=random.poisson(3.0, (3, 4)),
            log_beta=0.2 * random.standard_normal(4) - 0.5,
            log_gamma=0.2 * random.standard_normal(4) - 1,
        )

    @staticmethod
    def forward(S0, I0, cases, log_beta, log_gamma):
        beta, gamma = np.exp(log_beta), np.exp(log_gamma)
        s, i, n = S0, I0, S0 + I0
        nll = 0.0
        for c in cases:
            new = beta * s * i / n
            nll += np.sum(new - c * np.log(new))
            s, i = s - new, i + new - gamma * i
        return nll

    @staticmethod
    def expert(S0, I0, cases, log_beta, log_gamma):
        beta, gamma = np.exp(log_beta), np.exp(log_gamma)
        s, i, n = S0, I0, S0 + I0
        states = []
        nll = 0.0
        for c in cases:
            new = beta * s * i / n
            nll += np.sum(new - c * np.log(new))
            states.append((s, i, new))
            s, i = s - new, i + new - gamma * i
        yield nll
        # u is new times its cotangent: new is a product, so u / x goes to each of its factors x.
        s, i, new = states[2]
        u = new - cases[2]
        dbeta = u
        ds, di = u / s, u / i
        s, i, new = states[1]
        u = new - cases[1] + new * (di - ds)
        dbeta = dbeta + u
        dgamma = di * i
        ds, di = ds + u / s, di * (1 - gamma) + u / i
        s, i, new = states[0]
        u = new - cases[0] + new * (di - ds)
        dgamma = dgamma + di * i
        return dict(log_beta=dbeta + u, log_gamma=-gamma * dgamma)


class HeatEquationControl(Form):
    title, group = "Explicit heat equation with a coefficient per cell, two steps, squared error to a target", "science"
    wrt = "u k"
    needs = "SEED SCAL SCAT OUT FACT CAT"
    ref = "LeVeque 2007 ch. 9; discrete adjoint"

    @staticmethod
    def make(random):
        return dict(u=random.standard_normal(8), k=random.random(7) + 0.5, target=random.standard_normal(8), dt=0.1)

    @staticmethod
    def forward(u, k, target, dt):
        for _ in range(2):
            flux = k * np.diff(u)
            u = u.copy()
            u[:-1] += dt * flux
            u[1:] -= dt * flux
        return 0.5 * np.sum((u - target) ** 2)

    @staticmethod
    def expert(u, k, target, dt):
        slopes = []
        for _ in range(2):
            slopes.append(np.diff(u))
            flux = dt * (k * slopes[-1])
            u = u.copy()
            u[:-1] += flux
            u[1:] -= flux
        g = u - target
        yield 0.5 * np.sum(g**2)
        dk = 0
        ks = dt * k
        for slope in slopes[::-1]:
            jump = np.diff(g)  # a step is symmetric: its adjoint is a step
            dk = dk - jump * slope if slope is slopes[0] else -jump * slope
            flux = ks * jump
            g[:-1] += flux
            g[1:] -= flux
        return dict(u=g, k=dt * dk)


class SpectrogramLoss(Form):
    title, group = "Spectral loss: squared and log magnitudes of windowed frames by rfft", "science"
    wrt = "x"
    needs = "SEED SCAL OUT CANC FACT"
    ref = "Engel et al. 2020, DDSP eq. 7 with squared distances; adjoint of the real FFT"

    @staticmethod
    def make(random):
        n = 8
        return dict(
            x=random.standard_normal((3, n)),
            target=random.random((3, n // 2 + 1)) + 0.5,
            window=np.hanning(n + 2)[1:-1],
        )

    @staticmethod
    def forward(x, target, window):
        S = np.abs(np.fft.rfft(x * window))
        return np.sum((S - target) ** 2) + np.sum((np.log(S) - np.log(target)) ** 2)

    @staticmethod
    def expert(x, target, window):
        Z = np.fft.rfft(x * window)
        S = np.abs(Z)
        r = S - target
        q = np.log(S) - np.log(target)
        yield np.sum(r**2) + np.sum(q**2)
        n = x.shape[1]
        G = (r + q / S) / S * Z
        # irfft halves all but the first and the last bin, which have no mirror image
        G[:, [0, -1]] *= 2
        return dict(x=np.fft.irfft(G, n) * (n * window))


class IsotropicTotalVariation(Form):
    title, group = "Image denoising: data term and smoothed isotropic total variation", "science"
    wrt = "u"
    needs = "SEED SCAL OUT CANC SCAT FACT"
    ref = "Rudin, Osher & Fatemi 1992; Chambolle 2004 (divergence as the adjoint of the gradient)"

    @staticmethod
    def make(random):
        return dict(u=random.standard_normal((5, 6)), f=random.standard_normal((5, 6)), lam=0.4, eps=1e-3)

    @staticmethod
    def forward(u, f, lam, eps):
        dx = u[1:, :-1] - u[:-1, :-1]
        dy = u[:-1, 1:] - u[:-1, :-1]
        return 0.5 * ((u - f) ** 2).sum() + lam * np.sqrt(dx**2 + dy**2 + eps).sum()

    @staticmethod
    def expert(u, f, lam, eps):
        dx = u[1:, :-1] - u[:-1, :-1]
        dy = u[:-1, 1:] - u[:-1, :-1]
        size = np.sqrt(dx**2 + dy**2 + eps)
        r = u - f
        yield 0.5 * (r**2).sum() + lam * size.sum()
        w = lam / size
        px, py = w * dx, w * dy
        r[1:, :-1] += px
        r[:-1, 1:] += py
        r[:-1, :-1] -= px + py
        return dict(u=r)
