"""The settings of Twilio: the account, its API key, and how its message list and its media are requested."""

from __future__ import annotations

from pydantic import SecretStr
from pydantic_settings import BaseSettings

from shared.config.field import setting


class TwilioSettings(BaseSettings):
    """Sending by Twilio, and what is asked of it beside that."""

    twilio_account_sid: str = setting("", "Twilio console, Account info: Account SID.", "Twilio")
    twilio_auth_token: SecretStr = setting(
        SecretStr(""), "Twilio console, Account info: the primary Auth Token. It signs the webhooks.", "Twilio"
    )
    twilio_api_key_sid: str = setting(
        "", "An API key (SK...) that sends and looks up instead of the Auth Token, which is then needed for signatures alone.", "Twilio"
    )
    twilio_api_key_secret: SecretStr = setting(SecretStr(""), "The API key's secret; with TWILIO_API_KEY_SID.", "Twilio")
    twilio_api_base_url: str = setting(
        "", "Another host that speaks Twilio's API. Empty: Twilio, or the sandbox where it plays Twilio.", "Twilio"
    )
    reconcile_minutes: float = setting(
        5.0,
        "How often Twilio's list is asked for texts that no webhook brought, which are then answered. 0: never.",
        "Twilio",
        ge=0,
        le=1440,
    )
    reconcile_window_minutes: float = setting(
        60.0, "How far back that list is read: what was missed longer ago than this stays unanswered.", "Twilio", gt=0, le=10_080
    )
    media_timeout_seconds: float = setting(
        10.0, "The longest that fetching one picture of a text may take; all of a turn have half of LEASE_SECONDS.", "Twilio", gt=0, le=60
    )

    @property
    def twilio_login(self) -> tuple[str, str]:
        """User and password for Twilio's API: the API key where one is set, else the account with its token; '' for what is missing."""
        if self.twilio_api_key_sid:
            return self.twilio_api_key_sid, self.twilio_api_key_secret.get_secret_value()
        return self.twilio_account_sid, self.twilio_auth_token.get_secret_value()
