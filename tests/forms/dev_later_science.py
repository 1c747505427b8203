"""Mechanics, imaging and geometry, as textbooks and public repositories write them."""

import numpy as np

from tests.forms.form import Form


class TrussCompliance(Form):
    title, group, wrt = (
        "Compliance of a truss: stiffness assembled from bars, displacements solved",
        "linear algebra",
        "area f",
    )
    needs, ref = "SYM MM CANC", "Bendsoe & Sigmund 2003 s.1.2 (adjoint of compliance)"
    assume = {"K": "symmetric"}
    assumes = "the stiffness matrix is symmetric"

    @staticmethod
    def make(random, bars=6, n=3):
        return dict(
            area=random.random(bars) + 0.5,
            f=random.standard_normal(n),
            B=random.standard_normal((bars, n)),
            length=random.random(bars) + 0.5,
        )

    @staticmethod
    def forward(area, f, B, length):
        stiffness = area / length
        K = B.T @ (stiffness[:, None] * B)
        u = np.linalg.solve(K, f)
        return f @ u

    @staticmethod
    def expert(area, f, B, length):
        stiffness = area / length
        K = B.T @ (stiffness[:, None] * B)
        u = np.linalg.solve(K, f)
        yield f @ u
        return dict(area=(B @ u) ** 2 / -length, f=2 * u)


class MorseChain(Form):
    title, group, wrt = "Morse potential along a chain of atoms, widths learned", "science", "x D a"
    needs, ref = "FACT CAT OUT", "Morse 1929"

    @staticmethod
    def make(random, n=5):
        return dict(
            x=random.standard_normal((n, 3)) + 2 * np.arange(n)[:, None],
            D=random.random(n - 1) + 1,
            a=random.random(n - 1) + 0.2,
            r0=1.2,
        )

    @staticmethod
    def forward(x, D, a, r0):
        bond = x[1:] - x[:-1]
        r = np.sqrt((bond**2).sum(axis=1))
        e = np.exp(-a * (r - r0))
        return np.sum(D * (1 - e) ** 2)

    @staticmethod
    def expert(x, D, a, r0):
        bond = x[1:] - x[:-1]
        r = np.sqrt((bond**2).sum(axis=1))
        stretch = r - r0
        e = np.exp(-a * stretch)
        c = 1 - e
        c2 = c**2
        yield np.sum(D * c2)
        slope = 2 * D * c * e
        pull = (slope * a / r)[:, None] * bond
        dx = np.zeros_like(x)
        dx[1:] = pull
        dx[:-1] -= pull
        return dict(x=dx, D=c2, a=slope * stretch)


class BondAngles(Form):
    title, group, wrt = "Harmonic energy of the angles of triples of atoms", "science", "x"
    needs, ref = "FACT CANC SCAT", "Allen & Tildesley 2017, appendix C.2"

    @staticmethod
    def make(random, n=5, m=4):
        triples = np.array([random.permutation(n)[:3] for _ in range(m)])
        return dict(x=random.standard_normal((n, 3)), i=triples[:, 0], j=triples[:, 1], k=triples[:, 2], theta0=1.9)

    @staticmethod
    def forward(x, i, j, k, theta0):
        a, b = x[i] - x[j], x[k] - x[j]
        cos = np.sum(a * b, axis=1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))
        return 0.5 * np.sum((np.arccos(cos) - theta0) ** 2)

    @staticmethod
    def expert(x, i, j, k, theta0):
        xj = x[j]
        a, b = x[i] - xj, x[k] - xj
        na, nb = np.linalg.norm(a, axis=1), np.linalg.norm(b, axis=1)
        n = na * nb
        cos = np.sum(a * b, axis=1) / n
        d = np.arccos(cos) - theta0
        yield 0.5 * np.sum(d**2)
        s = -d / np.sqrt(1 - cos**2)
        q = (s / n)[:, None]
        t = s * cos
        da = q * b - (t / na**2)[:, None] * a
        db = q * a - (t / nb**2)[:, None] * b
        dx = np.zeros_like(x)
        np.add.at(dx, i, da)
        np.add.at(dx, k, db)
        np.subtract.at(dx, j, da + db)
        return dict(x=dx)


class PoseGraph(Form):
    title, group, wrt = (
        "Pose graph in the plane: relative poses between nodes, weighted squared residuals",
        "science",
        "p theta",
    )
    needs, ref = "SCAT FACT", "Grisetti et al. 2010 (graph-based SLAM tutorial)"

    @staticmethod
    def make(random, n=4, m=6):
        normal = random.standard_normal
        i = random.integers(0, n, m)
        return dict(
            p=normal((n, 2)), theta=normal(n), i=i, j=(i + 1) % n, dx=normal(m), dy=normal(m), dt=normal(m), w=2.0
        )

    @staticmethod
    def forward(p, theta, i, j, dx, dy, dt, w):
        c, s = np.cos(theta[i]), np.sin(theta[i])
        d = p[j] - p[i]
        ex = c * d[:, 0] + s * d[:, 1] - dx
        ey = -s * d[:, 0] + c * d[:, 1] - dy
        et = theta[j] - theta[i] - dt
        return 0.5 * np.sum(ex**2 + ey**2 + w * et**2)

    @staticmethod
    def expert(p, theta, i, j, dx, dy, dt, w):
        ti = theta[i]
        c, s = np.cos(ti), np.sin(ti)
        d = p[j] - p[i]
        mx = c * d[:, 0] + s * d[:, 1]
        my = -s * d[:, 0] + c * d[:, 1]
        ex, ey = mx - dx, my - dy
        et = theta[j] - ti - dt
        yield 0.5 * np.sum(ex**2 + ey**2 + w * et**2)
        g = np.empty_like(d)
        g[:, 0] = c * ex - s * ey
        g[:, 1] = s * ex + c * ey
        dp = np.zeros_like(p)
        np.add.at(dp, j, g)
        np.subtract.at(dp, i, g)
        turn = w * et
        dtheta = np.zeros_like(theta)
        np.add.at(dtheta, j, turn)
        # The moved difference turns with its angle: (mx, my)' = (my, -mx).
        np.add.at(dtheta, i, ex * my - ey * mx - turn)
        return dict(p=dp, theta=dtheta)


class SnakeArm(Form):
    title, group, wrt = "Planar chain of many joints by cumulative sums of angles, tip and bending", "science", "theta"
    needs, ref = "CAT SCAL", "Murray, Li & Sastry 1994 ch.3"

    @staticmethod
    def make(random, n=6):
        return dict(
            theta=0.4 * random.standard_normal(n),
            length=random.random(n) + 0.5,
            target=random.standard_normal(2),
            lam=0.1,
        )

    @staticmethod
    def forward(theta, length, target, lam):
        phi = np.cumsum(theta)
        x = np.sum(length * np.cos(phi))
        y = np.sum(length * np.sin(phi))
        return (x - target[0]) ** 2 + (y - target[1]) ** 2 + lam * np.sum(theta**2)

    @staticmethod
    def expert(theta, length, target, lam):
        phi = np.cumsum(theta)
        lc = length * np.cos(phi)
        ls = length * np.sin(phi)
        ex = np.sum(lc) - target[0]
        ey = np.sum(ls) - target[1]
        yield ex**2 + ey**2 + lam * np.sum(theta**2)
        dphi = (2 * ey) * lc - (2 * ex) * ls
        return dict(theta=np.cumsum(dphi[::-1])[::-1] + 2 * lam * theta)


class AxisAngle(Form):
    title, group, wrt = (
        "Points turned about a unit axis by an angle (Rodrigues), squared error",
        "science",
        "axis angle",
    )
    needs, ref = "MM FACT SCAL", "Murray, Li & Sastry 1994 eq. 2.14"

    @staticmethod
    def make(random, n=5):
        normal = random.standard_normal
        return dict(axis=normal(3), angle=0.7, P=normal((n, 3)), Q=normal((n, 3)))

    @staticmethod
    def forward(axis, angle, P, Q):
        k = axis / np.linalg.norm(axis)
        c, s = np.cos(angle), np.sin(angle)
        R = c * P + s * np.cross(k, P) + (1 - c) * np.outer(P @ k, k)
        return 0.5 * np.sum((R - Q) ** 2)

    @staticmethod
    def expert(axis, angle, P, Q):
        norm = np.linalg.norm(axis)
        k = axis / norm
        c, s = np.cos(angle), np.sin(angle)
        cross = np.cross(k, P)
        Pk = P @ k
        along = np.outer(Pk, k)
        E = c * P + s * cross + (1 - c) * along - Q
        yield 0.5 * np.sum(E**2)
        dangle = s * (np.sum(E * along) - np.sum(E * P)) + c * np.sum(E * cross)
        dk = s * np.cross(P, E).sum(axis=0) + (1 - c) * (Pk @ E + (E @ k) @ P)
        return dict(axis=(dk - k * (k @ dk)) / norm, angle=dangle)


class PhaseRetrieval(Form):
    title, group, wrt = "Phase retrieval from intensities of a real and an imaginary transform", "science", "x"
    needs, ref = "FACT MM SCAL", "Candes, Li & Soltanolkotabi 2015 (Wirtinger flow) eq. 2"

    @staticmethod
    def make(random, m=7, n=4):
        normal = random.standard_normal
        return dict(x=normal(n), A=normal((m, n)), B=normal((m, n)), b=random.random(m))

    @staticmethod
    def forward(x, A, B, b):
        re, im = A @ x, B @ x
        return np.sum((re**2 + im**2 - b) ** 2) / (4 * len(b))

    @staticmethod
    def expert(x, A, B, b):
        re, im = A @ x, B @ x
        e = re**2 + im**2 - b
        yield np.sum(e**2) / (4 * len(b))
        g = e / len(b)
        return dict(x=(g * re) @ A + (g * im) @ B)
