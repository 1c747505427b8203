"""More simulations, filters, rollouts and decisions, as textbooks and public repositories write them."""

import numpy as np

from tests.forms.form import Form


class KoopmanRollout(Form):
    title, group, wrt = (
        "Latent linear dynamics: encoder, rollout of a matrix, decoder, squared error",
        "recurrent",
        "We K Wd",
    )
    needs, ref = "CAT MM SCAL", "Lusch, Kutz & Brunton 2018 eq. 5"

    @staticmethod
    def make(random, T=4, d=3, h=2):
        normal = random.standard_normal
        return dict(X=normal((T + 1, d)), We=normal((d, h)), K=0.7 * normal((h, h)), Wd=normal((h, d)))

    @staticmethod
    def forward(X, We, K, Wd):
        z = np.tanh(X[0] @ We)
        loss = 0.0
        for t in range(1, len(X)):
            z = z @ K
            loss = loss + np.mean((z @ Wd - X[t]) ** 2)
        return loss

    @staticmethod
    def expert(X, We, K, Wd):
        z = z0 = np.tanh(X[0] @ We)
        loss, zs, es = 0.0, [z], []
        for t in range(1, len(X)):
            z = z @ K
            e = z @ Wd - X[t]
            loss = loss + np.mean(e**2)
            zs.append(z)
            es.append(e)
        yield loss
        Z, E = np.stack(zs), np.stack(es) * (2 / X.shape[1])
        G = E @ Wd.T
        for t in range(len(G) - 2, -1, -1):
            G[t] += G[t + 1] @ K.T
        dz = G[0] @ K.T * (1 - z0**2)
        return dict(We=np.outer(X[0], dz), K=Z[:-1].T @ G, Wd=Z[1:].T @ E)


class ExpectedShortfall(Form):
    title, group, wrt = (
        "Conditional value at risk of softmax weights by Rockafellar and Uryasev, with turnover",
        "statistics",
        "theta alpha",
    )
    needs, ref = "SMAX MASK MM", "Rockafellar & Uryasev 2000 eq. 9"

    @staticmethod
    def make(random, n=4, T=7):
        normal = random.standard_normal
        return dict(theta=normal(n), alpha=0.1, R=normal((T, n)), before=np.full(n, 0.25), beta=0.8, cost=0.1)

    @staticmethod
    def forward(theta, alpha, R, before, beta, cost):
        e = np.exp(theta - np.max(theta))
        w = e / np.sum(e)
        loss = -(R @ w)
        tail = np.maximum(loss - alpha, 0)
        return alpha + np.mean(tail) / (1 - beta) + cost * np.sum(np.abs(w - before))

    @staticmethod
    def expert(theta, alpha, R, before, beta, cost):
        e = np.exp(theta - np.max(theta))
        w = e / np.sum(e)
        tail = np.maximum(-(R @ w) - alpha, 0)
        turn = w - before
        yield alpha + np.mean(tail) / (1 - beta) + cost * np.sum(np.abs(turn))
        hit = (tail > 0) / ((1 - beta) * len(R))
        dw = cost * np.sign(turn) - hit @ R
        return dict(theta=w * (dw - w @ dw), alpha=1 - np.sum(hit))


class GaussianBlur(Form):
    title, group, wrt = "Separable blur by matrices, width learned, squared error", "convolution", "image sigma"
    needs, ref = "MM OUT FACT", "Szeliski 2022 s.3.2"

    @staticmethod
    def make(random, n=5):
        return dict(
            image=random.standard_normal((n, n)), i=np.arange(n) * 1.0, sigma=1.3, target=random.standard_normal((n, n))
        )

    @staticmethod
    def forward(image, i, sigma, target):
        d2 = (i[:, None] - i[None, :]) ** 2
        K = np.exp(-d2 / (2 * sigma**2))
        K = K / K.sum(axis=1, keepdims=True)
        return 0.5 * np.sum((K @ image @ K.T - target) ** 2)

    @staticmethod
    def expert(image, i, sigma, target):
        d2 = (i[:, None] - i[None, :]) ** 2
        E = np.exp(-d2 / (2 * sigma**2))
        K = E / E.sum(axis=1, keepdims=True)
        KI = K @ image
        G = KI @ K.T - target
        yield 0.5 * np.sum(G**2)
        KG = K.T @ G
        dK = G @ K @ image.T + G.T @ KI
        dsigma = np.sum(K * (dK - np.vecdot(K, dK)[:, None]) * d2) / sigma**3
        return dict(image=KG @ K, sigma=dsigma)


class InstanceWhitening(Form):
    title, group, wrt = "Whitening of features by the Cholesky factor of their covariance", "normalisation", "X"
    needs, ref = "SYM MEAN0 MM", "Siarohin et al. 2019 s.3.1; Murray 2016"

    @staticmethod
    def make(random, n=6, d=3):
        return dict(X=random.standard_normal((n, d)), T=random.standard_normal((n, d)), eps=0.1)

    @staticmethod
    def forward(X, T, eps):
        Xc = X - X.mean(axis=0)
        S = Xc.T @ Xc / len(X) + eps * np.eye(X.shape[1])
        L = np.linalg.cholesky(S)
        Y = np.linalg.solve(L, Xc.T).T
        return np.sum(Y * T)

    @staticmethod
    def expert(X, T, eps):
        n, d = X.shape
        Xc = X - X.mean(axis=0)
        S = Xc.T @ Xc / n + eps * np.eye(d)
        L = np.linalg.cholesky(S)
        Y = np.linalg.solve(L, Xc.T).T
        yield np.sum(Y * T)
        Z = np.linalg.solve(L.T, T.T)
        # dL = -Z Y; the factor's rule: the lower half of L' dL, the diagonal halved, between inverses of L.
        M = np.tril(L.T @ (Z @ Y))
        M[np.arange(d), np.arange(d)] *= 0.5
        P = np.linalg.solve(L.T, np.linalg.solve(L.T, M.T).T)
        dXc = Z.T - Xc @ ((P + P.T) / n)
        return dict(X=dXc - dXc.mean(axis=0))


class BoxRegression(Form):
    title, group, wrt = "Generalised intersection over union of boxes", "losses", "b"
    needs, ref = "MASK CANC", "Rezatofighi et al. 2019, algorithm 2"

    assume = {name: "no_ties" for name in ("top", "left", "far", "near")}
    assumes = "no coordinates tie"

    @staticmethod
    def make(random, n=4):
        lo, t = random.random((n, 2)), random.random((n, 2))
        return dict(
            b=np.hstack([lo, lo + 0.5 + random.random((n, 2))]), t=np.hstack([t, t + 0.5 + random.random((n, 2))])
        )

    @staticmethod
    def forward(b, t):
        lo, hi, tlo, thi = b[:, :2], b[:, 2:], t[:, :2], t[:, 2:]
        wb, wt = hi - lo, thi - tlo
        ab, at = wb[:, 0] * wb[:, 1], wt[:, 0] * wt[:, 1]
        top = np.minimum(hi, thi)
        left = np.maximum(lo, tlo)
        far = np.maximum(hi, thi)
        near = np.minimum(lo, tlo)
        wi = np.maximum(top - left, 0)
        inter = wi[:, 0] * wi[:, 1]
        union = ab + at - inter
        wc = far - near
        hull = wc[:, 0] * wc[:, 1]
        return np.mean(1 - inter / union + (hull - union) / hull)

    @staticmethod
    def expert(b, t):
        lo, hi, tlo, thi = b[:, :2], b[:, 2:], t[:, :2], t[:, 2:]
        wb, wt = hi - lo, thi - tlo
        ab, at = wb[:, 0] * wb[:, 1], wt[:, 0] * wt[:, 1]
        wi = np.maximum(np.minimum(hi, thi) - np.maximum(lo, tlo), 0)
        inter = wi[:, 0] * wi[:, 1]
        union = ab + at - inter
        wc = np.maximum(hi, thi) - np.minimum(lo, tlo)
        hull = wc[:, 0] * wc[:, 1]
        iou = inter / union
        fill = (hull - union) / hull
        yield np.mean(1 - iou + fill)
        n = len(b)
        dunion = (iou / union - 1 / hull) / n
        dinter = -1 / (n * union) - dunion
        dhull = (1 - fill) / (n * hull)
        dwb = dunion[:, None] * wb[:, ::-1]
        dwi = (dinter[:, None] * wi[:, ::-1]) * (wi > 0)
        dwc = dhull[:, None] * wc[:, ::-1]
        up, low = hi < thi, lo > tlo
        db = np.empty_like(b)
        db[:, 2:] = dwb + np.where(up, dwi, dwc)
        db[:, :2] = -dwb - np.where(low, dwi, dwc)
        return dict(b=db)


class DebiasedContrast(Form):
    title, group, wrt = (
        "Hard-negative contrastive loss, weights of negatives by their similarity held fixed",
        "contrastive",
        "A B",
    )
    needs, ref = "SMAX MM SCAL", "Robinson et al. 2021 eq. 4"

    @staticmethod
    def make(random, n=4, d=3):
        return dict(
            A=random.standard_normal((n, d)), B=random.standard_normal((n, d)), W=random.random((n, n)), tau=0.5
        )

    @staticmethod
    def forward(A, B, W, tau):
        S = A @ B.T / tau
        E = np.exp(S)
        pos = np.diag(E)
        neg = (W * E * (1 - np.eye(len(A)))).sum(axis=1)
        return -np.mean(np.log(pos / (pos + neg)))

    @staticmethod
    def expert(A, B, W, tau):
        n = len(A)
        S = A @ B.T / tau
        E = np.exp(S)
        pos = np.diag(E)
        WE = W * E * (1 - np.eye(n))
        neg = WE.sum(axis=1)
        total = pos + neg
        yield -np.mean(np.log(pos / total))
        c = 1 / (n * tau * total)
        dS = c[:, None] * WE
        dS[np.arange(n), np.arange(n)] = -c * neg
        return dict(A=dS @ B, B=dS.T @ A)


class SortedTransport(Form):
    title, group, wrt = "One-dimensional transport distance of linear projections by sorting", "losses", "w"
    needs, ref = "SCAT MASK", "Peyre & Cuturi 2019 s.2.6"

    @staticmethod
    def make(random, n=6, d=3):
        normal = random.standard_normal
        return dict(X=normal((n, d)), y=normal(n), w=normal(d))

    @staticmethod
    def forward(X, y, w):
        s = X @ w
        return np.mean(np.abs(np.sort(s) - np.sort(y)))

    @staticmethod
    def expert(X, y, w):
        s = X @ w
        d = np.sort(s) - np.sort(y)
        yield np.mean(np.abs(d))
        return dict(w=(np.sign(d) / len(s)) @ X[np.argsort(s)])


class TaskUncertainty(Form):
    title, group, wrt = "Two tasks weighed by learned uncertainties: squared error and cross-entropy", "losses", "W V s"
    needs, ref = "SMAX SEED MM", "Kendall, Gal & Cipolla 2018 eq. 10"

    @staticmethod
    def make(random, n=5, d=3, k=3):
        normal = random.standard_normal
        return dict(
            X=normal((n, d)),
            W=normal((d, 2)),
            V=normal((d, k)),
            s=normal(2),
            y=normal((n, 2)),
            c=random.integers(0, k, n),
        )

    @staticmethod
    def forward(X, W, V, s, y, c):
        regression = np.mean((X @ W - y) ** 2)
        z = X @ V
        z = z - z.max(axis=1, keepdims=True)
        log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        classification = -np.mean(log_p[np.arange(len(c)), c])
        return np.exp(-s[0]) * regression / 2 + np.exp(-s[1]) * classification + s.sum() / 2

    @staticmethod
    def expert(X, W, V, s, y, c):
        r = X @ W - y
        regression = np.mean(r**2)
        z = X @ V
        z = z - z.max(axis=1, keepdims=True)
        e = np.exp(z)
        Z = e.sum(axis=1, keepdims=True)
        rows = np.arange(len(c))
        classification = -np.mean((z - np.log(Z))[rows, c])
        a, b = np.exp(-s[0]), np.exp(-s[1])
        yield a * regression / 2 + b * classification + s.sum() / 2
        n = len(c)
        dz = e / (n / b * Z)
        dz[rows, c] -= b / n
        ds = np.empty_like(s)
        ds[0] = 0.5 - a * regression / 2
        ds[1] = 0.5 - b * classification
        return dict(W=X.T @ (a / r.size * r), V=X.T @ dz, s=ds)
