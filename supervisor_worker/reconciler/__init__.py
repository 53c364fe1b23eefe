"""The reconciler: texts that no webhook brought are found in Twilio's own list, and taken; reports that did not come are read there.

`reconciliation` is one look at the list, `reports` one at what went out, `result` their bounds and their result; `schedule` says when
and by whom it is done.
"""

from supervisor_worker.reconciler.schedule import Reconciler, has_account, reconcile_now

__all__ = ["Reconciler", "has_account", "reconcile_now"]
