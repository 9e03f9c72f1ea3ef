"""The hub: every account behind one object, called concurrently, within its limits, and by name."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from ssl import SSLContext
from types import TracebackType
from typing import Any, Literal, Self

import msgspec

from .._concurrency import TaskPool
from .._files.trusted import trusting
from .._frames import bared
from .._instants import check_instant, check_span
from .._proxy import ProxyChoice, route
from .._published import given
from .._refs import Ref, Target
from .._transport import Clock, Connections, Lane, Limiter, ReadBudget
from ..account import Account
from ..adapter import Adapter, Query, Start, Started
from ..adapters import available, usable
from ..errors import ConfigurationError, HubClosedError, HubError, InvalidRefError, UnknownAccountError
from ..policy import Profile
from ..policy._profile import profile_named
from ..schema import Conversation, Recording, Status, TranscriptTurn
from ..signals import Signal
from ..wire import check_id
from ._cursor import Place
from ._from_env import accounts_in, proxies_in
from ._late import get_when_ready
from ._list_options import ListOptions
from ._reader import Lists, ResourceReader
from ._recordings import Download, download
from ._redis_limiter import RedisLimiter
from ._report import AccountReport, Report
from ._sealed import sealed, sealed_stream
from ._unusable import Unusable
from ._walk import ACCOUNTS_AT_ONCE, Page, Walk

__all__ = ["AccountReport", "Download", "Hub", "Limiter", "Outcome", "Page", "Report", "Walk", "proxies_in"]


ProfileName = Literal["interactive", "bulk"]


class Outcome(msgspec.Struct, frozen=True):
    """The result for one ref that was given to `get_many`."""

    ref: str
    conversation: Conversation | None = None
    error: HubError | None = None


class Hub:
    """Every account behind one object. One per process is enough; many tasks may share it.

    A hub belongs to the event loop that first uses it, and ends with `async with` or `await hub.close()`.

    Args:
        accounts: the accounts to use; two of one provider need different names.
        profile: the limits and timings: "interactive" for web back ends and agents, "bulk" for batch jobs, or your own.
        keep_raw: whether conversations keep the provider's JSON, known secrets scrubbed.
        proxy: the URL of an HTTP proxy, or a function from a URL to that of its proxy; `proxies_in(os.environ)` returns
            the function for the environment's proxies, which are not used otherwise.
        ssl: what to trust instead of the system's certificates, at the providers' own addresses and behind a proxy.
        recordings_ssl: what to trust instead of the system's certificates, at other hosts that keep recordings and are
            reached directly.
        limiter: a rate limit shared with other processes, such as a `RedisLimiter`, instead of the hub's own for each
            account.
        on_signal: called with each `conversations_hub.signals.Signal`; it must be quick and must not raise.
        accounts_at_once: how many accounts one call of `list` walks at a time.
        connections: the maximum number of open connections over all accounts, which take turns. By default a quarter of
            the file descriptors that this process may open (`ulimit -n`), but at most 1000.
        adapters: adapters of your own, by provider, used before those of the same name that are installed.
        clock: time and randomness, for tests.

    A broken adapter from another package fails each call to its own accounts, and nothing else.

    Raises:
        UnknownAccountError: an unknown provider.
        ConfigurationError: two accounts with one name, an unsafe base URL, an `ssl` that is not a context, an adapter
            with another name than its provider's.
    """

    @bared
    def __init__(
        self,
        accounts: Iterable[Account | Unusable] = (),
        *,
        profile: ProfileName | Profile = "interactive",
        keep_raw: bool = False,
        proxy: ProxyChoice | None = None,
        ssl: SSLContext | None = None,
        recordings_ssl: SSLContext | None = None,
        limiter: Limiter | None = None,
        on_signal: Callable[[Signal], object] | None = None,
        accounts_at_once: int = ACCOUNTS_AT_ONCE,
        connections: int | None = None,
        adapters: Mapping[str, Adapter] | None = None,
        clock: Clock | None = None,
    ) -> None:
        proxy = route(proxy)  # from here on no frame holds a password
        self._profile = profile_named(profile)
        self._readers: dict[Target, dict[str, ResourceReader]] = {}
        self._accounts: defaultdict[str, list[Target]] = defaultdict(list)
        """By provider."""
        self._readers_by_name: dict[str, Mapping[str, ResourceReader]] = {}
        """By the part of a ref before the colon, for the refs used so far."""
        self.keep_raw = keep_raw
        """Whether conversations keep the provider's JSON."""
        self._tasks = TaskPool()
        if accounts_at_once < 1:
            raise ConfigurationError("accounts_at_once must be 1 or more")
        self.accounts_at_once = accounts_at_once
        """How many accounts are walked at a time."""
        self._is_closed = False
        self._limiter: RedisLimiter | None = None  # one that this hub made, and closes
        self._adapters = given(adapters) if adapters else {}
        read_budget = ReadBudget()
        self._connections = Connections(connections)
        trust = cache(trusting)
        self.unusable: dict[str, ConfigurationError] = {}
        """What is wrong with unusable accounts, by "provider/account"."""
        for one in accounts:
            account, adapter = one.stand_in() if isinstance(one, Unusable) else (one, self.adapter(one.provider))
            where = Target(account.provider, account.name)
            if where in self._readers:
                raise ConfigurationError(
                    "two accounts have the same name: give each its own", provider=account.provider
                )
            lane = Lane(
                account,
                adapter,
                self._profile,
                clock=clock or Clock(),
                read_budget=read_budget,
                connections=self._connections,
                through=proxy,
                ssl=ssl if account.ca_file is None else trust(account.ca_file),
                recordings_ssl=recordings_ssl,
                limiter=limiter,
                on_signal=on_signal,
            )
            self._accounts[where.provider].append(where)
            self._readers[where] = {
                name: ResourceReader(lane, resource, name, keep_raw=keep_raw)
                for name, resource in {lane.adapter.main: lane.adapter, **lane.adapter.resources}.items()
            }
            if isinstance(one, Unusable):
                self.unusable[f"{where.provider}/{where.account}"] = one.error

    @classmethod
    @bared
    def from_env(
        cls,
        providers: Iterable[str] | None = None,
        *,
        environ: Mapping[str, str] | None = None,
        profile: ProfileName | Profile = "interactive",
        keep_raw: bool = False,
        proxy: ProxyChoice | None = None,
        ssl: SSLContext | None = None,
        recordings_ssl: SSLContext | None = None,
        limiter: Limiter | None = None,
        on_signal: Callable[[Signal], object] | None = None,
        accounts_at_once: int = ACCOUNTS_AT_ONCE,
        connections: int | None = None,
        adapters: Mapping[str, Adapter] | None = None,
        clock: Clock | None = None,
    ) -> Self:
        """Make a hub from the accounts in the environment.

        It reads `<PROVIDER>_API_KEY`, `<PROVIDER>_BASE_URL` and the provider's own settings (`ANYREACH_ORG_ID`), and
        nothing else, for the given `providers`, or for all of them, including those of other packages. A provider
        without a key is left out; without any key the hub has no accounts, and says so when it is first used. A mistake
        in one account makes only that one unusable, and every call to it raises the mistake.

        Raises:
            ConfigurationError: an unknown provider, or accounts of which none is usable.
        """
        proxy = route(proxy)
        own = adapters or {}
        named = dict.fromkeys((*available(), *own)) if providers is None else providers
        accounts = accounts_in(os.environ if environ is None else environ, named, own)
        return cls(
            accounts,
            profile=profile,
            keep_raw=keep_raw,
            proxy=proxy,
            ssl=ssl,
            recordings_ssl=recordings_ssl,
            limiter=limiter,
            on_signal=on_signal,
            accounts_at_once=accounts_at_once,
            connections=connections,
            adapters=adapters,
            clock=clock,
        )

    @classmethod
    @bared
    def from_file(
        cls,
        path: str | os.PathLike[str],
        *,
        environ: Mapping[str, str] | None = None,
        profile: ProfileName | Profile = "interactive",
        keep_raw: bool = False,
        proxy: ProxyChoice | None = None,
        ssl: SSLContext | None = None,
        recordings_ssl: SSLContext | None = None,
        limiter: Limiter | None = None,
        on_signal: Callable[[Signal], object] | None = None,
        accounts_at_once: int = ACCOUNTS_AT_ONCE,
        connections: int | None = None,
        adapters: Mapping[str, Adapter] | None = None,
        clock: Clock | None = None,
    ) -> Self:
        """Make a hub from the accounts in a TOML file, one `[[account]]` each.

        An account has `provider`, and its key as `key_env` (the variable that holds it), `key_file` (the file that
        holds it, relative to this one) or `key`. It may have `name`, `base_url`, `allow_insecure`, `proxy`, `ca_file`
        and `settings`, as in `settings = { org_id = "…" }` or `{ org_id_env = "…" }`. Above the accounts there may be
        `proxy`, `proxy_from_env` and `ca_file` for all of them, and `limiter`, the URL of a `RedisLimiter` or a table
        with its arguments, `url_env` for the URL among them; the arguments `proxy`, `ssl` and `limiter` replace those.
        Other users must not be able to write the file, nor to read it if it holds a key.

        A mistake in one account makes only that one unusable, and every call to it raises the mistake.

        Raises:
            ConfigurationError: another mistake in the file, or no usable account; it says where, and never shows a key.
        """
        from ._from_file import configured  # noqa: PLC0415  (few need TOML)

        proxy = None if proxy is None else route(proxy)
        found = configured(Path(path), os.environ if environ is None else environ, adapters or {})
        hub = cls(
            found.accounts,
            profile=profile,
            keep_raw=keep_raw,
            proxy=proxy or found.through,
            ssl=found.ssl if ssl is None else ssl,
            recordings_ssl=found.ssl if recordings_ssl is None else recordings_ssl,
            limiter=limiter or found.limiter,
            on_signal=on_signal,
            accounts_at_once=accounts_at_once,
            connections=connections,
            adapters=adapters,
            clock=clock,
        )
        hub._limiter = found.limiter
        return hub

    def accounts(self, *targets: str) -> tuple[str, ...]:
        """Return the accounts of this hub as "provider/account", or those that targets name as in `list`."""
        return tuple(dict.fromkeys(lists.readers[0].where for lists in self._lists_of(targets)))

    @property
    def providers(self) -> frozenset[str]:
        """The providers for which this hub has an account."""
        return frozenset(self._accounts)

    def adapter(self, provider: str) -> Adapter:
        """Return the adapter that this hub uses for a provider; raise `UnknownAccountError` for an unknown provider."""
        return self._adapters.get(provider) or usable(provider)

    def lanes(self, *targets: str) -> tuple[Lane, ...]:
        """Return the lanes of accounts, chosen as in `accounts`, for callers that run flows of their own."""
        return tuple(dict.fromkeys(lists.readers[0].lane for lists in self._lists_of(targets)))

    async def get(
        self,
        ref: str,
        *,
        wait: float = 0.0,
        timeout: float | None = None,  # noqa: ASYNC109  (it bounds our own waits, which know what they hold)
        profile: ProfileName | Profile | None = None,
    ) -> Conversation:
        """Get one conversation with everything that the provider has of it: `tavus:c123`, or `tavus/eu:c123`.

        Args:
            ref: the conversation's ref.
            wait: seconds to wait for a pending transcript. The conversation is polled ever less often, the last time
                when they have passed, and only while the provider can be reached; the last result is returned, so
                `transcript_state` may still be pending.
            timeout: seconds that the call may take, including all attempts and waits, `wait` too; replaces the deadline
                of the profile, which applies to each poll.
            profile: replaces the hub's own for this call.

        Raises:
            InvalidRefError: the ref is invalid; nothing was sent.
            NotFoundError: the provider has no such conversation.
            DeadlineError: nothing was read in time.
            HubError: any other failure, see `conversations_hub.errors`.
        """
        reader, id = self._resolve(ref)
        chosen = _profile(profile)
        if not wait >= 0:
            raise InvalidRefError("wait must be 0 or more")
        _check_timeout(timeout)
        if not wait and timeout is None:
            return await reader.get(id, chosen)
        return await get_when_ready(reader, id, chosen or self._profile, wait=wait, timeout=timeout)

    def list(
        self,
        *targets: str,
        since: datetime | None = None,
        until: datetime | None = None,
        status: Status | str | None = None,
        agent: str | None = None,
        updated_since: datetime | None = None,
        limit: int | None = None,
        cursor: str | None = None,
        page_size: int | None = None,
        transcripts: bool = False,
        verify: bool = False,
        timeout: float | None = None,
        profile: ProfileName | Profile | None = None,
        on_error: Callable[[HubError], object] | None = None,
        provider_options: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> Walk:
        """Walk through the conversations of all accounts, or of those that targets name.

        Every conversation comes once. One account's failure never stops the others: it is raised at the end, as a
        `PartialError` if there are several accounts, or passed to `on_error`.

        Args:
            *targets: "tavus" for every Tavus account, "tavus/eu" for one, "retell:chats" or "retell/eu:chats" for one
                kind of their conversations; none for all.
            since: aware, inclusive; compared with `created_at`, or else `started_at`. A row with neither comes too, as
                with every filter that a row leaves open; with `transcripts`, its details decide.
            until: aware, exclusive; compared like `since`.
            status: one of `conversations_hub.schema.Status`.
            agent: the provider's id of the agent.
            updated_since: aware, inclusive; compared with `updated_at`.
            limit: the maximum number of conversations over all accounts; from several accounts the newest, by the same
                instants. Lists without a known order take part in the order of their rows, which the report notes; rows
                without an instant come last.
            cursor: a `page.cursor` of an earlier walk over the same single account with the same filters. The walk
                continues exactly after that page, even if `limit` cut it. If an account has several lists, such as
                calls and chats, pages bring one list after the other.
            page_size: rows to request per page; by default as many as `limit` needs, or the provider's maximum. A walk
                that continues another keeps its page size.
            transcripts: also `get` each conversation whose list row lacks what only `get` returns.
            verify: walk again, at most twice, until nothing new turns up, because lists by page number lose rows when
                others are deleted during the walk. `walk.report` says whether it is "verified".
            timeout: seconds that the whole walk may take, including what its caller does between two conversations;
                accounts whose end is not reached by then fail with `DeadlineError`. None: each request has its own
                deadline, and a walk takes as long as its lists do.
            profile: replaces the hub's own for this walk.
            on_error: called with the error of each account that fails, which is then not raised.
            provider_options: more of a provider's own filters, by provider. They apply to its main list, so no other
                list is walked, unless a target names another.

        Raises:
            InvalidRefError: an invalid argument.
            UnknownAccountError: a provider or account this hub does not have.
        """
        lists = self._lists_of(targets)
        if cursor is not None and len(lists) > 1:
            raise InvalidRefError("a cursor belongs to the walk of one account: name only that account")
        if verify and cursor is not None:
            raise InvalidRefError("verify walks a whole list again: omit cursor")
        for name, least, value in (("limit", 0, limit), ("page_size", 1, page_size)):
            if value is not None and value < least:
                raise InvalidRefError(f"{name} must be {least} or more")
        _check_timeout(timeout)
        check_span(since, until)
        check_instant("updated_since", updated_since)
        options = provider_options or {}
        strangers = options.keys() - {each.readers[0].lane.account.provider for each in lists}
        if strangers:
            raise InvalidRefError(
                f"provider_options names {', '.join(sorted(strangers))}, which is not part of this walk"
            )
        lists = tuple(each.main() if options.get(each.readers[0].lane.account.provider) else each for each in lists)
        query = Query(
            since=since,
            until=until,
            status=_status(status),
            agent=agent,
            updated_since=updated_since,
            page_size=page_size,
        )
        place = None
        for each in lists if cursor is not None else ():  # then there is one
            provider = each.readers[0].lane.account.provider
            asked = msgspec.structs.replace(query, options=options.get(provider, {}))
            place = Place.read(cursor, each.where, asked, [reader.list_name for reader in each.readers])
        plan = ListOptions(
            query=query,
            options=options,
            place=place,
            limit=limit,
            transcripts=transcripts,
            verify=verify,
            timeout=timeout,
            profile=_profile(profile),
            on_error=on_error,
        )
        return Walk(lists, plan, self._tasks, at_once=self.accounts_at_once, connections=self._connections.most)

    def get_many(
        self,
        refs: Iterable[str] | AsyncIterable[str],
        *,
        concurrency: int = 16,
        profile: ProfileName | Profile | None = None,
    ) -> AsyncGenerator[Outcome]:
        """Get many conversations, at most `concurrency` at a time; yield one outcome per ref, as they complete.

        At most as many as the hub's `connections` are requested at a time.

        Refs are taken from the input only as fast as outcomes are taken from here. A malformed ref and a failed request
        are outcomes too; only errors of the hub itself are raised. `profile` replaces the hub's own.
        """
        if concurrency < 1:
            raise InvalidRefError("concurrency must be 1 or more")
        width = min(concurrency, self._connections.most)  # more would only wait, and a wait counts against the deadline
        return sealed_stream(self._tasks.as_completed(refs, partial(self._outcome, _profile(profile)), width))

    async def _outcome(self, profile: Profile | None, ref: str) -> Outcome:
        try:
            return Outcome(ref, conversation=await self.get(ref, profile=profile))
        except HubClosedError:
            raise
        except HubError as error:
            return Outcome(ref, error=error)

    @sealed
    async def start(
        self,
        target: str,
        *,
        agent: str | None = None,
        to: str | None = None,
        profile: ProfileName | Profile | None = None,
        provider_options: Mapping[str, Any] | None = None,
    ) -> Started:
        """Start a conversation. The request is never retried, because a second one would be a second call.

        Args:
            target: the account to start it with, as in `list`.
            agent: the provider's id of the agent.
            to: the number or address to call, if the channel needs one.
            profile: replaces the hub's own for this call.
            provider_options: more members of the provider's own request.

        Raises:
            UnsupportedError: the provider does not support it.
        """
        parsed = Target.parse(target)
        wanted = Start(agent=agent, to=to, options=provider_options or {})
        return await _resource(self._readers_of(parsed), parsed).start(wanted, _profile(profile))

    async def end(self, ref: str, *, profile: ProfileName | Profile | None = None) -> None:
        """End a running conversation; raise `UnsupportedError` if the provider does not support it."""
        reader, id = self._resolve(ref)
        lane = reader.lane
        if reader.resource.end is None:
            raise reader.unsupported("end")
        await lane.run("end", reader.resource.end(lane.account, id), profile=_profile(profile))

    @sealed
    async def delete(
        self,
        ref: str,
        *,
        profile: ProfileName | Profile | None = None,
        provider_options: Mapping[str, Any] | None = None,
    ) -> None:
        """Delete a conversation at the provider; raise `UnsupportedError` if the provider does not support it."""
        reader, id = self._resolve(ref)
        lane = reader.lane
        if reader.resource.delete is None:
            raise reader.unsupported("delete")
        flow = reader.resource.delete(lane.account, id, provider_options or {})
        await lane.run("delete", flow, profile=_profile(profile))

    @sealed
    async def send(self, ref: str, text: str, *, profile: ProfileName | Profile | None = None) -> TranscriptTurn:
        """Send a text in a running text conversation and return the agent's answer.

        Raises `UnsupportedError` if the provider does not support it.
        """
        reader, id = self._resolve(ref)
        return await reader.send(id, text, _profile(profile))

    @sealed
    async def download(
        self,
        recording: Recording,
        path: str | os.PathLike[str],
        *,
        allow_any_public_host: bool = False,
        largest: int = 2 * 1024**3,
        deadline: float = 3600.0,
        overwrite: bool = False,
    ) -> Download:
        """Download a recording of a conversation that a hub returned: `hub.download(conversation.recordings[0], path)`.

        The file exists only once it is complete. The next call resumes an interrupted download, if the server confirms
        that the rest belongs to it. A URL that has expired is replaced by a new one.

        Args:
            recording: one of a conversation's `recordings`.
            path: the file to write; it is readable by its owner only.
            allow_any_public_host: also accept hosts that are not known to be the provider's.
            largest: bytes; a larger recording is refused.
            deadline: seconds that the download may take, including all attempts.
            overwrite: replace the file if it exists.

        Raises:
            UnsafeURLError: the URL leads to a place where no recording should be.
            UnsupportedError: the recording is in the customer's own bucket.
            StoreError: the file exists already, or cannot be written.
            HubError: any other failure, see `conversations_hub.errors`.
        """
        if recording.ref is None:
            raise InvalidRefError(
                "the recording names no conversation: take it from a conversation that a hub returned"
            )
        reader, id = self._resolve(recording.ref)
        return await download(
            reader,
            id,
            recording,
            Path(path),
            allow_any_public_host=allow_any_public_host,
            largest=largest,
            deadline=deadline,
            overwrite=overwrite,
        )

    async def close(self) -> None:
        """Close every connection; calls still under way fail with `HubClosedError`. Closing again does nothing.

        Raises:
            HubClosedError: called in another event loop than the one that first used the hub; nothing is closed.
        """
        if not self._is_closed:
            self._connections.own_loop()
        self._is_closed = True
        for readers in self._readers.values():
            await next(iter(readers.values())).lane.close()
        await self._tasks.close()
        if self._limiter is not None:
            await self._limiter.close()

    async def __aenter__(self) -> Self:
        if self._is_closed:
            raise HubClosedError("the hub is closed: make a new one")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        accounts = ", ".join(f"{where.provider}/{where.account}" for where in self._readers)
        return f"<Hub: {accounts or 'no accounts'}>"

    def _lists_of(self, targets: tuple[str, ...]) -> tuple[Lists, ...]:
        """Return the lists that targets name, each once; a whole account includes each kind of its conversations."""
        if not targets and not self._readers:
            keys = ", ".join(f"{provider.upper()}_API_KEY" for provider in available())
            raise ConfigurationError(f"the hub has no accounts: set one of {keys}, or pass an Account")
        chosen: dict[Target, Lists] = {}
        for target in map(Target.parse, targets) if targets else self._readers:
            accounts = self._accounts_of(target.provider)
            wanted = target._replace(resource=None)
            for where in accounts if target.account is None else [self._account(wanted, accounts)]:
                readers = self._readers[where]
                if target.resource is None:
                    listing = [reader for reader in readers.values() if reader.resource.list_page is not None]
                    all_of_it = tuple(listing or readers.values())
                    chosen[where] = Lists(all_of_it[0].where, all_of_it)
                else:
                    one = _resource(readers, target)
                    chosen[where._replace(resource=target.resource)] = Lists(
                        f"{one.where}:{one.name}", (one,), is_whole=False
                    )
        return tuple(
            lists
            for target, lists in chosen.items()
            if target.resource is None or target._replace(resource=None) not in chosen
        )

    def _resolve(self, ref: str) -> tuple[ResourceReader, str]:
        """Return the reader of the conversation that a ref names, and the provider's own id."""
        where, colon, id = ref.partition(":")
        readers = self._readers_by_name.get(where) if colon else None
        if readers is None:
            readers = self._readers_by_name[where] = self._readers_of(Ref.parse(ref).target)
        adapter = next(iter(readers.values())).lane.adapter
        name, _, own = adapter.resource_of(check_id(id))
        return readers[name], own

    def _readers_of(self, target: Target) -> Mapping[str, ResourceReader]:
        """Return the readers of the one account that a target means."""
        accounts = self._accounts_of(target.provider)
        if target.account is not None:
            return self._readers[self._account(target._replace(resource=None), accounts)]
        default = Target(target.provider, "default")
        if len(accounts) > 1 and default not in self._readers:
            choices = ", ".join(f"{target.provider}/{where.account}" for where in accounts)
            raise InvalidRefError(f"{target.provider} has several accounts: choose from {choices}")
        return self._readers[default if default in self._readers else accounts[0]]

    def _accounts_of(self, provider: str) -> Sequence[Target]:
        accounts = self._accounts.get(provider)
        if accounts is None:
            self.adapter(provider)  # raises if the provider is unknown, which is another mistake than a missing key
            raise UnknownAccountError(
                f"no account: set {provider.upper()}_API_KEY and use Hub.from_env(),"
                f" or pass Account({provider!r}, key=…)",
                provider=provider,
            )
        return accounts

    def _account(self, target: Target, accounts: Sequence[Target]) -> Target:
        if target not in self._readers:
            choices = ", ".join(f"{target.provider}/{where.account}" for where in accounts)
            raise UnknownAccountError(
                f"no account {target.account!r}: this hub has {choices}", provider=target.provider
            )
        return target


def _resource(readers: Mapping[str, ResourceReader], target: Target) -> ResourceReader:
    if target.resource is None:
        return next(iter(readers.values()))
    if target.resource not in readers:
        choices = ", ".join(f"{target.provider}:{name}" for name in readers)
        raise InvalidRefError(
            f"{target.provider} has no kind of conversation called {target.resource!a}: choose from {choices}"
        )
    return readers[target.resource]


def _profile(profile: str | Profile | None) -> Profile | None:
    return None if profile is None else profile_named(profile)


def _check_timeout(timeout: float | None) -> None:
    if timeout is not None and not timeout > 0:
        raise InvalidRefError("timeout must be more than 0")


def _status(status: Status | str | None) -> Status | None:
    try:
        return None if status is None else Status(status)
    except ValueError:
        raise InvalidRefError(f"unknown status: choose from {', '.join(Status)}") from None
