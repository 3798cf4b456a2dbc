"""Checked values: frozen dataclasses that cannot hold what their fields do not allow.

A spec is a frozen dataclass that inherits `Checked`. Each field's type, and the limits in its
metadata, are checked when it is made, whether from Python or from a table of a study file.
"""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self, TypeVar, Union, get_args, get_origin

from triptych.errors import SpecError
from triptych.spec.naming import figure, nearest, shown, unknown_key

T = TypeVar("T", bound="Checked")


def between(low: float, high: float, *, open_low: bool = False) -> dict[str, Any]:
    """Return field metadata: the number lies in ``[low, high]``, or ``(low, high]``."""
    return {"low": low, "high": high, "open_low": open_low}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Checked:
    """Base of every spec: checks all fields of the instance that is being made.

    Attributes
    ----------
    named : tuple of str, dict
        A key by which tables may ask for a set of values, and the sets by their name; such as
        ``preset = "small"``. What else the table holds is laid over the set.

    Raises
    ------
    SpecError
        Naming the field, the rule and the value.
    """

    named: ClassVar[tuple[str, Mapping[str, Mapping[str, Any]]]] = ("", {})

    @classmethod
    def from_name(cls, name: str, **changes: object) -> Self:
        """Return the set of values called `name`, with some of them changed.

        Raises
        ------
        SpecError
            If there is no such set, or a value does not fit.
        """
        return structure(cls, {cls.named[0]: name, **changes}, cls.__name__)

    def __post_init__(self) -> None:
        hints = _hints(type(self))
        for field in dataclasses.fields(self):
            value = _checked(field.name, getattr(self, field.name), hints[field.name])
            _limit(field.name, value, field.metadata)
            object.__setattr__(self, field.name, value)


_KNOWN_HINTS: dict[type[Checked], dict[str, Any]] = {}


def _hints(cls: type[Checked]) -> dict[str, Any]:
    """Return the types of a spec's fields, worked out once."""
    if cls not in _KNOWN_HINTS:
        _KNOWN_HINTS[cls] = typing.get_type_hints(cls)
    return _KNOWN_HINTS[cls]


def structure(cls: type[T], table: object, path: str) -> T:
    """Make a `cls` from a plain table, as read from TOML or JSON.

    Parameters
    ----------
    cls : type
        A subclass of `Checked`.
    table : object
        Should be a mapping from field names to values, nested for fields that are specs.
    path : str
        Where the table stands in its file (``"arm.mlp.train"``), for messages.

    Raises
    ------
    SpecError
        Naming the key path, the rule, what was found and the nearest valid name.
    """
    if not isinstance(table, Mapping):
        raise SpecError(f"{path}: must be a table, got {shown(table)}.")
    table = _with_named(cls, table, path)
    fields = {f.name: f for f in dataclasses.fields(cls)}
    for key in table:
        if key not in fields:
            raise unknown_key(path, str(key), [*fields, *filter(None, [cls.named[0]])])
    values = {
        key: _from_plain(value, _hints(cls)[key], f"{path}.{key}") for key, value in table.items()
    }
    required = [
        name
        for name, f in fields.items()
        if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    ]
    for name in required:
        if name not in values:
            raise SpecError(f"{path}: the key '{name}' is missing.")
    try:
        return cls(**values)
    except SpecError as error:
        raise SpecError(f"{path}.{error}") from None


def structure_one(kinds: Any, table: Mapping[str, Any], path: str) -> Any:
    """Make that one of a union of specs that `table` names, by its kind or source.

    Parameters
    ----------
    kinds : type
        Such as `triptych.spec.DataSpec`.
    table, path
        See `structure`.

    Raises
    ------
    SpecError
    """
    return _from_plain(table, kinds, path)


def _with_named(cls: type[Checked], table: Mapping[str, Any], path: str) -> Mapping[str, Any]:
    """Return `table` laid over the set of values that it asks for by name."""
    key, sets = cls.named
    if not sets or key not in table:
        return table
    name = table[key]
    if not isinstance(name, str) or name not in sets:
        raise SpecError(f"{path}.{key}: unknown {key} {shown(name)}.{nearest(str(name), sets)}")
    given = {k: v for k, v in table.items() if k != key}
    # Another optimiser than the set's must not inherit that one's values.
    kept = {k: v for k, v in sets[name].items() if not _is_other(v, given.get(k))}
    return merged(kept, given)


def _is_other(ours: object, theirs: object) -> bool:
    """Whether both are tables with a name each, and not the same one."""
    if not isinstance(ours, Mapping) or not isinstance(theirs, Mapping):
        return False
    return bool(theirs.get("name", ours.get("name")) != ours.get("name"))


def merged(base: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """Return `change` laid over `base`, table by table."""
    out = dict(base)
    for key, value in change.items():
        both = isinstance(value, Mapping) and isinstance(out.get(key), Mapping)
        out[key] = merged(out[key], value) if both else value
    return out


def _from_plain(value: object, hint: Any, path: str) -> object:
    """Turn nested tables into specs where the type asks for one; leave the rest to `Checked`."""
    kinds = [k for k in _alternatives(hint) if isinstance(k, type) and issubclass(k, Checked)]
    if not kinds or not isinstance(value, Mapping):
        return list(value) if isinstance(value, list | tuple) else value
    if len(kinds) == 1:
        return structure(kinds[0], value, path)
    tag = next(f.name for f in dataclasses.fields(kinds[0]) if _is_literal(kinds[0], f.name))
    names = {name: kind for kind in kinds for name in get_args(_hints(kind)[tag])}
    found = value.get(tag)
    if not isinstance(found, str) or found not in names:
        raise SpecError(f"{path}.{tag}: unknown {tag} {shown(found)}.{nearest(str(found), names)}")
    return structure(names[found], value, path)


def _is_literal(cls: type[Checked], name: str) -> bool:
    origin: object = get_origin(_hints(cls)[name])
    return origin is Literal


def _alternatives(hint: Any) -> tuple[Any, ...]:
    if get_origin(hint) in (Union, types.UnionType):
        return get_args(hint)
    return (hint,)


def _checked(name: str, value: object, hint: Any) -> object:
    """Return `value` as `hint` wants it (lists become tuples), or raise."""
    options = _alternatives(hint)
    for option in options:
        fitted = _fit(value, option)
        if fitted is not _MISFIT:
            return fitted
    literal = [word for o in options if get_origin(o) is Literal for word in get_args(o)]
    # Where a number would do as well, only a text can be a slip of one of the words.
    if literal and (isinstance(value, str) or len(options) == 1):
        raise SpecError(
            f"{name}: unknown value {shown(value)}.{nearest(str(value), map(str, literal))}"
        )
    raise SpecError(f"{name}: must be {' or '.join(map(_wording, options))}, got {shown(value)}.")


_MISFIT = object()


def _fit(value: object, hint: Any) -> object:
    origin = get_origin(hint)
    if origin is Literal:
        return value if value in get_args(hint) else _MISFIT
    if origin is tuple:
        return _fit_tuple(value, get_args(hint)[0])
    if origin is dict:
        fits = isinstance(value, dict) and all(
            isinstance(v, get_args(hint)[1]) for v in value.values()
        )
        return value if fits else _MISFIT
    if hint is None or hint is type(None):
        return value if value is None else _MISFIT
    if hint is float:
        # A bool is an int to Python, but `lr = true` is a slip.
        if isinstance(value, bool) or not isinstance(value, int | float):
            return _MISFIT
        # float() of an integer past the largest double would raise OverflowError.
        return math.inf if isinstance(value, int) and value.bit_length() > 1000 else float(value)
    if hint is int:
        return value if isinstance(value, int) and not isinstance(value, bool) else _MISFIT
    return value if isinstance(value, hint) else _MISFIT


def _fit_tuple(value: object, hint: Any) -> object:
    if not isinstance(value, list | tuple):
        return _MISFIT
    items = tuple(_fit(item, hint) for item in value)
    return _MISFIT if any(item is _MISFIT for item in items) else items


def _wording(hint: Any) -> str:
    if get_origin(hint) is Literal:
        return " or ".join(map(repr, get_args(hint)))
    if get_origin(hint) is tuple:
        return f"a list, each {_wording(get_args(hint)[0])}"
    if get_origin(hint) is dict:
        return f"a table, each {_wording(get_args(hint)[1])}"
    words = {int: "an integer", float: "a number", str: "a text", bool: "true or false"}
    return words.get(hint, "absent" if hint in (None, type(None)) else f"a {hint.__name__} table")


def _limit(name: str, value: object, metadata: Mapping[str, Any]) -> None:
    if "low" not in metadata or value is None:
        return
    low, high, open_low = metadata["low"], metadata["high"], metadata["open_low"]
    for item in value if isinstance(value, tuple) else (value,):
        if isinstance(item, str):  # a word that may stand in place of the number
            continue
        # Written so that NaN, which compares false to everything, is refused.
        if not (low <= item <= high) or (open_low and item == low):
            limits = f"{'(' if open_low else '['}{figure(low)}, {figure(high)}]"
            raise SpecError(f"{name}: {figure(item)} not in {limits}.")


def plain(value: object) -> object:
    """Return a spec as nested dicts and lists that TOML and JSON can hold; defaults included."""
    if isinstance(value, Checked):
        items = {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {key: item for key, item in items.items() if item is not None}
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    return value
