"""What the README says is what the code says."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from conversations_hub.cli import cli

README = Path(__file__).parent.parent / "README.md"


def test_the_table_of_providers_is_the_one_the_command_line_prints() -> None:
    before, opened, rest = README.read_text().partition("<!-- providers -->\n")
    table, closed, after = rest.partition("<!-- /providers -->\n")
    assert (opened, closed) == ("<!-- providers -->\n", "<!-- /providers -->\n")
    assert "<!-- providers -->" not in before + after
    assert table == CliRunner().invoke(cli, ["providers", "--markdown"]).output
