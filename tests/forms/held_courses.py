"""Held out: networks as courses and their assignments write them."""

import numpy as np

from tests.forms.form import Form


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def affine_forward(x, w, b):
    return x.reshape(x.shape[0], -1).dot(w) + b


def softmax_loss(x, y):
    shifted_logits = x - np.max(x, axis=1, keepdims=True)
    Z = np.sum(np.exp(shifted_logits), axis=1, keepdims=True)
    log_probs = shifted_logits - np.log(Z)
    N = x.shape[0]
    return -np.sum(log_probs[np.arange(N), y]) / N


class AffineReluAffineSoftmaxLoss(Form):
    title, group = "Two-layer net of layer functions on images, log-probabilities, L2", "courses"
    wrt = "W1 b1 W2 b2"
    needs = "SEED SCAL SMAX SCAT MASK MM UNB"
    ref = "CS231n assignment 2, fc_net.py and layers.py"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(
            X=normal((5, 2, 2, 3)),
            y=random.integers(0, 4, 5),
            W1=0.3 * normal((12, 6)),
            b1=0.1 * normal(6),
            W2=normal((6, 4)),
            b2=normal(4),
            reg=0.1,
        )

    @staticmethod
    def forward(X, y, W1, b1, W2, b2, reg):
        h = np.maximum(0, affine_forward(X, W1, b1))
        scores = affine_forward(h, W2, b2)
        loss = softmax_loss(scores, y)
        return loss + 0.5 * reg * (np.sum(W1 * W1) + np.sum(W2 * W2))

    @staticmethod
    def expert(X, y, W1, b1, W2, b2, reg):
        N = X.shape[0]
        rows = np.arange(N)
        x = X.reshape(N, -1)
        h = np.maximum(0, x.dot(W1) + b1)
        scores = h.dot(W2) + b2
        shifted_logits = scores - np.max(scores, axis=1, keepdims=True)
        E = np.exp(shifted_logits)
        Z = np.sum(E, axis=1, keepdims=True)
        log_probs = shifted_logits - np.log(Z)
        loss = -np.sum(log_probs[rows, y]) / N
        yield loss + 0.5 * reg * (np.sum(W1 * W1) + np.sum(W2 * W2))
        dscores = E / Z
        dscores[rows, y] -= 1
        dscores /= N
        dh = dscores.dot(W2.T) * (h > 0)
        return dict(
            W1=x.T.dot(dh) + reg * W1,
            b1=dh.sum(axis=0),
            W2=h.T.dot(dscores) + reg * W2,
            b2=dscores.sum(axis=0),
        )


class BatchnormInSmallSteps(Form):
    title, group = "Batch normalisation in twelve small steps, given cotangent", "courses"
    wrt = "x gamma beta"
    needs = "MEAN0 OUT FACT SCAL CANC ZERO UNB"
    ref = "Kratzert 2016, the gradient through the batch normalization layer; CS231n batchnorm_backward_alt"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(x=normal((6, 4)), gamma=normal(4), beta=normal(4), eps=1e-5)

    @staticmethod
    def forward(x, gamma, beta, eps):
        N, D = x.shape
        mu = 1.0 / N * np.sum(x, axis=0)
        xmu = x - mu
        sq = xmu**2
        var = 1.0 / N * np.sum(sq, axis=0)
        sqrtvar = np.sqrt(var + eps)
        ivar = 1.0 / sqrtvar
        xhat = xmu * ivar
        gammax = gamma * xhat
        out = gammax + beta
        return out

    @staticmethod
    def expert(x, gamma, beta, eps):
        N, D = x.shape
        xmu = x - 1.0 / N * np.sum(x, axis=0)
        ivar = 1.0 / np.sqrt(1.0 / N * np.sum(xmu**2, axis=0) + eps)
        xhat = xmu * ivar
        dout = yield gamma * xhat + beta
        dbeta = np.sum(dout, axis=0)
        dgamma = np.sum(dout * xhat, axis=0)
        dx = gamma * ivar * (dout - (dbeta + xhat * dgamma) / N)
        return dict(x=dx, gamma=dgamma, beta=dbeta)


class AffineBatchnormReluSoftmax(Form):
    title, group = "Affine, batch normalisation, ReLU, affine, softmax", "courses"
    wrt = "W1 gamma beta W2 b2"
    needs = "SEED SCAL SMAX SCAT MASK MEAN0 OUT MM UNB FACT"
    ref = "CS231n assignment 2, FullyConnectedNet with normalization='batchnorm'"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(
            X=normal((7, 4)),
            y=random.integers(0, 3, 7),
            W1=normal((4, 5)),
            gamma=1 + 0.1 * normal(5),
            beta=0.1 * normal(5),
            W2=normal((5, 3)),
            b2=normal(3),
        )

    @staticmethod
    def forward(X, y, W1, gamma, beta, W2, b2):
        a = X @ W1
        a_hat = (a - a.mean(axis=0)) / np.sqrt(a.var(axis=0) + 1e-5)
        h = np.maximum(0, gamma * a_hat + beta)
        scores = h @ W2 + b2
        scores = scores - scores.max(axis=1, keepdims=True)
        exp_scores = np.exp(scores)
        probs = exp_scores / exp_scores.sum(axis=1, keepdims=True)
        return np.mean(-np.log(probs[np.arange(len(y)), y]))

    @staticmethod
    def expert(X, y, W1, gamma, beta, W2, b2):
        rows = np.arange(len(y))
        a = X @ W1
        std = np.sqrt(a.var(axis=0) + 1e-5)
        a_hat = (a - a.mean(axis=0)) / std
        h = np.maximum(0, gamma * a_hat + beta)
        scores = h @ W2 + b2
        exp_scores = np.exp(scores - scores.max(axis=1, keepdims=True))
        probs = exp_scores / exp_scores.sum(axis=1, keepdims=True)
        yield np.mean(-np.log(probs[rows, y]))
        probs[rows, y] -= 1
        dscores = probs / len(y)
        dz = dscores @ W2.T * (h > 0)
        dbeta = dz.sum(axis=0)
        dgamma = (dz * a_hat).sum(axis=0)
        da = gamma / std * (dz - (dbeta + a_hat * dgamma) / len(y))
        return dict(W1=X.T @ da, gamma=dgamma, beta=dbeta, W2=h.T @ dscores, b2=dscores.sum(axis=0))


class MakemoreBatchnormMlp(Form):
    title, group = "Character model: embedding, batch normalisation with n - 1, tanh, softmax", "courses"
    wrt = "C W1 b1 bngain bnbias W2 b2"
    needs = "SEED SCAL SMAX CANC SCAT MEAN0 OUT MM UNB FACT ZERO"
    ref = "Karpathy, makemore part 4: becoming a backprop ninja, exercises 1 to 4"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(
            Xb=random.integers(0, 5, (6, 3)),
            Yb=random.integers(0, 5, 6),
            C=normal((5, 2)),
            W1=0.5 * normal((6, 4)),
            b1=0.1 * normal(4),
            bngain=1 + 0.1 * normal((1, 4)),
            bnbias=0.1 * normal((1, 4)),
            W2=normal((4, 5)),
            b2=0.1 * normal(5),
        )

    @staticmethod
    def forward(Xb, Yb, C, W1, b1, bngain, bnbias, W2, b2):
        n = len(Yb)
        emb = C[Xb]
        embcat = emb.reshape(emb.shape[0], -1)
        hprebn = embcat @ W1 + b1
        bnmeani = 1 / n * hprebn.sum(0, keepdims=True)
        bndiff = hprebn - bnmeani
        bndiff2 = bndiff**2
        bnvar = 1 / (n - 1) * bndiff2.sum(0, keepdims=True)
        bnvar_inv = (bnvar + 1e-5) ** -0.5
        bnraw = bndiff * bnvar_inv
        hpreact = bngain * bnraw + bnbias
        h = np.tanh(hpreact)
        logits = h @ W2 + b2
        logit_maxes = logits.max(1, keepdims=True)
        norm_logits = logits - logit_maxes
        counts = np.exp(norm_logits)
        counts_sum = counts.sum(1, keepdims=True)
        counts_sum_inv = counts_sum**-1
        probs = counts * counts_sum_inv
        logprobs = np.log(probs)
        return -logprobs[range(n), Yb].mean()

    @staticmethod
    def expert(Xb, Yb, C, W1, b1, bngain, bnbias, W2, b2):
        n = len(Yb)
        emb = C[Xb]
        embcat = emb.reshape(emb.shape[0], -1)
        hprebn = embcat @ W1 + b1
        bndiff = hprebn - 1 / n * hprebn.sum(0, keepdims=True)
        bnvar_inv = (1 / (n - 1) * (bndiff**2).sum(0, keepdims=True) + 1e-5) ** -0.5
        bnraw = bndiff * bnvar_inv
        h = np.tanh(bngain * bnraw + bnbias)
        logits = h @ W2 + b2
        counts = np.exp(logits - logits.max(1, keepdims=True))
        probs = counts * counts.sum(1, keepdims=True) ** -1
        yield -np.log(probs)[range(n), Yb].mean()
        dlogits = probs
        dlogits[range(n), Yb] -= 1
        dlogits /= n
        dhpreact = (1 - h**2) * (dlogits @ W2.T)
        dbnbias = dhpreact.sum(0, keepdims=True)
        dbngain = (bnraw * dhpreact).sum(0, keepdims=True)
        dhprebn = bngain * bnvar_inv * (dhpreact - dbnbias / n - bnraw * (dbngain / (n - 1)))
        dC = np.zeros_like(C)
        np.add.at(dC, Xb, (dhprebn @ W1.T).reshape(emb.shape))
        return dict(
            C=dC,
            W1=embcat.T @ dhprebn,
            b1=np.zeros_like(b1),  # the mean takes it out again
            bngain=dbngain,
            bnbias=dbnbias,
            W2=h.T @ dlogits,
            b2=dlogits.sum(0),
        )


class MicrogradMoonsLoss(Form):
    title, group = "Max-margin loss and L2 of a ReLU net with one output", "courses"
    wrt = "W1 b1 W2 b2"
    needs = "SEED SCAL MASK MM UNB"
    ref = "Karpathy, micrograd demo.ipynb (max-margin loss on two moons)"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(
            X=normal((8, 2)),
            y=np.where(random.random(8) > 0.5, 1, -1),
            W1=normal((2, 6)),
            b1=normal(6),
            W2=normal((6, 1)),
            b2=normal(1),
            alpha=1e-2,
        )

    @staticmethod
    def forward(X, y, W1, b1, W2, b2, alpha):
        def relu(z):
            return z * (z > 0)

        scores = relu(X @ W1 + b1) @ W2 + b2
        losses = relu(1 + -y * scores[:, 0])
        data_loss = np.sum(losses) * (1.0 / len(losses))
        reg_loss = alpha * sum([(p * p).sum() for p in (W1, b1, W2, b2)])
        return data_loss + reg_loss

    @staticmethod
    def expert(X, y, W1, b1, W2, b2, alpha):
        Z = X @ W1 + b1
        active = Z > 0
        H = Z * active
        minus_y = -y
        margins = 1 + minus_y * (H @ W2 + b2)[:, 0]
        violated = margins > 0
        reg_loss = alpha * sum([(p * p).sum() for p in (W1, b1, W2, b2)])
        yield np.sum(margins * violated) * (1.0 / len(y)) + reg_loss
        d = (minus_y * violated / len(y))[:, None]
        dZ = d * W2[:, 0] * active
        lam = 2 * alpha
        return dict(W1=X.T @ dZ + lam * W1, b1=dZ.sum(0) + lam * b1, W2=H.T @ d + lam * W2, b2=d.sum(0) + lam * b2)


class DeepLearningAiThreeLayers(Form):
    title, group = "Three layers, examples in columns, inverted dropout with given masks, cross-entropy, L2", "courses"
    wrt = "W1 b1 W2 b2 W3 b3"
    needs = "SEED SCAL CANC SIG MASK MM UNB"
    ref = "Ng, Improving Deep Neural Networks, week 1 (regularization, dropout)"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(
            X=normal((3, 7)),
            Y=(random.random((1, 7)) > 0.5).astype(float),
            D1=(random.random((5, 7)) < 0.8).astype(float),
            D2=(random.random((4, 7)) < 0.8).astype(float),
            W1=normal((5, 3)),
            b1=normal((5, 1)),
            W2=normal((4, 5)),
            b2=normal((4, 1)),
            W3=0.3 * normal((1, 4)),
            b3=normal((1, 1)),
            lambd=0.7,
            keep_prob=0.8,
        )

    @staticmethod
    def forward(X, Y, D1, D2, W1, b1, W2, b2, W3, b3, lambd, keep_prob):
        m = X.shape[1]
        A1 = np.maximum(0, np.dot(W1, X) + b1)
        A1 = np.multiply(A1, D1)
        A1 /= keep_prob
        A2 = np.maximum(0, np.dot(W2, A1) + b2)
        A2 = np.multiply(A2, D2)
        A2 /= keep_prob
        A3 = sigmoid(np.dot(W3, A2) + b3)
        logprobs = np.multiply(-np.log(A3), Y) + np.multiply(-np.log(1 - A3), 1 - Y)
        cross_entropy_cost = 1.0 / m * np.sum(logprobs)
        L2 = np.sum(np.square(W1)) + np.sum(np.square(W2)) + np.sum(np.square(W3))
        return cross_entropy_cost + lambd / (2 * m) * L2

    @staticmethod
    def expert(X, Y, D1, D2, W1, b1, W2, b2, W3, b3, lambd, keep_prob):
        m = X.shape[1]
        A1 = np.maximum(0, np.dot(W1, X) + b1) * D1 / keep_prob
        A2 = np.maximum(0, np.dot(W2, A1) + b2) * D2 / keep_prob
        A3 = sigmoid(np.dot(W3, A2) + b3)
        logprobs = -np.log(A3) * Y + -np.log(1 - A3) * (1 - Y)
        L2 = np.sum(np.square(W1)) + np.sum(np.square(W2)) + np.sum(np.square(W3))
        yield 1.0 / m * np.sum(logprobs) + lambd / (2 * m) * L2
        # A dropped unit is not positive, so one mask does for the ReLU and for the dropout.
        dZ3 = (A3 - Y) / m
        dZ2 = np.dot(W3.T / keep_prob, dZ3) * (A2 > 0)
        dZ1 = np.dot(W2.T / keep_prob, dZ2) * (A1 > 0)
        decay = lambd / m
        return dict(
            W1=np.dot(dZ1, X.T) + decay * W1,
            b1=np.sum(dZ1, axis=1, keepdims=True),
            W2=np.dot(dZ2, A1.T) + decay * W2,
            b2=np.sum(dZ2, axis=1, keepdims=True),
            W3=np.dot(dZ3, A2.T) + decay * W3,
            b3=np.sum(dZ3, axis=1, keepdims=True),
        )
