"""Attention over any number of batch and head axes."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from chainrule.layers.layer import Array, Layer, require
from chainrule.layers.written import attending as written

__all__ = ["Attention"]


class Attention(Layer):
    """Scaled dot-product attention.

    Args:
        causal: whether a query looks only at its own position and those before it.
    """

    def __init__(self, causal: bool = False) -> None:
        super().__init__()
        self.causal = causal

    def forward(self, Q: ArrayLike, K: ArrayLike, V: ArrayLike, mask: ArrayLike | None = None) -> Array:  # type: ignore[override]
        """The output, ``(…, queries, n_out)``.

        Args:
            Q: queries, ``(…, queries, n)``; the axes in front are batches and heads.
            K: keys, ``(…, keys, n)``.
            V: values, ``(…, keys, n_out)``.
            mask: booleans, true where a query may look, of a shape that broadcasts to ``(…, queries, keys)``.  Every
                query must look somewhere.
        """
        q, k, v = np.asarray(Q), np.asarray(K), np.asarray(V)
        fits = (
            q.ndim == k.ndim == v.ndim >= 2
            and q.shape[:-2] == k.shape[:-2] == v.shape[:-2]
            and q.shape[-1] == k.shape[-1]
            and k.shape[-2] == v.shape[-2]
        )
        require(
            fits,
            self,
            f"Q has shape {q.shape}, K {k.shape} and V {v.shape}; (…, queries, n), (…, keys, n) and (…, keys, n_out) "
            "are needed",
        )
        scores = (*q.shape[:-1], k.shape[-2])
        stacked = [x.reshape(-1, *x.shape[-2:]) for x in (q, k, v)]
        inputs = {"Q": q, "K": k, "V": v}
        shape = (*q.shape[:-1], v.shape[-1])
        allowed = self._allowed(scores, mask)
        if allowed is None:
            return self._run(written.Attention(), inputs, stacked, shape)
        added = np.where(allowed, 0, -np.inf).astype(q.dtype)
        if added.ndim > 2:
            added = np.broadcast_to(added, scores).reshape(-1, *scores[-2:])
        return self._run(written.MaskedAttention(), inputs, (*stacked, added), shape)

    def _allowed(self, scores: tuple[int, ...], mask: ArrayLike | None) -> Array | None:
        """Where queries may look; ``None`` for everywhere."""
        allowed = np.tri(scores[-2], scores[-1], dtype=bool) if self.causal else None
        if mask is None:
            return allowed
        given = np.asarray(mask)
        require(given.dtype == bool, self, f"the mask is of type {given.dtype}; booleans are needed")
        fits = given.ndim <= len(scores) and all(
            m in (1, n) for m, n in zip(given.shape[::-1], scores[::-1], strict=False)
        )
        require(fits, self, f"the mask has shape {given.shape}, which does not broadcast to {scores}")
        both = given if allowed is None else given & allowed
        whole = np.broadcast_to(both, np.broadcast_shapes(both.shape, scores[-2:]))
        require(bool(whole.any(axis=-1).all()), self, "a query may look nowhere; it has no output")
        return whole
