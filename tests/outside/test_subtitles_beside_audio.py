"""Subtitles lie on the speech: a simulated conversation is spoken, and its cues are compared with what is heard."""

from __future__ import annotations

import shutil
import subprocess
import wave
from array import array
from collections.abc import Sequence
from io import BytesIO, StringIO
from pathlib import Path
from typing import NamedTuple

import pytest

from conversations_hub import Conversation, formats
from conversations_hub.schema import Role, TranscriptTurn

from ..support.simulated import simulated

pytestmark = [
    pytest.mark.outside,
    pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="NOBODY SPEAKS: apt-get install espeak-ng"),
]

RATE = 22_050  # samples a second, as espeak-ng speaks
FRAME = RATE // 100
LOUD = 300  # of 32,767; what is not spoken is silent to the last bit
USUAL, SLOWEST, FASTEST = 175, 60, 450  # words a minute


class Heard(NamedTuple):
    """Some speech; seconds from the start."""

    start: float
    end: float


EARLY_OR_LATE = Heard(start=0.02, end=0.15)
"""Seconds that a cue may begin or end before or after its speech. A voice can be told to last as long as a turn to a
tenth of a second only."""


@pytest.mark.parametrize("provider", ["cartesia", "vapi"])
async def test_cues_begin_and_end_with_the_speech(provider: str, tmp_path: Path) -> None:
    webvtt = pytest.importorskip("webvtt")
    one = await _long_one(provider)
    path = tmp_path / "call.wav"
    _mix(path, [(turn, _spoken(turn)) for turn in _said(one)])
    captions = webvtt.from_buffer(StringIO(formats.dump(one, "vtt").decode())).captions
    cues = [Heard(_seconds(caption.start), _seconds(caption.end)) for caption in captions]
    assert len(cues) == len(_said(one)) >= 8
    found = _speech(path, cues)
    starts = [abs(heard.start - cue.start) for cue, heard in zip(cues, found, strict=True)]
    ends = [abs(heard.end - cue.end) for cue, heard in zip(cues, found, strict=True)]
    print(f"{provider}: {len(cues)} cues; starts at most {max(starts):.3f} s off, ends {max(ends):.3f} s")  # noqa: T201
    assert max(starts) <= EARLY_OR_LATE.start
    assert max(ends) <= EARLY_OR_LATE.end


async def _long_one(provider: str) -> Conversation:
    async with simulated(provider, conversations=40) as (hub, _):
        async for one in hub.list(provider, transcripts=True):
            if len(_said(one)) >= 8 and all(turn.start is not None and turn.duration for turn in _said(one)):
                return one
    raise AssertionError(f"{provider} has no conversation with the times of eight turns")


def _said(one: Conversation) -> list[TranscriptTurn]:
    return [turn for turn in one.transcript or () if turn.role in {Role.USER, Role.ASSISTANT} and turn.text]


def _spoken(turn: TranscriptTurn) -> array[int]:
    """Speak a turn, as fast as it takes to last as long as the provider says, and no silence around it."""
    speed, wanted = float(USUAL), (turn.duration or 0) * RATE
    tried: dict[int, array[int]] = {}
    for _ in range(6):
        whole = max(SLOWEST, min(round(speed), FASTEST))
        if whole not in tried:
            tried[whole] = _voiced(turn.text, whole)
        speed = whole * len(tried[whole]) / wanted
    return min(tried.values(), key=lambda samples: abs(len(samples) - wanted))


def _voiced(text: str, speed: int) -> array[int]:
    command = ["espeak-ng", "--stdin", "--stdout", "-v", "en", "-s", str(speed)]
    done = subprocess.run(command, input=text.encode(), capture_output=True, check=True)  # noqa: S603
    # To a pipe, it cannot tell how much follows.
    samples = array("h", done.stdout[44 : len(done.stdout) // 2 * 2])
    with wave.open(BytesIO(done.stdout)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (RATE, 1, 2)
    loud = [at for at, sample in enumerate(samples) if abs(sample) > LOUD]
    return samples[loud[0] : loud[-1] + 1]


def _mix(path: Path, spoken: Sequence[tuple[TranscriptTurn, array[int]]]) -> None:
    """Write one recording, in which each turn is where the provider says that it begins."""
    placed = [(round((turn.start or 0) * RATE), samples) for turn, samples in spoken]
    mixed = array("h", bytes(2 * (max(at + len(samples) for at, samples in placed) + RATE)))
    for at, samples in placed:
        for number, sample in enumerate(samples, at):
            mixed[number] = max(-32_768, min(mixed[number] + sample, 32_767))
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(mixed.tobytes())


def _speech(path: Path, cues: Sequence[Heard]) -> list[Heard]:
    """Return, for each cue, where the speech that is nearest to it begins and ends in a recording."""
    with wave.open(str(path)) as file:
        samples = array("h", file.readframes(file.getnframes()))
    loud = [at / RATE for at in range(0, len(samples), FRAME) if max(map(abs, samples[at : at + FRAME])) > LOUD]
    nearest: list[list[float]] = [[] for _ in cues]
    for moment in loud:
        distances = [max(cue.start - moment, moment - cue.end, 0.0) for cue in cues]
        for at, distance in enumerate(distances):  # several where one speaks over another
            if distance == min(distances):
                nearest[at].append(moment)
    assert all(nearest), "a cue without speech"
    return [Heard(min(moments), max(moments) + FRAME / RATE) for moments in nearest]


def _seconds(clock: str) -> float:
    hours, minutes, seconds = clock.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
