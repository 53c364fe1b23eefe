"""Names that somebody outside uses keep working for one release."""

from __future__ import annotations


def test_the_bridge_s_client_and_the_worker_class_are_found_under_their_old_names() -> None:
    """A program's import, and the `-w` of an `rq worker`."""
    import bridge.client  # noqa: PLC0415
    import rq_async  # noqa: PLC0415
    import shared.bridge.client  # noqa: PLC0415
    import shared.bridge.errors  # noqa: PLC0415
    import supervisor_worker.rq_async  # noqa: PLC0415

    assert shared.bridge.client.SupervisorClient is bridge.client.SupervisorClient
    assert shared.bridge.client.get_supervisor_client is bridge.client.get_supervisor_client
    assert shared.bridge.errors.BridgeError is bridge.client.BridgeError
    assert supervisor_worker.rq_async.AsyncWorker is rq_async.AsyncWorker
