"""What a terminal shows while a study runs: live where there is one, plain lines where not."""

from triptych.live.watcher import Watcher

__all__ = ["Watcher"]
