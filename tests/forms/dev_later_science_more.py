"""More mechanics, imaging and geometry, as textbooks and public repositories write them."""

import numpy as np

from tests.forms.form import Form


class ElasticTriangles(Form):
    title, group, wrt = "Saint Venant-Kirchhoff energy of deformed triangles", "science", "x"
    needs, ref = "SYM MM SCAT", "Sifakis & Barbic 2012 s.3.3"

    @staticmethod
    def make(random, n=5, m=3):
        triangles = np.array([random.permutation(n)[:3] for _ in range(m)])
        return dict(
            x=random.standard_normal((n, 2)),
            i=triangles[:, 0],
            j=triangles[:, 1],
            k=triangles[:, 2],
            inv=random.standard_normal((m, 2, 2)),
            area=random.random(m),
            mu=1.3,
            lam=0.7,
        )

    @staticmethod
    def forward(x, i, j, k, inv, area, mu, lam):
        Ds = np.stack([x[j] - x[i], x[k] - x[i]], axis=2)
        F = Ds @ inv
        E = 0.5 * (F.swapaxes(1, 2) @ F - np.eye(2))
        tr = np.trace(E, axis1=1, axis2=2)
        psi = mu * np.sum(E * E, axis=(1, 2)) + 0.5 * lam * tr**2
        return np.sum(area * psi)

    @staticmethod
    def expert(x, i, j, k, inv, area, mu, lam):
        xi = x[i]
        Ds = np.stack([x[j] - xi, x[k] - xi], axis=2)
        F = Ds @ inv
        E = 0.5 * (F.swapaxes(1, 2) @ F - np.eye(2))
        tr = np.trace(E, axis1=1, axis2=2)
        psi = mu * np.sum(E * E, axis=(1, 2)) + 0.5 * lam * tr**2
        yield np.sum(area * psi)
        S = 2 * mu * E + (lam * tr)[:, None, None] * np.eye(2)
        H = area[:, None, None] * (F @ S) @ inv.swapaxes(1, 2)
        dx = np.zeros_like(x)
        np.add.at(dx, j, H[:, :, 0])
        np.add.at(dx, k, H[:, :, 1])
        np.subtract.at(dx, i, H.sum(axis=2))
        return dict(x=dx)


class Transmission(Form):
    title, group, wrt = (
        "Tomography: Poisson likelihood of transmitted counts, with a quadratic smoothness",
        "science",
        "mu",
    )
    needs, ref = "MM CAT SCAL", "Erdogan & Fessler 1999 eq. 3"

    @staticmethod
    def make(random, rays=6, n=5):
        return dict(
            mu=random.random(n),
            A=random.random((rays, n)),
            I0=20.0,
            counts=random.integers(1, 10, rays).astype(float),
            beta=0.4,
            r=1.0,
        )

    @staticmethod
    def forward(mu, A, I0, counts, beta, r):
        expected = I0 * np.exp(-A @ mu) + r
        return np.sum(expected - counts * np.log(expected)) + beta / 2 * np.sum(np.diff(mu) ** 2)

    @staticmethod
    def expert(mu, A, I0, counts, beta, r):
        through = I0 * np.exp(-A @ mu)
        expected = through + r
        step = np.diff(mu)
        yield np.sum(expected - counts * np.log(expected)) + beta / 2 * np.sum(step**2)
        g = ((counts / expected - 1) * through) @ A
        pull = beta * step
        g[1:] += pull
        g[:-1] -= pull
        return dict(mu=g)


class BendingBeam(Form):
    title, group, wrt = (
        "Energy of a beam: curvature by second differences, load and elastic foundation",
        "science",
        "w EI",
    )
    needs, ref = "CAT SCAL", "Strang 2007 s.1.4 and 3.2"

    @staticmethod
    def make(random, n=7):
        return dict(
            w=random.standard_normal(n), EI=random.random(n - 2) + 0.5, load=random.standard_normal(n), k=0.4, h=0.5
        )

    @staticmethod
    def forward(w, EI, load, k, h):
        curvature = (w[2:] - 2 * w[1:-1] + w[:-2]) / h**2
        return h * (0.5 * np.sum(EI * curvature**2) + 0.5 * k * np.sum(w**2) - np.sum(load * w))

    @staticmethod
    def expert(w, EI, load, k, h):
        curvature = (w[2:] - 2 * w[1:-1] + w[:-2]) / h**2
        c2 = curvature**2
        yield h * (0.5 * np.sum(EI * c2) + 0.5 * k * np.sum(w**2) - np.sum(load * w))
        m = EI * curvature / h
        dw = h * (k * w - load)
        dw[2:] += m
        dw[1:-1] -= 2 * m
        dw[:-2] += m
        return dict(w=dw, EI=h / 2 * c2)


class LensDistortion(Form):
    title, group, wrt = "Calibration of a camera: radial distortion, focal length and centre", "science", "f c k1 k2"
    needs, ref = "FACT SCAL", "Zhang 2000 s.3.3"

    @staticmethod
    def make(random, n=6):
        normal = random.standard_normal
        P = normal((n, 3))
        P[:, 2] = random.random(n) + 2
        return dict(f=1.5, c=normal(2), k1=0.1, k2=-0.05, P=P, uv=normal((n, 2)))

    @staticmethod
    def forward(f, c, k1, k2, P, uv):
        xy = P[:, :2] / P[:, 2:]
        r2 = np.sum(xy**2, axis=1, keepdims=True)
        distorted = xy * (1 + k1 * r2 + k2 * r2**2)
        error = f * distorted + c - uv
        return np.sum(error**2)

    @staticmethod
    def expert(f, c, k1, k2, P, uv):
        xy = P[:, :2] / P[:, 2:]
        r2 = np.sum(xy**2, axis=1, keepdims=True)
        r4 = r2**2
        distorted = xy * (1 + k1 * r2 + k2 * r4)
        error = f * distorted + c - uv
        yield np.sum(error**2)
        t = (2 * f) * np.sum(error * xy, axis=1)
        return dict(f=2 * np.sum(error * distorted), c=2 * error.sum(axis=0), k1=t @ r2[:, 0], k2=t @ r4[:, 0])


class DoubletSpectrum(Form):
    title, group, wrt = (
        "Spectrum of Lorentzian peaks on a sloping background, Poisson weights",
        "science",
        "height centre width slope",
    )
    needs, ref = "FACT MM CANC", "Press et al. 2007 s.15.5"

    @staticmethod
    def make(random, n=7, peaks=2):
        r = random.random
        return dict(
            nu=np.linspace(-2, 2, n),
            height=r(peaks) + 1,
            centre=r(peaks) - 0.5,
            width=r(peaks) + 0.5,
            slope=0.3,
            counts=r(n) * 3,
            var=r(n) + 0.5,
        )

    @staticmethod
    def forward(nu, height, centre, width, slope, counts, var):
        u = (nu[:, None] - centre) / width
        peaks = 1 / (1 + u**2)
        model = peaks @ height + slope * nu
        return 0.5 * np.sum((model - counts) ** 2 / var)

    @staticmethod
    def expert(nu, height, centre, width, slope, counts, var):
        u = (nu[:, None] - centre) / width
        peaks = 1 / (1 + u**2)
        e = peaks @ height + slope * nu - counts
        q = e / var
        yield 0.5 * np.sum(e * q)
        t = q[:, None] * peaks**2 * u
        s = 2 * height / width
        return dict(height=q @ peaks, centre=s * t.sum(axis=0), width=s * (t * u).sum(axis=0), slope=q @ nu)


class RiskParity(Form):
    title, group, wrt = (
        "Spread of the contributions of assets to the risk of a portfolio, softmax weights",
        "statistics",
        "theta",
    )
    needs, ref = "SMAX SYM CANC", "Maillard, Roncalli & Teiletche 2010 eq. 5"
    assume = {"S": "symmetric"}
    assumes = "the covariance matrix is symmetric"

    @staticmethod
    def make(random, n=4):
        L = random.standard_normal((n, n))
        return dict(theta=random.standard_normal(n), S=L @ L.T)

    @staticmethod
    def forward(theta, S):
        e = np.exp(theta - theta.max())
        w = e / e.sum()
        Sw = S @ w
        share = w * Sw / (w @ Sw)
        return np.sum((share - 1 / len(w)) ** 2)

    @staticmethod
    def expert(theta, S):
        e = np.exp(theta - theta.max())
        w = e / e.sum()
        Sw = S @ w
        variance = w @ Sw
        share = w * Sw / variance
        d = share - 1 / len(w)
        yield np.sum(d**2)
        # Of the shares, which add to 1: the sum of d * share is that of d**2.
        h = d - d @ share
        dw = 2 / variance * (h * Sw + S @ (h * w))
        return dict(theta=w * (dw - dw @ w))
