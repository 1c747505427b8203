"""Writes docs/functions.md, the page of every function that chainrule knows, from the tables themselves.

``python -m docs.functions`` writes the page; ``tests/test_docs.py`` compares it with what would be written.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import scipy
import scipy.fft
import scipy.linalg
import scipy.special
import scipy.stats

from chainrule import dispatch, handlers, ops, ufuncs
from chainrule.traced import Traced

PAGE = Path(__file__).with_name("functions.md")

NAMESPACES = {
    "np": np,
    "np.linalg": np.linalg,
    "np.fft": np.fft,
    "np.lib.stride_tricks": np.lib.stride_tricks,
    "scipy.special": scipy.special,
    "scipy.linalg": scipy.linalg,
    "scipy.fft": scipy.fft,
    "math": math,
}
WHOLE = ("np", "np.linalg", "np.fft")  # of these every public function has a row
BUILTINS = {"float": float, "len": len, "type": type}

# The title of a family, and the modules of chainrule.rules whose functions stand in it.
FAMILIES = {
    "Elementwise": "elementwise",
    "Reductions": "reductions",
    "Products": "products einsum matrices",
    "Shapes": "rearrange joining padding",
    "Selection, order and statistics": "selection quantiles queries",
    "Calculus, grids and polynomials": "calculus spacing polynomials",
    "Constants and questions": "",
    "Creation": "",
    "Functions that write into arrays": "",
    "Linear algebra: np.linalg": "",
    "Fourier transforms: np.fft": "",
    "SciPy: scipy.special": "",
    "SciPy: scipy.linalg": "",
    "SciPy: scipy.fft": "",
    "SciPy: scipy.stats": "",
    "Python: math and builtins": "",
    "Not followed": "",
}
BY_NAMESPACE = {
    "np.linalg": "Linear algebra: np.linalg",
    "np.fft": "Fourier transforms: np.fft",
    "scipy.special": "SciPy: scipy.special",
    "scipy.linalg": "SciPy: scipy.linalg",
    "scipy.fft": "SciPy: scipy.fft",
    "math": "Python: math and builtins",
}
WRITERS = "copyto fill_diagonal put place putmask put_along_axis".split()

KINDS = {
    "elementwise": "rule (elementwise)",
    "structural": "rule (structural)",
    "variadic": "rule (variadic)",
}

# Functions that take no followed values, or only ask about types and shapes: they work as ever.
PLAIN = frozenset(
    "base_repr binary_repr busday_count busday_offset datetime_as_string datetime_data diag_indices fftfreq frombuffer "
    "fromfile fromfunction fromregex genfromtxt get_include get_printoptions getbufsize geterr geterrcall info "
    "is_busday isdtype isfortran isscalar issubdtype iterable load loadtxt mask_indices mintypecode printoptions "
    "promote_types rfftfreq set_printoptions setbufsize seterr seterrcall show_config show_runtime test tril_indices "
    "triu_indices typename".split()
)
THROUGH = {"row_stack": "np.vstack"}  # NumPy's own code, which calls a function that is followed
INSTEAD = {
    "asmatrix": "arrays, with `@` for the product",
    "bmat": "`np.block`",
    "format_float_positional": "an f-string",
    "format_float_scientific": "an f-string",
    "from_dlpack": "pass the array as an argument",
    "fromiter": "`np.array(list(...))`",
    "frompyfunc": "`np.vectorize`, or the function on whole arrays",
    "fromstring": "keep the value itself: text has no derivative",
    "nested_iters": "loops over indices",
    "nextafter": "its neighbour is the value itself, up to rounding",
    "packbits": "it works on bits: take it out of the function",
    "require": "`np.ascontiguousarray`, `np.asfortranarray` or `x.astype`",
    "save": "save results outside of the function",
    "savetxt": "save results outside of the function",
    "savez": "save results outside of the function",
    "savez_compressed": "save results outside of the function",
    "unpackbits": "it works on bits: take it out of the function",
}
METHOD_INSTEAD = {
    "byteswap": "it reinterprets bits",
    "ctypes": "give the foreign function a rule with `custom_vjp`",
    "data": "give the foreign function a rule with `custom_vjp`",
    "device": "it is the CPU",
    "dump": "save results outside of the function",
    "dumps": "save results outside of the function",
    "getfield": "`x.real`, `x.imag`",
    "resize": "`np.resize(x, shape)` or `x.reshape(shape)`",
    "setfield": "`x[...] = value`",
    "setflags": "leave it out",
    "to_device": "leave it out",
    "tobytes": "save results outside of the function",
    "tofile": "save results outside of the function",
    "tolist": "`list(x)`, whose elements are followed",
}

Row = tuple[str, str, str]


def is_known(function: Any) -> bool:
    """Whether a call of ``function`` on a followed array is answered."""
    return dispatch.known(function) or function in handlers.SUBSTITUTES or function in handlers.CREATORS


def public(namespace: Any) -> Iterator[tuple[str, Any]]:
    """The public functions of a module, by name; classes and constants are none."""
    for name in sorted(dir(namespace)):
        if name.startswith("_"):
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # names that NumPy is about to remove
            function = getattr(namespace, name)
        if callable(function) and not isinstance(function, type):
            yield name, function


def spellings() -> dict[Any, list[str]]:
    """Every name under which each known function is public; the one that it calls itself first."""
    found: dict[Any, list[str]] = {}
    for prefix, namespace in NAMESPACES.items():
        for name, function in public(namespace):
            if is_known(function):
                found.setdefault(function, []).append(f"{prefix}.{name}")
    for name, builtin in BUILTINS.items():
        found.setdefault(builtin, []).append(name)
    for function, names in found.items():
        own = getattr(function, "__name__", "")
        names.sort(key=lambda n: n.rpartition(".")[2] != own)  # stable: np.absolute (np.abs)
    return found


def rule_module(function: Any) -> str:
    """The module of chainrule.rules that a function's rule or definition comes from."""
    operation = ops.OPERATIONS.get(function)
    definition = ops.COMPOSITES.get(function)
    rules = [r for r in operation.rules if r is not None] if operation else [definition] if definition else []
    modules = [r.__module__.removeprefix("chainrule.rules.") for r in rules]
    return next((m for m in modules if m != "helpers"), "")


def family(function: Any, name: str) -> str:
    """The title under which a function stands."""
    prefix, _, short = name.rpartition(".")
    if prefix in BY_NAMESPACE or not prefix:
        return BY_NAMESPACE.get(prefix, "Python: math and builtins")
    if isinstance(function, np.ufunc) and function not in ops.COMPOSITES and rule_module(function) != "products":
        return "Elementwise"
    if short in WRITERS:
        return "Functions that write into arrays"
    if function in handlers.CREATORS or function in handlers.SUBSTITUTES or short.endswith("_like"):
        return "Creation"
    module = rule_module(function)
    titles = [title for title, modules in FAMILIES.items() if module and module in modules.split()]
    if titles:
        return titles[0]
    return "Products" if short == "einsum" else "Constants and questions"


def _because(operation: ops.Operation) -> str:
    """Why no derivative flows, in the language of the documentation."""
    return "" if operation.because is None else operation.because.text("en")


def state(function: Any, name: str) -> tuple[str, str]:
    """What becomes of a call with a followed array, and the reason where that is called for."""
    operation = ops.OPERATIONS.get(function)
    if name.rpartition(".")[2] in WRITERS:
        return "handler", "writes through to the followed array"
    if function in dispatch.HANDLERS and (operation is None or operation.kind == "constant"):
        return "handler", "" if operation is None else _because(operation)
    if operation is not None:
        if operation.kind == "constant":
            return "constant", _because(operation)
        return KINDS[operation.kind], ""
    if function in ops.COMPOSITES:
        return "composite", ""
    if function in handlers.SUBSTITUTES:
        return "handler", "answered where the call stands in code that is followed"
    return "constant", "it makes a new array, which may be written into"


def known_rows() -> dict[str, list[Row]]:
    """Rows of what is known, by family."""
    rows: dict[str, list[Row]] = {title: [] for title in FAMILIES}
    for function, names in spellings().items():
        # What NumPy and SciPy share is listed with NumPy.
        first, *others = names
        shown = f"`{first}`" + (f" ({', '.join(f'`{n}`' for n in others)})" if others else "")
        rows[family(function, first)].append((shown, *state(function, first)))
    return rows


def refused_rows() -> list[Row]:
    """Public functions of NumPy that stand in no table."""
    rows = []
    for prefix in WHOLE:
        for name, function in public(NAMESPACES[prefix]):
            if is_known(function):
                continue
            if name in THROUGH:
                rows.append((f"`{prefix}.{name}`", "composite", f"calls `{THROUGH[name]}`"))
            elif name in PLAIN:
                rows.append((f"`{prefix}.{name}`", "as ever", "takes no followed values, or only asks about them"))
            else:
                advice = INSTEAD.get(name, "other NumPy functions, or a rule with `custom_vjp`")
                rows.append((f"`{prefix}.{name}`", "refused", f"Instead: {advice}"))
    return rows


def method_rows() -> list[Row]:
    """The methods and attributes of arrays."""
    rows = []
    for name in sorted(n for n in dir(np.ndarray) if not n.startswith("_")):
        method = callable(getattr(np.ndarray, name))
        shown = f"`x.{name}()`" if method else f"`x.{name}`"
        if name in METHOD_INSTEAD or not hasattr(Traced, name):
            advice = METHOD_INSTEAD.get(name, "the NumPy function for it")
            rows.append((shown, "refused", f"Instead: {advice}"))
        elif name == "view":
            rows.append((shown, "followed", "of the same dtype; another dtype is refused: `x.astype`, `x.real`"))
        else:
            rows.append((shown, "followed", f"as `np.{name}`" if method and hasattr(np, name) else ""))
    return rows


def distribution_rows() -> list[Row]:
    """The distributions of SciPy, with those of their methods that are followed."""
    rows = []
    for name, distribution in public(scipy.stats):
        methods = [m for m in dir(distribution) if not m.startswith("_") and is_hashed(getattr(distribution, m))]
        found = [m for m in methods if is_known(getattr(distribution, m))]
        if found:
            listed = ", ".join(f"`{m}`" for m in sorted(found))
            frozen = "; frozen ones, too" if is_known(distribution) else ""
            rows.append((f"`scipy.stats.{name}`", "composite", listed + frozen))
    return rows


def is_hashed(x: Any) -> bool:
    """Whether something can stand in a table of functions."""
    return callable(x) and getattr(type(x), "__hash__", None) is not None


def ufunc_method_rows() -> list[Row]:
    """The methods of ufuncs: which ufuncs have rules of their own, and what happens with the others."""
    own: dict[str, list[str]] = {name: [] for name in ("reduce", "accumulate", "reduceat", "outer", "at")}
    for table, name in ((ufuncs._REDUCTIONS, "reduce"), (ufuncs._ACCUMULATIONS, "accumulate")):
        own[name] += [u.__name__ for u in table]
    for ufunc, name in (*ufuncs.UFUNC_METHODS, *(k for k in dispatch.HANDLERS if isinstance(k, tuple))):
        own[name].append(ufunc.__name__)
    rows = []
    for name, names in own.items():
        special = ", ".join(f"`np.{n}`" for n in sorted(set(names)))
        general = name in ufuncs.UFUNC_FALLBACKS or name in dispatch.HANDLERS
        others = "every other ufunc that has a rule, by its definition" if general else "other ufuncs are refused"
        note = f"{special} with rules of their own; {others}" if special else others
        rows.append((f"`ufunc.{name}`", "followed", note))
    return rows


def unlisted(prefix: str) -> str:
    """The functions of a part of SciPy that have no rule, as a sentence."""
    administrative = {"geterr", "seterr", "test", "find_best_blas_type", "get_blas_funcs", "get_lapack_funcs"}
    skipped = administrative | {n for n in dir(scipy.fft) if n.endswith(("backend", "workers", "fast_len", "tfreq"))}
    names = [n for n, f in public(NAMESPACES[prefix]) if not is_known(f) and n not in skipped]
    return f"Refused, as there is no rule for them yet: {', '.join(f'`{n}`' for n in names)}."


def table(rows: list[Row], *, ordered: bool = True) -> list[str]:
    """Rows as Markdown."""
    body = sorted(rows, key=lambda row: row[0].partition("` ")[0].strip("`").lower()) if ordered else rows
    lines = [f"| {shown} | {what} |{f' {note} |' if note else ' |'}" for shown, what, note in body]
    return ["| function | state | note |", "|---|---|---|", *lines, ""]


INTRODUCTION = """# Functions

What happens when a followed array meets a function. This page is written by `python -m docs.functions` from the
tables that chainrule itself reads; do not edit it. It was made with NumPy {numpy} and SciPy {scipy}.

| state | meaning |
|---|---|
| rule (elementwise) | a function of each element; its rule is the local derivative |
| rule (structural) | any other function; its rule takes the cotangent of the result to those of the arguments |
| rule (variadic) | the same for a function of a sequence of arrays |
| composite | defined by other functions in this list, which are followed in its place |
| handler | answered by chainrule's own code: it writes into an array, makes one, or answers a question |
| constant | no derivative flows through it, for the reason that stands there; the result may be used freely |
| as ever | NumPy's own function is called |
| refused | an error with the line, the column, the reason and what to write instead |

What is in no list here is refused too. You can give any function a rule: see [the guide](guide.md#rules-of-your-own).
The choices at corners and ties are in [kinks.md](kinks.md).
"""


def page() -> str:
    """The whole page."""
    dispatch.load_families()
    lines = [INTRODUCTION.format(numpy=np.__version__, scipy=scipy.__version__)]
    rows = known_rows()
    rows["Not followed"] = refused_rows()
    rows["SciPy: scipy.stats"] = distribution_rows()
    for title, own in rows.items():
        lines += [f"## {title}", "", *table(own)]
        if title == "Elementwise":
            lines += ["### Methods of ufuncs", "", *table(ufunc_method_rows(), ordered=False)]
        if title == "SciPy: scipy.stats":
            lines += ["Other distributions, methods and functions of `scipy.stats` are refused: write the formula.", ""]
        elif title.startswith("SciPy: "):
            lines += [unlisted(title.removeprefix("SciPy: ")), ""]
        if title == "Functions that write into arrays":
            lines += ["The array must have been made inside of the function, or be an argument of it.", ""]
            lines += ["## Methods and attributes of arrays", "", *table(method_rows(), ordered=False)]
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"wrote {PAGE}")
