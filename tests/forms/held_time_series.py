"""Held out: likelihoods and errors of time series."""

import numpy as np

from tests.forms.form import Form


class GarchLikelihood(Form):
    title, group = "GARCH(1, 1): Gaussian likelihood of a recursion over five returns", "likelihoods"
    wrt = "omega alpha beta"
    needs = "SEED SCAL OUT CAT FACT"
    ref = "Bollerslev 1986; Fiorentini, Calzolari & Panattoni 1996 (analytic score)"

    @staticmethod
    def make(random):
        return dict(
            r=random.standard_normal((5, 3)),
            omega=random.random(3) + 0.1,
            alpha=0.3 * random.random(3) + 0.05,
            beta=0.6 * random.random(3) + 0.1,
        )

    @staticmethod
    def forward(r, omega, alpha, beta):
        h = omega / (1 - alpha - beta)
        loss = 0.0
        for t in range(len(r)):
            loss = loss + 0.5 * np.sum(np.log(h) + r[t] ** 2 / h)
            h = omega + alpha * r[t] ** 2 + beta * h
        return loss

    @staticmethod
    def expert(r, omega, alpha, beta):
        T = len(r)
        r2 = r**2
        slack = 1 - alpha - beta
        hs, ratios = [omega / slack], []
        loss = 0.0
        for t in range(T):
            ratios.append(r2[t] / hs[t])
            loss = loss + 0.5 * np.sum(np.log(hs[t]) + ratios[t])
            if t + 1 < T:
                hs.append(omega + alpha * r2[t] + beta * hs[t])
        yield loss
        h = np.stack(hs)
        direct = 0.5 * (1 - np.stack(ratios)) / h
        d = [direct[T - 1]]
        for t in range(T - 2, -1, -1):
            d.append(direct[t] + beta * d[-1])
        D = np.stack(d[-2::-1])  # of h from the second step on
        start = d[-1] / slack
        via_start = start * hs[0]
        return dict(
            omega=D.sum(0) + start,
            alpha=(D * r2[:-1]).sum(0) + via_start,
            beta=(D * h[:-1]).sum(0) + via_start,
        )


class HoltLinearTrend(Form):
    title, group = "Holt's linear trend: squared one-step errors, smoothing weights through the logistic", "likelihoods"
    wrt = "a b"
    needs = "SEED SCAL SIG OUT FACT"
    ref = "Hyndman & Athanasopoulos 2021 s.8.2 (error correction form)"

    @staticmethod
    def make(random):
        return dict(
            y=np.cumsum(random.standard_normal((5, 3)), axis=0),
            a=random.standard_normal(3),
            b=random.standard_normal(3),
        )

    @staticmethod
    def forward(y, a, b):
        alpha = 1 / (1 + np.exp(-a))
        beta = 1 / (1 + np.exp(-b))
        level, trend = y[0], y[1] - y[0]
        sse = 0.0
        for t in range(1, len(y)):
            forecast = level + trend
            error = y[t] - forecast
            sse = sse + np.sum(error**2)
            level = forecast + alpha * error
            trend = trend + alpha * beta * error
        return sse

    @staticmethod
    def expert(y, a, b):
        alpha = 1 / (1 + np.exp(-a))
        beta = 1 / (1 + np.exp(-b))
        level, trend = y[0], y[1] - y[0]
        gain = alpha * beta
        T = len(y)
        errors = []
        sse = 0.0
        for t in range(1, T):
            forecast = level + trend
            errors.append(y[t] - forecast)
            sse = sse + np.sum(errors[-1] ** 2)
            if t + 1 < T:
                level = forecast + alpha * errors[-1]
                trend = trend + gain * errors[-1]
        yield sse
        # The last level and trend do not matter, and the first are data.
        dlevels = [-2 * errors[-1]]
        dtrends = dlevels[:]
        for error in errors[-2:0:-1]:
            derror = 2 * error + alpha * dlevels[-1] + gain * dtrends[-1]
            dlevels.append(dlevels[-1] - derror)
            dtrends.append(dtrends[-1] + dlevels[-1])
        E = np.stack(errors[-2::-1])
        dalpha = (np.stack(dlevels) * E).sum(axis=0)
        dgain = (np.stack(dtrends) * E).sum(axis=0)
        dgain_alpha = dgain * gain
        return dict(a=(dalpha * alpha + dgain_alpha) * (1 - alpha), b=dgain_alpha * (1 - beta))
