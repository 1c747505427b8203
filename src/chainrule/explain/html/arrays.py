"""Arrays on the page: small ones as tables with coloured cells, larger ones as maps that show figures on demand."""

from __future__ import annotations

import json
from html import escape
from typing import Any

import numpy as np

from chainrule.explain.figures import as_array, shape_text, shown_number, summary
from chainrule.explain.html.heat import Grid, grid_of, picture_of, strength
from chainrule.language import Message, message

__all__ = ["Arrays"]

_CELLS, _COLUMNS = 48, 8  # of an array that is shown as a table
_ROWS_OF_MAP, _COLUMNS_OF_MAP = 48, 64
_SQUARE, _MOST_ACROSS, _MOST_DOWN = 12, 330, 170  # pixels of a number in a map, and of a map


class Arrays:
    """The arrays of a page; the figures behind maps are kept once, however often they are shown."""

    def __init__(self) -> None:
        self._kept: list[str] = []
        self._places: dict[int, tuple[int, Any]] = {}

    def json(self) -> str:
        """The figures behind the maps, for the page's script."""
        return f"[{','.join(self._kept)}]"

    def figure(self, x: Any, name: str, label: Message | None) -> str:
        """An array with its label."""
        array = as_array(x)
        caption = escape(str(label)) if label is not None else escape(name)
        shape = shape_text(array.shape)
        heading = f'<span class="label">{caption}</span>' + (f' <span class="shape">{shape}</span>' if shape else "")
        if array.ndim == 0:
            return f'<div class="array"><p>{heading}</p><p class="scalar">{_number(array)}</p></div>'
        grid = grid_of(array, _ROWS_OF_MAP, _COLUMNS_OF_MAP)
        if grid is None:
            text = escape(np.array2string(array, threshold=16, edgeitems=2))
            return f'<div class="array"><p>{heading}</p><pre>{text}</pre></div>'
        small = array.size <= _CELLS and array.shape[-1] <= _COLUMNS and array.dtype.kind in "fiub"
        body = _table(array, grid, name, caption) if small else self._map(array, grid, name)
        return f'<div class="array"><p>{heading}</p>{body}</div>'

    def _map(self, array: np.ndarray[Any, Any], grid: Grid, name: str) -> str:
        rows, columns = grid.numbers.shape
        said = str(summary(array) or "")
        place = self._keep(array, grid)
        square = max(3, min(_SQUARE, _MOST_ACROSS // columns, _MOST_DOWN // rows))
        note = ""
        if grid.block != (1, 1):
            note = f'<p class="aside">{escape(str(_blocks(grid)))}</p>'
        alternative = ", ".join(t for t in (name, shape_text(array.shape), said) if t)
        table = escape(str(message("Show as a table")))
        return (
            f'<div class="map" tabindex="0" role="img" aria-label="{escape(alternative)}" data-array="{place}" '
            f'data-name="{escape(name)}"><img alt="" width="{columns * square}" height="{rows * square}" '
            f'src="{picture_of(grid)}"></div><p class="aside readout" aria-live="polite">{escape(said)}</p>{note}'
            f'<details class="figures" data-array="{place}"><summary>{table}</summary></details>'
        )

    def _keep(self, array: np.ndarray[Any, Any], grid: Grid) -> int:
        known = self._places.get(id(array))
        if known is not None:
            return known[0]
        numbers = [[_json(v) for v in row] for row in grid.numbers.tolist()]
        kept = {"shape": list(grid.shape), "block": list(grid.block), "rows": numbers}
        self._kept.append(json.dumps(kept, separators=(",", ":")))
        self._places[id(array)] = (len(self._kept) - 1, array)
        return len(self._kept) - 1


def _blocks(grid: Grid) -> Message:
    return message(
        "each square is the mean of up to {rows}×{columns} elements", rows=grid.block[0], columns=grid.block[1]
    )


def _number(array: np.ndarray[Any, Any]) -> str:
    return shown_number(array.item())


def _json(value: float) -> float | str:
    return float(f"{value:.5g}") if np.isfinite(value) else str(value)


def _table(array: np.ndarray[Any, Any], grid: Grid, name: str, caption: str) -> str:
    """A table of the figures, whose cells are coloured by how large they are."""
    parts = strength(grid.numbers)
    flat = array.reshape(-1, array.shape[-1])
    lead = array.shape[:-1]
    columns = "".join(f'<th scope="col">{k}</th>' for k in range(flat.shape[1]))
    corner = "<td></td>" if lead else ""
    rows = []
    for r, row in enumerate(flat):
        where = ",".join(map(str, np.unravel_index(r, lead))) if lead else ""
        cells = "".join(_cell(shown_number(v.item()), float(p)) for v, p in zip(row, parts[r], strict=True))
        heading = f'<th scope="row">{where}</th>' if lead else ""
        rows.append(f"<tr>{heading}{cells}</tr>")
    return (
        f'<table class="heat" data-name="{escape(name)}"><caption class="hidden">{caption}</caption>'
        f"<thead><tr>{corner}{columns}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    )


def _cell(text: str, part: float) -> str:
    shown = text.replace("-", "−")
    if not np.isfinite(part):
        return f'<td class="b">{shown}</td>'
    if part == 0:
        return f'<td class="z">{shown}</td>'
    return f'<td class="{"p" if part > 0 else "n"}" style="--v:{abs(part):.2g}">{shown}</td>'
