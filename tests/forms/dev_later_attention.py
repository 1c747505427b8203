"""Attention and scans over sequences, as recent papers and public repositories write them."""

import numpy as np

from tests.forms.form import Form


def softmax(s):
    e = np.exp(s - s.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


class RetentionParallel(Form):
    title, group, wrt = (
        "Retention in its parallel form, projections of queries, keys and values",
        "attention",
        "X Wq Wk Wv",
    )
    needs, ref = "MM UNB", "Sun et al. 2023 (RetNet) eq. 5"

    @staticmethod
    def make(random, T=4, d=3):
        normal = random.standard_normal
        return dict(X=normal((T, d)), Wq=normal((d, d)), Wk=normal((d, d)), Wv=normal((d, d)), gamma=0.9)

    @staticmethod
    def forward(X, Wq, Wk, Wv, gamma):
        T = len(X)
        Q, K, V = X @ Wq, X @ Wk, X @ Wv
        n = np.arange(T)
        D = np.tril(gamma ** np.maximum(n[:, None] - n[None, :], 0))
        return (Q @ K.T * D) @ V

    @staticmethod
    def expert(X, Wq, Wk, Wv, gamma):
        T = len(X)
        Q, K, V = X @ Wq, X @ Wk, X @ Wv
        n = np.arange(T)
        D = np.tril(gamma ** np.maximum(n[:, None] - n[None, :], 0))
        A = Q @ K.T * D
        g = yield A @ V
        dV = A.T @ g
        dS = g @ V.T * D
        dQ, dK = dS @ K, dS.T @ Q
        dX = dQ @ Wq.T + dK @ Wk.T + dV @ Wv.T
        return dict(X=dX, Wq=X.T @ dQ, Wk=X.T @ dK, Wv=X.T @ dV)


class SelectiveScan(Form):
    title, group = "Selective state space: steps from a softplus, diagonal states scanned over time", "recurrent"
    wrt, needs, ref = "x delta A B C", "CAT UNB FACT", "Gu & Dao 2023 (Mamba), algorithm 2"

    @staticmethod
    def make(random, T=4, d=3, n=2):
        normal = random.standard_normal
        return dict(
            x=normal((T, d)), delta=normal((T, d)), A=-random.random((d, n)) - 0.2, B=normal((T, n)), C=normal((T, n))
        )

    @staticmethod
    def forward(x, delta, A, B, C):
        dt = np.log1p(np.exp(delta))
        decay = np.exp(dt[:, :, None] * A)
        drive = (dt * x)[:, :, None] * B[:, None, :]
        h = np.zeros(A.shape)
        ys = []
        for t in range(len(x)):
            h = decay[t] * h + drive[t]
            ys.append(h @ C[t])
        return np.stack(ys)

    @staticmethod
    def expert(x, delta, A, B, C):
        e = np.exp(delta)
        dt = np.log1p(e)
        decay = np.exp(dt[:, :, None] * A)
        dtx = dt * x
        drive = dtx[:, :, None] * B[:, None, :]
        h = np.zeros(A.shape)
        ys, hs = [], [h]
        for t in range(len(x)):
            h = decay[t] * h + drive[t]
            hs.append(h)
            ys.append(h @ C[t])
        g = yield np.stack(ys)
        T = len(x)
        H = np.stack(hs)
        dC = np.einsum("td,tdn->tn", g, H[1:])
        dH = g[:, :, None] * C[:, None, :]
        for t in range(T - 2, -1, -1):
            dH[t] += decay[t + 1] * dH[t + 1]
        E = dH * H[:-1] * decay
        ddtx = np.einsum("tdn,tn->td", dH, B)
        ddt = ddtx * x + np.einsum("tdn,dn->td", E, A)
        return dict(
            x=ddtx * dt,
            delta=ddt * (e / (1 + e)),
            A=np.einsum("tdn,td->dn", E, dt),
            B=np.einsum("tdn,td->tn", dH, dtx),
            C=dC,
        )


class GroupedQueries(Form):
    title, group, wrt = (
        "Grouped-query attention, keys and values repeated for the heads of a group",
        "attention",
        "q k v",
    )
    needs, ref = "SMAX MM SCAT", "Ainslie et al. 2023 s.2.2"

    @staticmethod
    def make(random, H=4, G=2, T=3, d=2):
        normal = random.standard_normal
        return dict(q=normal((H, T, d)), k=normal((G, T, d)), v=normal((G, T, d)))

    @staticmethod
    def forward(q, k, v):
        per = q.shape[0] // k.shape[0]
        kk = np.repeat(k, per, axis=0)
        vv = np.repeat(v, per, axis=0)
        s = q @ kk.swapaxes(1, 2) / np.sqrt(q.shape[-1])
        e = np.exp(s - s.max(axis=-1, keepdims=True))
        a = e / e.sum(axis=-1, keepdims=True)
        return a @ vv

    @staticmethod
    def expert(q, k, v):
        H, T, d = q.shape
        G = k.shape[0]
        # The queries of a group stand below each other, so that the group has one product.
        qq = q.reshape(G, -1, d)
        s = qq @ k.swapaxes(1, 2) / np.sqrt(d)
        e = np.exp(s - s.max(axis=-1, keepdims=True))
        a = e / e.sum(axis=-1, keepdims=True)
        o = a @ v
        g = yield o.reshape(H, T, d)
        g = g.reshape(G, -1, d)
        ds = a * (g @ v.swapaxes(1, 2) - np.einsum("gtd,gtd->gt", g, o)[:, :, None]) / np.sqrt(d)
        return dict(q=(ds @ k).reshape(H, T, d), k=ds.swapaxes(1, 2) @ qq, v=a.swapaxes(1, 2) @ g)


class DeltaRule(Form):
    title, group, wrt = (
        "Linear attention with the delta rule, a memory corrected at each key",
        "recurrent",
        "Q K V beta",
    )
    needs, ref = "CAT MM", "Schlag et al. 2021 eq. 24; Yang et al. 2024 (DeltaNet)"

    @staticmethod
    def make(random, T=4, d=3):
        normal = random.standard_normal
        return dict(Q=normal((T, d)), K=0.5 * normal((T, d)), V=normal((T, d)), beta=random.random(T))

    @staticmethod
    def forward(Q, K, V, beta):
        T, d = Q.shape
        S = np.zeros((d, d))
        out = []
        for t in range(T):
            error = V[t] - S @ K[t]
            S = S + beta[t] * np.outer(error, K[t])
            out.append(S @ Q[t])
        return np.stack(out)

    @staticmethod
    def expert(Q, K, V, beta):
        T, d = Q.shape
        S = np.zeros((d, d))
        out, errors, memories = [], [], [S]
        for t in range(T):
            error = V[t] - S @ K[t]
            S = S + beta[t] * np.outer(error, K[t])
            out.append(S @ Q[t])
            errors.append(error)
            memories.append(S)
        g = yield np.stack(out)
        dQ = np.einsum("ti,tij->tj", g, np.stack(memories[1:]))
        dK, dV, dbeta = np.empty_like(K), np.empty_like(V), np.empty_like(beta)
        dS = np.zeros((d, d))
        for t in range(T - 1, -1, -1):
            dS = dS + np.outer(g[t], Q[t])
            u = dS @ K[t]
            dbeta[t] = errors[t] @ u
            dV[t] = beta[t] * u
            dK[t] = beta[t] * (errors[t] @ dS) - memories[t].T @ dV[t]
            dS = dS - np.outer(dV[t], K[t])
        return dict(Q=dQ, K=dK, V=dV, beta=dbeta)


class NonLocalBlock(Form):
    title, group, wrt = "Non-local block with a residual, embedded Gaussian", "attention", "X Wt Wp Wg Wo"
    needs, ref = "SMAX MM UNB", "Wang et al. 2018 eq. 6"

    @staticmethod
    def make(random, n=4, d=3, h=2):
        normal = random.standard_normal
        return dict(X=normal((n, d)), Wt=normal((d, h)), Wp=normal((d, h)), Wg=normal((d, h)), Wo=normal((h, d)))

    @staticmethod
    def forward(X, Wt, Wp, Wg, Wo):
        theta, phi, G = X @ Wt, X @ Wp, X @ Wg
        f = theta @ phi.T
        e = np.exp(f - f.max(axis=1, keepdims=True))
        A = e / e.sum(axis=1, keepdims=True)
        return X + (A @ G) @ Wo

    @staticmethod
    def expert(X, Wt, Wp, Wg, Wo):
        theta, phi, G = X @ Wt, X @ Wp, X @ Wg
        f = theta @ phi.T
        e = np.exp(f - f.max(axis=1, keepdims=True))
        A = e / e.sum(axis=1, keepdims=True)
        Y = A @ G
        g = yield X + Y @ Wo
        dY = g @ Wo.T
        dG = A.T @ dY
        df = A * (dY @ G.T - (dY * Y).sum(axis=1, keepdims=True))
        dt, dp = df @ phi, df.T @ theta
        return dict(X=g + dt @ Wt.T + dp @ Wp.T + dG @ Wg.T, Wt=X.T @ dt, Wp=X.T @ dp, Wg=X.T @ dG, Wo=Y.T @ g)


class NormalisedQueries(Form):
    title, group, wrt = (
        "Attention with root-mean-square normalised queries and keys, each with a gain",
        "attention",
        "q k v a b",
    )
    needs, ref = "SMAX MEAN0 MM UNB", "Dehghani et al. 2023 (ViT-22B) s.2; Team Gemma 2025"

    @staticmethod
    def make(random, T=4, d=3):
        normal = random.standard_normal
        return dict(q=normal((T, d)), k=normal((T, d)), v=normal((T, d)), a=normal(d), b=normal(d), eps=1e-6)

    @staticmethod
    def forward(q, k, v, a, b, eps):
        def rms_norm(x, gain):
            return x / np.sqrt(np.mean(x**2, axis=-1, keepdims=True) + eps) * gain

        s = rms_norm(q, a) @ rms_norm(k, b).T / np.sqrt(q.shape[-1])
        return softmax(s) @ v

    @staticmethod
    def expert(q, k, v, a, b, eps):
        rq = np.sqrt(np.mean(q**2, axis=-1, keepdims=True) + eps)
        rk = np.sqrt(np.mean(k**2, axis=-1, keepdims=True) + eps)
        qn, kn = q / rq, k / rk
        qh, kh = qn * a, kn * b
        p = softmax(qh @ kh.T / np.sqrt(q.shape[-1]))
        o = p @ v
        g = yield o
        d = q.shape[-1]
        ds = p * (g @ v.T - (g * o).sum(axis=-1, keepdims=True)) / np.sqrt(d)

        def back(gradient, xn, gain, r):
            dn = gradient * gain
            return (dn - xn * np.mean(dn * xn, axis=-1, keepdims=True)) / r, (gradient * xn).sum(axis=0)

        dq, da = back(ds @ kh, qn, a, rq)
        dk, db = back(ds.T @ qh, kn, b, rk)
        return dict(q=dq, k=dk, v=p.T @ g, a=da, b=db)
