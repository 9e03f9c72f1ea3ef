"""Messages that are HTML become what a reader sees."""

from __future__ import annotations

import pytest

from conversations_hub.reading.markup import plain_text


@pytest.mark.parametrize(
    ("sent", "text"),
    [
        ("<p>Your refund left today.</p>", "Your refund left today."),
        ("<p>One</p>\n<p>Two <b>and</b>\n a half</p>", "One\nTwo and a half"),
        ("<p>One<br>Two<br/>Three</p>", "One\nTwo\nThree"),
        ("<ul><li>One</li><li>Two</li></ul>", "One\nTwo"),
        ('<p>See <a href="https://example.com/?a=1&amp;b=2">the page</a></p>', "See the page"),
        ("<p>2 &lt; 3 &amp; 4&nbsp;&gt; 3</p>", "2 < 3 & 4 > 3"),
        ("<style>p { color: red }</style><p>Red</p><!-- <p>no</p> -->", "Red"),
        ("<div><img src='a.png'></div>", ""),
        ("<p></p>", ""),
    ],
)
def test_markup_becomes_the_lines_that_a_reader_sees(sent: str, text: str) -> None:
    assert plain_text(sent) == text


@pytest.mark.parametrize("sent", ["", "Hello\n\nthere", "if a < b then <b>", "2 &lt; 3", "<3", "< p>"])
def test_a_text_without_markup_stays_as_it_is(sent: str) -> None:
    assert plain_text(sent) == sent


@pytest.mark.timeout(5)  # they take milliseconds; in quadratic time, minutes
@pytest.mark.parametrize("piece", ["<p", "<p>", "<!--", "<!-- -", "<style>", "<br ", "\n", "<p> \n", "&", "< "])
def test_a_hostile_text_takes_no_longer_than_another_of_its_length(piece: str) -> None:
    assert len(plain_text("<p>" + piece * 50_000)) <= 50_000 * len(piece) + 3
