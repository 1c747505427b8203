"""Layers that multiply one path by a gate, or mix several paths."""

import numpy as np

from tests.forms.form import Form


def sigmoid(x):
    return np.reciprocal(1 + np.exp(-x))


class HighwayGate(Form):
    title, group = "Highway layer", "gate"
    wrt = "x Wh bh Wt bt"
    needs = "OUT SIG FACT MASK MM UNB"
    ref = "Srivastava et al. 2015 eq. 3"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(x=normal((5, 3)), Wh=normal((3, 3)), bh=normal(3), Wt=normal((3, 3)), bt=normal(3))

    @staticmethod
    def forward(x, Wh, bh, Wt, bt):
        H = np.maximum(0, x @ Wh + bh)
        T = sigmoid(x @ Wt + bt)
        return H * T + x * (1 - T)

    @staticmethod
    def expert(x, Wh, bh, Wt, bt):
        H = np.maximum(0, x @ Wh + bh)
        T = sigmoid(x @ Wt + bt)
        carry = 1 - T
        g = yield H * T + x * carry
        gT = g * T
        dh = gT * (H > 0)
        dt = gT * carry * (H - x)
        return dict(x=g * carry + dh @ Wh.T + dt @ Wt.T, Wh=x.T @ dh, bh=dh.sum(axis=0), Wt=x.T @ dt, bt=dt.sum(axis=0))


class MixtureOfExperts(Form):
    title, group = "Dense mixture of linear experts", "gate"
    wrt = "x gate_weights expert_weights"
    needs = "SMAX CANC FACT OUT MM"
    ref = "Jacobs et al. 1991; Shazeer et al. 2017 eq. 1"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(x=normal((5, 4)), gate_weights=normal((4, 3)), expert_weights=normal((3, 4, 2)))

    @staticmethod
    def forward(x, gate_weights, expert_weights):
        logits = x @ gate_weights
        e = np.exp(logits - logits.max(axis=1)[:, None])
        gate = e / e.sum(axis=1)[:, None]
        outputs = np.einsum("nd,edo->neo", x, expert_weights)
        return np.einsum("ne,neo->no", gate, outputs)

    @staticmethod
    def expert(x, gate_weights, expert_weights):
        logits = x @ gate_weights
        e = np.exp(logits - logits.max(axis=1)[:, None])
        gate = e / e.sum(axis=1)[:, None]
        outputs = np.einsum("nd,edo->neo", x, expert_weights)
        y = np.einsum("ne,neo->no", gate, outputs)
        g = yield y
        dlogits = gate * (np.einsum("no,neo->ne", g, outputs) - (g * y).sum(axis=1)[:, None])
        doutputs = gate[:, :, None] * g[:, None, :]
        return dict(
            x=dlogits @ gate_weights.T + np.einsum("neo,edo->nd", doutputs, expert_weights),
            gate_weights=x.T @ dlogits,
            expert_weights=np.einsum("nd,neo->edo", x, doutputs),
        )


class SqueezeExcite(Form):
    title, group = "Squeeze-and-excitation block", "gate"
    wrt = "x W1 W2"
    needs = "OUT SIG SCAL MASK MM UNB"
    ref = "Hu et al. 2018 eq. 2-4"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(x=normal((2, 4, 2, 3)), W1=normal((4, 2)), W2=normal((2, 4)))

    @staticmethod
    def forward(x, W1, W2):
        squeezed = x.mean(axis=(2, 3))
        hidden = np.maximum(squeezed @ W1, 0)
        scale = sigmoid(hidden @ W2)
        return x * scale[:, :, None, None]

    @staticmethod
    def expert(x, W1, W2):
        squeezed = x.mean(axis=(2, 3))
        hidden = np.maximum(squeezed @ W1, 0)
        scale = sigmoid(hidden @ W2)
        images = scale[:, :, None, None]
        g = yield x * images
        d2 = (g * x).sum(axis=(2, 3)) * scale * (1 - scale)
        d1 = d2 @ W2.T * (hidden > 0)
        mean = d1 @ W1.T / (x.shape[2] * x.shape[3])
        return dict(x=g * images + mean[:, :, None, None], W1=squeezed.T @ d1, W2=hidden.T @ d2)


class DuelingQ(Form):
    title, group = "Dueling Q-network head, squared error of the chosen actions", "gate"
    wrt = "h value_weights advantage_weights"
    needs = "SEED SCAL SCAT MM UNB"
    ref = "Wang et al. 2016 eq. 9"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(
            h=normal((6, 4)),
            value_weights=normal((4, 1)),
            advantage_weights=normal((4, 3)),
            actions=random.integers(0, 3, 6),
            targets=normal(6),
        )

    @staticmethod
    def forward(h, value_weights, advantage_weights, actions, targets):
        V = h @ value_weights
        A = h @ advantage_weights
        Q = V + (A - np.mean(A, axis=1, keepdims=True))
        error = Q[np.arange(len(actions)), actions] - targets
        return 0.5 * np.mean(error**2)

    @staticmethod
    def expert(h, value_weights, advantage_weights, actions, targets):
        V = h @ value_weights
        A = h @ advantage_weights
        Q = V + (A - np.mean(A, axis=1, keepdims=True))
        rows = np.arange(len(actions))
        error = Q[rows, actions] - targets
        yield 0.5 * np.mean(error**2)
        d = (error / len(error))[:, None]
        dA = np.zeros_like(A)
        dA -= d / A.shape[1]
        dA[rows, actions] += d[:, 0]
        return dict(h=dA @ advantage_weights.T + d @ value_weights.T, value_weights=h.T @ d, advantage_weights=h.T @ dA)


class SwiGlu(Form):
    title, group = "SwiGLU feed-forward layer", "gate"
    wrt = "x W1 W2 W3"
    needs = "OUT SIG CANC FACT MM"
    ref = "Shazeer 2020 eq. 6"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(x=normal((5, 3)), W1=normal((3, 4)), W2=normal((4, 3)), W3=normal((3, 4)))

    @staticmethod
    def forward(x, W1, W2, W3):
        a = x @ W1
        swish = a * sigmoid(a)
        return (swish * (x @ W3)) @ W2

    @staticmethod
    def expert(x, W1, W2, W3):
        a = x @ W1
        s = sigmoid(a)
        swish = a * s
        b = x @ W3
        hidden = swish * b
        g = yield hidden @ W2
        d = g @ W2.T
        da = d * b * s * (1 + a - swish)
        db = d * swish
        return dict(x=da @ W1.T + db @ W3.T, W1=x.T @ da, W2=hidden.T @ g, W3=x.T @ db)


class Glu(Form):
    title, group = "Gated linear unit of the halves of an array", "gate"
    wrt = "x"
    needs = "OUT SIG CAT FACT"
    ref = "Dauphin et al. 2017 eq. 1"

    @staticmethod
    def make(random):
        return dict(x=random.standard_normal((4, 6)))

    @staticmethod
    def forward(x):
        a, b = np.split(x, 2, axis=-1)
        return a / (1 + np.exp(-b))

    @staticmethod
    def expert(x):
        a, b = np.split(x, 2, axis=-1)
        u = 1 + np.exp(-b)
        y = a / u
        g = yield y
        da = g / u
        return dict(x=np.concatenate([da, da * (a - y)], axis=-1))
