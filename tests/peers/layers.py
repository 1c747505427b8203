"""Well-known layers and losses: in plain NumPy, and as PyTorch offers them.

The NumPy form takes the module ``np`` first, so that JAX and autograd can run the very same lines.  The PyTorch form is
the library's own function wherever there is one, and so shares nothing with the line it is compared with.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy

from .references import torch

F = torch.nn.functional

LABELS = numpy.array([2, 0, 1, 2, 2])
IDS = numpy.array([[1, 4, 1], [0, 6, 4]])


# Where autograd has no method (dot, transpose) or refuses the lines.
JAX = ("jax",)


@dataclass(frozen=True)
class Layer:
    """One layer: its NumPy and PyTorch forms and the shapes of its arguments.

    ``positive`` are the positions of arguments that must be positive; ``peers`` run the NumPy form too.
    """

    numpy: Callable[..., Any]
    torch: Callable[..., Any]
    shapes: tuple[tuple[int, ...], ...]
    positive: tuple[int, ...] = ()
    peers: tuple[str, ...] = ("jax", "autograd")

    def arguments(self) -> tuple[numpy.ndarray, ...]:
        """Arguments at a smooth point, the same at each run."""
        generator = numpy.random.default_rng(20)
        drawn = [generator.standard_normal(shape) for shape in self.shapes]
        return tuple(numpy.abs(x) + 0.3 if k in self.positive else x for k, x in enumerate(drawn))


def softmax(np: Any, z: Any) -> Any:
    """The softmax along the last axis, shifted so that it does not overflow."""
    e = np.exp(z - np.max(z, axis=-1, keepdims=True))
    return e / np.sum(e, axis=-1, keepdims=True)


def log_softmax(np: Any, z: Any) -> Any:
    """The logarithm of the softmax along the last axis."""
    shifted = z - np.max(z, axis=-1, keepdims=True)
    return shifted - np.log(np.sum(np.exp(shifted), axis=-1, keepdims=True))


def sigmoid(np: Any, z: Any) -> Any:
    """The logistic function."""
    return 1 / (1 + np.exp(-z))


def cross_entropy(np: Any, z: Any) -> Any:
    """The mean negative log-likelihood of ``LABELS``."""
    return -np.mean(log_softmax(np, z)[np.arange(len(LABELS)), LABELS])


def smoothed_cross_entropy(np: Any, z: Any) -> Any:
    """Cross-entropy with a tenth of the mass spread over all classes."""
    target = 0.9 * np.eye(z.shape[1])[LABELS] + 0.1 / z.shape[1]
    return -(target * log_softmax(np, z)).sum(axis=1).mean()


def multi_margin(np: Any, z: Any) -> Any:
    """The hinge loss of several classes."""
    rows = np.arange(len(LABELS))
    margins = np.maximum(0, 1 + z - z[rows, LABELS][:, None])
    return (margins.sum(axis=1) - margins[rows, LABELS]).mean() / z.shape[1]


def huber(np: Any, y: Any, t: Any) -> Any:
    """Squares near zero, straight lines beyond."""
    d = np.abs(y - t)
    return np.where(d < 1, 0.5 * d**2, d - 0.5).mean()


def layer_norm(np: Any, x: Any, gamma: Any, beta: Any) -> Any:
    """Normalised over the last axis."""
    centred = x - x.mean(axis=-1, keepdims=True)
    return gamma * centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-5) + beta


def batch_norm(np: Any, x: Any, gamma: Any, beta: Any) -> Any:
    """Normalised over the batch."""
    return gamma * (x - x.mean(axis=0)) / np.sqrt(np.var(x, axis=0) + 1e-5) + beta


def group_norm(np: Any, x: Any, gamma: Any, beta: Any) -> Any:
    """Normalised over groups of two channels and all positions."""
    groups = x.reshape(x.shape[0], 2, -1)
    mean, deviation = groups.mean(axis=2, keepdims=True), np.sqrt(groups.var(axis=2, keepdims=True) + 1e-5)
    return ((groups - mean) / deviation).reshape(x.shape) * gamma[None, :, None] + beta[None, :, None]


def rms_norm(np: Any, x: Any, gamma: Any) -> Any:
    """Divided by the root of the mean square."""
    return gamma * x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + 1e-5)


def gelu(np: Any, x: Any) -> Any:
    """The tanh form."""
    return 0.5 * x * (1 + np.tanh(numpy.sqrt(2 / numpy.pi) * (x + 0.044715 * x**3)))


def attention(np: Any, Q: Any, K: Any, V: Any) -> Any:
    """Causal attention."""
    scores = Q @ np.swapaxes(K, -1, -2) / numpy.sqrt(Q.shape[-1])
    allowed = numpy.tri(Q.shape[-2], dtype=bool)
    return softmax(np, np.where(allowed, scores, -numpy.inf)) @ V


def multi_head(np: Any, X: Any, Wq: Any, Wk: Any, Wv: Any, Wo: Any) -> Any:
    """Self-attention with two heads."""

    def split(A: Any) -> Any:
        return A.reshape(A.shape[0], A.shape[1], 2, -1).transpose(0, 2, 1, 3)

    heads = attention(np, split(X @ Wq), split(X @ Wk), split(X @ Wv))
    return heads.transpose(0, 2, 1, 3).reshape(X.shape) @ Wo


def multi_head_torch(X: Any, Wq: Any, Wk: Any, Wv: Any, Wo: Any) -> Any:
    """The same with PyTorch's attention."""
    q, k, v = ((X @ W).unflatten(-1, (2, -1)).transpose(1, 2) for W in (Wq, Wk, Wv))
    return F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2) @ Wo


def lstm(np: Any, X: Any, h: Any, c: Any, W: Any, U: Any, b: Any, d: Any) -> Any:
    """A long short-term memory over the first axis of ``X``."""
    for x in X:
        i, f, g, o = np.split(x @ W.T + b + h @ U.T + d, 4, axis=1)
        c = sigmoid(np, f) * c + sigmoid(np, i) * np.tanh(g)
        h = sigmoid(np, o) * np.tanh(c)
    return np.concatenate([h, c], axis=1)


def lstm_torch(X: Any, h: Any, c: Any, W: Any, U: Any, b: Any, d: Any) -> Any:
    """The same with PyTorch's cell."""
    for x in X:
        h, c = torch.lstm_cell(x, (h, c), W, U, b, d)
    return torch.cat([h, c], dim=1)


def gru(np: Any, X: Any, h: Any, W: Any, U: Any, b: Any, d: Any) -> Any:
    """A gated recurrent unit over the first axis of ``X``."""
    for x in X:
        (r, z, n), (hr, hz, hn) = np.split(x @ W.T + b, 3, axis=1), np.split(h @ U.T + d, 3, axis=1)
        r, z = sigmoid(np, r + hr), sigmoid(np, z + hz)
        h = (1 - z) * np.tanh(n + r * hn) + z * h
    return h


def gru_torch(X: Any, h: Any, W: Any, U: Any, b: Any, d: Any) -> Any:
    """The same with PyTorch's cell."""
    for x in X:
        h = torch.gru_cell(x, h, W, U, b, d)
    return h


def convolution(np: Any, x: Any, w: Any, b: Any) -> Any:
    """A convolution of images, one addition in place per element of the kernel."""
    height, width = x.shape[2] - w.shape[2] + 1, x.shape[3] - w.shape[3] + 1
    out = np.zeros((x.shape[0], w.shape[0], height, width))
    for i in range(w.shape[2]):
        for j in range(w.shape[3]):
            out += np.einsum("nchw,oc->nohw", x[:, :, i : i + height, j : j + width], w[:, :, i, j])
    return out + b[:, None, None]


def convolution_by_elements(np: Any, x: Any, w: Any, b: Any) -> Any:
    """The same, written element by element into a buffer, as in courses; the stride is 2."""
    size = (x.shape[2] - w.shape[2]) // 2 + 1, (x.shape[3] - w.shape[3]) // 2 + 1
    out = np.zeros((x.shape[0], w.shape[0], *size))
    for n in range(x.shape[0]):
        for o in range(w.shape[0]):
            for i in range(size[0]):
                for j in range(size[1]):
                    window = x[n, :, 2 * i : 2 * i + w.shape[2], 2 * j : 2 * j + w.shape[3]]
                    out[n, o, i, j] = np.sum(window * w[o]) + b[o]
    return out


def max_pool(np: Any, x: Any) -> Any:
    """The largest of each two by two."""
    n, c, h, w = x.shape
    return x.reshape(n, c, h // 2, 2, w // 2, 2).max(axis=(3, 5))


def average_pool(np: Any, x: Any) -> Any:
    """The mean of each two by two."""
    n, c, h, w = x.shape
    return x.reshape(n, c, h // 2, 2, w // 2, 2).mean(axis=(3, 5))


def triplet(np: Any, a: Any, p: Any, n: Any) -> Any:
    """The anchor nearer to the positive than to the negative."""
    near, far = (np.sqrt(np.sum((a - other + 1e-6) ** 2, axis=1)) for other in (p, n))
    return np.maximum(0, near - far + 2.0).mean()


def contrastive(np: Any, a: Any, b: Any) -> Any:
    """Each row of one beside its partner among all rows of the other."""
    a, b = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (a, b))
    return -np.mean(np.diag(log_softmax(np, a @ b.T / 0.2)))


def contrastive_torch(a: Any, b: Any) -> Any:
    """The same with PyTorch's normalisation and cross-entropy."""
    return F.cross_entropy(F.normalize(a) @ F.normalize(b).T / 0.2, torch.arange(len(a)))


def mixture(np: Any, x: Any, logits: Any, means: Any, scales: Any) -> Any:
    """The log-likelihood of a mixture of normal distributions, one axis each."""
    z = (x[:, None] - means) / scales
    terms = log_softmax(np, logits) - 0.5 * z**2 - np.log(scales) - 0.5 * numpy.log(2 * numpy.pi)
    top = terms.max(axis=1)
    return (top + np.log(np.exp(terms - top[:, None]).sum(axis=1))).sum()


def mixture_torch(x: Any, logits: Any, means: Any, scales: Any) -> Any:
    """The same with PyTorch's distributions."""
    D = torch.distributions
    return D.MixtureSameFamily(D.Categorical(logits=logits), D.Normal(means, scales)).log_prob(x).sum()


def gaussian_process(np: Any, X: Any, y: Any, length: Any, noise: Any) -> Any:
    """The negative log marginal likelihood with a squared exponential kernel."""
    distance = ((X[:, None, :] - X[None, :, :]) ** 2).sum(axis=-1)
    K = np.exp(-0.5 * distance / length**2) + noise**2 * np.eye(len(y))
    return 0.5 * y @ np.linalg.solve(K, y) + 0.5 * np.linalg.slogdet(K)[1]


def gaussian_process_torch(X: Any, y: Any, length: Any, noise: Any) -> Any:
    """The same with PyTorch's normal distribution."""
    gram = X @ X.T
    distance = gram.diagonal()[:, None] + gram.diagonal() - 2 * gram
    K = torch.exp(-0.5 * distance / length**2) + noise**2 * torch.eye(len(y), dtype=y.dtype)
    normal = torch.distributions.MultivariateNormal(torch.zeros(len(y), dtype=y.dtype), K)
    return -normal.log_prob(y) - 0.5 * len(y) * numpy.log(2 * numpy.pi)


def normal_density(np: Any, x: Any, mean: Any, A: Any) -> Any:
    """The log-density of a normal distribution, by way of a Cholesky factor."""
    S = A @ A.T + np.eye(len(A))
    L = np.linalg.cholesky(S)
    z = np.linalg.solve(L, x - mean)
    return -0.5 * (z**2).sum() - np.log(np.diag(L)).sum() - 0.5 * len(x) * numpy.log(2 * numpy.pi)


def normal_density_torch(x: Any, mean: Any, A: Any) -> Any:
    """The same with PyTorch's distribution."""
    return torch.distributions.MultivariateNormal(mean, A @ A.T + torch.eye(len(A), dtype=A.dtype)).log_prob(x)


def residual(np: Any, x: Any, *parameters: Any) -> Any:
    """Two residual blocks, from a list of layers."""
    layers = list(zip(parameters[::2], parameters[1::2], strict=True))
    for W, b in layers:
        x = x + np.tanh(x.dot(W) + b)
    return x


def residual_torch(x: Any, *parameters: Any) -> Any:
    """The same in PyTorch."""
    for W, b in zip(parameters[::2], parameters[1::2], strict=True):
        x = x + torch.tanh(F.linear(x, W.T, b))
    return x


def evidence_bound(np: Any, x: Any, mean: Any, log_variance: Any, W: Any) -> Any:
    """The loss of a variational auto-encoder with fixed noise."""
    noise = numpy.linspace(-1, 1, mean.size).reshape(mean.shape)
    z = mean + np.exp(0.5 * log_variance) * noise
    reconstruction = 0.5 * ((x - z @ W) ** 2).sum()
    return reconstruction - 0.5 * (1 + log_variance - mean**2 - np.exp(log_variance)).sum()


def evidence_bound_torch(x: Any, mean: Any, log_variance: Any, W: Any) -> Any:
    """The same with PyTorch's divergence."""
    D = torch.distributions
    noise = torch.linspace(-1, 1, mean.numel(), dtype=mean.dtype).reshape(mean.shape)
    posterior = D.Normal(mean, torch.exp(0.5 * log_variance))
    divergence = D.kl_divergence(posterior, D.Normal(torch.zeros_like(mean), torch.ones_like(mean)))
    return 0.5 * F.mse_loss((mean + posterior.scale * noise) @ W, x, reduction="sum") + divergence.sum()


def with_labels(loss: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """A PyTorch loss of scores and ``LABELS``."""
    return lambda z: loss(z, torch.tensor(LABELS), **options)


LAYERS = {
    "dense": Layer(
        lambda np, x, W, b: x.dot(W) + b, lambda x, W, b: F.linear(x, W.T, b), ((5, 3), (3, 2), (2,)), peers=JAX
    ),
    "bilinear": Layer(lambda np, x, y, W: np.einsum("ni,oij,nj->no", x, W, y), F.bilinear, ((5, 3), (5, 2), (4, 3, 2))),
    "residual blocks": Layer(residual, residual_torch, ((5, 3), (3, 3), (3,), (3, 3), (3,)), peers=JAX),
    "embedding": Layer(lambda np, E: E[IDS], lambda E: F.embedding(torch.tensor(IDS), E), ((7, 3),)),
    "relu": Layer(lambda np, x: np.maximum(0, x), F.relu, ((5, 3),)),
    "leaky relu": Layer(lambda np, x: np.where(x > 0, x, 0.01 * x), F.leaky_relu, ((5, 3),)),
    "elu": Layer(lambda np, x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))), F.elu, ((5, 3),)),
    "softplus": Layer(lambda np, x: np.logaddexp(0, x), F.softplus, ((5, 3),)),
    "silu": Layer(lambda np, x: x * sigmoid(np, x), F.silu, ((5, 3),)),
    "mish": Layer(lambda np, x: x * np.tanh(np.log1p(np.exp(x))), F.mish, ((5, 3),)),
    "gelu": Layer(gelu, lambda x: F.gelu(x, approximate="tanh"), ((5, 3),)),
    "softmax": Layer(softmax, lambda z: F.softmax(z, dim=-1), ((5, 3),)),
    "log-softmax": Layer(log_softmax, lambda z: F.log_softmax(z, dim=-1), ((5, 3),)),
    "layer norm": Layer(layer_norm, lambda x, g, b: F.layer_norm(x, (4,), g, b), ((5, 4), (4,), (4,))),
    "batch norm": Layer(
        batch_norm, lambda x, g, b: F.batch_norm(x, None, None, g, b, training=True), ((5, 4), (4,), (4,))
    ),
    "group norm": Layer(group_norm, lambda x, g, b: F.group_norm(x, 2, g, b), ((3, 4, 5), (4,), (4,))),
    "rms norm": Layer(rms_norm, lambda x, g: F.rms_norm(x, (4,), g, eps=1e-5), ((5, 4), (4,))),
    "convolution": Layer(convolution, F.conv2d, ((2, 3, 5, 4), (2, 3, 3, 2), (2,)), peers=JAX),
    "convolution by elements": Layer(
        convolution_by_elements,
        lambda x, w, b: F.conv2d(x, w, b, stride=2),
        ((2, 2, 5, 6), (2, 2, 3, 2), (2,)),
        peers=(),
    ),
    "max pooling": Layer(max_pool, lambda x: F.max_pool2d(x, 2), ((2, 3, 4, 6),)),
    "average pooling": Layer(average_pool, lambda x: F.avg_pool2d(x, 2), ((2, 3, 4, 6),)),
    "attention": Layer(
        attention,
        lambda Q, K, V: F.scaled_dot_product_attention(Q, K, V, is_causal=True),
        ((2, 5, 3), (2, 5, 3), (2, 5, 4)),
    ),
    "multi-head attention": Layer(multi_head, multi_head_torch, ((2, 5, 4), (4, 4), (4, 4), (4, 4), (4, 4)), peers=JAX),
    "lstm": Layer(lstm, lstm_torch, ((4, 5, 3), (5, 2), (5, 2), (8, 3), (8, 2), (8,), (8,))),
    "gru": Layer(gru, gru_torch, ((4, 5, 3), (5, 2), (6, 3), (6, 2), (6,), (6,))),
    "mean squared error": Layer(lambda np, y, t: ((y - t) ** 2).mean(), F.mse_loss, ((5, 3), (5, 3))),
    "mean absolute error": Layer(lambda np, y, t: np.abs(y - t).mean(), F.l1_loss, ((5, 3), (5, 3))),
    "huber": Layer(huber, F.huber_loss, ((5, 3), (5, 3))),
    "cross-entropy": Layer(cross_entropy, with_labels(F.cross_entropy), ((5, 3),)),
    "smoothed cross-entropy": Layer(
        smoothed_cross_entropy, with_labels(F.cross_entropy, label_smoothing=0.1), ((5, 3),)
    ),
    "multi-class hinge": Layer(multi_margin, with_labels(F.multi_margin_loss), ((5, 3),)),
    "logistic regression": Layer(
        lambda np, X, w, t: (np.logaddexp(0, X @ w) - sigmoid(np, t) * (X @ w)).mean(),
        lambda X, w, t: F.binary_cross_entropy_with_logits(X @ w, torch.sigmoid(t)),
        ((5, 3), (3,), (5,)),
    ),
    "divergence": Layer(
        lambda np, q, z: (softmax(np, z) * (log_softmax(np, z) - log_softmax(np, q))).sum() / len(q),
        lambda q, z: F.kl_div(F.log_softmax(q, 1), F.log_softmax(z, 1), log_target=True, reduction="batchmean"),
        ((5, 3), (5, 3)),
    ),
    "poisson": Layer(lambda np, z, t: (np.exp(z) - t * z).mean(), F.poisson_nll_loss, ((5,), (5,)), (1,)),
    "gaussian": Layer(
        lambda np, m, t, v: 0.5 * (np.log(v) + (m - t) ** 2 / v).mean(), F.gaussian_nll_loss, ((5,), (5,), (5,)), (2,)
    ),
    "cosine similarity": Layer(
        lambda np, a, b: np.sum(a * b, 1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)),
        F.cosine_similarity,
        ((5, 3), (5, 3)),
    ),
    "triplet": Layer(triplet, lambda a, p, n: F.triplet_margin_loss(a, p, n, margin=2.0), ((5, 3), (5, 3), (5, 3))),
    "contrastive": Layer(contrastive, contrastive_torch, ((5, 3), (5, 3)), peers=JAX),
    "evidence bound": Layer(evidence_bound, evidence_bound_torch, ((5, 3), (5, 2), (5, 2), (2, 3))),
    "mixture": Layer(mixture, mixture_torch, ((7,), (3,), (3,), (3,)), (3,)),
    "gaussian process": Layer(gaussian_process, gaussian_process_torch, ((5, 2), (5,), (), ()), (2, 3)),
    "normal density": Layer(normal_density, normal_density_torch, ((4,), (4,), (4, 4))),
}
