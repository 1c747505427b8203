"""Optimisation, mechanics, physics and finance."""

import numpy as np
from scipy.special import erf

from tests.forms.form import Form


class Rosenbrock(Form):
    title, group = "Rosenbrock function of several variables", "science"
    wrt = "x"
    needs = "SEED SCAL FACT SCAT"
    ref = "Rosenbrock 1960; scipy.optimize.rosen_der"

    @staticmethod
    def make(random):
        return dict(x=random.standard_normal(7))

    @staticmethod
    def forward(x):
        return np.sum(100.0 * (x[1:] - x[:-1] ** 2.0) ** 2.0 + (1 - x[:-1]) ** 2.0)

    @staticmethod
    def expert(x):
        a = x[1:] - x[:-1] ** 2.0
        b = 1 - x[:-1]
        yield np.sum(100.0 * a**2.0 + b**2.0)
        d = np.zeros_like(x)
        d[1:] = 200 * a
        d[:-1] -= 2 * (d[1:] * x[:-1] + b)
        return dict(x=d)


class PlanarArm(Form):
    title, group = "Forward kinematics of a planar arm with two links", "science"
    wrt = "shoulder elbow"
    needs = "OUT FACT"
    ref = "Siciliano et al. 2009 ch. 3 (geometric Jacobian)"

    @staticmethod
    def make(random):
        return dict(shoulder=random.standard_normal(6), elbow=random.standard_normal(6), upper=1.0, lower=0.7)

    @staticmethod
    def forward(shoulder, elbow, upper, lower):
        both = shoulder + elbow
        x = upper * np.cos(shoulder) + lower * np.cos(both)
        y = upper * np.sin(shoulder) + lower * np.sin(both)
        return x, y

    @staticmethod
    def expert(shoulder, elbow, upper, lower):
        both = shoulder + elbow
        along, across = lower * np.cos(both), lower * np.sin(both)
        x = upper * np.cos(shoulder) + along
        y = upper * np.sin(shoulder) + across
        gx, gy = yield x, y
        return dict(shoulder=gy * x - gx * y, elbow=gy * along - gx * across)


class LennardJones(Form):
    title, group = "Lennard-Jones energy of pairs of particles", "science"
    wrt = "positions"
    needs = "SEED SCAL CANC OUT FACT SCAT"
    ref = "Frenkel & Smit 2002"

    @staticmethod
    def make(random):
        first, second = np.triu_indices(5, 1)
        grid = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]])
        return dict(positions=1.3 * grid + 0.05 * random.standard_normal((5, 3)), first=first, second=second)

    @staticmethod
    def forward(positions, first, second):
        apart = positions[first] - positions[second]
        s6 = np.sum(apart**2, axis=1) ** -3
        return 4 * np.sum(s6**2 - s6)

    @staticmethod
    def expert(positions, first, second):
        apart = positions[first] - positions[second]
        r2 = np.sum(apart**2, axis=1)
        s6 = r2**-3.0
        s12 = s6**2
        yield 4 * np.sum(s12 - s6)
        pull = (24 * (s6 - 2 * s12) / r2)[:, None] * apart
        d = np.zeros_like(positions)
        np.add.at(d, first, pull)
        np.subtract.at(d, second, pull)
        return dict(positions=d)


class BlackScholes(Form):
    title, group = "Black-Scholes price of calls: delta and vega", "science"
    wrt = "spot sigma"
    needs = "OUT CANC FACT ZERO"
    stretch = True
    ref = "Hull 2018 ch. 19; Haug 2007 s.2.2 (S n(d1) = K exp(-rT) n(d2))"

    @staticmethod
    def make(random):
        return dict(
            spot=100 + 10 * random.standard_normal(5),
            strike=100 + 10 * random.standard_normal(5),
            sigma=0.2 + 0.1 * random.random(5),
            rate=0.03,
            time=0.5,
        )

    @staticmethod
    def forward(spot, strike, sigma, rate, time):
        def cdf(x):
            return 0.5 * (1 + erf(x / np.sqrt(2.0)))

        spread = sigma * np.sqrt(time)
        d1 = (np.log(spot / strike) + (rate + sigma**2 / 2) * time) / spread
        d2 = d1 - spread
        return spot * cdf(d1) - strike * np.exp(-rate * time) * cdf(d2)

    @staticmethod
    def expert(spot, strike, sigma, rate, time):
        def cdf(x):
            return 0.5 * (1 + erf(x / np.sqrt(2.0)))

        spread = sigma * np.sqrt(time)
        d1 = (np.log(spot / strike) + (rate + sigma**2 / 2) * time) / spread
        delta = cdf(d1)
        g = yield spot * delta - strike * np.exp(-rate * time) * cdf(d1 - spread)
        density = np.exp(-0.5 * d1**2)
        return dict(spot=g * delta, sigma=g * np.sqrt(time / (2 * np.pi)) * spot * density)
