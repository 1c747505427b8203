"""Statistical models: latent variables, filters, tests and survival."""

import numpy as np

from tests.forms.form import Form


class VaeElbo(Form):
    title, group = "Negative evidence lower bound of a variational autoencoder, Bernoulli decoder", "prob"
    wrt = "W1 b1 Wm Ws Wd bd"
    needs = "SEED SCAL SIG OUT FACT MM UNB"
    ref = "Kingma & Welling 2014 eq. 10 and appendix C"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(
            X=random.random((5, 4)),
            noise=normal((5, 2)),
            W1=normal((4, 3)),
            b1=normal(3),
            Wm=normal((3, 2)),
            Ws=normal((3, 2)),
            Wd=normal((2, 4)),
            bd=normal(4),
        )

    @staticmethod
    def forward(X, noise, W1, b1, Wm, Ws, Wd, bd):
        h = np.tanh(X @ W1 + b1)
        mean, logvar = h @ Wm, h @ Ws
        z = mean + np.exp(0.5 * logvar) * noise
        logits = z @ Wd + bd
        reconstruction = np.sum(np.logaddexp(0, logits) - X * logits)
        divergence = -0.5 * np.sum(1 + logvar - mean**2 - np.exp(logvar))
        return reconstruction + divergence

    @staticmethod
    def expert(X, noise, W1, b1, Wm, Ws, Wd, bd):
        h = np.tanh(X @ W1 + b1)
        mean, logvar = h @ Wm, h @ Ws
        spread = np.exp(0.5 * logvar) * noise
        z = mean + spread
        logits = z @ Wd + bd
        variance = np.exp(logvar)
        yield np.sum(np.logaddexp(0, logits) - X * logits) - 0.5 * np.sum(1 + logvar - mean**2 - variance)
        dlogits = 1 / (1 + np.exp(-logits)) - X
        dz = dlogits @ Wd.T
        dmean = dz + mean
        dlogvar = 0.5 * (dz * spread + variance - 1)
        da = (dmean @ Wm.T + dlogvar @ Ws.T) * (1 - h**2)
        return dict(W1=X.T @ da, b1=da.sum(0), Wm=h.T @ dmean, Ws=h.T @ dlogvar, Wd=z.T @ dlogits, bd=dlogits.sum(0))


class KalmanUpdate(Form):
    title, group = "Measurement update of a Kalman filter", "prob"
    wrt = "x P z R"
    needs = "OUT SYM MM FACT SCAL"
    stretch = True
    ref = "Kalman 1960; Parellier et al. 2023 (backpropagation through Kalman filters in closed form)"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        P, R = normal((3, 3)), normal((2, 2))
        return dict(x=normal(3), P=P @ P.T + np.eye(3), z=normal(2), H=normal((2, 3)), R=R @ R.T + np.eye(2))

    @staticmethod
    def forward(x, P, z, H, R):
        innovation = z - H @ x
        S = H @ P @ H.T + R
        K = P @ H.T @ np.linalg.inv(S)
        return x + K @ innovation, (np.eye(len(x)) - K @ H) @ P

    @staticmethod
    def expert(x, P, z, H, R):
        innovation = z - H @ x
        HP = H @ P
        S_inverse = np.linalg.inv(HP @ H.T + R)
        K = P @ H.T @ S_inverse
        M = np.eye(len(x)) - K @ H
        gx, gP = yield x + K @ innovation, M @ P
        dPH = (np.outer(gx, innovation) - gP @ HP.T) @ S_inverse.T
        # The gradients of K = P H' / S through P and through S meet in M'.
        return dict(x=M.T @ gx, P=M.T @ (gP + dPH @ H), z=K.T @ gx, R=-K.T @ dPH)


class ItemResponse(Form):
    title, group = "Item response (Rasch) model", "prob"
    wrt = "ability difficulty"
    needs = "SEED SCAL CANC SIG UNB"
    ref = "Rasch 1960; Baker & Kim 2004"

    @staticmethod
    def make(random):
        return dict(
            ability=random.standard_normal(5),
            difficulty=random.standard_normal(4),
            correct=(random.random((5, 4)) > 0.4).astype(float),
        )

    @staticmethod
    def forward(ability, difficulty, correct):
        odds = np.exp(np.subtract.outer(ability, difficulty))
        P = odds / (1 + odds)
        return -(correct * np.log(P) + (1 - correct) * np.log(1 - P)).sum()

    @staticmethod
    def expert(ability, difficulty, correct):
        odds = np.exp(np.subtract.outer(ability, difficulty))
        P = odds / (1 + odds)
        yield -(correct * np.log(P) + (1 - correct) * np.log(1 - P)).sum()
        D = P - correct
        return dict(ability=D.sum(axis=1), difficulty=-D.sum(axis=0))


class CoxPartialLikelihood(Form):
    title, group = "Cox partial likelihood, subjects by falling time", "prob"
    wrt = "beta"
    needs = "SEED SCAL OUT CAT MM"
    ref = "Cox 1975; Katzman et al. 2018 (DeepSurv)"

    @staticmethod
    def make(random):
        return dict(
            beta=random.standard_normal(3),
            X=random.standard_normal((7, 3)),
            events=(random.random(7) > 0.3).astype(float),
        )

    @staticmethod
    def forward(beta, X, events):
        eta = X @ beta
        return -np.sum(events * (eta - np.log(np.cumsum(np.exp(eta)))))

    @staticmethod
    def expert(beta, X, events):
        eta = X @ beta
        risk = np.exp(eta)
        at_risk = np.cumsum(risk)
        yield -np.sum(events * (eta - np.log(at_risk)))
        hazard = np.cumsum((events / at_risk)[::-1])[::-1]
        return dict(beta=(risk * hazard - events) @ X)
