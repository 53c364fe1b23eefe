"""What several programs of Bossline need: the data model, the mailbox and the way to it, and what every process has.

Within this package imports run downwards only (`make lint`):

    operations                what an operator may do
    submit                    stores a message in the mailbox
    runtime                   what a process holds
    mailbox  spool_layout     the messages in Redis, and those that wait on disk
    config                    the settings
    storage                   Redis
    process  security         how a process starts and ends; the comparison of secrets
    model  observability      messages, addresses, users; logs
    errors  net  backoff  rate_limit

No Flask, no twilio, no sendgrid, no anthropic in here: every program would pay for their weight.
"""
