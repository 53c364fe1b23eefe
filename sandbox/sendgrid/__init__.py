"""SendGrid's v3 API, its event webhook and its Inbound Parse webhook."""
