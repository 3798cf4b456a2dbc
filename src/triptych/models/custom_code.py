"""The identity of a network of one's own: what it is made of, and the code that makes it.

Source where it can be read, as it can in scripts and notebooks; bytecode where not.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
from collections.abc import Iterator
from types import CodeType, FunctionType
from typing import Any

_SIMPLE = (bool, int, float, str, tuple, type(None))


def code_identity(maker: Any, module: Any) -> str:
    """Return SHA-256 of what decides how a module is made and what it computes, hexadecimal.

    That is: how it prints, the names and shapes of its weights, what its own classes keep in plain
    attributes; and the code of `maker`, of the methods of those classes, and of functions beside
    them that either calls. Not that of packages it uses.

    Parameters
    ----------
    maker : callable
    module : torch.nn.Module
        That it made.
    """
    parts = [repr(module)]
    parts += [f"{name} {tuple(value.shape)}" for name, value in module.state_dict().items()]
    functions = list(_called_by(maker))
    for name, part in module.named_modules():
        own = [cls for cls in type(part).__mro__ if not _is_of_a_package(cls)]
        if own:
            parts.append(f"{name} {_plain(vars(part))}")
        for cls in own:
            parts.append(f"{cls.__qualname__} {_plain(vars(cls))}")
            functions += _methods(cls)
    parts += _texts(functions)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _called_by(maker: Any) -> Iterator[Any]:
    """Give the functions of what is called to make a module: a function, a class, a partial."""
    if isinstance(maker, functools.partial):
        yield from _called_by(maker.func)
    elif isinstance(maker, type):
        yield from _methods(maker)
    elif inspect.ismethod(maker):
        yield maker.__func__
    elif isinstance(maker, FunctionType):
        yield maker
    else:
        yield from _methods(type(maker))


def _is_of_a_package(cls: type) -> bool:
    return cls.__module__.partition(".")[0] in ("torch", "builtins", "typing", "abc")


def _methods(cls: type) -> list[Any]:
    """Return the functions that a class defines, in the order of their names."""
    found = []
    for _, value in sorted(vars(cls).items()):
        inner = getattr(value, "__func__", getattr(value, "fget", value))
        if isinstance(inner, FunctionType):
            found.append(inner)
    return found


def _texts(functions: list[Any]) -> list[str]:
    """Return the code of functions and of those of their own module that they call."""
    texts, seen, left = [], set(), list(functions)
    while left:
        function = left.pop(0)
        if function in seen:
            continue
        seen.add(function)
        texts.append(_text(function))
        for name in sorted(_names(function.__code__)):
            value = function.__globals__.get(name)
            if isinstance(value, FunctionType) and value.__module__ == function.__module__:
                left.append(value)
            elif isinstance(value, _SIMPLE) and name in function.__globals__:
                texts.append(f"{name} = {value!r}")
        cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
        kept = {name: cell.cell_contents for name, cell in cells if _has_content(cell)}
        texts.append(_plain(kept))
    return texts


def _has_content(cell: Any) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:  # of a name that is not bound yet
        return False


def _text(function: Any) -> str:
    try:
        return inspect.getsource(function)
    except (OSError, TypeError):  # typed at a prompt
        return _bytecode(function.__code__)


def _bytecode(code: CodeType) -> str:
    consts = [_bytecode(c) if isinstance(c, CodeType) else repr(c) for c in code.co_consts]
    return f"{code.co_code.hex()} {code.co_names} {consts}"


def _names(code: CodeType) -> set[str]:
    inner = (c for c in code.co_consts if isinstance(c, CodeType))
    return set(code.co_names).union(*map(_names, inner))


def _plain(values: Any) -> str:
    """Return the public plain values of a namespace as text."""
    kept = {
        name: value
        for name, value in values.items()
        if not name.startswith("_") and name != "training" and isinstance(value, _SIMPLE)
    }
    return repr(sorted(kept.items()))
