"""Cases for ``np.fft``: every transform, with lengths that pad and cut, odd and even, and every scale."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.cases.case import Case

_rng = np.random.default_rng(22)


def A(*shape: int) -> Any:
    """A real array of this shape."""
    return _rng.normal(size=shape)


def C(*shape: int) -> Any:
    """A complex array of this shape."""
    return _rng.normal(size=shape) + 1j * _rng.normal(size=shape)


_REAL_ONLY = ("rfft", "ihfft", "rfft2", "rfftn")


def _cases(function: Callable[..., Any], name: str, shape: tuple[int, ...], **options: Any) -> list[Case]:
    """A case with a real array and, unless the function wants real signals, one with a complex array."""
    title = " ".join([name, str(shape), *(f"{key}={value}" for key, value in options.items())])
    cases = [Case(title, lambda x: function(x, **options), (A(*shape),))]
    if name.rpartition(".")[2] not in _REAL_ONLY:
        cases.append(Case(f"{title} complex", lambda x: function(x, **options), (C(*shape),)))
    return cases


def transforms(library: Any, prefix: str) -> list[Case]:
    """The cases of all transforms of ``np.fft``, or of another module that has them."""
    cases: list[Case] = []

    def add(name: str, shape: tuple[int, ...], **options: Any) -> None:
        cases.extend(_cases(getattr(library, name), prefix + name, shape, **options))

    for name in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft"):
        for shape in ((5,), (6,), (3, 4)):
            add(name, shape)
        for n in (4, 5, 8, 9):
            add(name, (5,), n=n)
        for norm in ("backward", "ortho", "forward"):
            add(name, (5,), norm=norm)
        add(name, (5, 3), axis=0)
        add(name, (5, 3), axis=-2, n=7, norm="ortho")
        add(name, (5, 3, 2), axis=1, n=2, norm="forward")
    for name in ("irfft", "hfft"):
        add(name, (3,), n=1)
        add(name, (3,), n=2)
    for name in ("fft2", "ifft2", "rfft2", "irfft2"):
        add(name, (3, 4))
        add(name, (2, 3, 5))
        add(name, (2, 3, 5), axes=(0, 1))
        add(name, (3, 4), s=(5, 2), norm="ortho")
        add(name, (3, 4), s=(2, 7), axes=(-2, -1))
    for name in ("fftn", "ifftn", "rfftn", "irfftn"):
        add(name, (2, 3, 4))
        add(name, (5,))
        add(name, (2, 3, 4), axes=(2, 0))
        add(name, (2, 3, 4), axes=(1,), norm="forward")
        add(name, (2, 3, 4), s=(4, 2, 5), axes=(0, 1, 2), norm="ortho")
        add(name, (2, 3, 4), s=(3, 6), axes=(-1, 1))
    return cases


CASES: list[Case] = [
    *transforms(np.fft, "fft."),
    Case("fft.fftn one axis twice", lambda x: np.fft.fftn(x, axes=(0, 0)), (C(3, 4),)),
    Case("fft.fftn length of the axis", lambda x: np.fft.fftn(x, s=(-1, 6), axes=(0, 1)), (C(3, 4),)),
    Case("fft.rfftn length of the axis", lambda x: np.fft.rfftn(x, s=(6, -1), axes=(0, 1)), (A(3, 5),)),
    Case("fft.fftshift", lambda x: np.fft.fftshift(x), (A(4, 5),), complex_step=True),
    Case("fft.fftshift axes", lambda x: np.fft.fftshift(x, axes=(1,)), (C(4, 5),)),
    Case("fft.ifftshift", lambda x: np.fft.ifftshift(x), (A(4, 5),), complex_step=True),
    Case("fft.ifftshift axes", lambda x: np.fft.ifftshift(x, axes=1), (C(4, 5),)),
    Case(
        "fft.fft filter",
        lambda x: np.fft.irfft(np.fft.rfft(x) * np.exp(-(np.fft.rfftfreq(6) ** 2)), n=6),
        (A(6),),
        order=2,
    ),
    Case("fft.fft power spectrum", lambda x: np.abs(np.fft.fft(x)) ** 2, (A(5),)),
]
