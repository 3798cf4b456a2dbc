"""What tests of runs that are cut short, and taken up again, share."""

from triptych.records.checkpoints import Checkpoint, packed, unpacked


class After:
    """Asks to stop when it was asked so often."""

    def __init__(self, pauses):
        self.left = pauses

    @property
    def is_asked(self):
        self.left -= 1
        return self.left < 0

    def obey(self):
        raise KeyboardInterrupt

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


def through_a_file(state):
    """Return a state as it is after it was written and read."""
    about = {"spec": "", "fingerprint": "", "environment": {}, "step": 0, "log": 0, "log_hash": ""}
    return unpacked(packed(Checkpoint(state=state, **about))).state
