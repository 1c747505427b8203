"""The public surface for extenders: the forms in which the built-in rules are given.

``elementwise``, ``structural``, ``variadic``, ``constant`` and ``composite`` are documented in
:mod:`chainrule.ops`.  A rule is plain NumPy and runs on plain arrays, so it can be tested alone.
"""

from chainrule.custom import custom_vjp as custom_vjp
from chainrule.ops import composite as composite
from chainrule.ops import constant as constant
from chainrule.ops import elementwise as elementwise
from chainrule.ops import structural as structural
from chainrule.ops import variadic as variadic
