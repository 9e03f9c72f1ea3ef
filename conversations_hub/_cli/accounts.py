"""The accounts of a command, from a file or the environment, and how to reach their providers."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import click

from ..errors import ConfigurationError, UnknownAccountError

if TYPE_CHECKING:  # `--help` needs none of it
    from ..hub import Hub, ProfileName
    from ..signals import Signal

__all__ = ["Accounts"]


class Accounts(NamedTuple):
    """Where a command's accounts come from, and how to reach their providers."""

    config: Path | None = None
    proxy: str | None = None
    proxy_from_env: bool = False
    ca_file: Path | None = None
    limiter: str | None = None

    @classmethod
    def of(cls, options: dict[str, Any]) -> Self:
        """Take these out of the options of a command; raise `UsageError` for two proxies."""
        found = cls(*(options.pop(name) for name in cls._fields))
        if found.proxy is not None and found.proxy_from_env:
            raise click.UsageError("use --proxy or --proxy-from-env, not both")
        return found

    @asynccontextmanager
    async def opened(
        self,
        *,
        profile: ProfileName = "interactive",
        keep_raw: bool = False,
        on_signal: Callable[[Signal], object] | None = None,
    ) -> AsyncGenerator[Hub]:
        """Open a hub with the accounts of the file, or of the environment."""
        from ..hub import RedisLimiter  # noqa: PLC0415

        limiter = None if self.limiter is None else RedisLimiter(self.limiter)
        async with (
            limiter or nullcontext(),
            self._hub(profile=profile, keep_raw=keep_raw, on_signal=on_signal, limiter=limiter) as hub,
        ):
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
        from .._files.trusted import trusting  # noqa: PLC0415
        from ..hub import Hub, proxies_in  # noqa: PLC0415

        options["proxy"] = proxies_in(os.environ) if self.proxy_from_env else self.proxy
        options["ssl"] = options["recordings_ssl"] = None if self.ca_file is None else trusting(self.ca_file)
        return Hub.from_env(**options) if self.config is None else Hub.from_file(self.config, **options)

    def _missing(self, hub: Hub, error: ConfigurationError) -> ConfigurationError | None:
        """Return the error in terms of the command line if it means a missing account, else None."""
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
            return f"{self.config} has none"
        keys = ", ".join(f"{provider.upper()}_API_KEY" for provider in providers)
        return (
            f"set {keys}, or give a file of accounts with --config;"
            " to try it with simulated ones, run `conversations-hub simulate`"
        )
