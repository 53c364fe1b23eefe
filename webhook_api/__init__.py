"""The web process: it verifies, parses, admits and stores what Twilio and SendGrid post, and answers at once.

It never asks the model and never sends; of the product it imports `shared` only. A request's way through the folders:

    app           routes, size limits, one answer for each kind of error
    http          the server's interface: event loop or thread, deadlines for bodies, the minimal Flask
    security      who may call: signature, secret, or loopback in sandbox mode; whether a signed form has only one reading
    sms, email    the steps in their order: parse a form or a mail into a frozen record, decide who is answered
    intake        one round trip to Redis, or the spool while Redis is away
    operations    /livez, /readyz and /metrics
    server        the production server
"""
