"""The command line: parse, call, print."""

from triptych.cli.main import build_parser, main

__all__ = ["build_parser", "main"]
