"""Every secret that the operator sets, and the published ones that keep nobody out."""

from __future__ import annotations

from typing import Final

SANDBOX_CREDENTIALS: Final = {
    "twilio_account_sid": "AC00000000000000000000000000000000",
    "twilio_auth_token": "sandbox-twilio-auth-token",
    "sendgrid_api_key": "SG.sandbox",
    "anthropic_api_key": "sandbox-anthropic-key",
    "email_webhook_secret": "sandbox-email-secret",
}
"""What sandbox mode fills in, and what `ENVIRONMENT=production` refuses."""
EXAMPLE_TOKEN: Final = "dev-token-12345"  # noqa: S105 - the published example, refused in production
"""The bridge's token where none is set, as in the project that this one continues; production refuses it."""
SHORTEST_TOKEN: Final = 16
SHORTEST_PASSWORD: Final = 12
