"""Arrays cut, moved and joined: slices, windows, pools, gathers, heads, and pairs of all with all."""

import numpy as np

from tests.forms.form import Form


def softmax(s):
    e = np.exp(s - s.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


class AttentionOfHeads(Form):
    title, group = "Multi-head attention with heads by reshape and transpose, output projection", "attention"
    wrt = "X Wq Wk Wv Wo"
    needs = "SMAX SCAL MM CAT"
    ref = "Vaswani et al. 2017 s.3.2.2"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(
            X=normal((5, 6)), Wq=normal((6, 6)), Wk=normal((6, 6)), Wv=normal((6, 6)), Wo=normal((6, 6)), heads=2
        )

    @staticmethod
    def forward(X, Wq, Wk, Wv, Wo, heads):
        T, D = X.shape
        d = D // heads
        q = (X @ Wq).reshape(T, heads, d).transpose(1, 0, 2)
        k = (X @ Wk).reshape(T, heads, d).transpose(1, 0, 2)
        v = (X @ Wv).reshape(T, heads, d).transpose(1, 0, 2)
        p = softmax(q @ k.transpose(0, 2, 1) / np.sqrt(d))
        o = (p @ v).transpose(1, 0, 2).reshape(T, D)
        return o @ Wo

    @staticmethod
    def expert(X, Wq, Wk, Wv, Wo, heads):
        T, D = X.shape
        d = D // heads
        q = (X @ Wq).reshape(T, heads, d).transpose(1, 0, 2)
        k = (X @ Wk).reshape(T, heads, d).transpose(1, 0, 2)
        v = (X @ Wv).reshape(T, heads, d).transpose(1, 0, 2)
        p = softmax(q @ k.transpose(0, 2, 1) / np.sqrt(d))
        o = (p @ v).transpose(1, 0, 2).reshape(T, D)
        g = yield o @ Wo
        do = (g @ Wo.T).reshape(T, heads, d).transpose(1, 0, 2)
        dp = do @ v.transpose(0, 2, 1)
        ds = p * (dp - (dp * p).sum(-1, keepdims=True)) / np.sqrt(d)
        dq = (ds @ k).transpose(1, 0, 2).reshape(T, D)
        dk = (ds.transpose(0, 2, 1) @ q).transpose(1, 0, 2).reshape(T, D)
        dv = (p.transpose(0, 2, 1) @ do).transpose(1, 0, 2).reshape(T, D)
        return dict(X=dq @ Wq.T + dk @ Wk.T + dv @ Wv.T, Wq=X.T @ dq, Wk=X.T @ dk, Wv=X.T @ dv, Wo=o.T @ g)


class PositionBias(Form):
    title, group = "Causal attention with a learned bias for each distance", "attention"
    wrt = "q k v b"
    needs = "SMAX SCAT SCAL MM"
    ref = "Raffel et al. 2020 s.2.1 (T5)"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(q=normal((5, 3)), k=normal((5, 3)), v=normal((5, 2)), b=normal(5))

    @staticmethod
    def forward(q, k, v, b):
        n = len(q)
        i = np.arange(n)
        distance = np.maximum(i[:, None] - i[None, :], 0)
        s = q @ k.T / np.sqrt(q.shape[1]) + b[distance]
        s = np.where(np.tri(n, dtype=bool), s, -np.inf)
        return softmax(s) @ v

    @staticmethod
    def expert(q, k, v, b):
        n = len(q)
        i = np.arange(n)
        distance = np.maximum(i[:, None] - i[None, :], 0)
        s = q @ k.T / np.sqrt(q.shape[1]) + b[distance]
        s = np.where(np.tri(n, dtype=bool), s, -np.inf)
        p = softmax(s)
        g = yield p @ v
        dp = g @ v.T
        ds = p * (dp - (dp * p).sum(1, keepdims=True))
        db = np.zeros_like(b)
        np.add.at(db, distance, ds)
        ds = ds / np.sqrt(q.shape[1])
        return dict(q=ds @ k, k=ds.T @ q, v=p.T @ g, b=db)


class SoftExperts(Form):
    title, group = "Mixture of linear experts with a softmax gate, by einsum", "gates"
    wrt = "X Wg We be"
    needs = "SMAX MM UNB"
    ref = "Jacobs et al. 1991; Shazeer et al. 2017 eq. 1"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(X=normal((5, 3)), Wg=normal((3, 2)), We=normal((2, 3, 4)), be=normal((2, 4)))

    @staticmethod
    def forward(X, Wg, We, be):
        G = softmax(X @ Wg)
        H = np.einsum("nd,edo->neo", X, We) + be
        return np.einsum("ne,neo->no", G, H)

    @staticmethod
    def expert(X, Wg, We, be):
        G = softmax(X @ Wg)
        H = np.einsum("nd,edo->neo", X, We) + be
        g = yield np.einsum("ne,neo->no", G, H)
        dG = np.einsum("no,neo->ne", g, H)
        dz = G * (dG - (dG * G).sum(1, keepdims=True))
        dH = np.einsum("ne,no->neo", G, g)
        return dict(
            X=dz @ Wg.T + np.einsum("neo,edo->nd", dH, We),
            Wg=X.T @ dz,
            We=np.einsum("nd,neo->edo", X, dH),
            be=dH.sum(0),
        )


class EdgeMessages(Form):
    title, group = "Message passing along edges: gather, weigh, add at the targets", "gates"
    wrt = "X W Ws"
    needs = "SCAT MASK MM"
    ref = "Gilmer et al. 2017 eq. 1-2; Hamilton et al. 2017"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(
            X=normal((5, 3)), W=normal((3, 4)), Ws=normal((3, 4)), source=np.array([0, 1, 1, 3, 4, 0, 2]),
            target=np.array([1, 0, 2, 1, 3, 4, 2]),
        )  # fmt: skip

    @staticmethod
    def forward(X, W, Ws, source, target):
        messages = X[source] @ W
        total = np.zeros((len(X), W.shape[1]))
        np.add.at(total, target, messages)
        return np.maximum(total + X @ Ws, 0)

    @staticmethod
    def expert(X, W, Ws, source, target):
        Xs = X[source]
        own = X @ Ws
        total = np.zeros_like(own)
        np.add.at(total, target, Xs @ W)
        y = np.maximum(total + own, 0)
        g = yield y
        d = g * (y > 0)
        dm = d[target]
        dX = d @ Ws.T
        np.add.at(dX, source, dm @ W.T)
        return dict(X=dX, W=Xs.T @ dm, Ws=X.T @ d)


class FactorsWithBiases(Form):
    title, group = "Matrix factorisation with biases of users and items, weight decay", "embedding"
    wrt = "P Q bu bi mu"
    needs = "SEED SCAT SCAL"
    ref = "Koren, Bell & Volinsky 2009 eq. 5"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(
            P=normal((4, 3)), Q=normal((5, 3)), bu=normal(4), bi=normal(5), mu=0.3,
            u=np.array([0, 1, 1, 3, 2, 0]), i=np.array([4, 0, 2, 2, 1, 4]), r=normal(6), decay=0.1,
        )  # fmt: skip

    @staticmethod
    def forward(P, Q, bu, bi, mu, u, i, r, decay):
        predicted = mu + bu[u] + bi[i] + np.sum(P[u] * Q[i], axis=1)
        penalty = np.sum(P**2) + np.sum(Q**2) + np.sum(bu**2) + np.sum(bi**2)
        return np.sum((r - predicted) ** 2) + decay * penalty

    @staticmethod
    def expert(P, Q, bu, bi, mu, u, i, r, decay):
        Pu, Qi = P[u], Q[i]
        e = r - (mu + bu[u] + bi[i] + np.sum(Pu * Qi, axis=1))
        yield np.sum(e**2) + decay * (np.sum(P**2) + np.sum(Q**2) + np.sum(bu**2) + np.sum(bi**2))
        d = -2 * e
        dP, dQ, dbu, dbi = (2 * decay * x for x in (P, Q, bu, bi))
        np.add.at(dbu, u, d)
        np.add.at(dbi, i, d)
        np.add.at(dP, u, d[:, None] * Qi)
        np.add.at(dQ, i, d[:, None] * Pu)
        return dict(P=dP, Q=dQ, bu=dbu, bi=dbi, mu=d.sum())


class ContextBag(Form):
    title, group = "Continuous bag of words: mean of context rows, cross-entropy over the vocabulary", "embedding"
    wrt = "E U"
    needs = "SMAX SCAT SCAL MM"
    ref = "Mikolov et al. 2013; Rong 2014 s.1.2"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(
            E=normal((7, 3)), U=normal((7, 3)), context=random.integers(0, 7, (4, 2)), word=random.integers(0, 7, 4)
        )

    @staticmethod
    def forward(E, U, context, word):
        h = np.take(E, context, axis=0).mean(axis=1)
        z = h @ U.T
        z = z - z.max(axis=1, keepdims=True)
        logp = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        return -np.mean(logp[np.arange(len(word)), word])

    @staticmethod
    def expert(E, U, context, word):
        h = np.take(E, context, axis=0).mean(axis=1)
        z = h @ U.T
        z = z - z.max(axis=1, keepdims=True)
        e = np.exp(z)
        s = e.sum(axis=1, keepdims=True)
        rows = np.arange(len(word))
        n = len(word)
        yield -np.mean((z - np.log(s))[rows, word])
        dz = e / (n * s)
        dz[rows, word] -= 1 / n
        dE = np.zeros_like(E)
        np.add.at(dE, context, (dz @ (U / context.shape[1]))[:, None, :])
        return dict(E=dE, U=dz.T @ h)


class VariationOfDifferences(Form):
    title, group = "Anisotropic total variation of an image by np.diff, with a data term", "convolution"
    wrt = "x"
    needs = "CAT SCAL MASK"
    ref = "Rudin, Osher & Fatemi 1992 (subgradient); Chambolle 2004"

    @staticmethod
    def make(random):
        return dict(x=random.standard_normal((5, 6)), y=random.standard_normal((5, 6)), weight=0.3)

    @staticmethod
    def forward(x, y, weight):
        dv = np.diff(x, axis=0)
        dh = np.diff(x, axis=1)
        return 0.5 * np.sum((x - y) ** 2) + weight * (np.abs(dv).sum() + np.abs(dh).sum())

    @staticmethod
    def expert(x, y, weight):
        dv = np.diff(x, axis=0)
        dh = np.diff(x, axis=1)
        r = x - y
        yield 0.5 * np.sum(r**2) + weight * (np.abs(dv).sum() + np.abs(dh).sum())
        sv, sh = weight * np.sign(dv), weight * np.sign(dh)
        g = r.copy()
        g[1:] += sv
        g[:-1] -= sv
        g[:, 1:] += sh
        g[:, :-1] -= sh
        return dict(x=g)


class UpsampledSkip(Form):
    title, group = "Upsampling by repeat, joined with a skip connection, 1x1 convolution and ReLU", "convolution"
    wrt = "x skip W b"
    needs = "CAT MASK MM UNB"
    ref = "Ronneberger et al. 2015 (U-Net)"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(x=normal((2, 3, 4)), skip=normal((4, 6, 2)), W=normal((6, 3)), b=normal(3))

    @staticmethod
    def forward(x, skip, W, b):
        up = np.repeat(np.repeat(x, 2, axis=0), 2, axis=1)
        joined = np.concatenate([up, skip], axis=-1)
        return np.maximum(joined @ W + b, 0)

    @staticmethod
    def expert(x, skip, W, b):
        up = np.repeat(np.repeat(x, 2, axis=0), 2, axis=1)
        joined = np.concatenate([up, skip], axis=-1)
        y = np.maximum(joined @ W + b, 0)
        g = yield y
        d = g * (y > 0)
        flat = d.reshape(-1, d.shape[-1])
        dj = d @ W.T
        h, w, c = x.shape
        return dict(
            x=dj[..., :c].reshape(h, 2, w, 2, c).sum((1, 3)),
            skip=dj[..., c:],
            W=joined.reshape(-1, joined.shape[-1]).T @ flat,
            b=flat.sum(0),
        )


class PixelShuffle(Form):
    title, group = "Sub-pixel convolution: 1x1 convolution, pixel shuffle, squared error", "convolution"
    wrt = "x W b"
    needs = "CAT SEED MM UNB"
    ref = "Shi et al. 2016 eq. 3-4"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(x=normal((3, 2, 4)), W=normal((4, 4)), b=normal(4), target=normal((6, 4)))

    @staticmethod
    def forward(x, W, b, target):
        h, w, _ = x.shape
        z = x @ W + b
        image = z.reshape(h, w, 2, 2).transpose(0, 2, 1, 3).reshape(2 * h, 2 * w)
        return np.mean((image - target) ** 2)

    @staticmethod
    def expert(x, W, b, target):
        h, w, _ = x.shape
        z = x @ W + b
        e = z.reshape(h, w, 2, 2).transpose(0, 2, 1, 3).reshape(2 * h, 2 * w) - target
        yield np.mean(e**2)
        d = (2 / e.size * e).reshape(h, 2, w, 2).transpose(0, 2, 1, 3).reshape(h * w, 4)
        return dict(x=(d @ W.T).reshape(x.shape), W=x.reshape(h * w, -1).T @ d, b=d.sum(0))


class CausalShifts(Form):
    title, group = "Depthwise causal convolution as a sum of shifted slices", "convolution"
    wrt = "x w"
    needs = "CAT MM"
    ref = "Gu & Dao 2023 (short convolution); Dumoulin & Visin 2016"

    @staticmethod
    def make(random):
        return dict(x=random.standard_normal((6, 3)), w=random.standard_normal((3, 3)))

    @staticmethod
    def forward(x, w):
        T = len(x)
        padded = np.pad(x, ((2, 0), (0, 0)))
        return padded[:T] * w[0] + padded[1 : T + 1] * w[1] + padded[2:] * w[2]

    @staticmethod
    def expert(x, w):
        T = len(x)
        padded = np.pad(x, ((2, 0), (0, 0)))
        g = yield padded[:T] * w[0] + padded[1 : T + 1] * w[1] + padded[2:] * w[2]
        dx = g * w[2]
        dx[:-1] += g[1:] * w[1]
        dx[:-2] += g[2:] * w[0]
        dw = np.stack([(g * padded[k : k + T]).sum(0) for k in range(3)])
        return dict(x=dx, w=dw)


class WindowedChannels(Form):
    title, group = "Convolution of a batch by windows and tensordot, bias and ReLU, padded", "convolution"
    wrt = "x w b"
    needs = "CAT MASK MM UNB"
    ref = "Dumoulin & Visin 2016 (transposed convolution); CS231n fast_layers"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(x=normal((2, 3, 5, 5)), w=normal((4, 3, 3, 3)), b=normal(4))

    @staticmethod
    def forward(x, w, b):
        padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
        y = np.einsum("nchwij,ocij->nohw", windows, w) + b[:, None, None]
        return np.maximum(y, 0)

    @staticmethod
    def expert(x, w, b):
        padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
        y = np.maximum(np.einsum("nchwij,ocij->nohw", windows, w) + b[:, None, None], 0)
        g = yield y
        d = g * (y > 0)
        around = np.pad(d, ((0, 0), (0, 0), (1, 1), (1, 1)))
        seen = np.lib.stride_tricks.sliding_window_view(around, (3, 3), axis=(2, 3))
        return dict(
            x=np.einsum("nohwij,ocij->nchw", seen, w[:, :, ::-1, ::-1]),
            w=np.einsum("nchwij,nohw->ocij", windows, d),
            b=d.sum((0, 2, 3)),
        )


class OffsetsOfKernel(Form):
    title, group = "Convolution of channels as a loop over the offsets of the kernel", "convolution"
    wrt = "x w"
    needs = "CAT MM"
    ref = "Dumoulin & Visin 2016, kernel offsets outermost"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(x=normal((2, 6, 5, 3)), w=normal((3, 2, 3, 4)))

    @staticmethod
    def forward(x, w):
        h, v = x.shape[1] - w.shape[0] + 1, x.shape[2] - w.shape[1] + 1
        y = np.zeros((x.shape[0], h, v, w.shape[3]))
        for i in range(w.shape[0]):
            for j in range(w.shape[1]):
                y += x[:, i : i + h, j : j + v] @ w[i, j]
        return y

    @staticmethod
    def expert(x, w):
        h, v = x.shape[1] - w.shape[0] + 1, x.shape[2] - w.shape[1] + 1
        y = 0.0
        for i in range(w.shape[0]):
            for j in range(w.shape[1]):
                y = y + x[:, i : i + h, j : j + v] @ w[i, j]
        g = yield y
        dx, dw = np.zeros_like(x), np.zeros_like(w)
        for i in range(w.shape[0]):
            for j in range(w.shape[1]):
                dx[:, i : i + h, j : j + v] += g @ w[i, j].T
                dw[i, j] = np.tensordot(x[:, i : i + h, j : j + v], g, ([0, 1, 2], [0, 1, 2]))
        return dict(x=dx, w=dw)


class HeatLaplacian(Form):
    title, group = "Energy of a scalar field: gradient by slices and a double well", "convolution"
    wrt = "u"
    needs = "CAT SCAL"
    ref = "Evans 2010 s.8.1 (Dirichlet energy); Allen & Cahn 1979"

    @staticmethod
    def make(random):
        return dict(u=random.standard_normal((6, 5)), eps=0.5)

    @staticmethod
    def forward(u, eps):
        ux = u[1:, :] - u[:-1, :]
        uy = u[:, 1:] - u[:, :-1]
        well = (u**2 - 1) ** 2 / 4
        return 0.5 * eps * (np.sum(ux**2) + np.sum(uy**2)) + np.sum(well) / eps

    @staticmethod
    def expert(u, eps):
        ux = u[1:, :] - u[:-1, :]
        uy = u[:, 1:] - u[:, :-1]
        w = u**2 - 1
        yield 0.5 * eps * (np.sum(ux**2) + np.sum(uy**2)) + np.sum(w**2 / 4) / eps
        ex, ey = eps * ux, eps * uy
        g = u * w / eps
        g[1:] += ex
        g[:-1] -= ex
        g[:, 1:] += ey
        g[:, :-1] -= ey
        return dict(u=g)


class PairwiseRanking(Form):
    title, group = "Pairwise logistic ranking of a linear scorer, weighted pairs", "losses"
    wrt = "w"
    needs = "SIG FACT MM"
    ref = "Burges et al. 2005 eq. 3; Burges 2010 (LambdaRank) s.3"

    @staticmethod
    def make(random):
        return dict(X=random.standard_normal((6, 3)), y=random.integers(0, 3, 6), w=random.standard_normal(3))

    @staticmethod
    def forward(X, y, w):
        s = X @ w
        M = (y[:, None] > y[None, :]).astype(float)
        D = s[:, None] - s[None, :]
        return np.sum(M * np.log1p(np.exp(-D))) / M.sum()

    @staticmethod
    def expert(X, y, w):
        s = X @ w
        M = (y[:, None] > y[None, :]).astype(float)
        D = s[:, None] - s[None, :]
        E = np.exp(-D)
        pairs = M.sum()
        yield np.sum(M * np.log1p(E)) / pairs
        G = M * E / (1 + E)
        return dict(w=(G - G.T).sum(0) / pairs @ X)


class CumulativeHazard(Form):
    title, group = "Cox partial likelihood of sorted times, risk sets by a reversed cumulative sum", "losses"
    wrt = "w"
    needs = "CANC SCAL MM"
    ref = "Cox 1972; Simon et al. 2011 eq. 4 (glmnet)"

    @staticmethod
    def make(random):
        return dict(
            X=random.standard_normal((7, 3)), event=np.array([1.0, 0, 1, 1, 0, 1, 1]), w=random.standard_normal(3)
        )

    @staticmethod
    def forward(X, event, w):
        eta = X @ w
        risk = np.cumsum(np.exp(eta)[::-1])[::-1]
        return -np.mean(event * (eta - np.log(risk)))

    @staticmethod
    def expert(X, event, w):
        eta = X @ w
        e = np.exp(eta)
        risk = np.cumsum(e[::-1])[::-1]
        yield -np.mean(event * (eta - np.log(risk)))
        d = e * np.cumsum(event / risk) - event
        return dict(w=d @ X / len(X))


class OuterSliceFeatures(Form):
    title, group = "Fused features: outer product of two vectors with ones appended, linear readout", "matrix"
    wrt = "a b W"
    needs = "CAT MM UNB"
    ref = "Zadeh et al. 2017 (tensor fusion) eq. 3"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(a=normal((4, 2)), b=normal((4, 3)), W=normal((12, 5)))

    @staticmethod
    def forward(a, b, W):
        one = np.ones((len(a), 1))
        a1 = np.concatenate([a, one], axis=1)
        b1 = np.concatenate([b, one], axis=1)
        z = (a1[:, :, None] * b1[:, None, :]).reshape(len(a), -1)
        return z @ W

    @staticmethod
    def expert(a, b, W):
        one = np.ones_like(a[:, :1])
        a1 = np.concatenate([a, one], axis=1)
        b1 = np.concatenate([b, one], axis=1)
        z = (a1[:, :, None] * b1[:, None, :]).reshape(len(a), -1)
        g = yield z @ W
        dz = (g @ W.T).reshape(len(a), a1.shape[1], b1.shape[1])
        return dict(a=(dz[:, :-1] * b1[:, None, :]).sum(2), b=(dz[:, :, :-1] * a1[:, :, None]).sum(1), W=z.T @ g)


class LocalContrast(Form):
    title, group = "Each pixel less the mean of its patch, patches by reshape, squared error", "convolution"
    wrt = "x gain"
    needs = "CAT MEAN0 SCAL"
    ref = "Jarrett et al. 2009 s.2 (subtractive normalisation), without overlap"

    @staticmethod
    def make(random):
        return dict(x=random.standard_normal((4, 6)), gain=random.standard_normal((2, 2)), target=random.random((4, 6)))

    @staticmethod
    def forward(x, gain, target):
        patches = x.reshape(2, 2, 3, 2).transpose(0, 2, 1, 3)
        centred = patches - patches.mean(axis=(2, 3), keepdims=True)
        y = (centred * gain).transpose(0, 2, 1, 3).reshape(4, 6)
        return np.sum((y - target) ** 2)

    @staticmethod
    def expert(x, gain, target):
        patches = x.reshape(2, 2, 3, 2).transpose(0, 2, 1, 3)
        centred = patches - patches.mean(axis=(2, 3), keepdims=True)
        e = (centred * gain).transpose(0, 2, 1, 3).reshape(4, 6) - target
        yield np.sum(e**2)
        d = (2 * e).reshape(2, 2, 3, 2).transpose(0, 2, 1, 3)
        dc = d * gain
        dx = dc - dc.mean(axis=(2, 3), keepdims=True)
        return dict(x=dx.transpose(0, 2, 1, 3).reshape(4, 6), gain=(d * centred).sum((0, 1)))
