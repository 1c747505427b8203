"""Held out: transport, cameras and rigid motion."""

import numpy as np

from tests.forms.form import Form


class SinkhornThreeIterations(Form):
    title, group = "Transport cost after three Sinkhorn iterations", "geometry"
    wrt = "C"
    needs = "SEED SCAL OUT CANC MM FACT CAT"
    ref = "Cuturi 2013; Genevay, Peyre & Cuturi 2018 (unrolled)"

    @staticmethod
    def make(random):
        return dict(C=random.random((4, 5)), a=np.full(4, 0.25), b=np.full(5, 0.2), eps=0.4)

    @staticmethod
    def forward(C, a, b, eps):
        K = np.exp(-C / eps)
        v = np.ones(5)
        for _ in range(3):
            u = a / (K @ v)
            v = b / (K.T @ u)
        P = u[:, None] * K * v
        return np.sum(P * C)

    @staticmethod
    def expert(C, a, b, eps):
        K = np.exp(-C / eps)
        vs, us, rows, columns = [np.ones(5)], [], [], []
        for t in range(3):
            rows.append(K @ vs[t])
            us.append(a / rows[t])
            columns.append(K.T @ us[t])
            vs.append(b / columns[t])
        P = us[2][:, None] * K * vs[3]
        PC = P * C
        yield np.sum(PC)
        # Each scaling x = m / s has ds = -dx x / s; the cotangent of K is a sum of outer products.
        lefts, rights = [], []
        dv = PC.sum(axis=0) / vs[3]
        du = PC.sum(axis=1) / us[2]
        for t in (2, 1, 0):
            dcolumn = -dv * vs[t + 1] / columns[t]
            Kd = K @ dcolumn
            du = du + Kd if t == 2 else Kd
            drow = -du * us[t] / rows[t]
            lefts += [us[t], drow]
            rights += [dcolumn, vs[t]]
            if t > 0:
                dv = drow @ K
        dK = np.stack(lefts, axis=1) @ np.stack(rights)
        return dict(C=P - (PC + dK * K) / eps)


class RodriguesReprojection(Form):
    title, group = (
        "Bundle adjustment: Rodrigues rotation, translation, pinhole projection, squared residuals",
        "geometry",
    )
    wrt = "X r t f"
    needs = "SEED SCAL OUT FACT CANC CAT MM UNB ASM"
    assumes = "the rotation is not zero"
    stretch = True
    ref = "Agarwal et al. 2010, bundle adjustment in the large (camera model); Gallego & Yezzi 2015"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(X=normal((5, 3)), r=normal(3), t=np.array([0.1, -0.2, -6.0]), f=np.array(1.5), obs=normal((5, 2)))

    @staticmethod
    def forward(X, r, t, f, obs):
        theta = np.sqrt(np.sum(r**2))
        k = r / theta
        c, s = np.cos(theta), np.sin(theta)
        rotated = X * c + np.cross(k, X) * s + np.outer(X @ k, k) * (1 - c)
        P = rotated + t
        p = -P[:, :2] / P[:, 2:]
        return 0.5 * np.sum((f * p - obs) ** 2)

    @staticmethod
    def expert(X, r, t, f, obs):
        theta = np.sqrt(np.sum(r**2))
        k = r / theta
        c, s = np.cos(theta), np.sin(theta)
        kxX, kX = np.cross(k, X), X @ k
        P = X * c + kxX * s + np.outer(kX, k) * (1 - c) + t
        Z = P[:, 2:]
        p = -P[:, :2] / Z
        e = f * p - obs
        yield 0.5 * np.sum(e**2)
        ep = np.sum(e * p, axis=1, keepdims=True)
        G = np.hstack([e, ep]) * (-f / Z)
        kG = G @ k
        lift = 1 - c
        dk = s * np.cross(X, G).sum(0) + lift * (kX @ G + kG @ X)
        dtheta = np.sum(G * (c * kxX - s * X)) + s * (kX @ kG)
        return dict(
            X=c * G - s * np.cross(k, G) + np.outer(lift * kG, k),
            r=dtheta * k + (dk - (k @ dk) * k) / theta,
            t=G.sum(0),
            f=np.sum(ep),
        )


class QuaternionAlignment(Form):
    title, group = "Rigid alignment of point sets by a normalised quaternion", "geometry"
    wrt = "q t"
    needs = "SEED SCAL OUT CANC FACT MM UNB"
    ref = "Horn 1987; Diebel 2006 s.6 (derivatives of the rotation matrix)"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(A=normal((6, 3)), B=normal((6, 3)), q=normal(4), t=normal(3))

    @staticmethod
    def forward(A, B, q, t):
        q = q / np.linalg.norm(q)
        w, v = q[0], q[1:]
        rotated = A + 2 * np.cross(v, np.cross(v, A) + w * A)
        return np.mean(np.sum((rotated + t - B) ** 2, axis=1))

    @staticmethod
    def expert(A, B, q, t):
        norm = np.linalg.norm(q)
        n = q / norm
        w, v = n[0], n[1:]
        m = np.cross(v, A) + w * A
        r = A + 2 * np.cross(v, m) + t - B
        yield np.mean(np.sum(r**2, axis=1))
        g = 2 / len(A) * r
        # of v x m: dv = m x g and dm = g x v; of v x A: dv = A x dm
        dm = np.cross(2 * g, v)
        dn = np.zeros_like(q)
        dn[0] = np.sum(dm * A)
        dn[1:] = (2 * np.cross(m, g) + np.cross(A, dm)).sum(0)
        return dict(q=(dn - (n @ dn) * n) / norm, t=g.sum(0))


class OpticalFlowHornSchunck(Form):
    title, group = (
        "Horn-Schunck functional: linearised brightness constancy and smooth flow by rolled differences",
        "geometry",
    )
    wrt = "u v"
    needs = "SEED SCAL CAT FACT"
    ref = "Horn & Schunck 1981"

    @staticmethod
    def make(random):
        images = random.standard_normal((3, 4, 5))
        return dict(
            Ix=images[0],
            Iy=images[1],
            It=images[2],
            u=random.standard_normal((4, 5)),
            v=random.standard_normal((4, 5)),
            alpha=0.5,
        )

    @staticmethod
    def forward(Ix, Iy, It, u, v, alpha):
        data = np.sum((Ix * u + Iy * v + It) ** 2)
        smooth = 0.0
        for w in (u, v):
            for axis in (0, 1):
                smooth += np.sum((np.roll(w, -1, axis) - w) ** 2)
        return 0.5 * data + 0.5 * alpha * smooth

    @staticmethod
    def expert(Ix, Iy, It, u, v, alpha):
        r = Ix * u + Iy * v + It
        differences = []
        smooth = 0.0
        for w in (u, v):
            for axis in (0, 1):
                d = np.roll(w, -1, axis) - w
                differences.append(d)
                smooth += np.sum(d**2)
        yield 0.5 * np.sum(r**2) + 0.5 * alpha * smooth

        def minus_laplacian(d0, d1):
            return alpha * (np.roll(d0, 1, 0) - d0 + (np.roll(d1, 1, 1) - d1))

        return dict(u=r * Ix + minus_laplacian(*differences[:2]), v=r * Iy + minus_laplacian(*differences[2:]))
