"""Held out: the small networks of well-known tutorials."""

import numpy as np

from tests.forms.form import Form


def sigmoid(z):
    return 1.0 / (1.0 + np.exp(-z))


def softmax(X):
    X_exp = np.exp(X)
    partition = X_exp.sum(1, keepdims=True)
    return X_exp / partition


def cross_entropy(y_hat, y):
    return -np.log(y_hat[range(len(y_hat)), y])


class OctaveNetWithBiasColumns(Form):
    title, group = "Two-layer sigmoid net with columns of ones and regularised weights but not biases", "courses"
    wrt = "Theta1 Theta2"
    needs = "SEED SCAL CANC SIG MM CAT"
    ref = "Ng, Machine Learning (Coursera), exercise 4, nnCostFunction"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(
            X=normal((6, 4)),
            Y=(np.arange(3) == random.integers(0, 3, 6)[:, None]).astype(float),
            Theta1=normal((5, 5)),
            Theta2=normal((3, 6)),
            lambda_=0.5,
        )

    @staticmethod
    def forward(X, Y, Theta1, Theta2, lambda_):
        m = X.shape[0]
        ones = np.ones((m, 1))
        a1 = np.hstack([ones, X])
        z2 = a1 @ Theta1.T
        a2 = np.hstack([ones, sigmoid(z2)])
        h = sigmoid(a2 @ Theta2.T)
        J = np.sum(-Y * np.log(h) - (1 - Y) * np.log(1 - h)) / m
        return J + lambda_ / (2 * m) * (np.sum(Theta1[:, 1:] ** 2) + np.sum(Theta2[:, 1:] ** 2))

    @staticmethod
    def expert(X, Y, Theta1, Theta2, lambda_):
        m = X.shape[0]
        ones = np.ones((m, 1))
        a1 = np.hstack([ones, X])
        s2 = sigmoid(a1 @ Theta1.T)
        a2 = np.hstack([ones, s2])
        h = sigmoid(a2 @ Theta2.T)
        J = np.sum(-Y * np.log(h) - (1 - Y) * np.log(1 - h)) / m
        yield J + lambda_ / (2 * m) * (np.sum(Theta1[:, 1:] ** 2) + np.sum(Theta2[:, 1:] ** 2))
        d3 = (h - Y) / m
        d2 = d3 @ Theta2[:, 1:] * s2 * (1 - s2)
        grad2 = d3.T @ a2
        grad1 = d2.T @ a1
        grad2[:, 1:] += lambda_ / m * Theta2[:, 1:]
        grad1[:, 1:] += lambda_ / m * Theta1[:, 1:]
        return dict(Theta1=grad1, Theta2=grad2)


class SoftmaxRegressionFromScratch(Form):
    title, group = "Softmax regression without a shift, mean cross-entropy", "courses"
    wrt = "W b"
    needs = "SEED SCAL SMAX CANC SCAT MM UNB"
    ref = "Dive into Deep Learning, s.4.4 (softmax regression from scratch)"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(X=normal((6, 2, 2)), y=random.integers(0, 3, 6), W=normal((4, 3)), b=normal(3))

    @staticmethod
    def forward(X, y, W, b):
        y_hat = softmax(np.matmul(X.reshape((-1, W.shape[0])), W) + b)
        return cross_entropy(y_hat, y).mean()

    @staticmethod
    def expert(X, y, W, b):
        X = X.reshape((-1, W.shape[0]))
        y_hat = softmax(np.matmul(X, W) + b)
        yield cross_entropy(y_hat, y).mean()
        y_hat[range(len(y_hat)), y] -= 1
        d = y_hat / len(y_hat)
        return dict(W=X.T @ d, b=d.sum(0))


class FoundationsLinReluLinMse(Form):
    title, group = "Linear, ReLU, linear, mean squared error of a squeezed output", "courses"
    wrt = "inp w1 b1 w2 b2"
    needs = "SEED SCAL MASK MM UNB"
    ref = "fast.ai, Practical Deep Learning part 2, lesson 13 (forward and backward passes)"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(
            inp=normal((6, 4)), targ=normal(6), w1=normal((4, 5)), b1=normal(5), w2=normal((5, 1)), b2=normal(1)
        )

    @staticmethod
    def forward(inp, targ, w1, b1, w2, b2):
        def lin(x, w, b):
            return x @ w + b

        def relu(x):
            return np.clip(x, 0.0, None)

        def mse(output, targ):
            return ((output[:, 0] - targ) ** 2).mean()

        l1 = lin(inp, w1, b1)
        l2 = relu(l1)
        out = lin(l2, w2, b2)
        return mse(out, targ)

    @staticmethod
    def expert(inp, targ, w1, b1, w2, b2):
        l2 = np.clip(inp @ w1 + b1, 0.0, None)
        diff = (l2 @ w2 + b2)[:, 0] - targ
        yield (diff**2).mean()
        out_g = (2.0 / len(targ) * diff)[:, None]
        l1_g = out_g * w2[:, 0] * (l2 > 0)
        return dict(inp=l1_g @ w1.T, w1=inp.T @ l1_g, b1=l1_g.sum(0), w2=l2.T @ out_g, b2=out_g.sum(0))


class ElevenLinesOfPython(Form):
    title, group = "Two sigmoid layers without biases, squared error", "courses"
    wrt = "syn0 syn1"
    needs = "SEED SCAL SIG FACT OUT MM"
    ref = "Trask 2015, a neural network in 11 lines of Python"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(
            X=(random.random((5, 3)) > 0.5).astype(float),
            y=(random.random((5, 1)) > 0.5).astype(float),
            syn0=normal((3, 4)),
            syn1=normal((4, 1)),
        )

    @staticmethod
    def forward(X, y, syn0, syn1):
        l1 = 1 / (1 + np.exp(-(np.dot(X, syn0))))
        l2 = 1 / (1 + np.exp(-(np.dot(l1, syn1))))
        return 0.5 * np.sum((y - l2) ** 2)

    @staticmethod
    def expert(X, y, syn0, syn1):
        l1 = 1 / (1 + np.exp(-(np.dot(X, syn0))))
        l2 = 1 / (1 + np.exp(-(np.dot(l1, syn1))))
        l2_error = y - l2
        yield 0.5 * np.sum(l2_error**2)
        l2_delta = l2_error * l2 * (l2 - 1)
        l1_delta = np.dot(l2_delta, syn1.T) * l1 * (1 - l1)
        return dict(syn0=np.dot(X.T, l1_delta), syn1=np.dot(l1.T, l2_delta))


class CubicPolynomialFit(Form):
    title, group = "A polynomial of third degree fitted by its four coefficients", "courses"
    wrt = "a b c d"
    needs = "SEED SCAL OUT MM"
    ref = "Johnson, Learning PyTorch with Examples, warm-up: numpy"

    @staticmethod
    def make(random):
        x = np.linspace(-3, 3, 9)
        a, b, c, d = np.split(random.standard_normal(4), 4)
        return dict(x=x, y=np.sin(x), a=a[0], b=b[0], c=c[0], d=d[0])

    @staticmethod
    def forward(x, y, a, b, c, d):
        y_pred = a + b * x + c * x**2 + d * x**3
        return np.square(y_pred - y).sum()

    @staticmethod
    def expert(x, y, a, b, c, d):
        x2 = x**2
        x3 = x**3
        diff = a + b * x + c * x2 + d * x3 - y
        yield np.square(diff).sum()
        return dict(a=2 * diff.sum(), b=2 * (diff @ x), c=2 * (diff @ x2), d=2 * (diff @ x3))


class MaxoutClassifier(Form):
    title, group = "Maxout layer by einsum, affine, softmax with one-hot targets", "courses"
    wrt = "W b V c"
    needs = "SEED SCAL SMAX MASK MM UNB ASM"
    assumes = "rows of Y add to 1, no ties among the pieces of a unit"
    ref = "Goodfellow et al. 2013, maxout networks"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        Y = (np.arange(3) == random.integers(0, 3, 5)[:, None]).astype(float)
        return dict(X=normal((5, 4)), Y=Y, W=normal((4, 6, 2)), b=normal((6, 2)), V=normal((6, 3)), c=normal(3))

    @staticmethod
    def forward(X, Y, W, b, V, c):
        z = np.einsum("nd,dhk->nhk", X, W) + b
        h = z.max(axis=2)
        o = h @ V + c
        o = o - o.max(axis=1, keepdims=True)
        logp = o - np.log(np.exp(o).sum(axis=1, keepdims=True))
        return -(Y * logp).sum(axis=1).mean()

    @staticmethod
    def expert(X, Y, W, b, V, c):
        z = np.einsum("nd,dhk->nhk", X, W) + b
        h = z.max(axis=2)
        o = h @ V + c
        o = o - o.max(axis=1, keepdims=True)
        e = np.exp(o)
        s = e.sum(axis=1, keepdims=True)
        yield -(Y * (o - np.log(s))).sum(axis=1).mean()
        do = (e / s - Y) / len(Y)
        dz = (do @ V.T)[:, :, None] * (z == h[:, :, None])
        return dict(W=np.einsum("nd,nhk->dhk", X, dz), b=dz.sum(axis=0), V=h.T @ do, c=do.sum(axis=0))


class DenoisingAutoencoderTied(Form):
    title, group = "Autoencoder with tied weights, corrupted input, cross-entropy", "courses"
    wrt = "W b b_prime"
    needs = "SEED SCAL CANC SIG OUT MM UNB FACT"
    ref = "Vincent et al. 2008; deeplearning.net tutorial, dA.py"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        x = random.random((6, 5))
        return dict(x=x, tilde_x=x * (random.random((6, 5)) > 0.3), W=normal((5, 3)), b=normal(3), b_prime=normal(5))

    @staticmethod
    def forward(x, tilde_x, W, b, b_prime):
        y = sigmoid(np.dot(tilde_x, W) + b)
        z = sigmoid(np.dot(y, W.T) + b_prime)
        L = -np.sum(x * np.log(z) + (1 - x) * np.log(1 - z), axis=1)
        return np.mean(L)

    @staticmethod
    def expert(x, tilde_x, W, b, b_prime):
        y = sigmoid(np.dot(tilde_x, W) + b)
        z = sigmoid(np.dot(y, W.T) + b_prime)
        yield np.mean(-np.sum(x * np.log(z) + (1 - x) * np.log(1 - z), axis=1))
        dz = (z - x) / len(x)
        dy = np.dot(dz, W) * y * (1 - y)
        return dict(W=np.dot(tilde_x.T, dy) + np.dot(dz.T, y), b=dy.sum(axis=0), b_prime=dz.sum(axis=0))


class SparseAutoencoder(Form):
    title, group = "Sparse autoencoder: squared error, weight decay, KL of the mean activations", "courses"
    wrt = "W1 W2 b1 b2"
    needs = "SEED SCAL SIG OUT MM UNB FACT"
    ref = "Ng, CS294A lecture notes; UFLDL exercise sparseAutoencoderCost"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(
            data=random.random((5, 8)),
            W1=normal((3, 5)),
            W2=normal((5, 3)),
            b1=normal(3),
            b2=normal(5),
            lam=0.1,
            rho=0.2,
            beta=0.5,
        )

    @staticmethod
    def forward(data, W1, W2, b1, b2, lam, rho, beta):
        m = data.shape[1]
        a2 = sigmoid(W1 @ data + b1[:, None])
        a3 = sigmoid(W2 @ a2 + b2[:, None])
        rho_hat = np.sum(a2, axis=1) / m
        squared_error = np.sum((a3 - data) ** 2) / (2 * m)
        weight_decay = lam / 2 * (np.sum(W1**2) + np.sum(W2**2))
        kl = np.sum(rho * np.log(rho / rho_hat) + (1 - rho) * np.log((1 - rho) / (1 - rho_hat)))
        return squared_error + weight_decay + beta * kl

    @staticmethod
    def expert(data, W1, W2, b1, b2, lam, rho, beta):
        m = data.shape[1]
        a2 = sigmoid(W1 @ data + b1[:, None])
        a3 = sigmoid(W2 @ a2 + b2[:, None])
        r = a3 - data
        rho_hat = np.sum(a2, axis=1) / m
        left = 1 - rho_hat
        kl = np.sum(rho * np.log(rho / rho_hat) + (1 - rho) * np.log((1 - rho) / left))
        yield np.sum(r**2) / (2 * m) + lam / 2 * (np.sum(W1**2) + np.sum(W2**2)) + beta * kl
        d3 = r * a3 * (1 - a3) / m
        sparsity = beta / m * ((1 - rho) / left - rho / rho_hat)
        d2 = (W2.T @ d3 + sparsity[:, None]) * a2 * (1 - a2)
        return dict(W1=d2 @ data.T + lam * W1, W2=d3 @ a2.T + lam * W2, b1=d2.sum(axis=1), b2=d3.sum(axis=1))
