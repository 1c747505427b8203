"""Objectives of physics, finance, geometry and signal processing."""

import numpy as np
from scipy.special import ndtr

from tests.forms.form import Form


class SharpeRatio(Form):
    title, group = "Negative Sharpe ratio of softmax weights, with a cost of trading", "finance"
    wrt = "theta"
    needs = "SMAX FACT MM"
    ref = "Sharpe 1994; Zhang, Zohren & Roberts 2020 (deep portfolio optimisation)"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        A = normal((4, 4))
        return dict(theta=normal(4), mu=normal(4), S=A @ A.T + np.eye(4), w0=np.full(4, 0.25), cost=0.1)

    @staticmethod
    def forward(theta, mu, S, w0, cost):
        e = np.exp(theta - theta.max())
        w = e / e.sum()
        ret = w @ mu
        risk = np.sqrt(w @ S @ w)
        return -ret / risk + cost * np.sum((w - w0) ** 2)

    @staticmethod
    def expert(theta, mu, S, w0, cost):
        e = np.exp(theta - theta.max())
        w = e / e.sum()
        ret = w @ mu
        Sw = w @ S
        risk = np.sqrt(Sw @ w)
        gap = w - w0
        yield -ret / risk + cost * np.sum(gap**2)
        # S is given as any matrix: both halves of the quadratic form
        dw = (ret / (2 * risk**3)) * (Sw + S @ w) - mu / risk + 2 * cost * gap
        return dict(theta=w * (dw - dw @ w))


class NelsonSiegel(Form):
    title, group = "Nelson-Siegel yield curve fitted to bond prices", "finance"
    wrt = "beta lam"
    needs = "SCAL FACT MM"
    ref = "Nelson & Siegel 1987; Diebold & Li 2006 eq. 1"

    @staticmethod
    def make(random):
        return dict(
            t=np.arange(1, 7) / 2.0,
            C=random.random((4, 6)),
            price=3 + random.random(4),
            beta=np.array([0.05, -0.02, 0.03]),
            lam=0.8,
        )

    @staticmethod
    def forward(t, C, price, beta, lam):
        e = np.exp(-lam * t)
        load = (1 - e) / (lam * t)
        y = beta[0] + beta[1] * load + beta[2] * (load - e)
        discount = np.exp(-y * t)
        return np.sum((C @ discount - price) ** 2)

    @staticmethod
    def expert(t, C, price, beta, lam):
        x = lam * t
        e = np.exp(-x)
        load = (1 - e) / x
        hump = load - e
        y = beta[0] + beta[1] * load + beta[2] * hump
        discount = np.exp(-y * t)
        error = C @ discount - price
        yield np.sum(error**2)
        dy = -2 * (error @ C) * discount * t
        # d load / d lam = (e - load) / lam = -hump / lam, d e / d lam = -t e
        dlam = dy @ (beta[2] * (t * e)) - (beta[1] + beta[2]) / lam * (dy @ hump)
        return dict(beta=np.stack([dy.sum(), dy @ load, dy @ hump]), lam=dlam)


class VolatilityCalibration(Form):
    title, group = "Calibration of Black-Scholes volatilities, linear in moneyness, to call prices", "finance"
    wrt = "a b"
    needs = "CANC SCAL"
    ref = "Hull 2018 ch. 19 (vega: S phi(d1) sqrt T)"

    @staticmethod
    def make(random):
        K = np.array([0.8, 0.9, 1.0, 1.1, 1.25])
        return dict(K=K, price=0.1 + 0.1 * random.random(5), a=0.3, b=-0.1, S=1.0, r=0.02, T=0.7)

    @staticmethod
    def forward(K, price, a, b, S, r, T):
        m = np.log(S / K)
        sigma = a + b * m
        vol = sigma * np.sqrt(T)
        d1 = (m + r * T) / vol + 0.5 * vol
        d2 = d1 - vol
        call = S * ndtr(d1) - K * np.exp(-r * T) * ndtr(d2)
        return np.sum((call - price) ** 2)

    @staticmethod
    def expert(K, price, a, b, S, r, T):
        m = np.log(S / K)
        sigma = a + b * m
        vol = sigma * np.sqrt(T)
        d1 = (m + r * T) / vol + 0.5 * vol
        d2 = d1 - vol
        error = S * ndtr(d1) - K * np.exp(-r * T) * ndtr(d2) - price
        yield np.sum(error**2)
        dsigma = error * np.exp(-0.5 * d1**2) * (2 * S * np.sqrt(T) / np.sqrt(2 * np.pi))
        return dict(a=dsigma.sum(), b=dsigma @ m)


class SpringNetwork(Form):
    title, group = "Energy of a network of springs with rest lengths, under gravity", "physics"
    wrt = "x"
    needs = "SCAT CANC SCAL"
    ref = "Provot 1995; Baraff & Witkin 1998"

    @staticmethod
    def make(random):
        return dict(
            x=random.standard_normal((5, 2)),
            i=np.array([0, 1, 2, 3, 4, 0]),
            j=np.array([1, 2, 3, 4, 0, 2]),
            k=random.random(6) + 0.5,
            rest=random.random(6) + 0.5,
            m=random.random(5),
        )

    @staticmethod
    def forward(x, i, j, k, rest, m):
        d = x[i] - x[j]
        length = np.sqrt(np.sum(d**2, axis=1))
        return 0.5 * np.sum(k * (length - rest) ** 2) + 9.81 * np.sum(m * x[:, 1])

    @staticmethod
    def expert(x, i, j, k, rest, m):
        d = x[i] - x[j]
        length = np.sqrt(np.sum(d**2, axis=1))
        stretch = length - rest
        yield 0.5 * np.sum(k * stretch**2) + 9.81 * np.sum(m * x[:, 1])
        f = (k * stretch / length)[:, None] * d
        dx = np.zeros_like(x)
        dx[:, 1] = 9.81 * m
        np.add.at(dx, i, f)
        np.subtract.at(dx, j, f)
        return dict(x=dx)


class SoftenedGravity(Form):
    title, group = "Potential energy of bodies that attract each other, softened", "physics"
    wrt = "x"
    needs = "SYM CANC SCAL"
    ref = "Aarseth 2003 eq. 1.1"

    @staticmethod
    def make(random):
        return dict(x=random.standard_normal((5, 3)), m=random.random(5) + 0.3, eps=0.2)

    @staticmethod
    def forward(x, m, eps):
        d = x[:, None, :] - x[None, :, :]
        r = np.sqrt(np.sum(d**2, axis=-1) + eps**2)
        mm = m[:, None] * m[None, :]
        return -0.5 * np.sum(mm / r)

    @staticmethod
    def expert(x, m, eps):
        d = x[:, None, :] - x[None, :, :]
        r = np.sqrt(np.sum(d**2, axis=-1) + eps**2)
        q = m[:, None] * m[None, :] / r
        yield -0.5 * np.sum(q)
        # Newton's third law: both of each pair give the same
        return dict(x=np.einsum("ij,ijk->ik", q / r**2, d))


class MeanFieldIsing(Form):
    title, group = "Mean-field free energy of an Ising model, magnetisations as tanh", "physics"
    wrt = "a"
    needs = "OUT FACT"
    ref = "MacKay 2003 ch. 33 eq. 33.28"

    @staticmethod
    def make(random):
        J = random.standard_normal((5, 5))
        return dict(a=random.standard_normal(5), J=J + J.T, h=random.standard_normal(5))

    @staticmethod
    def forward(a, J, h):
        m = np.tanh(a)
        energy = -0.5 * m @ J @ m - h @ m
        p = (1 + m) / 2
        entropy = -np.sum(p * np.log(p) + (1 - p) * np.log(1 - p))
        return energy - entropy

    @staticmethod
    def expert(a, J, h):
        m = np.tanh(a)
        mJ = m @ J
        p = (1 + m) / 2
        q = 1 - p
        lp, lq = np.log(p), np.log(q)
        yield -0.5 * mJ @ m - h @ m + np.sum(p * lp + q * lq)
        # nothing says that J is symmetric
        dm = 0.5 * (lp - lq - mJ - J @ m) - h
        return dict(a=dm * (1 - m**2))


class HeatStep(Form):
    title, group = (
        "One explicit step of the heat equation in the plane, unknown diffusivity and state",
        "physics",
    )
    wrt = "u kappa"
    needs = "CAT SCAL"
    ref = "Giles & Pierce 2000 (discrete adjoint of a five-point stencil)"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(u=normal((5, 6)), kappa=random.random((3, 4)), target=normal((3, 4)), dt=0.1)

    @staticmethod
    def forward(u, kappa, target, dt):
        lap = u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:] - 4 * u[1:-1, 1:-1]
        new = u[1:-1, 1:-1] + dt * kappa * lap
        return 0.5 * np.sum((new - target) ** 2)

    @staticmethod
    def expert(u, kappa, target, dt):
        mid = u[1:-1, 1:-1]
        lap = u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:] - 4 * mid
        k = dt * kappa
        error = mid + k * lap - target
        yield 0.5 * np.sum(error**2)
        dlap = k * error
        du = np.zeros_like(u)
        du[1:-1, 1:-1] = error - 4 * dlap
        du[:-2, 1:-1] += dlap
        du[2:, 1:-1] += dlap
        du[1:-1, :-2] += dlap
        du[1:-1, 2:] += dlap
        return dict(u=du, kappa=dt * lap * error)


class RotationFit(Form):
    title, group = "Points rotated, scaled and shifted onto others, the angle a parameter", "geometry"
    wrt = "theta s t"
    needs = "SCAL MM"
    ref = "Umeyama 1991"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(P=normal((6, 2)), Q=normal((6, 2)), theta=0.4, s=1.2, t=normal(2))

    @staticmethod
    def forward(P, Q, theta, s, t):
        c, d = np.cos(theta), np.sin(theta)
        R = np.array([[c, -d], [d, c]])
        r = s * P @ R.T + t - Q
        return np.mean(np.sum(r**2, axis=1))

    @staticmethod
    def expert(P, Q, theta, s, t):
        c, d = np.cos(theta), np.sin(theta)
        R = np.array([[c, -d], [d, c]])
        r = s * P @ R.T + t - Q
        yield np.mean(np.sum(r**2, axis=1))
        k = 2 / len(P)
        G = r.T @ P
        # along the rotation, and across it
        along = c * (G[0, 0] + G[1, 1]) + d * (G[1, 0] - G[0, 1])
        across = c * (G[1, 0] - G[0, 1]) - d * (G[0, 0] + G[1, 1])
        return dict(theta=k * s * across, s=k * along, t=k * r.sum(axis=0))


class TriangleAreas(Form):
    title, group = "Area of a triangle mesh by cross products", "geometry"
    wrt = "V"
    needs = "SCAT CANC"
    ref = "Desbrun et al. 1999 (area gradient)"

    @staticmethod
    def make(random):
        return dict(V=random.standard_normal((6, 3)), F=np.array([[0, 1, 2], [0, 2, 3], [3, 4, 5], [1, 4, 5]]))

    @staticmethod
    def forward(V, F):
        a = V[F[:, 1]] - V[F[:, 0]]
        b = V[F[:, 2]] - V[F[:, 0]]
        n = np.cross(a, b)
        return 0.5 * np.sum(np.sqrt(np.sum(n**2, axis=1)))

    @staticmethod
    def expert(V, F):
        corner = V[F[:, 0]]
        a = V[F[:, 1]] - corner
        b = V[F[:, 2]] - corner
        n = np.cross(a, b)
        length = np.sqrt(np.sum(n**2, axis=1))
        yield 0.5 * np.sum(length)
        u = n / (2 * length)[:, None]
        da, db = np.cross(b, u), np.cross(u, a)
        dV = np.zeros_like(V)
        np.add.at(dV, F[:, 1], da)
        np.add.at(dV, F[:, 2], db)
        np.subtract.at(dV, F[:, 0], da + db)
        return dict(V=dV)


class ProcrustesShift(Form):
    title, group = "Affine registration of point sets with an orthogonality penalty", "geometry"
    wrt = "R t"
    needs = "SCAL MM"
    ref = "Gower & Dijksterhuis 2004; Bansal et al. 2018 (soft orthogonality)"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(X=normal((6, 3)), Y=normal((6, 3)), w=random.random(6), R=normal((3, 3)), t=normal(3), lam=0.3)

    @staticmethod
    def forward(X, Y, w, R, t, lam):
        E = X @ R + t - Y
        fit = np.sum(w[:, None] * E**2)
        return fit + lam * np.linalg.norm(R.T @ R - np.eye(3)) ** 2

    @staticmethod
    def expert(X, Y, w, R, t, lam):
        E = X @ R + t - Y
        W = w[:, None]
        fit = np.sum(W * E**2)
        gap = R.T @ R - np.eye(3)
        yield fit + lam * np.linalg.norm(gap) ** 2
        D = (2 * W) * E
        return dict(R=X.T @ D + (4 * lam) * (R @ gap), t=D.sum(axis=0))


class DistanceStress(Form):
    title, group = "Stress of multidimensional scaling, distances kept away from zero", "geometry"
    wrt = "X"
    needs = "SYM CANC"
    ref = "Kruskal 1964; Borg & Groenen 2005 s.8.6"
    assumes = "the dissimilarities are symmetric"
    assume = {"target": "symmetric"}

    @staticmethod
    def make(random):
        A = random.random((5, 5))
        return dict(X=random.standard_normal((5, 2)), target=A + A.T)

    @staticmethod
    def forward(X, target):
        diff = X[:, None] - X[None]
        dist = np.sqrt(np.sum(diff**2, axis=-1) + 1e-9)
        return np.sum((dist - target) ** 2)

    @staticmethod
    def expert(X, target):
        diff = X[:, None] - X[None]
        dist = np.sqrt(np.sum(diff**2, axis=-1) + 1e-9)
        gap = dist - target
        yield np.sum(gap**2)
        return dict(X=4 * np.einsum("ij,ijk->ik", gap / dist, diff))


class HillCurve(Form):
    title, group = "Dose-response curve of Hill with a baseline, squared error", "science"
    wrt = "top bottom log_ec50 n"
    needs = "SIG SCAL"
    ref = "Hill 1910; Ritz et al. 2015 (drc), four-parameter log-logistic"

    @staticmethod
    def make(random):
        return dict(
            dose=np.array([0.1, 0.5, 1.0, 3.0, 10.0, 30.0]),
            y=random.random(6),
            top=1.1,
            bottom=0.1,
            log_ec50=0.5,
            n=1.3,
        )

    @staticmethod
    def forward(dose, y, top, bottom, log_ec50, n):
        x = n * (np.log(dose) - log_ec50)
        f = 1 / (1 + np.exp(-x))
        pred = bottom + (top - bottom) * f
        return np.mean((pred - y) ** 2)

    @staticmethod
    def expert(dose, y, top, bottom, log_ec50, n):
        z = np.log(dose) - log_ec50
        f = 1 / (1 + np.exp(-n * z))
        span = top - bottom
        error = bottom + span * f - y
        yield np.mean(error**2)
        d = (2 / len(y)) * error
        df = d * f
        dtop = df.sum()
        dx = df - df * f
        return dict(top=dtop, bottom=d.sum() - dtop, log_ec50=-n * span * dx.sum(), n=span * (dx @ z))


class DampedOscillation(Form):
    title, group = "Damped oscillation fitted to a signal", "science"
    wrt = "A gamma omega phi"
    needs = "OUT SCAL"
    ref = "Bates & Watts 1988 (Jacobian of nonlinear regression)"

    @staticmethod
    def make(random):
        return dict(t=np.linspace(0, 3, 8), y=random.standard_normal(8), A=1.3, gamma=0.3, omega=2.1, phi=0.4)

    @staticmethod
    def forward(t, y, A, gamma, omega, phi):
        model = A * np.exp(-gamma * t) * np.cos(omega * t + phi)
        return np.sum((y - model) ** 2)

    @staticmethod
    def expert(t, y, A, gamma, omega, phi):
        envelope = A * np.exp(-gamma * t)
        angle = omega * t + phi
        model = envelope * np.cos(angle)
        r = y - model
        yield np.sum(r**2)
        rm = r * model
        ds = r * envelope * np.sin(angle)
        return dict(A=-2 / A * rm.sum(), gamma=2 * (rm @ t), omega=2 * (ds @ t), phi=2 * ds.sum())


class IsotropicVariation(Form):
    title, group = "Total variation denoising of an image, smoothed", "images"
    wrt = "u"
    needs = "CAT SCAL"
    ref = "Rudin, Osher & Fatemi 1992; Chan, Osher & Shen 2001 (digital TV filter)"

    @staticmethod
    def make(random):
        return dict(u=random.standard_normal((5, 6)), f=random.standard_normal((5, 6)), lam=0.4, eps=0.1)

    @staticmethod
    def forward(u, f, lam, eps):
        dx = u[:-1, 1:] - u[:-1, :-1]
        dy = u[1:, :-1] - u[:-1, :-1]
        tv = np.sum(np.sqrt(dx**2 + dy**2 + eps**2))
        return 0.5 * np.sum((u - f) ** 2) + lam * tv

    @staticmethod
    def expert(u, f, lam, eps):
        corner = u[:-1, :-1]
        dx = u[:-1, 1:] - corner
        dy = u[1:, :-1] - corner
        norm = np.sqrt(dx**2 + dy**2 + eps**2)
        gap = u - f
        yield 0.5 * np.sum(gap**2) + lam * np.sum(norm)
        w = lam / norm
        px, py = w * dx, w * dy
        gap[:-1, 1:] += px
        gap[1:, :-1] += py
        gap[:-1, :-1] -= px + py
        return dict(u=gap)


class FirFilter(Form):
    title, group = "Filter of finite impulse response fitted to a desired signal, sliding windows", "signals"
    wrt = "x taps"
    needs = "CAT SEED MM"
    ref = "Haykin 2002 ch. 5 (gradient of the Wiener filter)"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(x=normal(10), taps=normal(3), desired=normal(8))

    @staticmethod
    def forward(x, taps, desired):
        y = np.lib.stride_tricks.sliding_window_view(x, len(taps)) @ taps[::-1]
        return np.mean((y - desired) ** 2)

    @staticmethod
    def expert(x, taps, desired):
        windows = np.lib.stride_tricks.sliding_window_view(x, len(taps))
        error = windows @ taps[::-1] - desired
        yield np.mean(error**2)
        d = (2 / error.size) * error
        return dict(x=np.convolve(d, taps[::-1]), taps=(d @ windows)[::-1])


class LinearInterpolation(Form):
    title, group = "Table looked up by linear interpolation, table and places learned", "signals"
    wrt = "table x"
    needs = "SCAT FACT"
    ref = "Jaderberg et al. 2015 eq. 6-7, in one dimension"

    @staticmethod
    def make(random):
        return dict(table=random.standard_normal(6), x=np.array([0.3, 1.7, 2.2, 2.9, 4.4]), y=random.standard_normal(5))

    @staticmethod
    def forward(table, x, y):
        i = np.floor(x).astype(int)
        t = x - i
        value = (1 - t) * table[i] + t * table[i + 1]
        return np.sum((value - y) ** 2)

    @staticmethod
    def expert(table, x, y):
        i = np.floor(x).astype(int)
        t = x - i
        rest = 1 - t
        j = i + 1
        left, right = table[i], table[j]
        error = rest * left + t * right - y
        yield np.sum(error**2)
        d = 2 * error
        dtable = np.zeros_like(table)
        np.add.at(dtable, i, d * rest)
        np.add.at(dtable, j, d * t)
        return dict(table=dtable, x=d * (right - left))


class BurgersResidual(Form):
    title, group = "Squared residual of Burgers' equation on a grid of space and time", "physics"
    wrt = "u nu"
    needs = "CAT SCAL FACT"
    ref = "Raissi et al. 2019, with differences instead of a network"

    @staticmethod
    def make(random):
        return dict(u=random.standard_normal((4, 7)), nu=0.3, dt=0.1, dx=0.2)

    @staticmethod
    def forward(u, nu, dt, dx):
        now = u[:-1, 1:-1]
        ut = (u[1:, 1:-1] - now) / dt
        ux = (u[:-1, 2:] - u[:-1, :-2]) / (2 * dx)
        uxx = (u[:-1, 2:] - 2 * now + u[:-1, :-2]) / dx**2
        res = ut + now * ux - nu * uxx
        return np.mean(res**2)

    @staticmethod
    def expert(u, nu, dt, dx):
        now = u[:-1, 1:-1]
        ut = (u[1:, 1:-1] - now) / dt
        ux = (u[:-1, 2:] - u[:-1, :-2]) / (2 * dx)
        uxx = (u[:-1, 2:] - 2 * now + u[:-1, :-2]) / dx**2
        res = ut + now * ux - nu * uxx
        yield np.mean(res**2)
        d = (2 / res.size) * res
        dnow = d * now / (2 * dx)
        curve = (nu / dx**2) * d
        du = np.zeros_like(u)
        du[1:, 1:-1] = d / dt
        du[:-1, 1:-1] += d * (ux + (2 * nu / dx**2 - 1 / dt))
        du[:-1, 2:] += dnow - curve
        du[:-1, :-2] -= dnow + curve
        return dict(u=du, nu=-np.vdot(d, uxx))
