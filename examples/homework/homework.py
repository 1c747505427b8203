"""Backward passes as they are handed in: some of them are wrong."""

import numpy as np


def dense_grad_input(x_input, grad_output, W, b):
    return grad_output @ W.T


def dense_grad_W(x_input, grad_output, W, b):
    return x_input.T @ grad_output / len(x_input)


def dense_grad_b(x_input, grad_output, W, b):
    return grad_output.sum()


class LayerNorm:
    def __init__(self, gamma, beta):
        self.gamma, self.beta = gamma, beta

    def forward(self, x):
        self.std = np.sqrt(x.var(axis=-1, keepdims=True) + 1e-5)
        self.x_hat = (x - x.mean(axis=-1, keepdims=True)) / self.std
        return self.gamma * self.x_hat + self.beta

    def backward(self, dout):
        self.dgamma = (dout * self.x_hat).sum(axis=0)
        self.dbeta = dout.sum(axis=0)
        dx_hat = dout * self.gamma
        return (dx_hat - dx_hat.mean(axis=-1, keepdims=True)) / self.std
