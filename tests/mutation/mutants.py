"""All mutants of a source file: one small change each, found by `ast`. Runs nothing.

A condition is dropped, negated, or loses one of its parts; a comparison is turned or moves its boundary; a
default of a choice, a number or a truth value changes; two cells of the decision table are swapped.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any

COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
OPERATIONS: dict[type[ast.operator], type[ast.operator]] = {ast.Add: ast.Sub, ast.Sub: ast.Add}
CALLS = {"max": "min", "min": "max", "all": "any", "any": "all"}
CELLS = ("taken", "standing", "due_standing", "is_overdue_when_due")


@dataclass(frozen=True, slots=True)
class Mutant:
    """One changed version of a file.

    Attributes:
        what: the function and the change in it, with the code before and after; unique within a file.
        source: the whole changed file.
    """

    line: int
    what: str
    source: str


def list_mutants(source: str) -> list[Mutant]:
    """Give every mutant of a source file, by line."""
    tree = ast.parse(source)
    found: dict[str, Mutant] = {}
    within = {
        id(part): each.name
        for each in ast.walk(tree)
        if isinstance(each, ast.FunctionDef)
        for part in ast.walk(each)
    }
    decorators = {id(each) for node in ast.walk(tree) for each in _list_decorator_parts(node)}
    for place, node in enumerate(ast.walk(tree)):
        if id(node) in decorators:
            continue
        for name, change in _list_changes(node):
            mutated = copy.deepcopy(tree)
            target = list(ast.walk(mutated))[place]
            before = ast.unparse(target)
            replacement = change(target)
            _put(mutated, target, replacement)
            what = (
                f"{within.get(id(node), '')}: {name}: {_short(before)} -> {_short(ast.unparse(replacement))}"
            )
            line = getattr(node, "lineno", 0)
            while what in found:
                what += " (again)"
            found[what] = Mutant(line, what, ast.unparse(ast.fix_missing_locations(mutated)))
    for line, what, table in _swap_cells(tree):
        found[what] = Mutant(line, what, table)
    return sorted(found.values(), key=lambda mutant: (mutant.line, mutant.what))


Change = Callable[[Any], ast.AST]


def _list_decorator_parts(node: ast.AST) -> Iterator[ast.AST]:
    """Give all nodes of a node's decorators: how a value type is made is no rule."""
    for decorator in getattr(node, "decorator_list", ()):
        yield from ast.walk(decorator)


def _list_changes(node: ast.AST) -> Iterator[tuple[str, Change]]:
    """Give what may change at a node: conditions here, values in `_list_value_changes`."""
    match node:
        case ast.Compare(ops=[op]):
            for other in COMPARISONS.get(type(op), ()):
                yield "turned", lambda found, other=other: _with(found, ops=[other()])  # type: ignore[misc]
        case ast.BoolOp(op=op, values=values):
            other_op = ast.Or() if isinstance(op, ast.And) else ast.And()
            yield "and/or", lambda found: _with(found, op=other_op)
            for position in range(len(values)):
                yield "dropped", lambda found, position=position: _without(found, position)  # type: ignore[misc]
        case ast.UnaryOp(op=ast.Not()):
            yield "not removed", _operand
        case ast.If() | ast.IfExp():
            yield "never", lambda found: _with(found, test=ast.Constant(False))
            yield "always", lambda found: _with(found, test=ast.Constant(True))
        case ast.comprehension(ifs=[_, *_]):
            yield "filter dropped", lambda found: _with(found, ifs=[])
        case _:
            yield from _list_value_changes(node)


def _list_value_changes(node: ast.AST) -> Iterator[tuple[str, Change]]:
    match node:
        case ast.Return(value=ast.expr() as value) if _is_truth(value):
            yield "negated", lambda found: _with(found, value=ast.UnaryOp(ast.Not(), found.value))
        case ast.BinOp(op=op) if type(op) in OPERATIONS:
            yield "sign", lambda found: _with(found, op=OPERATIONS[type(found.op)]())
        case ast.Constant(value=bool()):
            yield "truth", lambda found: ast.Constant(not found.value)
        case ast.Call(func=ast.Name(id=name)) if name in CALLS:
            yield "other end", lambda found: _with(found, func=ast.Name(CALLS[found.func.id], ast.Load()))
        case _:
            return


def _operand(node: Any) -> ast.AST:
    operand: ast.AST = node.operand
    return operand


def _is_truth(value: ast.expr) -> bool:
    """Tell whether an expression gives a truth value, as far as its form tells."""
    if isinstance(value, ast.Compare | ast.BoolOp):
        return True
    called = value.func if isinstance(value, ast.Call) else value
    text = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
    return text.lstrip("_").startswith(("is_", "has_", "same_", "all", "any"))


def _with(node: Any, **changes: Any) -> ast.AST:
    for name, value in changes.items():
        setattr(node, name, value)
    changed: ast.AST = node
    return changed


def _without(node: Any, position: int) -> ast.AST:
    values = [value for at, value in enumerate(node.values) if at != position]
    only: ast.AST = values[0]
    return only if len(values) == 1 else _with(node, values=values)


def _put(tree: ast.AST, target: ast.AST, replacement: ast.AST) -> None:
    """Put a node in the place of another."""
    if target is replacement:
        return
    for parent in ast.walk(tree):
        for name, value in ast.iter_fields(parent):
            if value is target:
                setattr(parent, name, replacement)
            elif isinstance(value, list) and any(each is target for each in value):
                setattr(parent, name, [replacement if each is target else each for each in value])


def _swap_cells(tree: ast.Module) -> Iterator[tuple[int, str, str]]:
    """Swap each two cells of one column of the decision table, where they differ."""
    table = next((each for each in tree.body if _is_table(each)), None)
    if table is None:
        return
    rows = list(zip(table.value.keys, table.value.values, strict=True))  # type: ignore[attr-defined]
    for (one, first), (other, second) in combinations(rows, 2):
        for cell in CELLS:
            mine, theirs = _read(first, cell), _read(second, cell)
            if _text(mine) == _text(theirs):
                continue
            mutated = copy.deepcopy(tree)
            swapped = next(each for each in mutated.body if _is_table(each)).value  # type: ignore[attr-defined]
            _write(swapped.values[rows.index((one, first))], cell, theirs)
            _write(swapped.values[rows.index((other, second))], cell, mine)
            what = f"cells swapped: {cell} of {ast.unparse(one)} and {ast.unparse(other)}"
            yield table.lineno, what, ast.unparse(ast.fix_missing_locations(mutated))


def _is_table(node: ast.stmt) -> bool:
    return isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == "TABLE"


def _read(rule: Any, cell: str) -> ast.expr | None:
    return next((each.value for each in rule.keywords if each.arg == cell), None)


def _write(rule: Any, cell: str, value: ast.expr | None) -> None:
    rule.keywords = [each for each in rule.keywords if each.arg != cell]
    if value is not None:
        rule.keywords.append(ast.keyword(cell, copy.deepcopy(value)))


def _text(node: ast.expr | None) -> str:
    return "" if node is None else ast.unparse(node)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 90 else f"{line[:87]}..."
