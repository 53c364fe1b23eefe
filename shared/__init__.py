"""The words, the wire and the truth that the web process and the workers have in common.

Imports run one way, `webhook_api -> shared <- supervisor_worker`, and within this package upwards only:

    runtime
    mailbox  queue  ledger  embedded
    redis  users  telemetry
    codec
    events
    addresses  settings
    errors

No Flask, no twilio, no sendgrid, no anthropic in here: both processes would pay for their weight.
"""
