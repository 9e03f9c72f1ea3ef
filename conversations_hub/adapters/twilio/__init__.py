"""Twilio: two products, one provider. Conversations are threads of messages, transcripts are recorded calls.

Conversations: GET /v1/Conversations, paged by URL; participants and messages are resources of their own. Transcripts:
GET /v2/Transcripts at another host, paged alike; sentences and results are resources of their own. Requests are forms,
signed with HTTP Basic: the account's SID, or that of an API key in the setting `key_sid`, and the key. The setting
`service_sid` names a service whose conversations are listed instead of those of the default one.
"""

from __future__ import annotations

from base64 import b64encode
from datetime import datetime, timedelta

import msgspec

from ...account import Account
from ...adapter import Adapter, Coverage, Resource
from ...errors import ConfigurationError
from ...events import Webhook
from ...signing.webhooks import hmac_signed
from ...wire import Request
from . import _conversations as conversations
from . import _transcripts as transcripts
from ._webhook import events, url_and_fields

__all__ = ["ADAPTER", "events", "sign"]


def sign(request: Request, account: Account, _now: datetime) -> Request:
    """Sign with HTTP Basic: the SID of the API key, or of the account, and the key.

    Raises:
        ConfigurationError: the account has neither setting.
    """
    # https://www.twilio.com/docs/usage/requests-to-twilio
    user = account.settings.get("key_sid") or account.settings.get("account_sid")
    if user is None:
        raise ConfigurationError("Twilio needs the setting account_sid, or key_sid for an API key", provider="twilio")
    encoded = b64encode(f"{user.reveal()}:{account.key.reveal()}".encode()).decode()
    return msgspec.structs.replace(request, headers={**request.headers, "Authorization": f"Basic {encoded}"})


ADAPTER = Adapter(
    name="twilio",
    base_url="https://conversations.twilio.com",
    base_urls=(transcripts.HOST,),
    docs="https://www.twilio.com/docs/conversations/api/conversation-resource",
    sign=sign,
    list_page=conversations.list_page,
    normalize=conversations.normalize,
    page_size=conversations.PAGE_SIZE,
    newest_first=True,
    get=conversations.get,
    start=conversations.start,
    end=conversations.end,
    delete=conversations.delete,
    send=conversations.send,
    complete_lists=False,
    filters=("since", "until", "status"),
    payloads=(conversations.Thread, conversations.Whole),
    left_to_raw=conversations.LEFT_TO_RAW,
    resources={
        "transcripts": Resource(
            list_page=transcripts.list_page,
            normalize=transcripts.normalize,
            page_size=transcripts.PAGE_SIZE,
            get=transcripts.get,
            delete=transcripts.delete,
            complete_lists=False,
            filters=("since", "until", "status"),
            id_prefix="GT",
            payloads=(transcripts.Heard, transcripts.Whole),
            left_to_raw=transcripts.LEFT_TO_RAW,
        ),
    },
    unlisted=(
        "conversations of Conversation Orchestrator",
        "conversations of services other than the default one, or the one in service_sid",
    ),
    settings=("account_sid", "key_sid", "service_sid"),
    secret_settings=("key_sid",),
    # A thread goes on for as long as somebody writes.
    lookback=timedelta(days=7),
    recording=transcripts.recording,
    # Where the URL of a recording leads is not documented; recordings of calls are at the first of these.
    recording_hosts=("api.twilio.com", "s3.amazonaws.com"),
    webhook=Webhook(
        events=events,
        # https://www.twilio.com/docs/usage/webhooks/webhooks-security
        scheme=hmac_signed("x-twilio-signature", message=url_and_fields, digest="sha1", encoding="base64"),
        forms=True,
    ),
    shows=("word timing", "recording"),
    support="specification",
    coverage=Coverage(read=89, members=147),
    notes=(
        "A conversation is a thread of messages; a transcript is a recorded call. A bare `list` reads both.",
        (
            "`account_sid` and the auth token as the key are enough. To use an API key instead, set `key_sid` to its "
            "SID and the key to its secret."
        ),
        "`service_sid` names a Conversations service to list instead of the default one.",
        "Pass the public URL of your endpoint to `verify`, because Twilio signs it.",
    ),
)
