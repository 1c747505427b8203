"""Embeddings: rows that are looked up, placed and compared."""

import numpy as np

from tests.forms.form import Form


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


class EmbeddingMeanPooling(Form):
    title, group = "Embedding, mean over the tokens, linear layer", "embedding"
    wrt = "E W b"
    needs = "SCAL SCAT MM UNB"
    ref = "Joulin et al. 2017 (fastText)"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(E=normal((7, 3)), W=normal((3, 2)), b=normal(2), ids=random.integers(0, 7, (4, 5)))

    @staticmethod
    def forward(E, W, b, ids):
        return E[ids].mean(axis=1) @ W + b

    @staticmethod
    def expert(E, W, b, ids):
        pooled = E[ids].mean(axis=1)
        g = yield pooled @ W + b
        dE = np.zeros_like(E)
        np.add.at(dE, ids, (g @ W.T / ids.shape[1])[:, None])
        return dict(E=dE, W=pooled.T @ g, b=g.sum(axis=0))


class Word2vecNegativeSampling(Form):
    title, group = "Skip-gram with negative sampling", "embedding"
    wrt = "inner outer"
    needs = "SEED SCAL CANC SIG SCAT MM"
    ref = "Mikolov et al. 2013 eq. 4; Stanford CS224n assignment 2"

    @staticmethod
    def make(random):
        return dict(
            inner=random.standard_normal((6, 3)),
            outer=random.standard_normal((6, 3)),
            centre=random.integers(0, 6, 4),
            context=random.integers(0, 6, 4),
            negative=random.integers(0, 6, (4, 3)),
        )

    @staticmethod
    def forward(inner, outer, centre, context, negative):
        v = inner[centre]
        positive_scores = np.sum(outer[context] * v, axis=1)
        negative_scores = np.einsum("bkd,bd->bk", outer[negative], v)
        loss = np.log(sigmoid(positive_scores)).sum() + np.log(sigmoid(-negative_scores)).sum()
        return -loss / len(centre)

    @staticmethod
    def expert(inner, outer, centre, context, negative):
        v, u, w = inner[centre], outer[context], outer[negative]
        positive = sigmoid(np.sum(u * v, axis=1))
        rejected = sigmoid(-np.einsum("bkd,bd->bk", w, v))
        n = len(centre)
        yield -(np.log(positive).sum() + np.log(rejected).sum()) / n
        du = ((positive - 1) / n)[:, None]
        dw = (1 - rejected) / n
        d_inner, d_outer = np.zeros_like(inner), np.zeros_like(outer)
        np.add.at(d_inner, centre, du * u + np.einsum("bk,bkd->bd", dw, w))
        np.add.at(d_outer, context, du * v)
        np.add.at(d_outer, negative, dw[:, :, None] * v[:, None])
        return dict(inner=d_inner, outer=d_outer)


class TransE(Form):
    title, group = "TransE, margin ranking of translated entities", "embedding"
    wrt = "E R"
    needs = "SEED CANC FACT MASK SCAT"
    ref = "Bordes et al. 2013"

    @staticmethod
    def make(random):
        def choose():
            return random.integers(0, 6, 5)

        return dict(
            E=random.standard_normal((6, 3)),
            R=random.standard_normal((2, 3)),
            relation=random.integers(0, 2, 5),
            head=choose(),
            tail=choose(),
            false_head=choose(),
            false_tail=choose(),
            margin=1.0,
        )

    @staticmethod
    def forward(E, R, relation, head, tail, false_head, false_tail, margin):
        def distance(difference):
            return np.sqrt((difference**2).sum(axis=1))

        true = distance(E[head] + R[relation] - E[tail])
        false = distance(E[false_head] + R[relation] - E[false_tail])
        return np.maximum(0, margin + true - false).sum()

    @staticmethod
    def expert(E, R, relation, head, tail, false_head, false_tail, margin):
        r = R[relation]
        true = E[head] + r - E[tail]
        false = E[false_head] + r - E[false_tail]
        true_distance = np.sqrt((true**2).sum(axis=1))
        false_distance = np.sqrt((false**2).sum(axis=1))
        hinge = np.maximum(0, margin + true_distance - false_distance)
        yield hinge.sum()
        active = hinge > 0
        dt = (active / true_distance)[:, None] * true
        df = (active / false_distance)[:, None] * false
        dE, dR = np.zeros_like(E), np.zeros_like(R)
        np.add.at(dE, head, dt)
        np.subtract.at(dE, tail, dt)
        np.subtract.at(dE, false_head, df)
        np.add.at(dE, false_tail, df)
        np.add.at(dR, relation, dt - df)
        return dict(E=dE, R=dR)


class BayesianPersonalisedRanking(Form):
    title, group = "Bayesian personalised ranking with an L2 penalty", "embedding"
    wrt = "users items"
    needs = "SEED SCAL CANC SIG FACT SCAT"
    ref = "Rendle et al. 2009 s.4.3"

    @staticmethod
    def make(random):
        return dict(
            users=random.standard_normal((4, 3)),
            items=random.standard_normal((5, 3)),
            u=random.integers(0, 4, 6),
            i=random.integers(0, 5, 6),
            j=random.integers(0, 5, 6),
            penalty=0.1,
        )

    @staticmethod
    def forward(users, items, u, i, j, penalty):
        p, liked, other = users[u], items[i], items[j]
        x = (p * (liked - other)).sum(axis=1)
        return -np.log(sigmoid(x)).sum() + penalty * ((p**2).sum() + (liked**2).sum() + (other**2).sum())

    @staticmethod
    def expert(users, items, u, i, j, penalty):
        p, liked, other = users[u], items[i], items[j]
        difference = liked - other
        s = sigmoid((p * difference).sum(axis=1))
        yield -np.log(s).sum() + penalty * ((p**2).sum() + (liked**2).sum() + (other**2).sum())
        d = (s - 1)[:, None]
        dp = d * p
        d_users, d_items = np.zeros_like(users), np.zeros_like(items)
        np.add.at(d_users, u, d * difference + 2 * penalty * p)
        np.add.at(d_items, i, 2 * penalty * liked + dp)
        np.add.at(d_items, j, 2 * penalty * other - dp)
        return dict(users=d_users, items=d_items)


class DeepFm(Form):
    title, group = "DeepFM: factorisation machine and network on shared embeddings", "embedding"
    wrt = "E w W1 b1 W2"
    needs = "SEED SCAL CANC SIG FACT MASK SCAT MM UNB"
    ref = "Guo et al. 2017 eq. 1-4"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(
            E=normal((8, 2)),
            w=normal(8),
            W1=normal((6, 4)),
            b1=normal(4),
            W2=normal(4),
            ids=random.integers(0, 8, (5, 3)),
            y=(random.random(5) > 0.5).astype(float),
        )

    @staticmethod
    def forward(E, w, W1, b1, W2, ids, y):
        e = E[ids]
        pairs = 0.5 * np.sum(np.square(e.sum(axis=1)) - np.square(e).sum(axis=1), axis=1)
        hidden = np.maximum(e.reshape(len(ids), -1) @ W1 + b1, 0)
        p = sigmoid(w[ids].sum(axis=1) + pairs + hidden @ W2)
        return -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))

    @staticmethod
    def expert(E, w, W1, b1, W2, ids, y):
        e = E[ids]
        total = e.sum(axis=1)
        pairs = 0.5 * np.sum(np.square(total) - np.square(e).sum(axis=1), axis=1)
        flat = e.reshape(len(ids), -1)
        hidden = np.maximum(flat @ W1 + b1, 0)
        p = sigmoid(w[ids].sum(axis=1) + pairs + hidden @ W2)
        yield -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))
        d = (p - y) / len(y)
        dh = np.outer(d, W2) * (hidden > 0)
        de = d[:, None, None] * (total[:, None] - e) + (dh @ W1.T).reshape(e.shape)
        dE, dw = np.zeros_like(E), np.zeros_like(w)
        np.add.at(dE, ids, de)
        np.add.at(dw, ids, d[:, None])
        return dict(E=dE, w=dw, W1=flat.T @ dh, b1=dh.sum(axis=0), W2=d @ hidden)


class StochasticNeighbourEmbedding(Form):
    title, group = "t-SNE objective", "science"
    wrt = "Y"
    needs = "SEED SCAL CANC FACT OUT SYM MM ASM"
    assumes = "P is symmetric"
    assume = {"P": "symmetric"}
    ref = "van der Maaten & Hinton 2008, appendix A"

    @staticmethod
    def make(random):
        P = random.random((5, 5)) * (1 - np.eye(5))
        return dict(P=(P + P.T) / (P + P.T).sum(), Y=random.standard_normal((5, 2)), others=1 - np.eye(5))

    @staticmethod
    def forward(P, Y, others):
        D = np.sum((Y[:, None, :] - Y[None, :, :]) ** 2, axis=2)
        kernel = others / (1 + D)
        return np.sum(P * np.log(1 + D)) + np.log(np.sum(kernel))

    @staticmethod
    def expert(P, Y, others):
        u = 1 + np.sum((Y[:, None, :] - Y[None, :, :]) ** 2, axis=2)
        kernel = others / u
        Z = np.sum(kernel)
        yield np.sum(P * np.log(u)) + np.log(Z)
        B = (P - kernel / Z) / u
        return dict(Y=4 * (B.sum(axis=1)[:, None] * Y - B @ Y))
