"""How the parts of a fetch stop it: one exception, which `Fetcher` turns into a `Failed`."""

from aggregator.models import FailureReason

__all__ = ["Refused"]


class Refused(Exception):  # noqa: N818 - no error of the program: it never leaves the stage
    """The exchange ends here; `reason` and `detail` are those of the `Failed` that it becomes."""

    def __init__(self, reason: FailureReason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
