"""One run of a function that defines a space, and what was asked and returned before."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sk_hpo.space.catalogue import Catalogue, make_dimension
from sk_hpo.space.chooser import Ask, Chooser
from sk_hpo.space.dimension import Dimension
from sk_hpo.space.domain import Code
from sk_hpo.space.equality import differ
from sk_hpo.space.structure import Choose

__all__ = ["Late", "Memory", "Run", "changed", "standard"]

# Name of a parameter that is not in the catalogue, and its value.
Late = Callable[[str, Any], None]


class Memory:
    """What the function did after the same answers before: one node of a tree.

    Attributes
    ----------
    asked : int, str or None
        Which dimension it asked for next, or the name of a parameter that has none; None if
        it returned, or was never here.
    default : object
        The default that it asked with.
    returned : mapping or None
        What it returned, if it did.
    next : dict
        What came after each answer, by its code.
    """

    __slots__ = ("asked", "default", "next", "returned")

    def __init__(self) -> None:
        self.asked: int | str | None = None
        self.default: Any = None
        self.returned: Mapping[str, Any] | None = None
        self.next: dict[Code | None, Memory] = {}


class Run:
    """One run of the function.

    Parameters
    ----------
    function : callable
        Takes a `Chooser`, returns a dict.
    catalogue : Catalogue
        What it is known to ask for.
    memory : Memory
        What it did before, from its start; the run must agree with that.
    choose : callable
        Gives the codes.
    late : callable or None, default=None
        Told of each parameter that is not in a closed catalogue.
    record : bool, default=False
        Whether to add the run to the memory.

    Attributes
    ----------
    path : list of (int, Code)
        Dimensions in the order in which they were asked for, and their codes.
    values : dict of str to object
        Names, and what the function was given.
    returned : mapping
        What it returned; the very objects of the first such run in the memory.
    """

    def __init__(
        self,
        function: Callable[[Chooser], Mapping[str, Any]],
        catalogue: Catalogue,
        memory: Memory,
        choose: Choose,
        late: Late | None = None,
        record: bool = False,
    ) -> None:
        self.path: list[tuple[int, Code]] = []
        self.values: dict[str, Any] = {}
        self._catalogue = catalogue
        self._memory: Memory | None = memory
        self._choose = choose
        self._late = late
        self._record = record
        self._asked: dict[str, int | str] = {}
        self._refusal: Exception | None = None
        try:
            returned = function(Chooser(self._answer))
        except Exception as error:
            if error is not self._refusal:
                error.add_note(f"The space raised this when it was given {self.values}.")
            raise
        self.returned = self._end(returned)

    def _answer(self, ask: Ask, default: Any) -> Any:
        try:
            asked = self._catalogue.place(ask, default)
            if ask.name in self._asked:
                self._check_again(ask, asked)
            else:
                self._asked[ask.name] = asked
                self._remember(ask, asked, default)
                self.values[ask.name] = self._value(ask, asked, default)
        except Exception as error:
            self._refusal = error  # ours, though it goes through the function
            raise
        return self.values[ask.name]

    def _check_again(self, ask: Ask, asked: int | str) -> None:
        before = self._asked[ask.name]
        if before != asked:
            raise ValueError(
                f"Parameter {ask.name!r} is asked for twice, as {self._catalogue.told(before)}"
                f" and as {ask}. Give one of them another name."
            )

    def _value(self, ask: Ask, asked: int | str, default: Any) -> Any:
        code: Code | None = None
        if isinstance(asked, int):
            code = self._choose(asked, default)
            self.path.append((asked, code))
            value = self._catalogue.dimensions[asked].value(code)
        else:
            dimension = make_dimension(ask)
            value = dimension.value(standard(dimension, default))
            if self._late is not None:
                self._late(ask.name, value)
        if self._memory is not None:
            memory = self._memory.next.get(code)
            if memory is None and self._record:
                memory = self._memory.next[code] = Memory()
            self._memory = memory
        return value

    def _remember(self, ask: Ask, asked: int | str, default: Any) -> None:
        memory = self._memory
        if memory is None:
            return
        told = self._catalogue.told
        if memory.returned is not None:
            raise self._changed([ask.name], "it returned", f"it asked for {ask}")
        if memory.asked is None:
            if self._record:
                memory.asked, memory.default = asked, default
        elif memory.asked != asked:
            names = dict.fromkeys([self._catalogue.name(memory.asked), ask.name])
            raise self._changed(
                names, f"it asked for {told(memory.asked)}", f"it asked for {ask}"
            )
        elif differ(memory.default, default):
            now = f"its default was {default!r}"
            raise self._changed([ask.name], f"its default was {memory.default!r}", now)

    def _end(self, returned: Any) -> Mapping[str, Any]:
        if not isinstance(returned, Mapping) or not all(isinstance(k, str) for k in returned):
            raise TypeError(
                "A space must return a dict of the estimator's parameters by name, but this"
                f" one returned {returned!r} when it was given {self.values}"
            )
        memory = self._memory
        if memory is None:
            return returned
        if memory.asked is not None:
            before = f"it asked for {self._catalogue.told(memory.asked)}"
            raise self._changed([self._catalogue.name(memory.asked)], before, "it returned")
        if memory.returned is None:
            if self._record:
                memory.returned = dict(returned)
            return returned
        keys = dict.fromkeys([*memory.returned, *returned])
        absent = object()
        for key in keys:
            before, now = (r.get(key, absent) for r in (memory.returned, returned))
            if differ(before, now):
                before, now = ("nothing" if v is absent else repr(v) for v in (before, now))
                raise self._changed([key], f"it returned {before}", f"it returned {now}")
        return memory.returned

    def _changed(self, names: Any, before: str, now: str) -> ValueError:
        return changed(names, f"given {self.values}, {before} before, and now {now}")


def changed(names: Any, how: str) -> ValueError:
    """Return the error for a function that does not do the same again."""
    return ValueError(
        f"The space changes its mind about {' and '.join(map(repr, names))}: {how}. It must"
        " depend on nothing but the values that it is given: no random numbers, no counters;"
        " objects among choices must be equal from one run to the next."
    )


def standard(dimension: Dimension, default: Any) -> Code:
    """Return the code of a default; if that is None, the first category or the middle."""
    if default is not None:
        return dimension.code(default)
    return 0 if dimension.kind == "categorical" else dimension.from_unit(0.5)
