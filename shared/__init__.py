"""What two programs of Bossline need: the words, the stored data and the way to it.

Within this package imports run downwards only (`make lint`):

    operations                what an operator may do
    submit                    the step that makes a message ours
    runtime                   what a process holds
    mailbox  spool_layout     the truth, and what waits on disk
    config                    the settings
    storage                   Redis
    process  security         how a process lives; the comparison of secrets
    model  observability      what is said and by whom; logs
    errors  net

No Flask, no twilio, no sendgrid, no anthropic in here: every program would pay for their weight.
"""
