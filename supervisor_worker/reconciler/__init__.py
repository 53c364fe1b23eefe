"""The reconciler: texts whose webhook never arrived are found in Twilio's list and accepted; missing delivery reports are read there.

`reconciliation` is one run over the received texts, `reports` one over the sent ones, `result` has their bounds and result; `schedule`
says when they run and in which process.
"""

from supervisor_worker.reconciler.schedule import Reconciler, has_account, reconcile_now

__all__ = ["Reconciler", "has_account", "reconcile_now"]
