"""Twilio, SendGrid and the Anthropic Messages API, played by one local process.

Development, integration tests, chaos and load talk to it with the providers' real SDKs: only the base URLs differ. It posts
the inbound webhooks signed as the providers sign them, keeps a journal of all that was said and misbehaves on demand.
It imports nothing of webhook_api, shared or supervisor_worker, and it never talks to anything but this machine.

The way of a request: origin_guard -> twilio.api | sendgrid.api | anthropic.api -> engine.provider_request (faults, journal) -> answer.
The way of a message to the product: control_api -> twilio.inbound_sms | sendgrid.inbound_email -> engine.webhook_sender -> webhook.
"""
