"""A job for a conversation by RQ's own enqueue: what the product's script writes is held to it, and measured beside it."""

from __future__ import annotations

from shared.mailbox.wake_queue import FAILURE_TTL, RESULT_TTL, Dispatcher
from shared.model.addresses import Channel
from shared.model.channels import CHANNELS


def wake(dispatcher: Dispatcher, conversation: str, channel: Channel | str) -> None:
    """Enqueue one. Raises RedisError."""
    function = CHANNELS[channel].job
    dispatcher.queue.enqueue(
        function, conversation, result_ttl=RESULT_TTL, failure_ttl=FAILURE_TTL,
        description=f"{function.rpartition('.')[2]} {conversation}",
    )  # fmt: skip
