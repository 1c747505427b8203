"""Lines of PyTorch and JAX: read as NumPy's, changed, and written again in the words of their library."""

from __future__ import annotations

import ast
import importlib.util
import linecache
import sys

import numpy as np
import pytest

import chainrule as cr
from chainrule.check.dialects import in_numpy, respelled, unparsed

RNG = np.random.default_rng(3)


def layer_norm(x, gamma, beta):
    mu = x.mean(axis=-1, keepdims=True)
    var = ((x - mu) ** 2).mean(axis=-1, keepdims=True)
    xhat = (x - mu) / np.sqrt(var + 1e-5)
    return gamma * xhat + beta


def cross_entropy(logits, labels):
    shifted = logits - logits.max(axis=1, keepdims=True)
    logp = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return -logp[np.arange(len(labels)), labels].mean()


def attention(Q, K, V):
    S = Q @ K.T / np.sqrt(Q.shape[1])
    E = np.exp(S - S.max(axis=1, keepdims=True))
    return E / E.sum(axis=1, keepdims=True) @ V


TORCH = """
import torch

class LayerNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, gamma, beta):
        mean = x.mean(-1, keepdim=True)
        var = ((x - mean) ** 2).mean(-1, keepdim=True)
        rstd = torch.rsqrt(var + 1e-5)
        xhat = (x - mean) * rstd
        ctx.save_for_backward(xhat, rstd, gamma)
        return xhat * gamma + beta

    @staticmethod
    def backward(ctx, dy):
        xhat, rstd, gamma = ctx.saved_tensors
        dbeta = dy.sum(0)
        dgamma = torch.sum(dy * xhat, dim=0)
        dxhat = dy.mul(gamma)
        c1 = dxhat.mean(-1, keepdim=True)
        c2 = (dxhat * xhat).mean(-1, keepdim=True)
        dx = rstd * (dxhat - c1 - xhat * c2)
        return dx, dgamma, dbeta

class CrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, logits, labels):
        logp = torch.log_softmax(logits, dim=1)
        ctx.save_for_backward(logp, labels)
        return -logp[torch.arange(len(labels)), labels].mean()

    @staticmethod
    def backward(ctx, grad_output):
        logp, labels = ctx.saved_tensors
        grad = torch.exp(logp)
        grad[torch.arange(len(labels)), labels] -= 1
        return grad / logp.size(0) * grad_output, None
"""
JAX = """
import jax
import jax.numpy as jnp

@jax.custom_vjp
def attention(Q, K, V):
    return fwd(Q, K, V)[0]

def fwd(Q, K, V):
    P = jax.nn.softmax(Q @ K.T / jnp.sqrt(Q.shape[1]), axis=-1)
    return P @ V, (Q, K, V, P)

def bwd(kept, dO):
    Q, K, V, P = kept
    dV = P.T @ dO
    dP = dO @ V.T
    dS = P * (dP - jnp.sum(dP * P, axis=-1, keepdims=True)) / jnp.sqrt(Q.shape[1])
    dQ = dS @ K
    dK = dS.T @ Q
    return dQ, dK, dV

attention.defvjp(fwd, bwd)
"""


@pytest.fixture
def loaded(tmp_path):
    def load(source, old="", new=""):
        assert old in source
        path = tmp_path / f"foreign{len(sys.modules)}.py"
        path.write_text(source.replace(old, new), encoding="utf-8")
        linecache.checkcache()
        spec = importlib.util.spec_from_file_location(path.stem, path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[path.stem] = module
        spec.loader.exec_module(module)
        return module

    return load


NORM = {"x": RNG.normal(size=(5, 7)), "gamma": RNG.normal(size=7), "beta": RNG.normal(size=7)}
LABELS = {"logits": RNG.normal(size=(6, 4)), "labels": RNG.integers(0, 4, size=6)}
QKV = {"Q": RNG.normal(size=(5, 3)), "K": RNG.normal(size=(6, 3)), "V": RNG.normal(size=(6, 4))}


@pytest.mark.peers
@pytest.mark.parametrize(
    ("old", "new", "fix"),
    [
        ("dbeta = dy.sum(0)", "dbeta = dy.mean(0)", "dbeta = dy.sum(dim=0)"),
        ("torch.sum(dy * xhat, dim=0)", "dy.sum(0)", "dgamma = (dy * xhat).sum(dim=0)"),
        ("dy.mul(gamma)", "dy", "dxhat = dy * gamma"),
        ("dxhat - c1 - xhat", "dxhat - c1 + xhat", "dx = rstd * (dxhat - c1 - xhat * c2)"),
        ("return dx, dgamma, dbeta", "return dx, dbeta, dgamma", "return dx, dgamma, dbeta"),
    ],
)
def test_a_line_of_torch(loaded, old, new, fix):
    pytest.importorskip("torch")
    report = cr.check(loaded(TORCH, old, new).LayerNorm, layer_norm, NORM)
    assert not report.ok
    assert (report.suspects[0].fix, report.suspects[0].fix_holds) == (fix, True)


@pytest.mark.peers
def test_right_ones_of_torch(loaded):
    pytest.importorskip("torch")
    module = loaded(TORCH)
    assert cr.check(module.LayerNorm, layer_norm, NORM).ok
    assert cr.check(module.CrossEntropy, cross_entropy, LABELS).ok


@pytest.mark.peers
def test_the_gradient_of_a_loss_is_multiplied_in(loaded):
    pytest.importorskip("torch")
    report = cr.check(loaded(TORCH, " * grad_output, None", ", None").CrossEntropy, cross_entropy, LABELS)
    assert [s.kind for s in report.suspects] == ["missing_upstream"]
    assert not report.ok


@pytest.mark.peers
@pytest.mark.parametrize(
    ("old", "new", "fix"),
    [
        ("dQ = dS @ K", "dQ = dS @ K * 2", "dQ = dS @ K"),
        (
            "(dP - jnp.sum(dP * P, axis=-1, keepdims=True))",
            "(dP - jnp.sum(dP * P, axis=0, keepdims=True))",
            "dS = P * (dP - jnp.sum(dP * P, axis=1, keepdims=True)) / jnp.sqrt(Q.shape[1])",
        ),
        ("dK = dS.T @ Q", "dK = dS @ Q", "dK = dS.T @ Q"),  # this ends with an error on other than square arrays
    ],
)
def test_a_line_of_jax(loaded, old, new, fix):
    pytest.importorskip("jax")
    report = cr.check(loaded(JAX, old, new).attention, attention, QKV)
    assert not report.ok
    assert (report.suspects[0].fix, report.suspects[0].fix_holds) == (fix, True)


READ = {
    ("torch", "x.mm(w.t())"): "x @ w.T",
    ("torch", "g.sum((0, 2), True)"): "g.sum(axis=(0, 2), keepdims=True)",
    ("torch", "torch.mean(g, dim=-1, keepdim=True)"): "np.mean(g, axis=-1, keepdims=True)",
    ("torch", "q.transpose(-2, -1).view(B, -1)"): "q.swapaxes(-2, -1).reshape(B, -1)",
    ("torch", "q.permute(0, 2, 1)"): "q.transpose(0, 2, 1)",
    ("torch", "torch.sigmoid(z).pow(2)"): "(1 / (1 + np.exp(-z))) ** 2",
    ("torch", "x.size(0) * x.numel()"): "x.shape[0] * x.size",
    ("torch", "g.masked_fill(z <= 0, 0.0)"): "np.where(z <= 0, 0.0, g)",
    ("torch", "z.clamp(min=0)"): "np.maximum(z, 0)",
    ("torch", "F.relu(z)"): "np.maximum(z, 0)",
    ("jax", "jnp.exp(x) @ jax.numpy.tanh(y)"): "np.exp(x) @ np.tanh(y)",
    ("jax", "jax.lax.rsqrt(v)"): "1 / np.sqrt(v)",
}


@pytest.mark.parametrize(("dialect", "text"), READ)
def test_expressions_are_read_and_stay_as_they_were(dialect, text):
    tree = in_numpy(ast.parse(text, mode="eval"), dialect).body
    assert ast.unparse(tree) == READ[dialect, text]
    assert unparsed(tree) == text


WRITTEN = {
    ("torch", "dW = np.sum(g * x, axis=0, keepdims=True)"): "dW = torch.sum(g * x, dim=0, keepdim=True)",
    ("torch", "d = g / np.sqrt(q.shape[1]) / x.size"): "d = g / q.shape[1] ** 0.5 / x.numel()",
    ("torch", "d = np.concatenate([a, b], axis=1).transpose(0, 2, 1)"): "d = torch.cat([a, b], dim=1).permute(0, 2, 1)",
    ("torch", "np.add.at(dE, ids, g)"): "dE.index_put_((ids,), g, accumulate=True)",
    ("torch", "d = x.size(0)"): "d = x.size(0)",
    ("torch", "d = np.linalg.det(W)"): None,
    ("jax", "d = np.where(z > 0, g, 0)"): "d = jnp.where(z > 0, g, 0)",
    ("function", "d = np.exp(x)"): "d = np.exp(x)",
}


@pytest.mark.parametrize(("dialect", "text"), WRITTEN)
def test_lines_are_written_in_other_words(dialect, text):
    assert respelled(text, dialect) == WRITTEN[dialect, text]
