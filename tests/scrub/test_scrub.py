"""Members of these names are starred, in whatever a conversation keeps of its provider's JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest

from conversations_hub import Account, Conversation
from conversations_hub._scrub import without_secrets, without_secrets_in_analysis, without_secrets_in_turn
from conversations_hub._scrub.members import scrubbed
from conversations_hub._transport import Clock, Lane
from conversations_hub.adapter import Adapter
from conversations_hub.errors import PayloadError
from conversations_hub.hub._reader import ResourceReader
from conversations_hub.policy import PROFILES
from conversations_hub.schema import Analysis, ToolCall, ToolResult, TranscriptTurn
from conversations_hub.signing import bearer
from conversations_hub.wire import Flow

NAMES = frozenset({"token", "held__*"})


def whole(**more: Any) -> Conversation:
    return Conversation(provider="acme", id="c1", **more)


def test_secret_members_are_starred_wherever_json_is_kept() -> None:
    said = json.dumps({"token": "canary", "a": [{"held__b": "canary"}]})
    turns = (
        TranscriptTurn(index=0, text=said),
        TranscriptTurn(index=1, tool_calls=(ToolCall(name="look_up", arguments=said), ToolCall(name="wait"))),
        TranscriptTurn(index=2, tool_result=ToolResult(content=said)),
    )
    found = without_secrets(
        whole(
            metadata={"token": "canary", "a": [{"held__b": {"c": "canary"}}, said], "b": 1},
            analysis=Analysis(success=True, collected={"held__": "canary", "name": "Ada"}),
            transcript=turns,
            raw=said.encode(),
        ),
        NAMES,
    )
    clean = '{"token":"***","a":[{"held__b":"***"}]}'
    assert found == whole(
        metadata={"token": "***", "a": [{"held__b": "***"}, clean], "b": 1},
        analysis=Analysis(success=True, collected={"held__": "***", "name": "Ada"}),
        transcript=(
            turns[0],  # what people say is no member
            TranscriptTurn(index=1, tool_calls=(ToolCall(name="look_up", arguments=clean), ToolCall(name="wait"))),
            TranscriptTurn(index=2, tool_result=ToolResult(content=clean)),
        ),
        raw=clean.encode(),
    )


def test_what_a_secret_holds_does_not_come_back_where_another_is_replaced() -> None:
    shared = {"token": "canary", "a": 1}
    held = {"token": {"token": "canary"}, "held__a": '{"token": "canary"}', "b": shared, "c": [shared, shared]}
    clean = {"token": "***", "a": 1}
    found = without_secrets(whole(metadata=held), NAMES).metadata
    assert found == {"token": "***", "held__a": "***", "b": clean, "c": [clean, clean]}


def test_what_was_read_is_not_changed_in_its_place() -> None:
    metadata = {"a": [{"token": "canary"}]}
    without_secrets(whole(metadata=metadata), NAMES)
    assert metadata == {"a": [{"token": "canary"}]}


def test_where_no_secret_is_nothing_is_made_anew() -> None:
    analysis, turn = Analysis(collected={"a": 1}), TranscriptTurn(index=0, text="token")
    one = whole(metadata={"a": [{"b": "token"}], "c": '{"d": 1}'}, analysis=analysis, transcript=(turn,))
    assert without_secrets(one, NAMES) is one
    assert without_secrets_in_analysis(analysis, NAMES) is analysis
    assert without_secrets_in_turn(turn, NAMES) is turn
    bare = whole(metadata={"token": 1})
    assert without_secrets(bare, frozenset()) is bare


def test_arguments_nobody_can_read_are_starred_whole_where_they_have_such_a_member() -> None:
    told = {
        '{"token": "canary", "a': "***",
        '[{"token": canary}]': "***",
        '{"tokens": "a", "b': '{"tokens": "a", "b',
        'the "token": is a word': 'the "token": is a word',
    }
    turn = TranscriptTurn(index=0, tool_calls=tuple(ToolCall(arguments=sent) for sent in told))
    assert [call.arguments for call in without_secrets_in_turn(turn, NAMES).tool_calls] == [*told.values()]
    deep = TranscriptTurn(index=0, tool_calls=(ToolCall(arguments="[" * 5000 + '{"token": 1}' + "]" * 5000),))
    [call] = without_secrets_in_turn(deep, NAMES).tool_calls
    assert "1" not in (call.arguments or "")  # later versions of Python read so much nesting


def test_a_secret_is_found_however_deep_it_lies() -> None:
    deep: Any = {"token": "canary"}
    for _ in range(20_000):
        deep = [deep]
    found: Any = without_secrets(whole(metadata={"a": deep}), NAMES).metadata["a"]
    for _ in range(20_000):
        [found] = found
    assert found == {"token": "***"}


def test_a_name_that_is_escaped_is_a_name_in_raw_too() -> None:
    sent = rb'{"a": [{"\u0074oken": "canary"}], "b": {"hel\u0064__x": "canary"}, "c": "\u00e9\u0026"}'
    assert (
        without_secrets(whole(raw=sent), NAMES).raw == '{"a":[{"token":"***"}],"b":{"held__x":"***"},"c":"é&"}'.encode()
    )
    for bare in (rb'{"a": "\u0074okens", "b": {"\u0074okens": 1}}', rb'{"a": "\u00e9\u0026"}'):
        assert without_secrets(whole(raw=bare), NAMES).raw is bare


def test_parts_of_raw_that_hold_no_secret_stay_as_they_were_sent() -> None:
    sent = (
        rb'{"a": {"b": [1.10,  1e400]}, "c": [{"token": "canary", "d": null}, {"token": null}], "e": "{\"token\": 1}"}'
    )
    clean = rb'{"a":{"b": [1.10,  1e400]},"c":[{"token":"***","d":null},{"token":null}],"e":"{\"token\":\"***\"}"}'
    assert without_secrets(whole(raw=sent), NAMES).raw == clean
    bare = b'{"a": [{"token": null}, {"token": "***"}], "b": "the \\"token\\" is a word"}'
    assert without_secrets(whole(raw=bare), NAMES).raw is bare


async def test_what_an_agent_answers_is_starred_too() -> None:
    def send(_account: Account, _id: str, _text: str) -> Flow[TranscriptTurn]:
        return TranscriptTurn(index=0, tool_calls=(ToolCall(arguments='{"token":"canary"}'),))
        yield

    adapter = Adapter(
        name="acme", base_url="https://acme.example", docs="", sign=bearer, send=send, secret_fields=NAMES
    )
    lane = Lane(Account("acme", key="k"), adapter, PROFILES["interactive"], clock=Clock())
    turn = await ResourceReader(lane, adapter, adapter.main, keep_raw=False).send("c1", "Hello.")
    assert [call.arguments for call in turn.tool_calls] == ['{"token":"***"}']


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (b'{"token": "planted", "token": null}', b'{"token":null}'),
        (b'{"token":"planted","token":"***"}', b'{"token":"***"}'),
        (b'{"key_1":["planted"],"key_1":null}', b'{"key_1":null}'),
        (b'{"a":{"token":"planted"},"a":1}', b'{"a":1}'),
        (b'{"a":[{"token":"planted","token":null}]}', b'{"a":[{"token":null}]}'),
        (b'{"a":"\\u00e9","token":"planted","token":null}', '{"a":"é","token":null}'.encode()),
        (
            b'{"a":"{\\"token\\":\\"planted\\",\\"token\\":null}"}',
            b'{"a":"{\\"token\\":null}"}',
        ),
    ],
)
def test_a_secret_whose_member_comes_again_does_not_stay(sent: bytes, kept: bytes) -> None:
    assert scrubbed(sent, {"token", "key_*"}) == kept


@pytest.mark.parametrize("sent", [b'{"token" : null}', b'{"token": "***", "a":"\\"token\\": 1"}'])
def test_where_a_secret_has_no_value_raw_stays_as_it_was_sent(sent: bytes) -> None:
    assert scrubbed(sent, {"token"}) is sent


def test_a_secret_is_found_beside_what_cannot_be_written_as_json() -> None:
    many: list[list[str]] = [[]] * 200
    for odd in ("\ud800", 10**5000, object(), many):
        held: dict[str, Any] = {"a": [odd, {"token": "canary"}, '{"token": 1}'], "b": odd}
        found: Any = without_secrets(whole(metadata=held), NAMES).metadata
        assert found["a"][1:] == [{"token": "***"}, '{"token":"***"}']
        assert found["a"][0] is odd
        assert found["b"] is odd


def test_what_is_kept_may_have_a_hundred_levels_where_that_is_bounded() -> None:
    deep: Any = {"b": "token"}
    for _ in range(98):
        deep = [deep]
    assert without_secrets(whole(metadata={"a": deep}), NAMES, is_bounded=True).metadata == {"a": deep}
    for kept in (whole(metadata={"a": [deep]}), whole(analysis=Analysis(collected={"a": (deep,)}))):
        assert without_secrets(kept, frozenset()) is kept
        with pytest.raises(PayloadError, match="too deeply"):
            without_secrets(kept, frozenset(), is_bounded=True)
