"""Factorisations, embeddings, geometry and simulation, as papers and public repositories write them."""

import numpy as np

from tests.forms.form import Form


class ImplicitFeedback(Form):
    title, group, wrt = "Factors of preferences weighted by confidence", "embeddings", "X Y"
    needs, ref = "SCAL MM", "Hu, Koren & Volinsky 2008 eq. 3"

    @staticmethod
    def make(random, n=4, m=5, k=2):
        R = random.integers(0, 4, (n, m))
        normal = random.standard_normal
        return dict(X=normal((n, k)), Y=normal((m, k)), C=1.0 + 2 * R, P=(R > 0).astype(float), lam=0.1)

    @staticmethod
    def forward(X, Y, C, P, lam):
        error = P - X.dot(Y.T)
        return np.sum(C * error**2) + lam * (np.sum(X**2) + np.sum(Y**2))

    @staticmethod
    def expert(X, Y, C, P, lam):
        error = P - X @ Y.T
        weighted = C * error
        yield np.sum(weighted * error) + lam * (np.sum(X**2) + np.sum(Y**2))
        G = 2 * weighted
        return dict(X=(2 * lam) * X - G @ Y, Y=(2 * lam) * Y - G.T @ X)


class ItakuraSaito(Form):
    title, group, wrt = "Itakura-Saito divergence of a factorised spectrogram", "embeddings", "W H"
    needs, ref = "FACT CANC", "Fevotte et al. 2009 eq. 7"

    @staticmethod
    def make(random, f=5, t=4, k=2):
        return dict(V=random.random((f, t)) + 0.1, W=random.random((f, k)) + 0.1, H=random.random((k, t)) + 0.1)

    @staticmethod
    def forward(V, W, H):
        ratio = V / (W @ H)
        return np.sum(ratio - np.log(ratio) - 1)

    @staticmethod
    def expert(V, W, H):
        R = W @ H
        ratio = V / R
        yield np.sum(ratio - np.log(ratio) - 1)
        d = (1 - ratio) / R
        return dict(W=d @ H.T, H=W.T @ d)


class FuzzyNeighbours(Form):
    title, group, wrt = "Cross-entropy of neighbourhoods in a plane", "embeddings", "Y"
    needs, ref = "CANC FACT MM", "McInnes et al. 2018 (UMAP) s.3"

    @staticmethod
    def make(random, n=5, d=2):
        V = random.random((n, n))
        V = (V + V.T) / 2 * (1 - np.eye(n))
        return dict(Y=random.standard_normal((n, d)), V=V, U=(1 - V) * (1 - np.eye(n)), a=1.6)

    @staticmethod
    def forward(Y, V, U, a):
        D = Y[:, None, :] - Y[None, :, :]
        d2 = np.sum(D**2, axis=2) + np.eye(len(Y))
        q = 1 / (1 + a * d2)
        return -np.sum(V * np.log(q) + U * np.log(1 - q))

    @staticmethod
    def expert(Y, V, U, a):
        D = Y[:, None, :] - Y[None, :, :]
        d2 = np.sum(D**2, axis=2) + np.eye(len(Y))
        q = 1 / (1 + a * d2)
        yield -np.sum(V * np.log(q) + U * np.log(1 - q))
        # q / (1 - q) = 1 / (a d2)
        M = q * (a * V - U / d2)
        return dict(Y=2 * np.einsum("ij,ijk->ik", M + M.T, D))


class SammonMapping(Form):
    title, group, wrt = "Stress of distances relative to the given ones, listed pairs", "embeddings", "Y"
    needs, ref = "SCAT FACT CANC", "Sammon 1969"

    @staticmethod
    def make(random, n=5, d=2):
        i, j = np.triu_indices(n, 1)
        return dict(Y=random.standard_normal((n, d)), i=i, j=j, delta=random.random(len(i)) + 0.5)

    @staticmethod
    def forward(Y, i, j, delta):
        d = np.linalg.norm(Y[i] - Y[j], axis=1)
        return np.sum((delta - d) ** 2 / delta) / np.sum(delta)

    @staticmethod
    def expert(Y, i, j, delta):
        diff = Y[i] - Y[j]
        d = np.linalg.norm(diff, axis=1)
        r = delta - d
        relative = r / delta
        total = np.sum(delta)
        yield np.sum(r * relative) / total
        g = (relative / (-total / 2 * d))[:, None] * diff
        dY = np.zeros_like(Y)
        np.add.at(dY, i, g)
        np.subtract.at(dY, j, g)
        return dict(Y=dY)


class SkipGramSoftmax(Form):
    title, group, wrt = "Skip-gram with the full softmax over the vocabulary", "embeddings", "V U"
    needs, ref = "SMAX SCAT MM", "Mikolov et al. 2013 eq. 2; CS224n assignment 2"

    @staticmethod
    def make(random, n=6, vocabulary=5, d=3):
        normal = random.standard_normal
        c, o = random.integers(0, vocabulary, n), random.integers(0, vocabulary, n)
        return dict(V=normal((vocabulary, d)), U=normal((vocabulary, d)), c=c, o=o)

    @staticmethod
    def forward(V, U, c, o):
        v = V[c]
        scores = v @ U.T
        scores -= scores.max(axis=1)[:, None]
        logZ = np.log(np.exp(scores).sum(axis=1))
        return -np.mean(scores[np.arange(len(c)), o] - logZ)

    @staticmethod
    def expert(V, U, c, o):
        v = V[c]
        scores = v @ U.T
        scores -= scores.max(axis=1)[:, None]
        e = np.exp(scores)
        Z = e.sum(axis=1)
        n, rows = len(c), np.arange(len(c))
        yield -np.mean(scores[rows, o] - np.log(Z))
        d = e / (n * Z)[:, None]
        d[rows, o] -= 1 / n
        dV = np.zeros_like(V)
        np.add.at(dV, c, d @ U)
        return dict(V=dV, U=d.T @ v)


class DiagonalRelations(Form):
    title, group, wrt = "Logistic loss of triples scored by a product of three vectors", "embeddings", "E R"
    needs, ref = "SIG SCAT FACT", "Yang et al. 2015 (DistMult); Trouillon et al. 2016 eq. 3"

    @staticmethod
    def make(random, n=6, entities=5, relations=3, d=4):
        normal, integers = random.standard_normal, random.integers
        h, r, t = integers(0, entities, n), integers(0, relations, n), integers(0, entities, n)
        return dict(E=normal((entities, d)), R=normal((relations, d)), h=h, r=r, t=t, y=2.0 * integers(0, 2, n) - 1)

    @staticmethod
    def forward(E, R, h, r, t, y):
        score = np.sum(E[h] * R[r] * E[t], axis=1)
        return np.mean(np.log1p(np.exp(-y * score)))

    @staticmethod
    def expert(E, R, h, r, t, y):
        head, relation, tail = E[h], R[r], E[t]
        both = head * relation
        minus = -y
        e = np.exp(minus * np.sum(both * tail, axis=1))
        yield np.mean(np.log1p(e))
        k = (minus * e / (len(y) * (1 + e)))[:, None]
        kt = k * tail
        dE, dR = np.zeros_like(E), np.zeros_like(R)
        np.add.at(dE, h, kt * relation)
        np.add.at(dE, t, k * both)
        np.add.at(dR, r, kt * head)
        return dict(E=dE, R=dR)


class HyperboloidDistance(Form):
    title, group, wrt = "Mean squared distance of points on the hyperboloid", "geometry", "u v"
    needs, ref = "OUT FACT", "Nickel & Kiela 2018 s.3.1"

    @staticmethod
    def make(random, n=5, d=3):
        return dict(u=random.standard_normal((n, d)), v=random.standard_normal((n, d)))

    @staticmethod
    def forward(u, v):
        u0 = np.sqrt(1 + np.sum(u**2, axis=1))
        v0 = np.sqrt(1 + np.sum(v**2, axis=1))
        d = np.arccosh(u0 * v0 - np.sum(u * v, axis=1))
        return np.mean(d**2)

    @staticmethod
    def expert(u, v):
        u0 = np.sqrt(1 + np.sum(u**2, axis=1))
        v0 = np.sqrt(1 + np.sum(v**2, axis=1))
        d = np.arccosh(u0 * v0 - np.sum(u * v, axis=1))
        yield np.mean(d**2)
        k = ((2 / len(u)) * (d / np.sinh(d)))[:, None]
        return dict(u=k * ((v0 / u0)[:, None] * u - v), v=k * ((u0 / v0)[:, None] * v - u))


class QuaternionFit(Form):
    title, group, wrt = "Points rotated by a quaternion of any length, squared error", "geometry", "q"
    needs, ref = "SYM CANC MEAN0", "Sola 2017, Quaternion kinematics, s.4.3"
    stretch = True

    @staticmethod
    def make(random, n=5):
        return dict(q=random.standard_normal(4), P=random.standard_normal((n, 3)), Q=random.standard_normal((n, 3)))

    @staticmethod
    def forward(q, P, Q):
        q = q / np.linalg.norm(q)
        w, u = q[0], q[1:]
        t = 2 * np.cross(u, P)
        rotated = P + w * t + np.cross(u, t)
        return 0.5 * np.sum((rotated - Q) ** 2)

    @staticmethod
    def expert(q, P, Q):
        norm = np.linalg.norm(q)
        unit = q / norm
        w, u = unit[0], unit[1:]
        t = 2 * np.cross(u, P)
        rotated = P + w * t + np.cross(u, t)
        yield 0.5 * np.sum((rotated - Q) ** 2)
        # a turn by m moves the points by cross(m, rotated) and the quaternion by (0, m) q / 2
        m = np.cross(Q, rotated).sum(axis=0)
        turned = np.concatenate([(-(m @ u))[None], w * m + np.cross(m, u)])
        return dict(q=(2 / norm) * turned)


class HomographyTransfer(Form):
    title, group, wrt = "Transfer error of points mapped by a homography", "geometry", "H"
    needs, ref = "FACT CAT MM", "Hartley & Zisserman 2004 s.4.2"

    @staticmethod
    def make(random, n=6):
        X = np.concatenate([random.standard_normal((n, 2)), np.ones((n, 1))], axis=1)
        return dict(H=np.eye(3) + 0.1 * random.standard_normal((3, 3)), X=X, y=random.standard_normal((n, 2)))

    @staticmethod
    def forward(H, X, y):
        p = X @ H.T
        uv = p[:, :2] / p[:, 2:]
        return np.mean(np.sum((uv - y) ** 2, axis=1))

    @staticmethod
    def expert(H, X, y):
        p = X @ H.T
        uv = p[:, :2] / p[:, 2:]
        r = uv - y
        yield np.mean(np.sum(r**2, axis=1))
        d = r / ((len(X) / 2) * p[:, 2:])
        last = -np.einsum("ij,ij->i", d, uv)
        return dict(H=np.concatenate([d, last[:, None]], axis=1).T @ X)


class EpidemicSimulation(Form):
    title, group, wrt = "Infections in regions that mix, explicit steps, error at the end", "science", "beta gamma"
    needs, ref = "SCAL MM FACT", "Kermack & McKendrick 1927, by Euler's method"

    @staticmethod
    def make(random, n=3, steps=3):
        C = random.random((n, n))
        return dict(
            beta=random.random(n) + 0.5, gamma=np.array(0.4), S0=random.uniform(0.7, 0.9, n),
            I0=random.uniform(0.05, 0.2, n), C=C / C.sum(1)[:, None], observed=random.random(n), dt=0.3, steps=steps,
        )  # fmt: skip

    @staticmethod
    def forward(beta, gamma, S0, I0, C, observed, dt, steps):
        S, I = S0, I0  # noqa: E741
        for _ in range(steps):
            new = dt * S * (C @ (beta * I))
            S = S - new
            I = I + new - dt * gamma * I  # noqa: E741
        return 0.5 * np.sum((I - observed) ** 2)

    @staticmethod
    def expert(beta, gamma, S0, I0, C, observed, dt, steps):
        S, I, saved = S0, I0, []  # noqa: E741
        for _ in range(steps):
            F = C @ (beta * I)
            saved.append((S, I, F))
            new = dt * S * F
            S = S - new
            I = I + new - dt * gamma * I  # noqa: E741
        dI = I - observed
        yield 0.5 * np.sum(dI**2)
        dS, dbeta, dgamma = None, None, 0.0
        for step, (S, I, F) in enumerate(reversed(saved), 1):  # noqa: E741
            dgamma = dgamma - dt * (I @ dI)
            h = dt * (dI if dS is None else dI - dS)
            dx = C.T @ (h * S)
            dbeta = dx * I if dbeta is None else dbeta + dx * I
            if step < steps:
                dI = (1 - dt * gamma) * dI + beta * dx
                dS = h * F if dS is None else dS + h * F
        return dict(beta=dbeta, gamma=dgamma)


class StructuralSimilarity(Form):
    title, group, wrt = "One minus the structural similarity of patches", "images", "x"
    needs, ref = "MEAN0 FACT CANC", "Wang et al. 2004 eq. 13"

    @staticmethod
    def make(random, n=4, p=6):
        return dict(x=random.random((n, p)), y=random.random((n, p)), c1=0.01, c2=0.03)

    @staticmethod
    def forward(x, y, c1, c2):
        mx, my = x.mean(axis=1, keepdims=True), y.mean(axis=1, keepdims=True)
        vx = np.mean((x - mx) ** 2, axis=1, keepdims=True)
        vy = np.mean((y - my) ** 2, axis=1, keepdims=True)
        cov = np.mean((x - mx) * (y - my), axis=1, keepdims=True)
        ssim = (2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
        return 1 - np.mean(ssim)

    @staticmethod
    def expert(x, y, c1, c2):
        mx, my = x.mean(axis=1, keepdims=True), y.mean(axis=1, keepdims=True)
        xc, yc = x - mx, y - my
        vx, vy = np.mean(xc**2, axis=1, keepdims=True), np.mean(yc**2, axis=1, keepdims=True)
        a1, a2 = 2 * mx * my + c1, 2 * np.mean(xc * yc, axis=1, keepdims=True) + c2
        b1, b2 = mx**2 + my**2 + c1, vx + vy + c2
        ssim = a1 * a2 / (b1 * b2)
        yield 1 - np.mean(ssim)
        return dict(x=(-2 / x.size * ssim) * (my / a1 - mx / b1 + yc / a2 - xc / b2))
