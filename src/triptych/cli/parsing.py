"""What reads the command line, and says in one line what is wrong with it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any, NoReturn

from triptych.errors import SpecError


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, as every other error does."""

    default = ""

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing the usage and leaving."""
        raise SpecError(f"{message}.{self._meant(message)} See '{self.prog} --help'.")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Read arguments, the default command's where none is named."""
        if self.default and not (args and args[0] in (*self.commands(), "-h", "--help")):
            args = [self.default, *(args or ())]
        return super().parse_known_args(args, namespace)

    def commands(self) -> list[str]:
        """Return the names of the commands below this one."""
        return [name for action in self._actions for name in action.choices or ()]

    def _meant(self, message: str) -> str:
        """Return the option that is nearest to one that nobody knows, as a sentence."""
        from triptych.spec.naming import nearest

        what, _, rest = message.partition("unrecognized arguments: ")
        words = [] if what else rest.split(maxsplit=1)
        first = words[0].partition("=")[0] if words else ""
        found = nearest(first, self._options()) if first.startswith("--") else ""
        return found if "Did you mean" in found else ""

    def _options(self) -> Iterator[str]:
        for action in self._actions:
            yield from action.option_strings
            if isinstance(action, argparse._SubParsersAction):
                for parser in action.choices.values():
                    yield from parser._options()
