"""What an adapter read is made the caller's: secrets go whatever `raw` holds, and `raw` holds nothing else."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from conversations_hub._stamp import stamp
from conversations_hub.adapters.retell import ADAPTER
from conversations_hub.reading.json import decoded_body
from conversations_hub.schema import Conversation, Status


@pytest.mark.parametrize("raw", [None, b'{"call_id": "c1"}'])
def test_a_secret_that_is_not_in_raw_is_removed(raw: bytes | None) -> None:
    metadata: dict[str, Any] = {"call": {"access_token": "canary", "by": "phone"}}
    found = Conversation(provider="retell", id="c1", status=Status.ENDED, metadata=metadata, raw=raw)
    assert stamp(found, ADAPTER, ADAPTER.main).metadata == {"call": {"access_token": "***", "by": "phone"}}


def test_raw_is_bytes_without_what_was_decoded() -> None:
    body = decoded_body(b'{"call_id": "c1"}', msgspec.json.Decoder(dict[str, str]))
    found = Conversation(provider="retell", id="c1", status=Status.ENDED, raw=body)
    assert type(stamp(found, ADAPTER, ADAPTER.main).raw) is bytes
    assert stamp(found, ADAPTER, ADAPTER.main).raw == body
    assert stamp(found, ADAPTER, ADAPTER.main, keep_raw=False).raw is None
