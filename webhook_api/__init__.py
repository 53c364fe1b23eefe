"""The web process: it verifies, parses, admits and stores what Twilio and SendGrid post, and answers at once.

It never thinks and never sends; of the product it imports `shared` only. A request's way through the folders:

    app           routes, size limits, one answer for each kind of error
    http          the server's interface: what runs on its loop and what in a thread, how long for a body; the minimal Flask
    security      who may call: signature, token, or loopback in sandbox mode; the one reading of a signed form
    sms, email    the steps in their order; a form or a mail to a frozen record; who is answered
    intake        the way in: one round trip to Redis, or the spool while Redis is away
    operations    /livez, /readyz and /metrics
    server        the production server
"""
