"""The errors Triptych raises, each with the exit code the command line gives it."""

from __future__ import annotations


class TriptychError(Exception):
    """Base of every error raised on purpose; its text is one line that a user can act on."""

    exit_code: int = 1


class SpecError(TriptychError):
    """What was asked for is not valid: an option, a study file, a setting."""

    exit_code = 2


class DataError(TriptychError):
    """The data cannot be used: missing, damaged or of the wrong kind."""

    exit_code = 3


class RunError(TriptychError):
    """A run cannot be started, continued or written."""

    exit_code = 4


class ResourceError(RunError):
    """A run needs more than the machine has; runs of other settings may still go on."""


class CheckpointError(RunError):
    """No usable saved state: every candidate is missing or damaged."""


class UnsafeFileError(TriptychError):
    """A file from elsewhere could do harm if it were read."""

    exit_code = 5


class NumericsError(TriptychError):
    """Training left the finite numbers."""

    exit_code = 6
