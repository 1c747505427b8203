"""Contrastive losses."""

import numpy as np

from tests.forms.form import Form


def normalise(x):
    return x / np.sqrt(np.sum(x * x, axis=1, keepdims=True))


class InfoNce(Form):
    title, group = "InfoNCE of normalised pairs", "contrastive"
    wrt = "A B"
    needs = "SEED SCAL SMAX CANC FACT SCAT OUT MM"
    ref = "van den Oord et al. 2018 eq. 4; Chen et al. 2020 (SimCLR)"

    @staticmethod
    def make(random):
        return dict(A=random.standard_normal((5, 3)), B=random.standard_normal((5, 3)), tau=0.5)

    @staticmethod
    def forward(A, B, tau):
        logits = normalise(A) @ normalise(B).T / tau
        logits = logits - logits.max(axis=1, keepdims=True)
        return np.mean(np.log(np.exp(logits).sum(axis=1)) - np.diag(logits))

    @staticmethod
    def expert(A, B, tau):
        na, nb = (np.sqrt(np.sum(x * x, axis=1, keepdims=True)) for x in (A, B))
        a, b = A / na, B / nb
        logits = a @ b.T / tau
        logits = logits - logits.max(axis=1, keepdims=True)
        E = np.exp(logits)
        S = E.sum(axis=1)
        yield np.mean(np.log(S) - np.diag(logits))
        n = len(A)
        d = E / (S * (n * tau))[:, None]
        d[np.arange(n), np.arange(n)] -= 1 / (n * tau)
        da, db = d @ b, d.T @ a
        return dict(A=(da - a * (da * a).sum(1, keepdims=True)) / na, B=(db - b * (db * b).sum(1, keepdims=True)) / nb)


class ClipLoss(Form):
    title, group = "Symmetric contrastive loss of images and texts with a learned temperature", "contrastive"
    wrt = "images texts t"
    needs = "SEED SCAL SMAX CANC FACT SCAT OUT MM"
    ref = "Radford et al. 2021, figure 3"

    @staticmethod
    def make(random):
        return dict(images=random.standard_normal((4, 3)), texts=random.standard_normal((4, 3)), t=np.array(0.4))

    @staticmethod
    def forward(images, texts, t):
        def cross_entropy(z, axis):
            z = z - z.max(axis=axis, keepdims=True)
            log_p = z - np.log(np.exp(z).sum(axis=axis, keepdims=True))
            return -np.mean(np.diagonal(log_p))

        logits = np.dot(images, texts.T) * np.exp(t)
        return (cross_entropy(logits, 0) + cross_entropy(logits, 1)) / 2

    @staticmethod
    def expert(images, texts, t):
        scale = np.exp(t)
        logits = np.dot(images, texts.T) * scale
        losses, P = [], []
        for axis in (0, 1):
            z = logits - logits.max(axis=axis, keepdims=True)
            E = np.exp(z)
            S = E.sum(axis=axis, keepdims=True)
            losses.append(-np.mean(np.diagonal(z - np.log(S))))
            P.append((E, S))
        yield (losses[0] + losses[1]) / 2
        n = len(images)
        (E0, S0), (E1, S1) = P
        d = E0 / S0 + E1 / S1
        d[np.arange(n), np.arange(n)] -= 2
        dproduct = scale / (2 * n) * d
        return dict(images=dproduct @ texts, texts=dproduct.T @ images, t=np.vdot(d, logits) / (2 * n))


class TripletMargin(Form):
    title, group = "Triplet loss of squared distances", "contrastive"
    wrt = "anchor positive negative"
    needs = "SEED SCAL MASK FACT"
    ref = "Schroff et al. 2015"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(anchor=normal((6, 3)), positive=normal((6, 3)), negative=normal((6, 3)), margin=0.2)

    @staticmethod
    def forward(anchor, positive, negative, margin):
        near = np.sum((anchor - positive) ** 2, axis=1)
        far = np.sum((anchor - negative) ** 2, axis=1)
        return np.maximum(near - far + margin, 0).mean()

    @staticmethod
    def expert(anchor, positive, negative, margin):
        to_positive, to_negative = anchor - positive, anchor - negative
        hinge = np.maximum(np.sum(to_positive**2, axis=1) - np.sum(to_negative**2, axis=1) + margin, 0)
        yield hinge.mean()
        c = ((hinge > 0) * (2 / len(hinge)))[:, None]
        pull = c * to_positive
        push = c * to_negative
        return dict(anchor=pull - push, positive=-pull, negative=push)


class SiameseMargin(Form):
    title, group = "Contrastive loss of pairs", "contrastive"
    wrt = "a b"
    needs = "SEED SCAL CANC FACT MASK OUT"
    ref = "Hadsell et al. 2006 eq. 4"

    @staticmethod
    def make(random):
        same = (random.random(7) > 0.5).astype(float)
        return dict(a=random.standard_normal((7, 3)), b=random.standard_normal((7, 3)), same=same, margin=2.5)

    @staticmethod
    def forward(a, b, same, margin):
        distance = np.linalg.norm(a - b, axis=1)
        return np.mean(same * distance**2 + (1 - same) * np.maximum(margin - distance, 0) ** 2)

    @staticmethod
    def expert(a, b, same, margin):
        difference = a - b
        distance = np.linalg.norm(difference, axis=1)
        gap = np.maximum(margin - distance, 0)
        other = 1 - same
        yield np.mean(same * distance**2 + other * gap**2)
        da = (2 / len(same) * (same - other * gap / distance))[:, None] * difference
        return dict(a=da, b=-da)
