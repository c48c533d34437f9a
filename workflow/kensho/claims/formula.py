"""R-style formulas by a whitelist: names of known columns, `+ : * | ( )`, 0 and 1, nothing else.

What fits the model evaluates Python inside a formula. It therefore never sees the text of a claim,
only `Formula.text`, which is put together anew from the names found here.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import combinations

RESPONSE = "score"
ARM = "arm"
_TOKEN = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*|[0-9]+|[~+:*|()])")

Term = tuple[str, ...]  # columns that interact, sorted as written; () is the intercept


@dataclass(frozen=True)
class Group:
    """Effects of the levels of a factor: `(1 + arm|item)` has the terms () and ("arm",)."""

    terms: tuple[Term, ...]
    factor: Term

    @property
    def text(self) -> str:
        inner = ["1" if () in self.terms else "0", *(":".join(t) for t in self.terms if t)]
        return f"({' + '.join(inner)}|{':'.join(self.factor)})"


@dataclass(frozen=True)
class Formula:
    """The right-hand side; fixed effects without the intercept, which is always there."""

    fixed: tuple[Term, ...]
    groups: tuple[Group, ...]

    @property
    def text(self) -> str:
        terms = (":".join(term) for term in self.fixed)
        return " + ".join(["1", *terms, *(group.text for group in self.groups)])

    @property
    def covariates(self) -> str:
        """The fixed effects with the arm taken out, for a fit within one arm."""
        terms = (tuple(name for name in term if name != ARM) for term in self.fixed)
        return " + ".join(["1", *dict.fromkeys(":".join(term) for term in terms if term)])


def parse(
    text: str, fixed: Collection[str], grouping: Collection[str], nested: Sequence[str] = ()
) -> Formula:
    """The formula of a claim, `score ~ arm + (1|item)`.

    Args:
        fixed: columns that may have fixed effects, and effects that vary with a group.
        grouping: columns whose levels may be groups.
        nested: those of them that lie within each other, the outermost first: of `task:item` the
            item says all.

    Raises ValueError, one line, for anything but the grammar above: an unknown column (listed with
    the known ones), a column in the wrong place, a formula without the arm among its fixed effects.
    """
    formula = _Parser(text, list(fixed), list(grouping)).formula()
    groups = (Group(g.terms, _innermost(g.factor, nested)) for g in formula.groups)
    return Formula(formula.fixed, tuple(dict.fromkeys(groups)))


def _innermost(factor: Term, nested: Sequence[str]) -> Term:
    within = [name for name in nested if name in factor]
    return tuple(name for name in factor if name not in within[:-1])


class _Parser:
    def __init__(self, text: str, fixed: list[str], grouping: list[str]) -> None:
        self.fixed, self.grouping, self.at = fixed, grouping, 0
        self.tokens: list[str] = []
        place = 0
        while text[place:].strip():
            token = _TOKEN.match(text, place)
            if token is None:
                sign = text[place:].strip()[0]
                raise ValueError(
                    f"formula: '{sign}' is not allowed; only names of columns, 0, 1 and + : * | ( )"
                )
            self.tokens.append(token[1])
            place = token.end()

    def formula(self) -> Formula:
        if self.tokens[:2] != [RESPONSE, "~"]:
            raise ValueError(f"formula: must begin with '{RESPONSE} ~'")
        self.at = 2
        terms, groups = self._sum(within=False)
        if self._next() is not None:
            raise ValueError(f"formula: expected '+' or the end, found '{self._next()}'")
        if () not in terms:
            raise ValueError("formula: the overall level stays in; leave out the 0")
        terms.remove(())
        if not any(ARM in term for term in terms):
            raise ValueError(
                f"formula: has no effect of '{ARM}', which the contrast compares; "
                f"begin with '{RESPONSE} ~ {ARM}'"
            )
        if (ARM,) not in terms:
            raise ValueError(f"formula: '{ARM}' interacts but does not stand alone; add '{ARM}'")
        return Formula(tuple(terms), tuple(groups))

    def _next(self) -> str | None:
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def _take(self, expected: str) -> None:
        if self._next() != expected:
            instead = "the end" if self._next() is None else f"'{self._next()}'"
            raise ValueError(f"formula: expected '{expected}', found {instead}")
        self.at += 1

    def _sum(self, *, within: bool) -> tuple[list[Term], list[Group]]:
        """Terms (the intercept among them unless there is a 0) and, not within one, groups."""
        terms, groups, intercept = [], [], True
        while True:
            token = self._next()
            if token == "(" and not within:
                groups.append(self._group())
            elif token is not None and token.isdigit():
                if token not in ("0", "1"):
                    raise ValueError(f"formula: the number {token} means nothing here; only 0 or 1")
                intercept = token == "1"
                self.at += 1
            else:
                terms += self._product()
            if self._next() != "+":
                break
            self.at += 1
        every = ([()] if intercept else []) + terms
        return list(dict.fromkeys(every)), list(dict.fromkeys(groups))

    def _product(self) -> list[Term]:
        factors = [self._interaction(self.fixed)]
        while self._next() == "*":
            self.at += 1
            factors.append(self._interaction(self.fixed))
        several = (c for size in range(1, len(factors) + 1) for c in combinations(factors, size))
        return [tuple(dict.fromkeys(name for part in c for name in part)) for c in several]

    def _interaction(self, allowed: list[str]) -> Term:
        names = [self._name(allowed)]
        while self._next() == ":":
            self.at += 1
            names.append(self._name(allowed))
        return tuple(dict.fromkeys(names))

    def _group(self) -> Group:
        self._take("(")
        terms, _ = self._sum(within=True)
        self._take("|")
        factor = self._interaction([*self.grouping, ARM])
        self._take(")")
        if not terms:
            raise ValueError(f"formula: (0|{':'.join(factor)}) has no effect; write 1 for 0")
        if factor == (ARM,):
            raise ValueError(f"formula: the levels of '{ARM}' are compared, they are no groups")
        return Group(tuple(terms), factor)

    def _name(self, allowed: list[str]) -> str:
        name = self._next()
        if name is None or not re.match(r"[A-Za-z_]", name):
            instead = "the end" if name is None else f"'{name}'"
            raise ValueError(f"formula: expected the name of a column, found {instead}")
        if name not in allowed:
            raise ValueError(f"formula: {self._misplaced(name)}")
        self.at += 1
        return name

    def _misplaced(self, name: str) -> str:
        if name in self.grouping:
            return f"'{name}' names groups, not a fixed effect; write (1|{name})"
        if name in self.fixed:
            return f"'{name}' is a fixed effect and has no groups here; write + {name}"
        known = dict.fromkeys([*self.fixed, *self.grouping])
        return f"unknown column '{name}'; known: {', '.join(known)}"
