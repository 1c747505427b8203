"""Convolutions, pooling and filters as they are written with slices and loops over the offsets of a kernel."""

import numpy as np

from tests.forms.form import Form


class ConvolutionByOffsets(Form):
    title, group = "2-D convolution, channels last, as a sum over the offsets of the kernel", "conv"
    wrt = "x w b"
    needs = "CAT SCAT MM UNB"
    ref = "Dumoulin & Visin 2016; a matrix product for each offset, as in im2row without the copies"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(x=normal((2, 5, 6, 3)), w=normal((3, 3, 3, 4)), b=normal(4))

    @staticmethod
    def forward(x, w, b):
        KH, KW = w.shape[:2]
        H, W = x.shape[1] - KH + 1, x.shape[2] - KW + 1
        out = np.zeros((x.shape[0], H, W, w.shape[3])) + b
        for i in range(KH):
            for j in range(KW):
                out += x[:, i : i + H, j : j + W, :] @ w[i, j]
        return out

    @staticmethod
    def expert(x, w, b):
        KH, KW = w.shape[:2]
        H, W = x.shape[1] - KH + 1, x.shape[2] - KW + 1
        out = np.zeros((x.shape[0], H, W, w.shape[3])) + b
        for i in range(KH):
            for j in range(KW):
                out += x[:, i : i + H, j : j + W, :] @ w[i, j]
        g = yield out
        dx = np.zeros_like(x)
        dw = np.empty_like(w)
        for i in range(KH):
            for j in range(KW):
                dx[:, i : i + H, j : j + W, :] += g @ w[i, j].T
                dw[i, j] = np.tensordot(x[:, i : i + H, j : j + W, :], g, axes=([0, 1, 2], [0, 1, 2]))
        return dict(x=dx, w=dw, b=g.sum(axis=(0, 1, 2)))


class DepthwiseBlur(Form):
    title, group = "Depthwise convolution by slices, one product of arrays for each offset", "conv"
    wrt = "x w"
    needs = "SCAT UNB"
    ref = "Howard et al. 2017 (depthwise convolution); slices for each offset"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(x=normal((2, 6, 5, 3)), w=normal((3, 3, 3)))

    @staticmethod
    def forward(x, w):
        n, h, c = x.shape[0], x.shape[1] - 2, x.shape[2] - 2
        y = np.zeros((n, h, c, x.shape[3]))
        for i in range(3):
            for j in range(3):
                y = y + x[:, i : i + h, j : j + c] * w[i, j]
        return y

    @staticmethod
    def expert(x, w):
        n, h, c = x.shape[0], x.shape[1] - 2, x.shape[2] - 2
        y = np.zeros((n, h, c, x.shape[3]))
        for i in range(3):
            for j in range(3):
                y = y + x[:, i : i + h, j : j + c] * w[i, j]
        g = yield y
        dx, dw = np.zeros_like(x), np.empty_like(w)
        for i in range(3):
            for j in range(3):
                dx[:, i : i + h, j : j + c] += g * w[i, j]
                dw[i, j] = np.einsum("nhwc,nhwc->c", x[:, i : i + h, j : j + c], g)
        return dict(x=dx, w=dw)


class StridedAveragePool(Form):
    title, group = "Average pooling with windows of three and a stride of two, by a loop over offsets", "conv"
    wrt = "x"
    needs = "SCAL SCAT"
    ref = "standard"

    @staticmethod
    def make(random):
        return dict(x=random.standard_normal((2, 7, 7, 3)))

    @staticmethod
    def forward(x):
        h, w = (x.shape[1] - 1) // 2, (x.shape[2] - 1) // 2
        total = np.zeros((x.shape[0], h, w, x.shape[3]))
        for i in range(3):
            for j in range(3):
                total += x[:, i : i + 2 * h : 2, j : j + 2 * w : 2]
        return total / 9

    @staticmethod
    def expert(x):
        h, w = (x.shape[1] - 1) // 2, (x.shape[2] - 1) // 2
        total = np.zeros((x.shape[0], h, w, x.shape[3]))
        for i in range(3):
            for j in range(3):
                total += x[:, i : i + 2 * h : 2, j : j + 2 * w : 2]
        g = yield total / 9
        share = g / 9
        dx = np.zeros_like(x)
        for i in range(3):
            for j in range(3):
                dx[:, i : i + 2 * h : 2, j : j + 2 * w : 2] += share
        return dict(x=dx)


class MaxOverTime(Form):
    title, group = "Text convolution over windows of three words, ReLU, maximum over time, linear layer", "conv"
    wrt = "E W b U"
    needs = "MASK SCAT MM"
    assumes = "no ties over time (else the tie rule decides)"
    assume = {"a": "no_ties"}
    ref = "Kim 2014; Collobert et al. 2011"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(
            E=normal((9, 3)), W=normal((9, 4)), b=normal(4) + 1.0, U=normal((4, 2)), ids=random.integers(0, 9, (3, 7))
        )

    @staticmethod
    def forward(E, W, b, U, ids):
        x = E[ids]
        windows = np.concatenate([x[:, :-2], x[:, 1:-1], x[:, 2:]], axis=2)
        a = np.maximum(windows @ W + b, 0)
        return a.max(axis=1) @ U

    @staticmethod
    def expert(E, W, b, U, ids):
        x = E[ids]
        windows = np.concatenate([x[:, :-2], x[:, 1:-1], x[:, 2:]], axis=2)
        a = np.maximum(windows @ W + b, 0)
        pooled = a.max(axis=1)
        g = yield pooled @ U
        dp = (g @ U.T) * (pooled > 0)
        da = (a == pooled[:, None]) * dp[:, None]
        dw = da @ W.T
        D = E.shape[1]
        dx = np.zeros_like(x)
        dx[:, :-2] += dw[:, :, :D]
        dx[:, 1:-1] += dw[:, :, D : 2 * D]
        dx[:, 2:] += dw[:, :, 2 * D :]
        dE = np.zeros_like(E)
        np.add.at(dE, ids, dx)
        W_ = windows.reshape(-1, windows.shape[2]).T @ da.reshape(-1, da.shape[2])
        return dict(E=dE, W=W_, b=dp.sum(axis=0), U=pooled.T @ g)


class DilatedGate(Form):
    title, group = "Gated activation of a dilated causal convolution, with a residual", "conv"
    wrt = "x Wf Wg"
    needs = "OUT SIG SCAT MM"
    ref = "van den Oord et al. 2016 (WaveNet) eq. 2"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(x=normal((9, 3)), Wf=normal((2, 3, 3)), Wg=normal((2, 3, 3)), d=2)

    @staticmethod
    def forward(x, Wf, Wg, d):
        past, now = x[:-d], x[d:]
        f = np.tanh(past @ Wf[0] + now @ Wf[1])
        g = 1 / (1 + np.exp(-(past @ Wg[0] + now @ Wg[1])))
        return now + f * g

    @staticmethod
    def expert(x, Wf, Wg, d):
        past, now = x[:-d], x[d:]
        f = np.tanh(past @ Wf[0] + now @ Wf[1])
        g = 1 / (1 + np.exp(-(past @ Wg[0] + now @ Wg[1])))
        z = f * g
        G = yield now + z
        df = G * g * (1 - f**2)
        dg = G * z * (1 - g)
        dx = np.zeros_like(x)
        dx[d:] = G + df @ Wf[1].T + dg @ Wg[1].T
        dx[:-d] += df @ Wf[0].T + dg @ Wg[0].T
        return dict(x=dx, Wf=np.stack([past.T @ df, now.T @ df]), Wg=np.stack([past.T @ dg, now.T @ dg]))


class SobelEdges(Form):
    title, group = "Squared distance of the Sobel edges of two images", "conv"
    wrt = "x"
    needs = "SCAL SCAT"
    ref = "Sobel 1968; edge losses of depth estimation (Hu et al. 2019)"

    @staticmethod
    def make(random):
        return dict(x=random.standard_normal((6, 7)), y=random.standard_normal((6, 7)))

    @staticmethod
    def forward(x, y):
        e = x - y
        smooth = e[:-2] + 2 * e[1:-1] + e[2:]
        gx = smooth[:, 2:] - smooth[:, :-2]
        slope = e[2:] - e[:-2]
        gy = slope[:, :-2] + 2 * slope[:, 1:-1] + slope[:, 2:]
        return np.mean(gx**2 + gy**2)

    @staticmethod
    def expert(x, y):
        e = x - y
        smooth = e[:-2] + 2 * e[1:-1] + e[2:]
        gx = smooth[:, 2:] - smooth[:, :-2]
        slope = e[2:] - e[:-2]
        gy = slope[:, :-2] + 2 * slope[:, 1:-1] + slope[:, 2:]
        yield np.mean(gx**2 + gy**2)
        s = 2 / gx.size
        a, b = s * gx, s * gy
        ds, dl = np.zeros_like(smooth), np.zeros_like(slope)
        ds[:, 2:] = a
        ds[:, :-2] -= a
        dl[:, :-2] = b
        dl[:, 2:] += b
        dl[:, 1:-1] += 2 * b
        dx = np.zeros_like(x)
        dx[:-2] = ds - dl
        dx[2:] += ds + dl
        dx[1:-1] += 2 * ds
        return dict(x=dx)
