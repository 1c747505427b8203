"""A matrix product as a layer with ``forward`` and ``backward``, on two neurons and four weights.

``forward`` is plain NumPy.  ``backward`` differentiates that very method: the class is rebuilt on
the arrays that chainrule follows, and nothing in it has to know.
"""

import numpy as np

import chainrule as cr

X = np.array([[0.6, -1.3]])
W = np.array([[0.9, -0.4], [0.2, 1.7]])
grad_Y = np.array([[1.5, -0.8]])


class MatMul(object):  # noqa: UP004 - the signature that readers of older texts know
    """The product of ``x1`` and ``x2``."""

    def __init__(self, x1, x2):
        self.x1 = x1
        self.x2 = x2

    def forward(self):
        """The product."""
        y = np.dot(self.x1, self.x2)
        self.y = y
        return y

    def backward(self, grad):
        """The gradients with respect to ``x1`` and ``x2``, given ``grad`` with respect to the product."""
        _, pullback = cr.vjp(lambda x1, x2: MatMul(x1, x2).forward(), self.x1, self.x2)
        return pullback(grad)


if __name__ == "__main__":
    product = MatMul(X, W)
    print("Y =", product.forward())
    for name, gradient in zip(("grad_X", "grad_W"), product.backward(grad_Y), strict=True):
        print(f"{name}:\n{gradient}")
