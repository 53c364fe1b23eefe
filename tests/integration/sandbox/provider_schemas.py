"""What the providers publish of the resources that we use, as JSON schemas: the fields that are read or written here, and their types.

Written by hand after Twilio's and SendGrid's OpenAPI descriptions (github.com/twilio/twilio-oai, github.com/twilio/sendgrid-oai).
"""

from __future__ import annotations

from typing import Any, Final

Schema = dict[str, Any]


def text(pattern: str = "") -> Schema:
    return {"type": "string", **({"pattern": pattern} if pattern else {})}


def one_of(*words: str) -> Schema:
    return {"enum": list(words)}


def nullable(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def listing(item: Schema) -> Schema:
    return {"type": "array", "items": item}


def record(**fields: Schema) -> Schema:
    """An object in which all of these fields are there; further ones may be."""
    return {"type": "object", "properties": fields, "required": list(fields)}


def sid(prefix: str) -> Schema:
    return text(f"^{prefix}[0-9a-fA-F]{{32}}$")


BOOLEAN: Final[Schema] = {"type": "boolean"}
INTEGER: Final[Schema] = {"type": "integer"}
METHOD: Final = one_of("GET", "POST")
RFC2822: Final = text(r"^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} \+0000$")
ISO: Final = text(r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$")

ACCOUNT: Final = record(
    sid=sid("AC"), friendly_name=text(), status=one_of("active", "suspended", "closed"), type=one_of("Trial", "Full"), uri=text()
)
NUMBER: Final = record(
    sid=sid("PN"),
    account_sid=sid("AC"),
    phone_number=text(r"^\+[1-9]\d+$"),
    friendly_name=text(),
    capabilities=record(voice=BOOLEAN, sms=BOOLEAN, mms=BOOLEAN, fax=BOOLEAN),
    sms_url=nullable(text()),
    sms_method=nullable(METHOD),
    sms_fallback_url=nullable(text()),
    sms_fallback_method=nullable(METHOD),
    sms_application_sid=text(r"^(AP[0-9a-fA-F]{32})?$"),
    status_callback=nullable(text()),
    status_callback_method=nullable(METHOD),
    status=nullable(text()),
    type=nullable(text()),
    address_requirements=one_of("none", "any", "local", "foreign"),
    api_version=text(),
    date_created=RFC2822,
    date_updated=RFC2822,
    uri=text(r"^/2010-04-01/.*\.json$"),
)
NUMBERS: Final = record(
    incoming_phone_numbers=listing(NUMBER),
    first_page_uri=text("^/"),
    next_page_uri=nullable(text("^/")),
    previous_page_uri=nullable(text("^/")),
    uri=text("^/"),
    page=INTEGER,
    page_size=INTEGER,
    start=INTEGER,
    end=INTEGER,
)
APPLICATION: Final = record(sid=sid("AP"), account_sid=sid("AC"), friendly_name=text(), sms_url=nullable(text()), sms_method=METHOD)
TWILIO_ERROR: Final = record(code=INTEGER, message=text(), more_info=text("^https://www.twilio.com/docs/errors/"), status=INTEGER)

META: Final = record(
    first_page_url=text("^https?://"),
    next_page_url=nullable(text("^https?://")),
    previous_page_url=nullable(text("^https?://")),
    url=text("^https?://"),
    page=INTEGER,
    page_size=INTEGER,
    key=text(),
)
SERVICE: Final = record(
    sid=sid("MG"),
    account_sid=sid("AC"),
    friendly_name=text(),
    inbound_request_url=nullable(text()),
    inbound_method=nullable(METHOD),
    fallback_url=nullable(text()),
    fallback_method=nullable(METHOD),
    status_callback=nullable(text()),
    use_inbound_webhook_on_number=BOOLEAN,
    us_app_to_person_registered=BOOLEAN,
    date_created=ISO,
    date_updated=ISO,
    url=text(),
    links={"type": "object"},
)
SERVICES: Final = record(services=listing(SERVICE), meta=META)
SERVICE_NUMBERS: Final = record(
    phone_numbers=listing(
        record(
            sid=sid("PN"),
            account_sid=sid("AC"),
            service_sid=sid("MG"),
            phone_number=text(r"^\+"),
            country_code=text(),
            capabilities=listing(text()),
            url=text(),
        )
    ),
    meta=META,
)
CAMPAIGNS: Final = record(
    compliance=listing(
        record(sid=sid("QE"), brand_registration_sid=sid("BN"), messaging_service_sid=sid("MG"), campaign_status=text(), errors=listing({}))
    ),
    meta=META,
)
BRANDS: Final = record(
    data=listing(
        record(
            sid=sid("BN"),
            account_sid=sid("AC"),
            status=one_of("PENDING", "APPROVED", "FAILED", "IN_REVIEW", "DELETION_PENDING", "DELETION_FAILED", "SUSPENDED"),
            brand_type=text(),
            identity_status=one_of("SELF_DECLARED", "UNVERIFIED", "VERIFIED", "VETTED_VERIFIED"),
            failure_reason=nullable(text()),
        )
    ),
    meta=META,
)
VERIFICATIONS: Final = record(
    verifications=listing(
        record(
            sid=sid("HH"),
            tollfree_phone_number_sid=sid("PN"),
            tollfree_phone_number=text(r"^\+"),
            status=one_of("PENDING_REVIEW", "IN_REVIEW", "TWILIO_APPROVED", "TWILIO_REJECTED"),
            rejection_reason=nullable(text()),
        )
    ),
    meta=META,
)

SENDGRID_ERROR: Final = record(errors=listing(record(message=text())))
DNS_RECORD: Final = record(valid=BOOLEAN, type=text(), host=text(), data=text())
DOMAIN: Final = record(
    id=INTEGER,
    user_id=INTEGER,
    subdomain=text(),
    domain=text(),
    username=text(),
    ips=listing(text()),
    custom_spf=BOOLEAN,
    default=BOOLEAN,
    legacy=BOOLEAN,
    automatic_security=BOOLEAN,
    valid=BOOLEAN,
    dns=record(mail_cname=DNS_RECORD, dkim1=DNS_RECORD, dkim2=DNS_RECORD),
)
_RESULT: Final = record(valid=BOOLEAN, reason=nullable(text()))
VALIDATION: Final = record(id=INTEGER, valid=BOOLEAN, validation_results=record(mail_cname=_RESULT, dkim1=_RESULT, dkim2=_RESULT))
PARSE: Final = record(hostname=text(), url=text(), spam_check=BOOLEAN, send_raw=BOOLEAN)
POLICY: Final = record(id=text(), name=text(), signature=record(public_key=text("^MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE")))
EVENT_WEBHOOK: Final = record(
    id=text(),
    url=text(),
    enabled=BOOLEAN,
    friendly_name=nullable(text()),
    created_date=nullable(ISO),
    updated_date=ISO,
    **dict.fromkeys(
        (
            *("processed", "deferred", "delivered", "bounce", "dropped", "open", "click"),
            *("spam_report", "unsubscribe", "group_unsubscribe", "group_resubscribe"),
        ),
        BOOLEAN,
    ),
)
EVENT_WEBHOOKS: Final = record(max_allowed={"type": "number"}, webhooks=listing(EVENT_WEBHOOK))
SIGNING_KEY: Final = record(id=text(), public_key=text())
API_KEY: Final = record(api_key=text(r"^SG\."), api_key_id=text(), name=text(), scopes=listing(text()))
API_KEYS: Final = record(result=listing(record(api_key_id=text(), name=text())))
SCOPES: Final = record(scopes=listing(text()))
