"""Expressions of a model's variables, worked out where these are."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from array_api_compat import array_namespace, is_cupy_array

from gpurun.calls import variable_name
from gpurun.errors import StimulusError
from gpurun.loop.synapses import Incidence, incidence
from gpurun.overrides import Target, resolve
from gpurun.session import Session

#: Functions, and how many arguments each takes.
_ELEMENTWISE = {
    "abs": 1, "ceil": 1, "clip": 3, "cos": 1, "exp": 1, "floor": 1, "log": 1, "maximum": 2,
    "minimum": 2, "sin": 1, "sqrt": 1, "tanh": 1, "where": 3,
}  # fmt: skip
_TOTALS = {"max": 1, "mean": 1, "min": 1, "sum": 1}
_FUNCTIONS = _ELEMENTWISE | _TOTALS
_ALLOWED = (
    ast.Expression, ast.BinOp, ast.UnaryOp, ast.Compare, ast.Call, ast.Name, ast.Constant,
    ast.Load, ast.operator, ast.unaryop, ast.cmpop,
)  # fmt: skip


@dataclass(frozen=True)
class Change:
    """What is done to one variable of a session.

    Attributes
    ----------
    function : callable
        See `Session.modify`.
    reading : tuple of Target
        Further variables that it gets.
    """

    function: Callable[..., Any]
    reading: tuple[Target, ...] = ()


@dataclass(frozen=True)
class Expression:
    """A new value for one variable, as an expression of variables of the same group.

    Parameters
    ----------
    text : str
        Such as ``"clip(w, 0, 1)"`` or, for synapses, ``"w * 78 / sum(w, j)"``. Names are
        variables of the same group or Synapses, and for Synapses ``i`` and ``j``, the numbers
        of the pre- and post-synaptic neuron. Values are bare SI numbers.

        There are ``sum``, ``mean``, ``max``, ``min`` over all elements; ``sum(x, i)``,
        ``sum(x, j)`` over the synapses of the same neuron; element by element ``abs``,
        ``ceil``, ``clip``, ``cos``, ``exp``, ``floor``, ``log``, ``maximum``, ``minimum``,
        ``sin``, ``sqrt``, ``tanh`` and ``where``. Conditions are combined with ``&`` and ``|``.

    Raises
    ------
    StimulusError
        It is not such an expression.
    """

    text: str

    def __post_init__(self) -> None:
        tree = self._tree()
        for node in ast.walk(tree):
            if not isinstance(node, _ALLOWED) or (
                isinstance(node, ast.Call) and not isinstance(node.func, ast.Name)
            ):
                raise self._error(f"'{ast.unparse(node)}' cannot be in one")
        for node in ast.walk(tree):
            if isinstance(node, ast.Compare) and len(node.ops) > 1:
                raise self._error(f"'{ast.unparse(node)}' compares twice; write (a < x) & (x < b)")
            text = isinstance(node, ast.Constant) and not isinstance(node.value, int | float)
            if text or isinstance(node, ast.MatMult):
                raise self._error(f"'{ast.unparse(tree)}' has what is no number")
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            self._check_call(call)

    def _check_call(self, call: ast.Call) -> None:
        assert isinstance(call.func, ast.Name)
        name = call.func.id
        if name not in _FUNCTIONS:
            raise self._error(f"there is no function '{name}', but {', '.join(sorted(_FUNCTIONS))}")
        by = call.args[1] if name == "sum" and len(call.args) == 2 else None
        if by is not None and not (isinstance(by, ast.Name) and by.id in ("i", "j")):
            raise self._error("the second argument of sum is i or j")
        wanted = _FUNCTIONS[name] + (by is not None)
        if len(call.args) != wanted or call.keywords:
            further = ""
            if name in ("max", "min"):
                further = f"; {name}imum compares two values"
            raise self._error(f"'{name}' takes {wanted} argument(s){further}")

    def _error(self, why: str) -> StimulusError:
        return StimulusError(
            f"The expression '{self.text}' cannot be used: {why}. Give a function of the array "
            "instead for anything else.",
            name=self.text,
        )

    def _tree(self) -> ast.Expression:
        try:
            return ast.parse(self.text.strip(), mode="eval")
        except (SyntaxError, ValueError) as error:
            raise self._error(str(error)) from None

    @staticmethod
    def _called(tree: ast.Expression) -> set[str]:
        calls = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
        return {function.id for function in calls if isinstance(function, ast.Name)}

    def bind(self, session: Session, key: Any) -> Change:
        """What gives new values for the variable `key`."""
        target = resolve(session.model.manifest, key, session.model.resolver)
        name = variable_name(session.model, target)
        tree = self._tree()
        owner, _, own = name.rpartition(".")
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        names -= self._called(tree)
        index = session.model.index
        synaptic = f"{owner}._synaptic_pre" in index
        others = sorted(names - {own} - ({"i", "j"} if synaptic else set()))
        for other in others:
            if f"{owner}.{other}" not in index:
                known = [n.rpartition(".")[2] for n in index if n.startswith(f"{owner}.")]
                visible = sorted({n for n in known if not n.startswith("_")})
                visible += ["i", "j"] if synaptic else []
                raise self._error(f"'{owner}' has no variable '{other}', but {', '.join(visible)}")
        if not synaptic and any(len(call.args) == 2 for call in _sums(tree)):
            raise self._error(f"'{owner}' is no Synapses, over whose neurons sum could go")
        found = incidence(session, name) if synaptic else None
        code = compile(tree, "<expression>", "eval")

        def value(array: Any, *lent: Any) -> Any:
            # What no kernel uses is in the host's memory, also for a session on a card
            at_hand = [_beside(array, other) for other in lent]
            scope = {own: array, **dict(zip(others, at_hand, strict=True))}
            here = None if found is None else found.beside(array)
            if here is not None:
                scope |= {"i": here.pre, "j": here.post}
            functions = _functions(array_namespace(array), here)
            return eval(code, {"__builtins__": {}}, functions | scope)

        variables = session.model.manifest.variables
        reading = []
        for other in others:
            info = variables[index[f"{owner}.{other}"]]
            selection = None if info.scalar else target.selection
            reading.append(Target(info.name, "variable", selection))
        return Change(value, tuple(reading))


def _beside(array: Any, other: Any) -> Any:
    """`other` in the memory where `array` is."""
    if is_cupy_array(array):
        return array_namespace(array).asarray(other)
    return other.get() if is_cupy_array(other) else other


def _functions(xp: Any, found: Incidence | None) -> dict[str, Any]:
    def total(x: Any, by: Any = None) -> Any:
        if by is None or found is None:
            return xp.sum(x)
        side = "pre" if by is found.pre else "post"
        return found.spread(found.sum(x, side), side, x)

    functions = {name: getattr(xp, name) for name in _FUNCTIONS}
    return functions | {"sum": total}


def _sums(tree: ast.Expression) -> list[ast.Call]:
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    return [c for c in calls if isinstance(c.func, ast.Name) and c.func.id == "sum"]
