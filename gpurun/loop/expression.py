"""Expressions of a model's variables, worked out where these are."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from array_api_compat import array_namespace

from gpurun.errors import StimulusError
from gpurun.loop.synapses import Incidence, incidence
from gpurun.session import Session

_ELEMENTWISE = ("abs", "ceil", "cos", "exp", "floor", "log", "sin", "sqrt", "tanh", "where")
_TOTALS = ("sum", "mean", "max", "min")
_ALLOWED = (
    ast.Expression, ast.BinOp, ast.UnaryOp, ast.Compare, ast.Call, ast.Name, ast.Constant,
    ast.Load, ast.operator, ast.unaryop, ast.cmpop, ast.keyword,
)  # fmt: skip


@dataclass(frozen=True)
class Change:
    """What is done to one variable of a session.

    Attributes
    ----------
    function : callable
        See `Session.modify`.
    reading : tuple of str
        Further variables that it gets.
    """

    function: Callable[..., Any]
    reading: tuple[str, ...] = ()


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
        ``sum(x, j)`` over the synapses of the same neuron; ``abs``, ``ceil``, ``clip``, ``cos``,
        ``exp``, ``floor``, ``log``, ``sin``, ``sqrt``, ``tanh`` and ``where``. Conditions are
        combined with ``&`` and ``|``.

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
        for name in self._called(tree):
            if name not in (*_ELEMENTWISE, *_TOTALS, "clip"):
                known = ", ".join(sorted((*_ELEMENTWISE, *_TOTALS, "clip")))
                raise self._error(f"there is no function '{name}', but {known}")

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

    def bind(self, session: Session, name: str) -> Change:
        """What gives new values for the variable `name`."""
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
        found = incidence(session, name) if synaptic else None
        code = compile(tree, "<expression>", "eval")

        def value(array: Any, *lent: Any) -> Any:
            scope = {own: array, **dict(zip(others, lent, strict=True))}
            if found is not None:
                scope |= {"i": found.pre, "j": found.post}
            functions = _functions(array_namespace(array), found)
            return eval(code, {"__builtins__": {}}, functions | scope)

        return Change(value, tuple(f"{owner}.{other}" for other in others))


def _functions(xp: Any, found: Incidence | None) -> dict[str, Any]:
    def total(x: Any, by: Any = None) -> Any:
        if by is None or found is None:
            return xp.sum(x)
        side = "pre" if by is found.pre else "post"
        return found.spread(found.sum(x, side), side, x)

    def clip(x: Any, low: Any, high: Any) -> Any:
        return xp.clip(x, low, high)

    functions = {name: getattr(xp, name) for name in (*_ELEMENTWISE, *_TOTALS)}
    return functions | {"sum": total, "clip": clip}
