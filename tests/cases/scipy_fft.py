"""Cases for ``scipy.fft``: the transforms that ``np.fft`` has too, and cosine and sine transforms."""

from __future__ import annotations

import scipy.fft as sf

from tests.cases.case import Case
from tests.cases.fft import A, C, transforms

CASES: list[Case] = [
    *transforms(sf, "scipy.fft."),
    Case("scipy.fft.hfft2", lambda x: sf.hfft2(x), (C(3, 4),)),
    Case("scipy.fft.hfftn", lambda x: sf.hfftn(x, s=(2, 5), axes=(0, 1), norm="ortho"), (C(3, 4),)),
    Case("scipy.fft.ihfft2", lambda x: sf.ihfft2(x), (A(3, 4),)),
    Case("scipy.fft.ihfftn", lambda x: sf.ihfftn(x, norm="forward"), (A(3, 5),)),
    Case("scipy.fft.fft workers", lambda x: sf.fft(x, workers=1), (C(3, 4),)),
    Case("scipy.fft.fftshift", lambda x: sf.fftshift(x), (A(4, 5),), complex_step=True),
    Case("scipy.fft.ifftshift", lambda x: sf.ifftshift(x, axes=1), (A(4, 5),), complex_step=True),
]
CASES += [
    Case(
        f"scipy.fft.{name} type={kind} norm={norm} orthogonalize={orthogonal}",
        lambda x, name=name, kind=kind, norm=norm, orthogonal=orthogonal: getattr(sf, name)(
            x, type=kind, norm=norm, orthogonalize=orthogonal
        ),
        (A(3, 5),),
    )
    for name in ("dct", "idct", "dst", "idst")
    for kind in (1, 2, 3, 4)
    for norm in (None, "ortho", "forward")
    for orthogonal in (None, True, False)
]
CASES += [
    case
    for name in ("dct", "idct", "dst", "idst")
    for case in (
        Case(f"scipy.fft.{name} longer", lambda x, name=name: getattr(sf, name)(x, n=7, axis=0), (A(5, 2),)),
        Case(f"scipy.fft.{name} shorter", lambda x, name=name: getattr(sf, name)(x, 2, 4), (A(5),)),
        Case(f"scipy.fft.{name} complex", lambda x, name=name: getattr(sf, name)(x), (C(5),)),
        Case(f"scipy.fft.{name}n", lambda x, name=name: getattr(sf, name + "n")(x), (A(3, 4, 2),)),
        Case(f"scipy.fft.{name}n axes", lambda x, name=name: getattr(sf, name + "n")(x, 3, axes=(0, 2)), (A(3, 4, 2),)),
        Case(
            f"scipy.fft.{name}n sizes",
            lambda x, name=name: getattr(sf, name + "n")(x, s=(6, 2), norm="ortho"),
            (A(3, 4),),
        ),
    )
]
