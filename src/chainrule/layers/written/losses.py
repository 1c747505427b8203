"""Losses.

Written by chainrule from the functions in ``chainrule/layers/forwards.py``: ``python -m chainrule.layers.generate``.
"""

import numpy as np

__all__ = [
    "MSE",
    "Hinge",
    "HingeBinary",
    "SigmoidCrossEntropy",
    "SoftmaxCrossEntropy",
    "SoftmaxCrossEntropyOneHot",
    "hinge_binary_forward",
    "hinge_binary_grad_scores",
    "hinge_forward",
    "hinge_grad_scores",
    "mse_forward",
    "mse_grad_prediction",
    "sigmoid_cross_entropy_forward",
    "sigmoid_cross_entropy_grad_logits",
    "softmax_cross_entropy_forward",
    "softmax_cross_entropy_grad_logits",
    "softmax_cross_entropy_onehot_forward",
    "softmax_cross_entropy_onehot_grad_logits",
]


def mse_forward(prediction, target):
    """The mean of the squared differences."""
    return ((prediction - target) ** 2).mean()


def mse_grad_prediction(prediction, target):
    """The gradient of mse with respect to prediction."""
    # return ((prediction - target) ** 2).mean()    line 170
    dprediction = 2 / prediction.size * (prediction - target)

    return dprediction


class MSE:
    """mse with its backward pass."""

    def forward(self, prediction, target):
        """The output of mse."""
        difference = prediction - target
        loss = (difference**2).mean()
        self.prediction = prediction
        self.difference = difference
        return loss

    def backward(self):
        """The gradients by name."""
        prediction = self.prediction
        difference = self.difference
        # return ((prediction - target) ** 2).mean()    line 170
        dprediction = 2 / prediction.size * difference
        return {"prediction": dprediction}


def sigmoid_cross_entropy_forward(logits, targets):
    """The mean negative log-likelihood of ``targets``, each a probability, under the sigmoid of ``logits``."""
    return (np.logaddexp(0, logits) - targets * logits).mean()


def sigmoid_cross_entropy_grad_logits(logits, targets):
    """The gradient of sigmoid_cross_entropy with respect to logits."""
    # return (np.logaddexp(0, logits) - targets * logits).mean()    line 175
    dlogits = (np.exp(logits - np.logaddexp(0, logits)) - targets) / logits.size

    return dlogits


class SigmoidCrossEntropy:
    """sigmoid_cross_entropy with its backward pass."""

    def forward(self, logits, targets):
        """The output of sigmoid_cross_entropy."""
        log_total = np.logaddexp(0, logits)
        loss = (log_total - targets * logits).mean()
        self.logits = logits
        self.log_total = log_total
        self.targets = targets
        return loss

    def backward(self):
        """The gradients by name."""
        logits = self.logits
        log_total = self.log_total
        targets = self.targets
        # return (np.logaddexp(0, logits) - targets * logits).mean()    line 175
        dlogits = (np.exp(logits - log_total) - targets) / logits.size
        return {"logits": dlogits}


def softmax_cross_entropy_forward(logits, labels):
    """The mean negative log-likelihood of the class numbers in ``labels`` under the softmax of ``logits``."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_P = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return -log_P[np.arange(logits.shape[0]), labels].mean()


def softmax_cross_entropy_grad_logits(logits, labels):
    """The gradient of softmax_cross_entropy with respect to logits."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    exp_shifted = np.exp(shifted)

    # log_P = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))    line 181
    dshifted = exp_shifted / logits.shape[0] / exp_shifted.sum(axis=1, keepdims=True)
    dshifted[np.arange(logits.shape[0]), labels] -= 1 / logits.shape[0]

    return dshifted


class SoftmaxCrossEntropy:
    """softmax_cross_entropy with its backward pass."""

    def forward(self, logits, labels):
        """The output of softmax_cross_entropy."""
        shifted = logits - logits.max(axis=1, keepdims=True)
        exp_shifted = np.exp(shifted)
        exp_shifted_sum = exp_shifted.sum(axis=1, keepdims=True)
        log_P = shifted - np.log(exp_shifted_sum)
        positions = np.arange(logits.shape[0])
        loss = -log_P[positions, labels].mean()
        self.exp_shifted = exp_shifted
        self.logits = logits
        self.exp_shifted_sum = exp_shifted_sum
        self.positions = positions
        self.labels = labels
        return loss

    def backward(self):
        """The gradients by name."""
        exp_shifted = self.exp_shifted
        logits = self.logits
        exp_shifted_sum = self.exp_shifted_sum
        positions = self.positions
        labels = self.labels
        # log_P = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))    line 181
        dshifted = exp_shifted / logits.shape[0] / exp_shifted_sum
        dshifted[positions, labels] -= 1 / logits.shape[0]
        return {"logits": dshifted}


def softmax_cross_entropy_onehot_forward(logits, targets):
    """The same where each row of ``targets`` has the probabilities of the classes."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_P = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return -(targets * log_P).sum() / logits.shape[0]


def softmax_cross_entropy_onehot_grad_logits(logits, targets):
    """The gradient of softmax_cross_entropy_onehot with respect to logits."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    exp_shifted = np.exp(shifted)

    # log_P = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))    line 188
    ratio = targets.sum(axis=1, keepdims=True) / exp_shifted.sum(axis=1, keepdims=True)
    dshifted = (ratio * exp_shifted - targets) / logits.shape[0]

    return dshifted


class SoftmaxCrossEntropyOneHot:
    """softmax_cross_entropy_onehot with its backward pass."""

    def forward(self, logits, targets):
        """The output of softmax_cross_entropy_onehot."""
        shifted = logits - logits.max(axis=1, keepdims=True)
        exp_shifted = np.exp(shifted)
        exp_shifted_sum = exp_shifted.sum(axis=1, keepdims=True)
        log_P = shifted - np.log(exp_shifted_sum)
        loss = -(targets * log_P).sum() / logits.shape[0]
        self.targets = targets
        self.exp_shifted_sum = exp_shifted_sum
        self.exp_shifted = exp_shifted
        self.logits = logits
        return loss

    def backward(self):
        """The gradients by name."""
        targets = self.targets
        exp_shifted_sum = self.exp_shifted_sum
        exp_shifted = self.exp_shifted
        logits = self.logits
        # log_P = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))    line 188
        ratio = targets.sum(axis=1, keepdims=True) / exp_shifted_sum
        dshifted = (ratio * exp_shifted - targets) / logits.shape[0]
        return {"logits": dshifted}


def hinge_forward(scores, labels, margin):
    """By how much the other classes come closer than ``margin`` to the right one (Weston and Watkins, 1999)."""
    rows = np.arange(scores.shape[0])
    margins = np.maximum(0, scores - scores[rows, labels][:, None] + margin)
    return margins.sum() / scores.shape[0] - margin


def hinge_grad_scores(scores, labels, margin):
    """The gradient of hinge with respect to scores."""
    rows = np.arange(scores.shape[0])

    # margins = np.maximum(0, scores - scores[rows, labels][:, None] + margin)    line 195
    dscores = (scores - scores[rows, labels][:, None] + margin > 0) / scores.shape[0]
    dscores[rows, labels] -= dscores.sum(axis=1)

    return dscores


class Hinge:
    """hinge with its backward pass."""

    def forward(self, scores, labels, margin):
        """The output of hinge."""
        rows = np.arange(scores.shape[0])
        total = scores - scores[rows, labels][:, None] + margin
        margins = np.maximum(0, total)
        loss = margins.sum() / scores.shape[0] - margin
        self.total = total
        self.scores = scores
        self.rows = rows
        self.labels = labels
        return loss

    def backward(self):
        """The gradients by name."""
        total = self.total
        scores = self.scores
        rows = self.rows
        labels = self.labels
        # margins = np.maximum(0, scores - scores[rows, labels][:, None] + margin)    line 195
        dscores = (total > 0) / scores.shape[0]
        dscores[rows, labels] -= dscores.sum(axis=1)
        return {"scores": dscores}


def hinge_binary_forward(scores, labels, margin):
    """By how much scores fall short of ``margin`` on the side of their label, which is 1 or -1."""
    return np.maximum(0, margin - labels * scores).mean()


def hinge_binary_grad_scores(scores, labels, margin):
    """The gradient of hinge_binary with respect to scores."""
    # return np.maximum(0, margin - labels * scores).mean()    line 201
    dscores = labels / -len(scores) * (margin - labels * scores > 0)

    return dscores


class HingeBinary:
    """hinge_binary with its backward pass."""

    def forward(self, scores, labels, margin):
        """The output of hinge_binary."""
        difference = margin - labels * scores
        loss = np.maximum(0, difference).mean()
        self.labels = labels
        self.scores = scores
        self.difference = difference
        return loss

    def backward(self):
        """The gradients by name."""
        labels = self.labels
        scores = self.scores
        difference = self.difference
        # return np.maximum(0, margin - labels * scores).mean()    line 201
        dscores = labels / -len(scores) * (difference > 0)
        return {"scores": dscores}
