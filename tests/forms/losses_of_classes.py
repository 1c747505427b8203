"""Losses of classes: the softmax family and binary cross-entropies."""

import numpy as np

from tests.forms.form import Form


class Softmax(Form):
    title, group = "Softmax rows, given cotangent", "softmax"
    wrt = "X"
    needs = "SMAX CANC FACT OUT"
    ref = "Bridle 1990; common Jacobian diag(p) - pp'"

    @staticmethod
    def make(random):
        return dict(X=random.standard_normal((5, 4)))

    @staticmethod
    def forward(X):
        E = np.exp(X - X.max(1, keepdims=True))
        return E / E.sum(1, keepdims=True)

    @staticmethod
    def expert(X):
        E = np.exp(X - X.max(1, keepdims=True))
        P = E / E.sum(1, keepdims=True)
        g = yield P
        return dict(X=P * (g - (g * P).sum(1, keepdims=True)))


class SoftmaxXentSoft(Form):
    title, group = "Softmax cross-entropy, arbitrary target weights (no assumption)", "softmax"
    wrt = "Z"
    needs = "SEED SCAL SMAX CANC FACT"
    ref = "as softmax_xent_onehot without sum(Y, 1) == 1"

    @staticmethod
    def make(random):
        return dict(Z=random.standard_normal((6, 4)), Y=random.random((6, 4)))

    @staticmethod
    def forward(Z, Y):
        E = np.exp(Z - Z.max(1, keepdims=True))
        P = E / E.sum(1, keepdims=True)
        return -np.sum(Y * np.log(P)) / len(Z)

    @staticmethod
    def expert(Z, Y):
        E = np.exp(Z - Z.max(1, keepdims=True))
        P = E / E.sum(1, keepdims=True)
        yield -np.sum(Y * np.log(P)) / len(Z)
        return dict(Z=(P * Y.sum(1, keepdims=True) - Y) / len(Z))


class LogSoftmaxLabels(Form):
    title, group = "Log-softmax and negative log-likelihood of integer labels", "softmax"
    wrt = "scores"
    needs = "SEED SCAL SMAX SCAT"
    ref = "CS231n notes, the softmax classifier"

    @staticmethod
    def make(random):
        return dict(scores=random.standard_normal((6, 4)), labels=random.integers(0, 4, 6))

    @staticmethod
    def forward(scores, labels):
        n = scores.shape[0]
        shifted = scores - np.max(scores, axis=-1)[:, np.newaxis]
        log_probs = shifted - np.log(np.sum(np.exp(shifted), axis=-1, keepdims=True))
        return -np.sum(log_probs[np.arange(n), labels]) / n

    @staticmethod
    def expert(scores, labels):
        n = scores.shape[0]
        shifted = scores - np.max(scores, axis=-1)[:, np.newaxis]
        E = np.exp(shifted)
        S = np.sum(E, axis=-1, keepdims=True)
        log_probs = shifted - np.log(S)
        rows = np.arange(n)
        yield -np.sum(log_probs[rows, labels]) / n
        d = E / S
        d[rows, labels] -= 1
        d /= n
        return dict(scores=d)


class LogSoftmaxOneHot(Form):
    title, group = "Softmax regression with one-hot targets", "softmax"
    wrt = "W b"
    needs = "SEED SCAL SMAX CANC MM UNB ASM"
    assumes = "each row of T adds to 1"
    assume = {"T": "distribution"}
    ref = "Bishop 2006 eq. 4.109"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(X=normal((6, 5)), T=np.eye(3)[random.integers(0, 3, 6)], W=normal((5, 3)), b=normal(3))

    @staticmethod
    def forward(X, T, W, b):
        def log_softmax(a):
            a = a - a.max(axis=1, keepdims=True)
            return a - np.log(np.exp(a).sum(axis=1, keepdims=True))

        return -(T * log_softmax(np.dot(X, W) + b)).sum(axis=1).mean()

    @staticmethod
    def expert(X, T, W, b):
        a = np.dot(X, W) + b
        a = a - a.max(axis=1, keepdims=True)
        E = np.exp(a)
        S = E.sum(axis=1, keepdims=True)
        yield -(T * (a - np.log(S))).sum(axis=1).mean()
        d = (E / S - T) / len(X)
        return dict(W=np.dot(X.T, d), b=d.sum(axis=0))


class BceFromLogits(Form):
    title, group = "Binary cross-entropy from logits that does not overflow", "loss"
    wrt = "z"
    needs = "SEED SCAL SIG MASK"
    ref = "TensorFlow manual, sigmoid_cross_entropy_with_logits"

    @staticmethod
    def make(random):
        return dict(z=2 * random.standard_normal((4, 3)), y=random.random((4, 3)))

    @staticmethod
    def forward(z, y):
        return (np.maximum(z, 0) - z * y + np.log1p(np.exp(-np.abs(z)))).mean()

    @staticmethod
    def expert(z, y):
        e = np.exp(-np.abs(z))
        yield (np.maximum(z, 0) - z * y + np.log1p(e)).mean()
        return dict(z=(np.where(z > 0, 1, e) / (1 + e) - y) / z.size)


class LogSumExp(Form):
    title, group = "Log-sum-exp of rows", "softmax"
    wrt = "x"
    needs = "SMAX FACT"
    ref = "Boyd & Vandenberghe 2004 s.3.1.5"

    @staticmethod
    def make(random):
        return dict(x=random.standard_normal((2, 3, 4)))

    @staticmethod
    def forward(x):
        m = np.amax(x, axis=-1)
        return m + np.log(np.exp(x - m[..., None]).sum(axis=-1))

    @staticmethod
    def expert(x):
        m = np.amax(x, axis=-1)
        E = np.exp(x - m[..., None])
        S = E.sum(axis=-1)
        g = yield m + np.log(S)
        return dict(x=E * (g / S)[..., None])


class FocalLoss(Form):
    title, group = "Focal loss, labels -1 and 1", "loss"
    wrt = "x"
    needs = "SEED SCAL SIG CANC FACT OUT"
    ref = "Lin et al. 2017, appendix B"

    @staticmethod
    def make(random):
        return dict(x=random.standard_normal(9), y=np.sign(random.standard_normal(9)), alpha=0.25, gamma=2.0)

    @staticmethod
    def forward(x, y, alpha, gamma):
        pt = 1 / (1 + np.exp(-y * x))
        return np.mean(-alpha * (1 - pt) ** gamma * np.log(pt))

    @staticmethod
    def expert(x, y, alpha, gamma):
        pt = 1 / (1 + np.exp(-y * x))
        q = 1 - pt
        weight = q**gamma
        log_pt = np.log(pt)
        yield np.mean(-alpha * weight * log_pt)
        return dict(x=alpha / len(x) * y * weight * (gamma * pt * log_pt - q))


class LabelSmoothing(Form):
    title, group = "Cross-entropy with smoothed labels", "softmax"
    wrt = "logits"
    needs = "SEED SCAL SMAX SCAT"
    ref = "Szegedy et al. 2016 s.7"

    @staticmethod
    def make(random):
        return dict(logits=random.standard_normal((5, 4)), target=random.integers(0, 4, 5), epsilon=0.1)

    @staticmethod
    def forward(logits, target, epsilon):
        z = logits - logits.max(-1, keepdims=True)
        logp = z - np.log(np.exp(z).sum(-1, keepdims=True))
        likelihood = -logp[np.arange(len(target)), target]
        smooth = -logp.mean(axis=-1)
        return ((1 - epsilon) * likelihood + epsilon * smooth).mean()

    @staticmethod
    def expert(logits, target, epsilon):
        n, k = logits.shape
        z = logits - logits.max(-1, keepdims=True)
        E = np.exp(z)
        S = E.sum(-1, keepdims=True)
        logp = z - np.log(S)
        rows = np.arange(n)
        yield ((1 - epsilon) * -logp[rows, target] + epsilon * -logp.mean(axis=-1)).mean()
        d = E / (n * S)
        d -= epsilon / (n * k)
        d[rows, target] -= (1 - epsilon) / n
        return dict(logits=d)


class ActorCritic(Form):
    title, group = "Policy gradient with an entropy bonus", "softmax"
    wrt = "W"
    needs = "SEED SCAL SMAX CANC FACT SCAT MM"
    ref = "Mnih et al. 2016 s.4 (A3C)"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(
            W=normal((4, 3)), states=normal((6, 4)), actions=random.integers(0, 3, 6), advantage=normal(6), beta=0.05
        )

    @staticmethod
    def forward(W, states, actions, advantage, beta):
        logits = states @ W
        logits = logits - logits.max(axis=1, keepdims=True)
        logp = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        entropy = -(np.exp(logp) * logp).sum(axis=1)
        chosen = logp[np.arange(len(actions)), actions]
        return -(advantage * chosen + beta * entropy).mean()

    @staticmethod
    def expert(W, states, actions, advantage, beta):
        logits = states @ W
        logits = logits - logits.max(axis=1, keepdims=True)
        logp = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        P = np.exp(logp)
        entropy = -(P * logp).sum(axis=1)
        rows = np.arange(len(actions))
        yield -(advantage * logp[rows, actions] + beta * entropy).mean()
        d = P * (beta * (logp + entropy[:, None]) + advantage[:, None])
        d[rows, actions] -= advantage
        return dict(W=states.T @ d / len(actions))
