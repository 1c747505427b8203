"""Dense layers and networks of them."""

import numpy as np

from tests.forms.form import Form


class Mlp2ReluMse(Form):
    title, group = "Two-layer ReLU net, squared error, no biases", "mlp"
    wrt = "W1 W2"
    needs = "SEED SCAL MM MASK"
    ref = "the classic 'gradients of a NN in pure NumPy' exercise (Johnson's learning-by-examples)"

    @staticmethod
    def make(random):
        return dict(
            X=random.standard_normal((6, 5)),
            Y=random.standard_normal((6, 2)),
            W1=random.standard_normal((5, 4)),
            W2=random.standard_normal((4, 2)),
        )

    @staticmethod
    def forward(X, Y, W1, W2):
        H = np.maximum(X @ W1, 0)
        return np.sum((H @ W2 - Y) ** 2)

    @staticmethod
    def expert(X, Y, W1, W2):
        Z = X @ W1
        H = np.maximum(Z, 0)
        R = H @ W2 - Y
        yield np.sum(R**2)
        dO = 2 * R
        dZ = dO @ W2.T * (H > 0)
        return dict(W1=X.T @ dZ, W2=H.T @ dO)


class Mlp3ReluMse(Form):
    title, group = "Three-layer ReLU net with biases, mean squared error", "mlp"
    wrt = "W1 b1 W2 b2 W3 b3"
    needs = "SEED SCAL MM MASK UNB"
    ref = "Nielsen 2015 ch.2 (BP1-BP4); CS231n"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(
            X=normal((6, 5)),
            Y=normal((6, 2)),
            W1=normal((5, 4)),
            b1=normal(4),
            W2=normal((4, 3)),
            b2=normal(3),
            W3=normal((3, 2)),
            b3=normal(2),
        )

    @staticmethod
    def forward(X, Y, W1, b1, W2, b2, W3, b3):
        H1 = np.maximum(X @ W1 + b1, 0)
        H2 = np.maximum(H1 @ W2 + b2, 0)
        return np.mean((H2 @ W3 + b3 - Y) ** 2)

    @staticmethod
    def expert(X, Y, W1, b1, W2, b2, W3, b3):
        H1 = np.maximum(X @ W1 + b1, 0)
        H2 = np.maximum(H1 @ W2 + b2, 0)
        R = H2 @ W3 + b3 - Y
        yield np.mean(R**2)
        d3 = 2 / R.size * R
        d2 = d3 @ W3.T * (H2 > 0)
        d1 = d2 @ W2.T * (H1 > 0)
        return dict(W1=X.T @ d1, b1=d1.sum(0), W2=H1.T @ d2, b2=d2.sum(0), W3=H2.T @ d3, b3=d3.sum(0))


class MlpSigmoidBce(Form):
    title, group = "Two-layer sigmoid net, binary cross-entropy written out", "mlp"
    wrt = "W1 b1 W2 b2"
    needs = "SEED SCAL CANC SIG FACT OUT MM UNB"
    ref = "Ng, CS229/Coursera notes (dZ2 = A2 - Y)"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(
            X=normal((6, 4)),
            Y=(random.random((6, 1)) > 0.5).astype(float),
            W1=normal((4, 3)),
            b1=normal(3),
            W2=normal((3, 1)),
            b2=normal(1),
        )

    @staticmethod
    def forward(X, Y, W1, b1, W2, b2):
        A1 = 1 / (1 + np.exp(-(X @ W1 + b1)))
        A2 = 1 / (1 + np.exp(-(A1 @ W2 + b2)))
        return -np.mean(Y * np.log(A2) + (1 - Y) * np.log(1 - A2))

    @staticmethod
    def expert(X, Y, W1, b1, W2, b2):
        A1 = 1 / (1 + np.exp(-(X @ W1 + b1)))
        A2 = 1 / (1 + np.exp(-(A1 @ W2 + b2)))
        yield -np.mean(Y * np.log(A2) + (1 - Y) * np.log(1 - A2))
        d2 = (A2 - Y) / len(Y)
        d1 = d2 @ W2.T * A1 * (1 - A1)
        return dict(W1=X.T @ d1, b1=d1.sum(0), W2=A1.T @ d2, b2=d2.sum(0))


class MlpSoftmaxXent(Form):
    title, group = "Two-layer ReLU net, softmax cross-entropy, L2 (CS231n two_layer_net)", "mlp"
    wrt = "W1 b1 W2 b2"
    needs = "SEED SCAL SMAX CANC SCAT MASK MM UNB"
    ref = "CS231n assignment 1, two-layer net"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(
            X=normal((6, 4)),
            y=random.integers(0, 3, 6),
            W1=normal((4, 5)),
            b1=normal(5),
            W2=normal((5, 3)),
            b2=normal(3),
            reg=0.05,
        )

    @staticmethod
    def forward(X, y, W1, b1, W2, b2, reg):
        H = np.maximum(X @ W1 + b1, 0)
        S = H @ W2 + b2
        E = np.exp(S - S.max(1, keepdims=True))
        P = E / E.sum(1, keepdims=True)
        data = -np.mean(np.log(P[np.arange(len(y)), y]))
        return data + reg * (np.sum(W1 * W1) + np.sum(W2 * W2))

    @staticmethod
    def expert(X, y, W1, b1, W2, b2, reg):
        H = np.maximum(X @ W1 + b1, 0)
        S = H @ W2 + b2
        E = np.exp(S - S.max(1, keepdims=True))
        P = E / E.sum(1, keepdims=True)
        rows = np.arange(len(y))
        yield -np.mean(np.log(P[rows, y])) + reg * (np.sum(W1 * W1) + np.sum(W2 * W2))
        P[rows, y] -= 1
        P /= len(y)
        d1 = P @ W2.T * (H > 0)
        return dict(W1=X.T @ d1 + 2 * reg * W1, b1=d1.sum(0), W2=H.T @ P + 2 * reg * W2, b2=P.sum(0))


class ResidualBlock(Form):
    title, group = "Residual block Y = X + relu(X W1) W2", "mlp"
    wrt = "X W1 W2"
    needs = "MM MASK"
    ref = "He et al. 2016"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(X=normal((5, 4)), W1=normal((4, 6)), W2=normal((6, 4)))

    @staticmethod
    def forward(X, W1, W2):
        return X + np.maximum(X @ W1, 0) @ W2

    @staticmethod
    def expert(X, W1, W2):
        H = np.maximum(X @ W1, 0)
        g = yield X + H @ W2
        d = g @ W2.T * (H > 0)
        return dict(X=g + d @ W1.T, W1=X.T @ d, W2=H.T @ g)


class Lora(Form):
    title, group = "LoRA adapter Y = XW + s (XA)B, W frozen", "mlp"
    wrt = "X A B"
    needs = "MM SCAL OUT"
    ref = "Hu et al. 2021"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(X=normal((5, 4)), W=normal((4, 6)), A=normal((4, 2)), B=normal((2, 6)), s=0.5)

    @staticmethod
    def forward(X, W, A, B, s):
        return X @ W + s * (X @ A @ B)

    @staticmethod
    def expert(X, W, A, B, s):
        H = X @ A
        g = yield X @ W + s * (H @ B)
        gs = s * g
        t = gs @ B.T
        return dict(X=g @ W.T + t @ A.T, A=X.T @ t, B=H.T @ gs)


class GcnLayer(Form):
    title, group = "Graph convolution H = relu(A X W)", "mlp"
    wrt = "X W"
    needs = "MM MASK OUT"
    ref = "Kipf & Welling 2017"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(A=random.random((5, 5)), X=normal((5, 4)), W=normal((4, 3)))

    @staticmethod
    def forward(A, X, W):
        return np.maximum(A @ X @ W, 0)

    @staticmethod
    def expert(A, X, W):
        AX = A @ X
        H = np.maximum(AX @ W, 0)
        g = yield H
        d = g * (H > 0)
        return dict(X=A.T @ (d @ W.T), W=AX.T @ d)


class WassersteinCritic(Form):
    title, group = "Wasserstein critic with a weight-normalised hidden layer", "science"
    wrt = "V s b v"
    needs = "SEED SCAL OUT FACT MASK MM UNB"
    ref = "Arjovsky et al. 2017; Salimans & Kingma 2016 eq. 3"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(real=normal((6, 3)), fake=normal((6, 3)), V=normal((3, 4)), s=normal(4), b=normal(4), v=normal(4))

    @staticmethod
    def forward(real, fake, V, s, b, v):
        W = s * (V / np.linalg.norm(V, axis=0))

        def critic(x):
            return np.maximum(x @ W + b, 0) @ v

        return critic(fake).mean() - critic(real).mean()

    @staticmethod
    def expert(real, fake, V, s, b, v):
        n = len(real)
        norm = np.linalg.norm(V, axis=0)
        U = V / norm
        W = s * U
        h_fake, h_real = (np.maximum(x @ W + b, 0) for x in (fake, real))
        yield (h_fake @ v).mean() - (h_real @ v).mean()
        per_sample = v / n
        d_fake, d_real = (h_fake > 0) * per_sample, (h_real > 0) * per_sample
        dW = fake.T @ d_fake - real.T @ d_real
        ds = (dW * U).sum(axis=0)
        return dict(
            V=s / norm * (dW - U * ds),
            s=ds,
            b=d_fake.sum(axis=0) - d_real.sum(axis=0),
            v=h_fake.mean(axis=0) - h_real.mean(axis=0),
        )
