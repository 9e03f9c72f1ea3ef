"""The hub: every account behind one object, asked concurrently, politely and by name."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from ssl import SSLContext
from types import TracebackType
from typing import Any, Literal, Self

import msgspec

from ..account import Account
from ..adapter import Query, Start, Started
from ..adapters import available, load, usable
from ..concurrency import TaskPool
from ..errors import ConfigurationError, HubClosedError, HubError, InvalidRefError, UnknownAccountError
from ..files.trusted import trusting
from ..frames import bared
from ..instants import check_span
from ..policy import Profile, profile_named
from ..proxy import ProxyChoice, route
from ..refs import Ref, Target
from ..schema import Conversation, Recording, Status, TranscriptTurn
from ..signals import Signal
from ..transport import Clock, Connections, Lane, Limiter, ReadBudget
from ..wire import check_id
from .cursor import Place
from .from_env import accounts_in, proxies_in
from .late import get_when_ready
from .reader import Lists, ResourceReader
from .recordings import Download, download
from .report import AccountReport, Report
from .sealed import sealed, sealed_stream
from .unusable import Unusable
from .walk import ACCOUNTS_AT_ONCE, ListOptions, Page, Walk

__all__ = ["AccountReport", "Download", "Hub", "Limiter", "Outcome", "Page", "Report", "Walk", "proxies_in"]


ProfileName = Literal["interactive", "bulk"]


class Outcome(msgspec.Struct, frozen=True):
    """What became of one ref given to `get_many`."""

    ref: str
    conversation: Conversation | None = None
    error: HubError | None = None


class Hub:
    """Every account behind one object. One per process is enough; many tasks may share it.

    A hub belongs to the event loop that first uses it, and ends with `async with` or `await hub.close()`.

    Args:
        accounts: the accounts to ask; two of one provider need different names.
        profile: the numbers to work by: "interactive" for web back ends and agents, "bulk" for jobs, or your own.
        keep_raw: whether conversations keep the provider's JSON, known secrets scrubbed.
        proxy: the URL of an HTTP proxy, or a function from a URL to that of its proxy: `proxies_in(os.environ)` makes
            the one that the environment means, which is not used otherwise.
        ssl: what to trust instead of the system's certificates, at the providers' own addresses and behind a proxy.
        recordings_ssl: what to trust at other hosts that are reached directly, where recordings are kept; the system's
            certificates where it is not given.
        limiter: a rate shared with other processes, in place of the one the hub keeps for each account by itself.
        on_signal: called with each `conversations_hub.signals.Signal`; it must be quick and must not raise.
        accounts_at_once: how many accounts one call of `list` walks at a time.
        connections: how many are open at most, over all accounts, which take turns; a quarter of the descriptors that
            this process may open (`ulimit -n`) where it is not given, and no more than 1000.
        clock: time and chance, for tests.

    An adapter of another package that is broken fails each call to its own accounts, and nothing else.

    Raises:
        UnknownAccountError: an unknown provider.
        ConfigurationError: two accounts of one name, an unsafe base URL, an `ssl` that is no context.
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
        clock: Clock | None = None,
    ) -> None:
        proxy = route(proxy)  # from here on no frame holds a password
        self._profile = profile_named(profile)
        self._readers: dict[Target, dict[str, ResourceReader]] = {}
        self._readers_by_name: dict[str, Mapping[str, ResourceReader]] = {}
        """By what stands before the colon of refs, as far as these were asked for."""
        self.keep_raw = keep_raw
        """Whether conversations keep the provider's JSON."""
        self._tasks = TaskPool()
        if accounts_at_once < 1:
            raise ConfigurationError("accounts_at_once must be 1 or more")
        self.accounts_at_once = accounts_at_once
        """How many accounts are walked at a time."""
        self._is_closed = False
        read_budget = ReadBudget()
        self._connections = Connections(connections)
        trust = cache(trusting)
        self.unusable: dict[str, ConfigurationError] = {}
        """What is wrong with accounts that cannot be used, by "provider/account"."""
        for given in accounts:
            account, adapter = given.stand_in() if isinstance(given, Unusable) else (given, usable(given.provider))
            where = Target(account.provider, account.name)
            if where in self._readers:
                raise ConfigurationError("two accounts of one name: give each its own", provider=account.provider)
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
            self._readers[where] = {
                name: ResourceReader(lane, resource, name, keep_raw=keep_raw)
                for name, resource in {lane.adapter.main: lane.adapter, **lane.adapter.resources}.items()
            }
            if isinstance(given, Unusable):
                self.unusable[f"{where.provider}/{where.account}"] = given.error

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
        clock: Clock | None = None,
    ) -> Self:
        """Make a hub of the accounts the environment names.

        Read are `<PROVIDER>_API_KEY`, `<PROVIDER>_BASE_URL` and the provider's own settings (`ANYREACH_ORG_ID`), and
        nothing else, of all `providers` there are, those of other packages included, or of those named. A provider
        without a key is left out; without any the hub has no accounts, and says so when it is first used. A mistake in
        one account blocks that one alone, and is raised by whatever is asked of it.

        Raises:
            ConfigurationError: a provider nobody knows, or no account that can be used.
        """
        proxy = route(proxy)
        named = available() if providers is None else providers
        accounts = accounts_in(os.environ if environ is None else environ, named)
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
        clock: Clock | None = None,
    ) -> Self:
        """Make a hub of the accounts a TOML file names: one `[[account]]` each.

        An account has `provider`, and the key as `key_env` (the variable that holds it), `key_file` (the file that
        holds it, relative to this one) or `key`. There may be `name`, `base_url`, `allow_insecure`, `proxy`, `ca_file`
        and `settings`, as in `settings = { org_id = "…" }` or `{ org_id_env = "…" }`. Above the accounts there may be
        `proxy`, `proxy_from_env` and `ca_file` for all of them; `proxy` and `ssl` here take the place of those. Nobody
        else may write the file, nor read it where it holds a key.

        A mistake in one account blocks that one alone, and is raised by whatever is asked of it.

        Raises:
            ConfigurationError: another mistake in the file, or no account that can be used; it says where, and never a
                key.
        """
        from .from_file import configured  # noqa: PLC0415  (TOML is read by few)

        proxy = None if proxy is None else route(proxy)
        found = configured(Path(path), os.environ if environ is None else environ)
        return cls(
            found.accounts,
            profile=profile,
            keep_raw=keep_raw,
            proxy=proxy or found.through,
            ssl=found.ssl if ssl is None else ssl,
            recordings_ssl=found.ssl if recordings_ssl is None else recordings_ssl,
            limiter=limiter,
            on_signal=on_signal,
            accounts_at_once=accounts_at_once,
            connections=connections,
            clock=clock,
        )

    def accounts(self, *targets: str) -> tuple[str, ...]:
        """Return the accounts of this hub, or those that targets name as in `list`, as "provider/account"."""
        return tuple(dict.fromkeys(lists.readers[0].where for lists in self._lists_of(targets)))

    @property
    def providers(self) -> frozenset[str]:
        """The providers of which this hub has an account."""
        return frozenset(where.provider for where in self._readers)

    def lanes(self, *targets: str) -> tuple[Lane, ...]:
        """Return the ways to the providers of accounts, as in `accounts`, for who has flows of its own to run."""
        return tuple(dict.fromkeys(lists.readers[0].lane for lists in self._lists_of(targets)))

    async def get(
        self,
        ref: str,
        *,
        wait: float = 0.0,
        timeout: float | None = None,  # noqa: ASYNC109  (it bounds waits of ours, which know what they hold)
        profile: ProfileName | Profile | None = None,
    ) -> Conversation:
        """Get one conversation with all the provider has of it: `tavus:c123`, or `tavus/eu:c123`.

        Args:
            ref: its name.
            wait: seconds to wait for a transcript that is pending. It is asked for ever less often, the last time when
                they have passed, and only while the provider can be asked; what was read last is returned, so
                `transcript_state` may still be pending.
            timeout: seconds the call may take, all attempts and waits included, `wait` too; in place of the deadline
                of the profile, which is one of each time it is asked for.
            profile: takes the place of the hub's own for this call.

        Raises:
            InvalidRefError: the ref cannot be right; nothing was sent.
            NotFoundError: the provider has no such conversation.
            DeadlineError: nothing was read in time.
            HubError: whatever else went wrong, see `conversations_hub.errors`.
        """
        reader, id = self._named(ref)
        chosen = _profile(profile)
        if not wait >= 0:
            raise InvalidRefError("wait must be 0 or more")
        _check(timeout)
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
        """Walk through the conversations of all accounts, or of those named.

        Every conversation comes once. One account's failure never stops the others: it is raised at the end, as a
        `PartialError` where there are several accounts, or handed to `on_error`.

        Args:
            *targets: "tavus" for every Tavus account, "tavus/eu" for one, "retell:chats" or "retell/eu:chats" for one
                kind of their conversations; none for all.
            since: the first instant that counts, aware; by `created_at`, else `started_at`. Rows with neither come too.
            until: the first instant that no longer counts, aware.
            status: one of `conversations_hub.schema.Status`.
            agent: the provider's id of the agent.
            limit: the most conversations to bring, over all accounts: of several the newest, by the same instants.
                Lists without a known order take part as their rows come, which the report notes; rows without an
                instant come last.
            cursor: a `page.cursor` of an earlier walk over the same one account with the same filters, to go on from:
                exactly behind what that one brought, also where `limit` cut its page. Of an account with several
                lists, its calls and its chats, pages bring one list after the other.
            page_size: rows to ask for at a time; where it is not given as many as `limit` needs, or the provider's
                most. A walk that goes on keeps the page size of the one before it.
            transcripts: also `get` each conversation whose list row lacks what only `get` brings.
            verify: walk again, at most twice, until nothing new turns up: lists by page number lose rows when others
                are deleted meanwhile. `walk.report` says whether it is "verified".
            timeout: seconds the whole walk may take, whatever its caller does between two conversations included;
                accounts that are not at their end by then fail with `DeadlineError`. None: each request has its own
                deadline, and a walk goes on as long as its lists do.
            profile: takes the place of the hub's own for this walk.
            on_error: takes the error of each account that fails, instead of having it raised.
            provider_options: more of a provider's own filters, by provider. They are its main list's, so that no other
                is walked, unless a target names another.

        Raises:
            InvalidRefError: an argument that cannot be right.
            UnknownAccountError: a provider or account this hub does not have.
        """
        lists = self._lists_of(targets)
        if cursor is not None and len(lists) > 1:
            raise InvalidRefError("a cursor belongs to the walk of one account: name that account alone")
        if verify and cursor is not None:
            raise InvalidRefError("verify walks a whole list again: leave cursor out")
        for name, least, value in (("limit", 0, limit), ("page_size", 1, page_size)):
            if value is not None and value < least:
                raise InvalidRefError(f"{name} must be {least} or more")
        _check(timeout)
        check_span(since, until)
        options = provider_options or {}
        strangers = options.keys() - {each.readers[0].lane.account.provider for each in lists}
        if strangers:
            raise InvalidRefError(f"provider_options names {', '.join(sorted(strangers))}, which is not walked here")
        lists = tuple(each.main() if options.get(each.readers[0].lane.account.provider) else each for each in lists)
        query = Query(since=since, until=until, status=_status(status), agent=agent, page_size=page_size)
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

        More than the hub's `connections` are never asked for at a time.

        Refs are taken from the input only as fast as outcomes are taken from here. A malformed ref and a failed fetch
        are outcomes too; only what is wrong with the hub itself is raised. `profile` takes the place of the hub's own.
        """
        if concurrency < 1:
            raise InvalidRefError("concurrency must be 1 or more")
        width = min(concurrency, self._connections.most)  # more would only wait, and that counts
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
        """Start a conversation; it is sent once and never again, since a second one would be a second call.

        Args:
            target: the account to start it with, as in `list`.
            agent: the provider's id of the agent.
            to: who is called, where the channel needs one.
            profile: takes the place of the hub's own for this call.
            provider_options: more members of the provider's own request.

        Raises:
            UnsupportedError: the provider cannot do that.
        """
        parsed = Target.parse(target)
        wanted = Start(agent=agent, to=to, options=provider_options or {})
        return await _resource(self._readers_of(parsed), parsed).start(wanted, _profile(profile))

    async def end(self, ref: str, *, profile: ProfileName | Profile | None = None) -> None:
        """End a running conversation; `UnsupportedError` where the provider cannot."""
        reader, id = self._named(ref)
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
        """Delete a conversation at the provider; `UnsupportedError` where the provider cannot."""
        reader, id = self._named(ref)
        lane = reader.lane
        if reader.resource.delete is None:
            raise reader.unsupported("delete")
        flow = reader.resource.delete(lane.account, id, provider_options or {})
        await lane.run("delete", flow, profile=_profile(profile))

    @sealed
    async def send(self, ref: str, text: str, *, profile: ProfileName | Profile | None = None) -> TranscriptTurn:
        """Say something in a running text conversation and return the agent's answer.

        `UnsupportedError` where the provider cannot.
        """
        reader, id = self._named(ref)
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
        """Download a recording of a conversation that a hub brought: `hub.download(conversation.recordings[0], path)`.

        The file is there only once it is whole. What was interrupted is gone on with by the next call, where the server
        can tell that the rest belongs to it. A URL that has expired is replaced by a new one.

        Args:
            recording: one of a conversation's `recordings`.
            path: the file to write; it is readable by its owner only.
            allow_any_public_host: also take it from hosts that are not known to be the provider's.
            largest: bytes; what is larger is refused.
            deadline: seconds it may take, all attempts included.
            overwrite: replace the file if it is there.

        Raises:
            UnsafeURLError: it leads to a place no recording should be at.
            UnsupportedError: it lies in the customer's own bucket.
            StoreError: the file is there already, or cannot be written.
            HubError: whatever else went wrong, see `conversations_hub.errors`.
        """
        if recording.ref is None:
            raise InvalidRefError("the recording names no conversation: take it from one that a hub brought")
        reader, id = self._named(recording.ref)
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
        """Free every connection; what is still under way ends with `HubClosedError`. Closing again does nothing.

        Raises:
            HubClosedError: this is another event loop than the one that first used the hub; nothing is closed.
        """
        if not self._is_closed:
            self._connections.own_loop()
        self._is_closed = True
        for readers in self._readers.values():
            await next(iter(readers.values())).lane.close()
        await self._tasks.close()

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
        """Return what targets name, each once; an account that is named whole is not named in part as well."""
        if not targets and not self._readers:
            keys = ", ".join(f"{provider.upper()}_API_KEY" for provider in available())
            raise ConfigurationError(f"the hub has no accounts: set one of {keys}, or pass it an Account")
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

    def _named(self, ref: str) -> tuple[ResourceReader, str]:
        """Return who reads the conversation that a ref names, and the id that its provider has for it."""
        where, colon, id = ref.partition(":")
        readers = self._readers_by_name.get(where) if colon else None
        if readers is None:
            readers = self._readers_by_name[where] = self._readers_of(Ref.parse(ref).target)
        adapter = next(iter(readers.values())).lane.adapter
        name, _, own = adapter.resource_of(check_id(id))
        return readers[name], own

    def _readers_of(self, target: Target) -> Mapping[str, ResourceReader]:
        """Return the readers of the one account that is meant."""
        accounts = self._accounts_of(target.provider)
        if target.account is not None:
            return self._readers[self._account(target._replace(resource=None), accounts)]
        default = Target(target.provider, "default")
        if len(accounts) > 1 and default not in accounts:
            choices = ", ".join(f"{target.provider}/{where.account}" for where in accounts)
            raise InvalidRefError(f"{target.provider} has several accounts: say which, of {choices}")
        return self._readers[default if default in accounts else accounts[0]]

    def _accounts_of(self, provider: str) -> Sequence[Target]:
        accounts = [where for where in self._readers if where.provider == provider]
        if not accounts:
            load(provider)  # an unknown provider is another mistake than a missing key
            raise UnknownAccountError(
                f"no account: set {provider.upper()}_API_KEY and use Hub.from_env(),"
                f" or pass Account({provider!r}, key=…)",
                provider=provider,
            )
        return accounts

    def _account(self, target: Target, accounts: Sequence[Target]) -> Target:
        if target not in accounts:
            choices = ", ".join(f"{target.provider}/{where.account}" for where in accounts)
            raise UnknownAccountError(f"no account {target.account!r}; there is {choices}", provider=target.provider)
        return target


def _resource(readers: Mapping[str, ResourceReader], target: Target) -> ResourceReader:
    if target.resource is None:
        return next(iter(readers.values()))
    if target.resource not in readers:
        choices = ", ".join(f"{target.provider}:{name}" for name in readers)
        raise InvalidRefError(f"{target.provider} has no conversations called {target.resource!a}; there is {choices}")
    return readers[target.resource]


def _profile(profile: str | Profile | None) -> Profile | None:
    return None if profile is None else profile_named(profile)


def _check(timeout: float | None) -> None:
    if timeout is not None and not timeout > 0:
        raise InvalidRefError("timeout must be more than 0")


def _status(status: Status | str | None) -> Status | None:
    try:
        return None if status is None else Status(status)
    except ValueError:
        raise InvalidRefError(f"unknown status; there are: {', '.join(Status)}") from None
