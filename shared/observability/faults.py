"""What an unexpected error may say in a log: its kind and its place. Its own words and its traceback can quote a message."""

from __future__ import annotations


def named(error: BaseException) -> dict[str, str]:
    """The error's class, and file and line of the innermost frame."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f"{trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}" if trace else ""
    return {"error": type(error).__name__, "where": place}
