"""What each provider supports, as its adapter declares."""

from __future__ import annotations

import msgspec

from ..adapter import Adapter, Coverage, Feature, Filter, Operation, Support

__all__ = ["Capabilities"]


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What one provider supports."""

    provider: str
    operations: tuple[Operation, ...]
    lists: tuple[str, ...]
    """The kinds of conversations that are listed."""
    unlisted: tuple[str, ...]
    """Conversations that the provider keeps but that are not listed, in words."""
    transcripts_in_list: bool
    """Whether lists contain the transcripts; if not, each takes a `get`."""
    filters: tuple[Filter, ...]
    """The filters that the provider itself applies to its lists."""
    shows: tuple[Feature, ...]
    webhooks: str | None
    """How deliveries are signed, or "unsigned"; None if there are none."""
    requests_per_second: float | None
    """The documented limit of an account; None if it is not documented."""
    settings: tuple[str, ...]
    """What an account may need besides its key."""
    support: Support
    """What the adapter was checked against."""
    coverage: Coverage | None
    docs: str

    @classmethod
    def of(cls, adapter: Adapter) -> Capabilities:
        """Return what an adapter declares."""
        scheme = adapter.webhook.scheme if adapter.webhook else None
        return cls(
            provider=adapter.name,
            operations=adapter.all_operations,
            lists=(adapter.main, *adapter.resources),
            unlisted=adapter.unlisted,
            transcripts_in_list=adapter.complete_lists,
            filters=adapter.filters,
            shows=adapter.shows,
            webhooks=scheme.name if scheme else "unsigned" if adapter.webhook else None,
            requests_per_second=adapter.requests_per_second,
            settings=adapter.settings,
            support=adapter.support,
            coverage=adapter.coverage,
            docs=adapter.docs,
        )

    @property
    def rate(self) -> str:
        """The documented limit, for display."""
        return "-" if self.requests_per_second is None else f"{self.requests_per_second:g}/s"

    @property
    def checked_against(self) -> str:
        """What the adapter was checked against, for display."""
        if self.coverage is None:
            return self.support
        return f"{self.support}: {self.coverage.read} of {self.coverage.members} members read"
