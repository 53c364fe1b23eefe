"""The mailbox: every message, turn and reply, and who may work on them now. This is the truth; RQ is the wake-up.

`calls` builds the calls and reads their answers (pure), `scripts` puts their arguments in order, `client` sends them, `records` holds what
is kept. The rules themselves stand in `lua/*.lua`, one a script, each with its promise and its arguments in a comment at its head.
"""

from shared.mailbox.client import AsyncMailbox, Mailbox, answer, queue_call

__all__ = ["AsyncMailbox", "Mailbox", "answer", "queue_call"]
