"""What is done to a backward pass last: views late, masks of results, parts read beside what is written."""

import itertools

import numpy as np
import pytest

import chainrule as cr
from chainrule.indexing import Index, is_apart

draw = np.random.default_rng(3)
X, Y, C = draw.standard_normal((5, 3)), draw.standard_normal((5, 3)), draw.standard_normal(3)


def margin(a, b, same):
    distance = np.linalg.norm(a - b, axis=1)
    return np.mean(same * distance**2 + (1 - same) * np.maximum(2 - distance, 0) ** 2)


def hidden(x, W, v):
    return np.tanh(np.maximum(x @ W, 0) @ v).sum()


def named(x, W, v):
    z = x @ W
    return np.tanh(np.maximum(z, 0) @ v).sum()


def written_into(x, W):
    a = np.maximum(x @ W, 0)
    a[0] = 1.0
    return (a**2 * x @ W).sum()


def halves(x):
    out = np.empty_like(x)
    out[:, 0::2] = np.sin(x[:, 1::2])
    out[:, 1::2] = x[:, 0::2] * x[:, 1::2]
    return out


def normalised(x):
    return x / np.linalg.norm(x)


def squared_norm(x):
    return 0.5 * np.linalg.norm(x) ** 2


def turned(a, b):
    return np.sum(np.cross(a, b) ** 2)


def smooth(x, alpha):
    return 0.5 * alpha * (np.sum(np.diff(x, axis=0) ** 2) + np.sum(np.diff(x, axis=1) ** 2))


def bell(x):
    return np.exp(-((x / np.sqrt(2)) ** 2)).sum()


def spread(a, b):
    return np.add.outer(a, b[0]) ** 2 + 1


def trace_ratio(z, m, w):
    p, q = z @ w, m @ w
    return -np.trace(np.linalg.solve(p.T @ p, q.T @ q))


def disparity(scores, places, truth):
    e = np.exp(scores)
    p = e / e.sum(axis=1, keepdims=True)
    r = p @ places - truth
    return np.where(r < 1, 0.5 * r**2, r - 0.5).sum()


def risk(z, covariance, mu, aversion):
    e = np.exp(z)
    w = e / e.sum()
    return 0.5 * aversion * (w @ covariance @ w) - mu @ w


EVEN = draw.standard_normal((3, 4))


@pytest.mark.parametrize(
    ("f", "args", "there", "absent"),
    [
        (margin, (X, Y, np.arange(5) % 2.0), ["(distance == 0)))[:, None]"], ["same[:, None]", "distance[:, None]"]),
        (hidden, (X, Y.T, np.arange(5.0)), ["(larger > 0)"], []),
        (named, (X, Y.T, np.arange(5.0)), ["(z > 0)"], []),
        (written_into, (X, Y.T @ Y), ["> 0"], ["a > 0"]),
        (halves, (EVEN,), ["dx[:, 0::2] = "], [".copy()", "= 0.0", "+= np.cos"]),
        (normalised, (C,), ["x_norm"], ["== 0"]),
        (squared_norm, (C,), ['{"x": x}'], ["== 0"]),
        (turned, (X, Y), ["np.cross("], ["moveaxis"]),
        (smooth, (X, 0.3), ["-alpha * ("], ["alpha * diff"]),
        (trace_ratio, (X @ X.T, Y @ X.T, X[:, :2]), ["np.linalg.solve("], ["np.eye", "1.0 *"]),
        (bell, (C,), [], ["9999", "0000"]),
        (disparity, (X, C, X[:, 0]), ["* (places - "], ["vecdot", "(p @ places)", "ratio"]),
        (risk, (C, Y.T @ X, C, 3.0), [], ["e_sum * e_sum"]),
        (spread, (C, X), ["np.vecdot"], [".reshape(len(a))", "squeeze"]),
    ],
    ids=lambda x: getattr(x, "__name__", ""),
)
def test_it_reads_as_a_person_writes(f, args, there, absent):
    source = cr.write(f, *args)
    text = "\n".join(line for line in str(source).splitlines() if not line.lstrip().startswith("#"))
    assert [t for t in there if t not in text] == []
    assert [t for t in absent if t in text] == []
    value = f(*args)
    cotangent = (draw.standard_normal(np.shape(value)),) if np.ndim(value) else ()
    _, gradients = source.function(*args, *cotangent)
    _, pull = cr.vjp(f, *args)
    wanted = pull(*cotangent) if cotangent else pull(1.0)
    for found, g in zip(gradients.values(), wanted, strict=False):
        np.testing.assert_allclose(found, g, rtol=1e-12, atol=1e-14)


PARTS = [
    0,
    1,
    -1,
    -2,
    *(slice(*e) for e in itertools.product((None, 0, 1, 2, -1, -2), (None, 1, 2, -1), (None, 1, 2, 3))),
]


def test_parts_that_are_apart_have_no_element_in_common():
    found = 0
    for p, q in itertools.product(PARTS, repeat=2):
        if is_apart(Index((p,), True), Index((q,), True), 1):
            found += 1
            for length in range(2, 9):
                x = np.zeros(length)
                x[p] += 1
                x[q] += 1
                assert x.max() <= 1, (p, q, length)
    assert found > 100
    assert not is_apart(Index((slice(0, 2), 0), False), Index((slice(1, 3), 0), False), 2)
    assert is_apart(Index((Ellipsis, 0), False), Index((Ellipsis, 1), False), 3)


def test_the_margins_of_a_support_vector_machine_are_those_of_the_course():
    def loss(W, X, y, strength):
        n = X.shape[0]
        scores = X.dot(W)
        correct = scores[np.arange(n), y].reshape(-1, 1)
        margins = np.maximum(0, scores - correct + 1)
        margins[np.arange(n), y] = 0
        return margins.sum() / n + strength * np.sum(W * W)

    labels = np.array([0, 2, 1, 1, 3])
    text = str(cr.write(loss, np.cos(np.arange(12.0)).reshape(3, 4), X, labels, 0.1, wrt="W"))
    assert "dscores = (margins > 0) / n\n" in text
    assert "dscores[positions, y] -= dscores.sum(axis=1)\n" in text
