"""Held out: losses of reinforcement learning and of preferences."""

import numpy as np

from tests.forms.form import Form


class ReinforceWithEntropyBonus(Form):
    title, group = "REINFORCE of a linear softmax policy with an entropy bonus", "policies"
    wrt = "W"
    needs = "SEED SCAL SMAX SCAT MM FACT"
    ref = "Williams 1992; Mnih et al. 2016 s.4 (entropy)"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(S=normal((6, 4)), a=random.integers(0, 3, 6), R=normal(6), W=normal((4, 3)), beta=0.1)

    @staticmethod
    def forward(S, a, R, W, beta):
        logits = S @ W
        logits = logits - logits.max(1, keepdims=True)
        logp = logits - np.log(np.exp(logits).sum(1, keepdims=True))
        p = np.exp(logp)
        policy_loss = -(logp[np.arange(len(a)), a] * R).mean()
        entropy = -(p * logp).sum(1).mean()
        return policy_loss - beta * entropy

    @staticmethod
    def expert(S, a, R, W, beta):
        n = len(a)
        rows = np.arange(n)
        logits = S @ W
        logits = logits - logits.max(1, keepdims=True)
        logp = logits - np.log(np.exp(logits).sum(1, keepdims=True))
        p = np.exp(logp)
        minus_H = (p * logp).sum(1)
        yield -(logp[rows, a] * R).mean() - beta * -minus_H.mean()
        # p (R + beta (logp + H)), less R at the action
        d = p * (beta * (logp - minus_H[:, None]) + R[:, None])
        d[rows, a] -= R
        return dict(W=S.T @ d / n)


class ActorCriticTwoHeads(Form):
    title, group = "Advantage actor-critic: shared tanh layer, policy and value heads, entropy", "policies"
    wrt = "W Wp Wv"
    needs = "SEED SCAL SMAX CANC SCAT OUT MM FACT"
    ref = "Mnih et al. 2016; OpenAI baselines a2c.py"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(
            obs=normal((6, 4)),
            actions=random.integers(0, 3, 6),
            returns=normal(6),
            advs=normal(6),
            W=normal((4, 5)),
            Wp=normal((5, 3)),
            Wv=normal((5, 1)),
            ent_coef=0.01,
            vf_coef=0.5,
        )

    @staticmethod
    def forward(obs, actions, returns, advs, W, Wp, Wv, ent_coef, vf_coef):
        h = np.tanh(obs @ W)
        logits = h @ Wp
        vpred = (h @ Wv)[:, 0]
        a0 = logits - np.max(logits, axis=-1, keepdims=True)
        ea0 = np.exp(a0)
        z0 = np.sum(ea0, axis=-1, keepdims=True)
        p0 = ea0 / z0
        neglogpac = np.log(z0[:, 0]) - a0[np.arange(len(actions)), actions]
        entropy = np.mean(np.sum(p0 * (np.log(z0) - a0), axis=-1))
        pg_loss = np.mean(advs * neglogpac)
        vf_loss = np.mean((vpred - returns) ** 2)
        return pg_loss - entropy * ent_coef + vf_loss * vf_coef

    @staticmethod
    def expert(obs, actions, returns, advs, W, Wp, Wv, ent_coef, vf_coef):
        n = len(actions)
        rows = np.arange(n)
        h = np.tanh(obs @ W)
        logits = h @ Wp
        td = (h @ Wv)[:, 0] - returns
        a0 = logits - np.max(logits, axis=-1, keepdims=True)
        ea0 = np.exp(a0)
        z0 = np.sum(ea0, axis=-1, keepdims=True)
        p0 = ea0 / z0
        log_z0 = np.log(z0)
        surprise = log_z0 - a0
        entropies = np.sum(p0 * surprise, axis=-1)
        pg_loss = np.mean(advs * (log_z0[:, 0] - a0[rows, actions]))
        yield pg_loss - np.mean(entropies) * ent_coef + np.mean(td**2) * vf_coef
        dlogits = p0 * ((advs + ent_coef * entropies)[:, None] - ent_coef * surprise)
        dlogits[rows, actions] -= advs
        dlogits /= n
        dv = (2 * vf_coef / n * td)[:, None]
        dz = (dlogits @ Wp.T + dv * Wv[:, 0]) * (1 - h**2)
        return dict(W=obs.T @ dz, Wp=h.T @ dlogits, Wv=h.T @ dv)


class PpoFullObjective(Form):
    title, group = "PPO: clipped surrogate of logits, clipped value loss", "policies"
    wrt = "logits value"
    needs = "SEED SCAL SMAX SCAT MASK OUT"
    ref = "Schulman et al. 2017; Huang et al. 2022, the 37 implementation details of PPO"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(
            logits=normal((7, 3)),
            value=normal(7),
            actions=random.integers(0, 3, 7),
            old_logprob=-1 + 0.3 * normal(7),
            old_value=normal(7),
            ret=normal(7),
            adv=normal(7),
            clip=0.2,
        )

    @staticmethod
    def forward(logits, value, actions, old_logprob, old_value, ret, adv, clip):
        logits = logits - logits.max(1, keepdims=True)
        logprob = logits - np.log(np.exp(logits).sum(1, keepdims=True))
        ratio = np.exp(logprob[np.arange(len(actions)), actions] - old_logprob)
        pg_loss1 = -adv * ratio
        pg_loss2 = -adv * np.clip(ratio, 1 - clip, 1 + clip)
        pg_loss = np.maximum(pg_loss1, pg_loss2).mean()
        v_clipped = old_value + np.clip(value - old_value, -clip, clip)
        v_loss = 0.5 * np.maximum((value - ret) ** 2, (v_clipped - ret) ** 2).mean()
        return pg_loss + 0.5 * v_loss

    @staticmethod
    def expert(logits, value, actions, old_logprob, old_value, ret, adv, clip):
        n = len(actions)
        rows = np.arange(n)
        logits = logits - logits.max(1, keepdims=True)
        e = np.exp(logits)
        s = e.sum(1, keepdims=True)
        logprob = logits - np.log(s)
        ratio = np.exp(logprob[rows, actions] - old_logprob)
        minus_adv = -adv
        pg_loss1 = minus_adv * ratio
        pg_loss2 = minus_adv * np.clip(ratio, 1 - clip, 1 + clip)
        step = value - old_value
        error = value - ret
        sq = error**2
        sq_clipped = (old_value + np.clip(step, -clip, clip) - ret) ** 2
        v_loss = 0.5 * np.maximum(sq, sq_clipped).mean()
        yield np.maximum(pg_loss1, pg_loss2).mean() + 0.5 * v_loss
        # Where the ratio is not clipped the two are equal; where it is, the clipped one is flat.
        d = pg_loss1 * (pg_loss1 >= pg_loss2) / n
        dlogits = e * (-d[:, None] / s)
        dlogits[rows, actions] += d
        return dict(logits=dlogits, value=error * (sq >= sq_clipped) / (2 * n))


class DeepQHuber(Form):
    title, group = "Deep Q-learning: Huber loss of the taken actions, one hidden layer", "policies"
    wrt = "W1 b1 W2 b2"
    needs = "SEED SCAL MASK SCAT MM UNB"
    ref = "Mnih et al. 2015 (error clipping); PyTorch DQN tutorial"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(
            s=normal((6, 4)),
            a=random.integers(0, 3, 6),
            target=2 * normal(6),
            W1=normal((4, 5)),
            b1=normal(5),
            W2=normal((5, 3)),
            b2=normal(3),
        )

    @staticmethod
    def forward(s, a, target, W1, b1, W2, b2):
        h = np.maximum(s @ W1 + b1, 0)
        q = h @ W2 + b2
        delta = q[np.arange(len(a)), a] - target
        small = np.abs(delta) < 1
        return np.mean(np.where(small, 0.5 * delta**2, np.abs(delta) - 0.5))

    @staticmethod
    def expert(s, a, target, W1, b1, W2, b2):
        h = np.maximum(s @ W1 + b1, 0)
        q = h @ W2 + b2
        delta = q[np.arange(len(a)), a] - target
        size = np.abs(delta)
        yield np.mean(np.where(size < 1, 0.5 * delta**2, size - 0.5))
        dq = np.zeros_like(q)
        dq[np.arange(len(a)), a] = np.clip(delta, -1, 1) / len(a)
        dh = dq @ W2.T * (h > 0)
        return dict(W1=s.T @ dh, b1=dh.sum(0), W2=h.T @ dq, b2=dq.sum(0))


class QuantileHuber(Form):
    title, group = "Quantile Huber loss between two sets of quantiles", "policies"
    wrt = "theta"
    needs = "SEED SCAL MASK UNB"
    ref = "Dabney et al. 2018 eq. 10 (QR-DQN)"

    @staticmethod
    def make(random):
        N = 5
        normal = random.standard_normal
        return dict(theta=normal((4, N)), target=2 * normal((4, N)), tau=(np.arange(N) + 0.5) / N, kappa=1.0)

    @staticmethod
    def forward(theta, target, tau, kappa):
        u = target[:, None, :] - theta[:, :, None]
        huber = np.where(np.abs(u) <= kappa, 0.5 * u**2, kappa * (np.abs(u) - 0.5 * kappa))
        rho = np.abs(tau[:, None] - (u < 0)) * huber / kappa
        return rho.mean(axis=2).sum(axis=1).mean()

    @staticmethod
    def expert(theta, target, tau, kappa):
        u = target[:, None, :] - theta[:, :, None]
        size = np.abs(u)
        huber = np.where(size <= kappa, 0.5 * u**2, kappa * (size - 0.5 * kappa))
        weight = np.abs(tau[:, None] - (u < 0))
        yield (weight * huber / kappa).mean(axis=2).sum(axis=1).mean()
        d = weight * np.clip(u, -kappa, kappa)
        B, N = theta.shape
        return dict(theta=d.sum(axis=2) / (-kappa * B * N))


class DirectPreference(Form):
    title, group = "Direct preference optimisation on summed token log-probabilities", "policies"
    wrt = "logits_w logits_l"
    needs = "SEED SCAL SMAX SCAT SIG CANC"
    ref = "Rafailov et al. 2023 eq. 7 and the gradient in s.4"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(
            logits_w=normal((2, 3, 5)),
            logits_l=normal((2, 3, 5)),
            y_w=random.integers(0, 5, (2, 3)),
            y_l=random.integers(0, 5, (2, 3)),
            ref_w=-4 + normal(2),
            ref_l=-4 + normal(2),
            beta=0.5,
        )

    @staticmethod
    def forward(logits_w, logits_l, y_w, y_l, ref_w, ref_l, beta):
        def sequence_logprob(logits, y):
            logits = logits - logits.max(-1, keepdims=True)
            logp = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
            return np.take_along_axis(logp, y[..., None], -1)[..., 0].sum(-1)

        margin = (sequence_logprob(logits_w, y_w) - ref_w) - (sequence_logprob(logits_l, y_l) - ref_l)
        return np.mean(np.log1p(np.exp(-beta * margin)))

    @staticmethod
    def expert(logits_w, logits_l, y_w, y_l, ref_w, ref_l, beta):
        def parts(logits, y):
            logits = logits - logits.max(-1, keepdims=True)
            e = np.exp(logits)
            s = e.sum(-1, keepdims=True)
            logp = logits - np.log(s)
            return e, s, np.take_along_axis(logp, y[..., None], -1)[..., 0].sum(-1)

        e_w, s_w, lp_w = parts(logits_w, y_w)
        e_l, s_l, lp_l = parts(logits_l, y_l)
        e = np.exp(-beta * (lp_w - ref_w - (lp_l - ref_l)))
        yield np.mean(np.log1p(e))
        c = beta / len(ref_w) * (1 - 1 / (1 + e))  # how wrong the pair is ranked
        i, t = np.arange(len(ref_w))[:, None], np.arange(y_w.shape[1])
        d_w = e_w * (c[:, None, None] / s_w)
        d_w[i, t, y_w] -= c[:, None]
        d_l = e_l * (-c[:, None, None] / s_l)
        d_l[i, t, y_l] += c[:, None]
        return dict(logits_w=d_w, logits_l=d_l)
