"""Held out: convolution and pooling in the spellings that people use."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from tests.forms.form import Form


class ConvByOffsets(Form):
    title, group = "Convolution with padding by explicit loops over the offsets of the kernel", "convolution"
    wrt = "x w b"
    needs = "CAT MM UNB"
    ref = "CS231n assignment 2, conv_forward_naive; Dumoulin & Visin 2016"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(x=normal((2, 4, 5, 3)), w=normal((3, 3, 3, 2)), b=normal(2))

    @staticmethod
    def forward(x, w, b):
        kh, kw = w.shape[:2]
        H, W = x.shape[1:3]
        xp = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
        out = 0
        for i in range(kh):
            for j in range(kw):
                out = out + xp[:, i : i + H, j : j + W] @ w[i, j]
        return out + b

    @staticmethod
    def expert(x, w, b):
        kh, kw = w.shape[:2]
        N, H, W, C = x.shape
        xp = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
        out = 0
        for i in range(kh):
            for j in range(kw):
                out = out + xp[:, i : i + H, j : j + W] @ w[i, j]
        g = yield out + b
        windows = sliding_window_view(xp, (H, W), axis=(1, 2))  # [N, kh, kw, C, H, W]
        gp = sliding_window_view(np.pad(g, ((0, 0), (1, 1), (1, 1), (0, 0))), (kh, kw), axis=(1, 2))
        return dict(
            x=np.einsum("nhwoij,ijco->nhwc", gp, np.flip(w, (0, 1))),
            w=np.einsum("nijchw,nhwo->ijco", windows, g),
            b=g.sum(axis=(0, 1, 2)),
        )


class Im2colWithIndices(Form):
    title, group = "Strided convolution by im2col with index arrays", "convolution"
    wrt = "x w b"
    needs = "SCAT MM UNB"
    ref = "CS231n assignment 2, im2col.py (get_im2col_indices, col2im_indices)"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(x=normal((2, 2, 5, 5)), w=normal((3, 2, 3, 3)), b=normal(3), stride=2)

    @staticmethod
    def forward(x, w, b, stride):
        N, C, H, W = x.shape
        F, _, HH, WW = w.shape
        out_h, out_w = (H - HH) // stride + 1, (W - WW) // stride + 1
        i0 = np.tile(np.repeat(np.arange(HH), WW), C)
        i = i0.reshape(-1, 1) + stride * np.repeat(np.arange(out_h), out_w)
        j = np.tile(np.arange(WW), HH * C).reshape(-1, 1) + stride * np.tile(np.arange(out_w), out_h)
        k = np.repeat(np.arange(C), HH * WW).reshape(-1, 1)
        x_cols = x[:, k, i, j]
        out = w.reshape(F, -1) @ x_cols + b.reshape(-1, 1)
        return out.reshape(N, F, out_h, out_w)

    @staticmethod
    def expert(x, w, b, stride):
        N, C, H, W = x.shape
        F, _, HH, WW = w.shape
        out_h, out_w = (H - HH) // stride + 1, (W - WW) // stride + 1
        i0 = np.tile(np.repeat(np.arange(HH), WW), C)
        i = i0.reshape(-1, 1) + stride * np.repeat(np.arange(out_h), out_w)
        j = np.tile(np.arange(WW), HH * C).reshape(-1, 1) + stride * np.tile(np.arange(out_w), out_h)
        k = np.repeat(np.arange(C), HH * WW).reshape(-1, 1)
        x_cols = x[:, k, i, j]
        w_row = w.reshape(F, -1)
        g = yield (w_row @ x_cols + b.reshape(-1, 1)).reshape(N, F, out_h, out_w)
        g = g.reshape(N, F, -1)
        dx = np.zeros_like(x)
        np.add.at(dx, (slice(None), k, i, j), w_row.T @ g)
        return dict(x=dx, w=np.einsum("nfp,nkp->fk", g, x_cols).reshape(w.shape), b=g.sum(axis=(0, 2)))


class ConvByTensordotOnWindows(Form):
    title, group = "Convolution, channels first, by windows and tensordot, ReLU", "convolution"
    wrt = "x w"
    needs = "CAT MM MASK"
    ref = "Dumoulin & Visin 2016 (full convolution with the flipped kernel)"

    @staticmethod
    def make(random):
        return dict(x=random.standard_normal((2, 3, 5, 6)), w=random.standard_normal((4, 3, 2, 3)))

    @staticmethod
    def forward(x, w):
        windows = sliding_window_view(x, w.shape[2:], axis=(2, 3))
        out = np.tensordot(windows, w, axes=([1, 4, 5], [1, 2, 3]))
        return np.maximum(out.transpose(0, 3, 1, 2), 0)

    @staticmethod
    def expert(x, w):
        kh, kw = w.shape[2:]
        windows = sliding_window_view(x, (kh, kw), axis=(2, 3))
        out = np.maximum(np.tensordot(windows, w, axes=([1, 4, 5], [1, 2, 3])).transpose(0, 3, 1, 2), 0)
        g = yield out
        d = g * (out > 0)
        dw = np.tensordot(d, windows, axes=([0, 2, 3], [0, 2, 3]))
        full = np.pad(d, ((0, 0), (0, 0), (kh - 1, kh - 1), (kw - 1, kw - 1)))
        full = sliding_window_view(full, (kh, kw), axis=(2, 3))
        dx = np.tensordot(full, np.flip(w, (2, 3)), axes=([1, 4, 5], [0, 2, 3])).transpose(0, 3, 1, 2)
        return dict(x=dx, w=dw)


class DepthwiseByEinsum(Form):
    title, group = "Depthwise convolution followed by a pointwise one", "convolution"
    wrt = "x dw pw"
    needs = "CAT MM"
    ref = "Howard et al. 2017, MobileNets s.3.1"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(x=normal((2, 5, 5, 3)), dw=normal((2, 2, 3)), pw=normal((3, 4)))

    @staticmethod
    def forward(x, dw, pw):
        windows = sliding_window_view(x, dw.shape[:2], axis=(1, 2))
        mid = np.einsum("nhwcij,ijc->nhwc", windows, dw)
        return mid @ pw

    @staticmethod
    def expert(x, dw, pw):
        kh, kw, C = dw.shape
        windows = sliding_window_view(x, (kh, kw), axis=(1, 2))
        mid = np.einsum("nhwcij,ijc->nhwc", windows, dw)
        g = yield mid @ pw
        dmid = g @ pw.T
        dx = np.pad(dmid, ((0, 0), (kh - 1, kh - 1), (kw - 1, kw - 1), (0, 0)))
        dx = np.einsum("nhwcij,ijc->nhwc", sliding_window_view(dx, (kh, kw), axis=(1, 2)), np.flip(dw, (0, 1)))
        return dict(
            x=dx,
            dw=np.einsum("nhwc,nhwcij->ijc", dmid, windows),
            pw=np.tensordot(mid, g, axes=([0, 1, 2], [0, 1, 2])),
        )


class TransposedConv1d(Form):
    title, group = "Transposed convolution in one dimension, stride 2, by adding shifted outputs", "convolution"
    wrt = "x w"
    needs = "CAT MM"
    ref = "Dumoulin & Visin 2016 ch. 4; Dive into Deep Learning s.14.10 (trans_conv)"

    @staticmethod
    def make(random):
        return dict(x=random.standard_normal((5, 2)), w=random.standard_normal((3, 2, 4)))

    @staticmethod
    def forward(x, w):
        T = len(x)
        K = len(w)
        out = np.zeros_like(x, shape=(2 * (T - 1) + K, w.shape[2]))
        for k in range(K):
            out[k : k + 2 * T - 1 : 2] += x @ w[k]
        return out

    @staticmethod
    def expert(x, w):
        T, K = len(x), len(w)
        out = np.zeros_like(x, shape=(2 * (T - 1) + K, w.shape[2]))
        for k in range(K):
            out[k : k + 2 * T - 1 : 2] += x @ w[k]
        g = yield out
        windows = sliding_window_view(g, K, axis=0)[::2]  # [T, O, K]
        return dict(x=np.einsum("tok,kio->ti", windows, w), w=np.einsum("ti,tok->kio", x, windows))


class DilatedCausalConv(Form):
    title, group = "Gated dilated causal convolution of two taps with a residual", "convolution"
    wrt = "x Wf Wg"
    needs = "SIG OUT MM CAT FACT"
    ref = "van den Oord et al. 2016, WaveNet eq. 2"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(x=normal((7, 3)), Wf=normal((2, 3, 3)), Wg=normal((2, 3, 3)), dilation=2)

    @staticmethod
    def forward(x, Wf, Wg, dilation):
        past = np.concatenate([np.zeros((dilation, x.shape[1])), x[:-dilation]])
        f = np.tanh(past @ Wf[0] + x @ Wf[1])
        s = 1 / (1 + np.exp(-(past @ Wg[0] + x @ Wg[1])))
        return x + f * s

    @staticmethod
    def expert(x, Wf, Wg, dilation):
        past = np.concatenate([np.zeros((dilation, x.shape[1])), x[:-dilation]])
        f = np.tanh(past @ Wf[0] + x @ Wf[1])
        s = 1 / (1 + np.exp(-(past @ Wg[0] + x @ Wg[1])))
        fs = f * s
        g = yield x + fs
        df = g * s * (1 - f**2)
        ds = g * fs * (1 - s)
        dx = g + df @ Wf[1].T + ds @ Wg[1].T
        dx[:-dilation] += df[dilation:] @ Wf[0].T + ds[dilation:] @ Wg[0].T
        return dict(
            x=dx,
            Wf=np.stack([past.T @ df, x.T @ df]),
            Wg=np.stack([past.T @ ds, x.T @ ds]),
        )


class MaxpoolOfStridedSlices(Form):
    title, group = "Max pooling as the maximum of four strided slices", "convolution"
    wrt = "x"
    needs = "MASK SCAT CAT ASM"
    assumes = "no ties inside a window"
    ref = "CS231n assignment 2, max_pool_backward"

    @staticmethod
    def make(random):
        return dict(x=random.standard_normal((2, 4, 6, 3)))

    @staticmethod
    def forward(x):
        a, b = x[:, 0::2, 0::2], x[:, 0::2, 1::2]
        c, d = x[:, 1::2, 0::2], x[:, 1::2, 1::2]
        return np.maximum(np.maximum(a, b), np.maximum(c, d))

    @staticmethod
    def expert(x):
        N, H, W, C = x.shape
        blocks = x.reshape(N, H // 2, 2, W // 2, 2, C)
        out = np.maximum(
            np.maximum(blocks[:, :, 0, :, 0], blocks[:, :, 0, :, 1]),
            np.maximum(blocks[:, :, 1, :, 0], blocks[:, :, 1, :, 1]),
        )
        g = yield out
        dx = (blocks == out[:, :, None, :, None]) * g[:, :, None, :, None]
        return dict(x=dx.reshape(x.shape))


class SmallCnnToSoftmax(Form):
    title, group = "Convolution, ReLU, global average pooling, affine, cross-entropy", "convolution"
    wrt = "K W b"
    needs = "SEED SCAL SMAX SCAT MASK MM CAT UNB"
    ref = "Lin, Chen & Yan 2014, network in network (global average pooling)"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(
            X=normal((3, 5, 5, 2)), y=random.integers(0, 3, 3), K=normal((3, 3, 2, 4)), W=normal((4, 3)), b=normal(3)
        )

    @staticmethod
    def forward(X, y, K, W, b):
        patches = sliding_window_view(X, (3, 3), axis=(1, 2))
        h = np.maximum(np.einsum("nhwcij,ijco->nhwo", patches, K), 0)
        z = h.mean((1, 2)) @ W + b
        z -= z.max(1, keepdims=True)
        logp = z - np.log(np.exp(z).sum(1, keepdims=True))
        return -logp[np.arange(len(y)), y].mean()

    @staticmethod
    def expert(X, y, K, W, b):
        n = len(y)
        patches = sliding_window_view(X, (3, 3), axis=(1, 2))
        h = np.maximum(np.einsum("nhwcij,ijco->nhwo", patches, K), 0)
        pooled = h.mean((1, 2))
        z = pooled @ W + b
        z -= z.max(1, keepdims=True)
        e = np.exp(z)
        s = e.sum(1, keepdims=True)
        yield -(z - np.log(s))[np.arange(n), y].mean()
        dz = e / (n * s)
        dz[np.arange(n), y] -= 1 / n
        dh = (dz @ W.T / (h.shape[1] * h.shape[2]))[:, None, None] * (h > 0)
        return dict(K=np.einsum("nhwcij,nhwo->ijco", patches, dh), W=pooled.T @ dz, b=dz.sum(0))


class UpsampleSkipConcat(Form):
    title, group = (
        "Nearest upsampling by repeat, skip connection by concatenation, pointwise convolution",
        "convolution",
    )
    wrt = "low skip W"
    needs = "CAT SCAT MM"
    ref = "Ronneberger, Fischer & Brox 2015, U-Net; Odena, Dumoulin & Olah 2016"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(low=normal((2, 2, 3, 4)), skip=normal((2, 4, 6, 2)), W=normal((6, 3)))

    @staticmethod
    def forward(low, skip, W):
        up = low.repeat(2, axis=1).repeat(2, axis=2)
        x = np.concatenate([up, skip], axis=-1)
        return x @ W

    @staticmethod
    def expert(low, skip, W):
        N, h, w, C = low.shape
        x = np.concatenate([low.repeat(2, axis=1).repeat(2, axis=2), skip], axis=-1)
        g = yield x @ W
        dx = g @ W.T
        return dict(
            low=dx[..., :C].reshape(N, h, 2, w, 2, C).sum(axis=(2, 4)),
            skip=dx[..., C:],
            W=np.tensordot(x, g, axes=([0, 1, 2], [0, 1, 2])),
        )


class BilinearSampling(Form):
    title, group = "Image sampled at fractional positions by bilinear weights", "convolution"
    wrt = "img x y"
    needs = "SCAT OUT FACT CANC"
    ref = "Jaderberg et al. 2015 eqs. 5 to 7, spatial transformer networks"

    @staticmethod
    def make(random):
        return dict(img=random.standard_normal((5, 6)), x=4.8 * random.random(7), y=3.8 * random.random(7))

    @staticmethod
    def forward(img, x, y):
        x0 = np.floor(x).astype(int)
        y0 = np.floor(y).astype(int)
        x1, y1 = x0 + 1, y0 + 1
        wa = (x1 - x) * (y1 - y)
        wb = (x1 - x) * (y - y0)
        wc = (x - x0) * (y1 - y)
        wd = (x - x0) * (y - y0)
        return wa * img[y0, x0] + wb * img[y1, x0] + wc * img[y0, x1] + wd * img[y1, x1]

    @staticmethod
    def expert(img, x, y):
        x0 = np.floor(x).astype(int)
        y0 = np.floor(y).astype(int)
        x1, y1 = x0 + 1, y0 + 1
        left, right, top, bottom = x1 - x, x - x0, y1 - y, y - y0
        wa, wb, wc, wd = left * top, left * bottom, right * top, right * bottom
        Ia, Ib, Ic, Id = img[y0, x0], img[y1, x0], img[y0, x1], img[y1, x1]
        g = yield wa * Ia + wb * Ib + wc * Ic + wd * Id
        dimg = np.zeros_like(img)
        np.add.at(dimg, (y0, x0), g * wa)
        np.add.at(dimg, (y1, x0), g * wb)
        np.add.at(dimg, (y0, x1), g * wc)
        np.add.at(dimg, (y1, x1), g * wd)
        return dict(
            img=dimg,
            x=g * (top * (Ic - Ia) + bottom * (Id - Ib)),
            y=g * (left * (Ib - Ia) + right * (Id - Ic)),
        )
