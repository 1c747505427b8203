"""A derivation as one HTML page that needs nothing else: no network, no library, no font."""

from __future__ import annotations

from chainrule.explain.html.page import page

__all__ = ["page"]
