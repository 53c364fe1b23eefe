"""The web process: it verifies, parses, admits and stores what Twilio and SendGrid post, and answers at once.

It never thinks and never sends; of the house it imports `shared` only. A request's way through the modules:

    app           routes, size limits, one answer for each kind of error
    gate          who may call: signature, token, or loopback in sandbox mode  (signatures: the algorithms)
    parse_sms     a form to a frozen record
    parse_email   multipart or raw MIME to a frozen record  (multipart, headers, html_text, quotes, text)
    admit         opt-out words, loops, strangers, mail authentication: pure policy
    intake        the way in: one round trip to Redis, or the spool while Redis is away
    entries, order, tickets, spool, replay    what waits on disk, whose turn it is, the directory, the way back
    sms, email, email_events    the steps in their order;  ops: /livez and /readyz
    server        the production server  (rsgi: what runs on its loop and what in a thread; deadline: how long for a body)
"""
