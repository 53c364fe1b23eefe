"""Plays Twilio, SendGrid and the Anthropic Messages API in one local process.

Development, integration tests, chaos tests and load tests talk to it with the providers' real SDKs; only the base URLs differ. It
posts inbound webhooks, signed as the providers sign them, keeps a journal of all requests, and injects faults on demand.
It imports nothing of the product, and it never connects to another machine.

A provider's request: origin_guard -> twilio.api | sendgrid.api | anthropic.api -> engine.provider_request (faults, journal) -> answer.
A message to the product: control_api -> twilio.inbound_sms | sendgrid.inbound_email -> engine.webhook_sender -> webhook.
"""
