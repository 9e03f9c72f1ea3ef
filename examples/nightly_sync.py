"""Bring a store up to date, and write an e-mail that says how it went.

    python examples/nightly_sync.py nightly.db ops@example.com

The store must be new, or made by this program: it redacts, and a store that was not redacted is refused.

The accounts are those of the environment, such as VAPI_API_KEY. The message goes to the standard output, so that cron
can hand it on:

    15 3 * * *  python nightly_sync.py nightly.db ops@example.com | /usr/sbin/sendmail -t
"""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage

from conversations_hub import Hub
from conversations_hub.redaction import PersonalData
from conversations_hub.stores import StoreReader, open_store
from conversations_hub.sync import SyncReport, sync


async def bring_up_to_date(url: str) -> SyncReport:
    """Fetch what is new or has changed in the last 90 days into a store, without personal data."""
    since = datetime.now(UTC) - timedelta(days=90)
    async with Hub.from_env(profile="bulk") as hub:
        return await sync(hub, open_store(url), since=since, redact=PersonalData())


def message(report: SyncReport, reader: StoreReader, to: str) -> EmailMessage:
    """Return the e-mail: what the sync did, what is missing, and the last day in numbers."""
    new = sum(account.new for account in report.accounts)
    made = EmailMessage()
    made["To"] = to
    made["Subject"] = f"{new:,} new conversations, {'all there' if report.complete else 'SOME ARE MISSING'}"
    made.set_content(f"{report}\n\nThe last 24 hours:\n{last_day(reader)}\n")
    return made


def last_day(reader: StoreReader) -> str:
    """Return a line for each account with conversations in the last 24 hours."""
    yesterday = datetime.now(UTC) - timedelta(days=1)
    lines = [
        f"{summary.group['provider']}/{summary.group['account']}: {summary.conversations} conversations,"
        f" {summary.metrics['duration'].sum / 60:.0f} minutes"
        for summary in reader.stats(since=yesterday, by=("provider", "account"))
    ]
    return "\n".join(lines) or "nobody called"


def main() -> int:
    """Run the sync, print the e-mail, and return 0 if the store has everything."""
    try:
        url, to = sys.argv[1:]
    except ValueError:
        sys.exit(__doc__)
    report = asyncio.run(bring_up_to_date(url))
    with open_store(url).reader() as reader:
        print(message(report, reader, to))
    return 0 if report.complete else 1


if __name__ == "__main__":
    sys.exit(main())
