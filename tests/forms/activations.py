"""Activation functions, given the cotangent."""

import numpy as np
from scipy.special import erf

from tests.forms.form import Form


class Relu(Form):
    title, group = "ReLU", "activation"
    wrt = "x"
    needs = "MASK"
    ref = "standard"

    @staticmethod
    def make(random):
        return dict(x=random.standard_normal((5, 4)))

    @staticmethod
    def forward(x):
        return np.maximum(x, 0)

    @staticmethod
    def expert(x):
        y = np.maximum(x, 0)
        g = yield y
        return dict(x=g * (y > 0))


class LeakyRelu(Form):
    title, group = "Leaky ReLU", "activation"
    wrt = "x"
    needs = "MASK SCAL FACT"
    ref = "Maas et al. 2013"

    @staticmethod
    def make(random):
        return dict(x=random.standard_normal((5, 4)))

    @staticmethod
    def forward(x):
        return np.where(x > 0, x, 0.1 * x)

    @staticmethod
    def expert(x):
        m = x > 0
        g = yield np.where(m, x, 0.1 * x)
        return dict(x=g * np.where(m, 1, 0.1))


class GeluTanh(Form):
    title, group = "GELU (tanh approximation)", "activation"
    wrt = "x"
    needs = "OUT FACT SCAL"
    ref = "Hendrycks & Gimpel 2016"

    @staticmethod
    def make(random):
        return dict(x=random.standard_normal((5, 4)))

    @staticmethod
    def forward(x):
        return 0.5 * x * (1 + np.tanh(0.7978845608028654 * (x + 0.044715 * x**3)))

    @staticmethod
    def expert(x):
        x3 = x**3
        t = np.tanh(0.7978845608028654 * (x + 0.044715 * x3))
        h = 0.5 * (1 + t)
        g = yield x * h
        du = 0.7978845608028654 * x + 0.10703222440890037 * x3  # x * d(inner)/dx
        return dict(x=g * h * (1 + (1 - t) * du))


class GeluErf(Form):
    title, group = "GELU with the error function", "activation"
    wrt = "x"
    needs = "OUT FACT SCAL"
    ref = "Hendrycks & Gimpel 2016 eq. 1"

    @staticmethod
    def make(random):
        return dict(x=random.standard_normal((3, 4)))

    @staticmethod
    def forward(x):
        return 0.5 * x * (1 + erf(x / np.sqrt(2)))

    @staticmethod
    def expert(x):
        cdf = 0.5 * (1 + erf(x / np.sqrt(2)))
        g = yield x * cdf
        return dict(x=g * (cdf + x / np.sqrt(2 * np.pi) * np.exp(-0.5 * x * x)))


class Silu(Form):
    title, group = "SiLU, also called swish", "activation"
    wrt = "x"
    needs = "OUT FACT SIG CANC"
    ref = "Elfwing et al. 2018; Ramachandran et al. 2017"

    @staticmethod
    def make(random):
        return dict(x=random.standard_normal((3, 4)))

    @staticmethod
    def forward(x):
        return x / (1 + np.exp(-x))

    @staticmethod
    def expert(x):
        u = 1 + np.exp(-x)
        y = x / u
        g = yield y
        return dict(x=g * (1 + x - y) / u)


class Softplus(Form):
    title, group = "Softplus with logaddexp", "activation"
    wrt = "x"
    needs = "SIG"
    ref = "Dugas et al. 2001"

    @staticmethod
    def make(random):
        return dict(x=random.standard_normal((3, 4)))

    @staticmethod
    def forward(x):
        return np.logaddexp(0, x)

    @staticmethod
    def expert(x):
        g = yield np.logaddexp(0, x)
        # One operation less, exp(x - softplus(x)), loses a digit.
        return dict(x=g / (1 + np.exp(-x)))


class SoftplusWithoutOverflow(Form):
    title, group = "Softplus as max(x, 0) + log1p(exp(-|x|))", "activation"
    wrt = "x"
    needs = "SIG MASK"
    ref = "Maechler 2012, accurately computing log(1 - exp(-|a|))"

    @staticmethod
    def make(random):
        return dict(x=random.standard_normal((3, 4)))

    @staticmethod
    def forward(x):
        return np.log1p(np.exp(-np.abs(x))) + np.maximum(x, 0)

    @staticmethod
    def expert(x):
        g = yield np.log1p(np.exp(-np.abs(x))) + np.maximum(x, 0)
        return dict(x=g / (1 + np.exp(-x)))


class Elu(Form):
    title, group = "ELU", "activation"
    wrt = "x"
    needs = "OUT MASK"
    ref = "Clevert et al. 2016"

    @staticmethod
    def make(random):
        return dict(x=random.standard_normal((5, 3)), alpha=0.7)

    @staticmethod
    def forward(x, alpha):
        return np.where(x > 0, x, alpha * (np.exp(x) - 1))

    @staticmethod
    def expert(x, alpha):
        positive = x > 0
        y = np.where(positive, x, alpha * (np.exp(x) - 1))
        g = yield y
        return dict(x=g * np.where(positive, 1, y + alpha))


class Mish(Form):
    title, group = "Mish", "activation"
    wrt = "x"
    needs = "OUT SIG FACT"
    ref = "Misra 2019"

    @staticmethod
    def make(random):
        return dict(x=random.standard_normal((3, 4)))

    @staticmethod
    def forward(x):
        softplus = np.logaddexp(0, x)
        return x * np.tanh(softplus)

    @staticmethod
    def expert(x):
        t = np.tanh(np.logaddexp(0, x))
        y = x * t
        g = yield y
        return dict(x=g * (t + (x - t * y) / (1 + np.exp(-x))))


class HardSwish(Form):
    title, group = "Hard swish", "activation"
    wrt = "x"
    needs = "OUT MASK SCAL FACT"
    ref = "Howard et al. 2019 s.5.2"

    @staticmethod
    def make(random):
        return dict(x=3 * random.standard_normal((4, 5)))

    @staticmethod
    def forward(x):
        return x * np.clip(x + 3, 0, 6) / 6

    @staticmethod
    def expert(x):
        c = np.clip(x + 3, 0, 6)
        g = yield x * c / 6
        return dict(x=g * (c + x * (np.abs(x) < 3)) / 6)


class Softsign(Form):
    title, group = "Softsign", "activation"
    wrt = "x"
    needs = "OUT CANC FACT"
    ref = "Bergstra et al. 2009; Glorot & Bengio 2010"

    @staticmethod
    def make(random):
        return dict(x=random.standard_normal((4, 5)))

    @staticmethod
    def forward(x):
        return x / (1 + abs(x))

    @staticmethod
    def expert(x):
        u = 1 + abs(x)
        g = yield x / u
        return dict(x=g / u**2)
