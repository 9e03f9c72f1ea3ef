"""Whose conversations, and how they are reached: what a file says, or the environment, and what was typed."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import click

from ..errors import ConfigurationError, UnknownAccountError

if TYPE_CHECKING:  # `--help` needs none of it
    from ..hub import Hub, ProfileName
    from ..signals import Signal

__all__ = ["Accounts"]


class Accounts(NamedTuple):
    """The accounts that a command is about."""

    config: Path | None = None
    proxy: str | None = None
    proxy_from_env: bool = False
    ca_file: Path | None = None

    @classmethod
    def of(cls, config: Path | None, proxy: str | None, proxy_from_env: bool, ca_file: Path | None) -> Self:  # noqa: FBT001
        """Take what was typed; the proxy comes from one place."""
        if proxy is not None and proxy_from_env:
            raise click.UsageError("--proxy and --proxy-from-env exclude each other")
        return cls(config, proxy, proxy_from_env, ca_file)

    @asynccontextmanager
    async def opened(
        self,
        *,
        profile: ProfileName = "interactive",
        keep_raw: bool = False,
        on_signal: Callable[[Signal], object] | None = None,
    ) -> AsyncGenerator[Hub]:
        """Open a hub of the file's accounts, or of the environment's."""
        async with self._hub(profile=profile, keep_raw=keep_raw, on_signal=on_signal) as hub:
            try:
                yield hub
            except ConfigurationError as error:
                missing = self._missing(hub, error)
                if missing is None:
                    raise
            else:
                return
            raise missing

    def _hub(self, **options: Any) -> Hub:
        from ..files.trusted import trusting  # noqa: PLC0415
        from ..hub import Hub, proxies_in  # noqa: PLC0415

        options["proxy"] = proxies_in(os.environ) if self.proxy_from_env else self.proxy
        options["ssl"] = options["recordings_ssl"] = None if self.ca_file is None else trusting(self.ca_file)
        return Hub.from_env(**options) if self.config is None else Hub.from_file(self.config, **options)

    def _missing(self, hub: Hub, error: ConfigurationError) -> ConfigurationError | None:
        """Say in the words of the command line whose account is missing, where that is what is wrong."""
        if isinstance(error, UnknownAccountError):
            provider = error.provider
            if provider is None or provider in hub.providers:
                return None
            return UnknownAccountError(f"no account of {provider}: {self._advice([provider])}")
        if hub.providers:
            return None
        from ..adapters import available  # noqa: PLC0415

        return ConfigurationError(f"no accounts: {self._advice(available())}")

    def _advice(self, providers: Iterable[str]) -> str:
        if self.config is not None:
            return f"{self.config} names none"
        keys = ", ".join(f"{provider.upper()}_API_KEY" for provider in providers)
        return (
            f"set {keys}, or name a file of accounts with --config;"
            " `conversations-hub simulate` has invented ones to try"
        )
