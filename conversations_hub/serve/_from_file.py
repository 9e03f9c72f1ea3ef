"""Endpoints and targets from the file of accounts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from .._frames import bared
from ..adapter import Adapter
from ..errors import ConfigurationError
from ..hub._from_file import ConfiguredTarget, ConfiguredWebhook, targets_in, webhooks_in
from ..secret import Secret
from ._endpoint import LARGEST, Endpoint
from ._target import ForwardTarget

__all__ = ["endpoints_from_file", "targets_from_file"]


@bared
def endpoints_from_file(
    path: str | os.PathLike[str],
    *,
    environ: Mapping[str, str] | None = None,
    adapters: Mapping[str, Adapter] | None = None,
) -> dict[str, Endpoint]:
    """Return the endpoints of a TOML file by name, one `[[webhook]]` each.

    A webhook has `provider`, and `secrets_env`, the variables that hold its secrets, or `token_env`, the variable that
    holds the last segment of its address. It may have `account`, `path` (the name; by default the provider, and after a
    `-` the account), `scheme` (a name), `url`, `tolerance` and `largest`, as an `Endpoint` takes them. `adapters` are
    your own, by provider.

    Raises:
        ConfigurationError: a mistake in the file, or an endpoint that could not work; it never shows a secret.
    """
    found = webhooks_in(Path(path), os.environ if environ is None else environ)
    return {one.path: _endpoint(one, Path(path), adapters or {}) for one in found}


def _endpoint(one: ConfiguredWebhook, path: Path, adapters: Mapping[str, Adapter]) -> Endpoint:
    try:
        return Endpoint(
            adapters.get(one.provider, one.provider),
            account=one.account,
            secrets=one.secrets,
            token=one.token,
            scheme=one.scheme,
            url=one.url,
            tolerance=one.tolerance,
            largest=LARGEST if one.largest is None else one.largest,
        )
    except ConfigurationError as error:
        reason = error.reason
    raise ConfigurationError(f"{path}, webhook {one.path}: {reason}")


@bared
def targets_from_file(path: str | os.PathLike[str], *, environ: Mapping[str, str] | None = None) -> list[ForwardTarget]:
    """Return the targets of changes in a TOML file, one `[[forward]]` each.

    A target has `url`, and `secret_env`, the variable that holds its secret. It may have `name`, `providers`,
    `accounts`, `kinds` and `allow_private`, as a `ForwardTarget` takes them.

    Raises:
        ConfigurationError: a mistake in the file, or a target that could not work; it never shows a secret.
    """
    found = targets_in(Path(path), os.environ if environ is None else environ)
    if not found:
        raise ConfigurationError(f"{path} has no target of changes; each begins with [[forward]]")
    return [_target(one, secret, Path(path), number) for number, (one, secret) in enumerate(found, start=1)]


def _target(one: ConfiguredTarget, secret: Secret, path: Path, number: int) -> ForwardTarget:
    try:
        return ForwardTarget(
            url=one.url,
            secret=secret,
            name=one.name,
            providers=one.providers,
            accounts=one.accounts,
            kinds=one.kinds,
            allow_private=one.allow_private,
        )
    except ConfigurationError as error:
        reason = error.reason
    raise ConfigurationError(f"{path}, forward {number}: {reason}")
