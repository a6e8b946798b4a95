"""Downloads over HTTP(S), into a cache, with retries, limits and bounded waits.

The HTTP work is urllib3's (imported when the first request is made). Redirects and retries are followed here:
so a token goes only to addresses below its own prefix, https never becomes http, and no server can make us
wait longer than the limits. A body counts only when it is complete: by Content-Length, by the chunked
framing, by the end mark of gzip.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import urlsplit

from upytool import documents, limits
from upytool.errors import NetworkError, OfflineError, PackageError, UsageError
from upytool.events import NULL, Reporter, Task, notice
from upytool.secret import redact

from ..words import Said
from .address import Address
from .body import Allowance, read_body
from .budget import BUDGET
from .cache import DownloadCache
from .failures import Retry, network_error, refused
from .together import alone, together

if TYPE_CHECKING:
    import urllib3

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Credential:
    """Headers (the token's among them) for every address below `prefix` (scheme and host at least)."""

    prefix: str
    headers: tuple[tuple[str, str], ...] = field(repr=False)

    def covers(self, url: str) -> bool:
        """Does `url` lie below the prefix? Whole path parts count: https://h/a does not cover https://h/ab."""
        mine, theirs = urlsplit(self.prefix), urlsplit(url)
        if (mine.scheme.lower(), mine.netloc.lower()) != (theirs.scheme.lower(), theirs.netloc.lower()):
            return False
        base = mine.path.rstrip("/")
        return not base or theirs.path == base or theirs.path.startswith(base + "/")


@dataclass(frozen=True, slots=True)
class Limits:
    """How long and how much: seconds and bytes."""

    connect: float = 10.0
    read: float = 20.0
    total: float = field(default_factory=lambda: limits.HTTP_SECONDS)
    retries: int = 3
    backoff: float = 0.4
    max_bytes: int = field(default_factory=lambda: limits.HTTP_BYTES)


def is_url(location: str) -> bool:
    """Is it an http or https address (and not a path of this computer)?"""
    return location.lower().startswith(("http://", "https://"))


class Fetcher:
    """Gets files: from the network into the cache, from the cache alone, or from this computer's disk.

    A subclass may set `agent` (what it calls itself to servers) and `denied` (the hints where a server wants to know
    who asks).

    Args:
        cache: where downloads are kept.
        offline: use the cache only; what is missing there is an OfflineError.
        credentials: tokens of private hosts.
        reporter: hears about downloads and retries.
        limits: timeouts, retries, sizes.
        sleep: waits between retries; a test may pass its own.
    """

    agent = "upytool"
    denied = Said("net.denied")

    def __init__(
        self,
        cache: DownloadCache,
        *,
        offline: bool = False,
        credentials: Sequence[Credential] = (),
        reporter: Reporter = NULL,
        limits: Limits | None = None,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        self.cache, self.offline, self.reporter = cache, offline, reporter
        self._credentials, self._limits = tuple(credentials), limits or Limits()
        self._pools: dict[str, urllib3.PoolManager] = {}
        self._fresh: dict[Address, bytes] = {}
        self._end = float("inf")
        self._allowance: Allowance | None = None
        self._lock = Lock()
        self._sleep = sleep or (lambda seconds: BUDGET.stop.wait(seconds))
        self.requests = 0

    def prepare(self) -> None:
        """Begin to load the HTTP client, which takes as long as a board takes to answer: both go at once."""
        if not self.offline:
            Thread(target=import_module, args=("urllib3",), daemon=True).start()

    def close(self) -> None:
        """Close the connections."""
        for pool in self._pools.values():
            pool.clear()
        self._pools.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def bounded(self) -> Iterator[None]:
        """All downloads within have `limits.HTTP_TOTAL_SECONDS` and `HTTP_TOTAL_BYTES` together."""
        before = self._end, self._allowance
        self._end = min(self._end, time.monotonic() + limits.HTTP_TOTAL_SECONDS)
        self._allowance = self._allowance or Allowance()
        try:
            yield
        finally:
            self._end, self._allowance = before

    def _take(self, count: int) -> None:
        """Count bytes that came. Raises: PackageError where those of all downloads are too many."""
        if self._allowance is not None:
            self._allowance.take(count)

    def fetch(
        self,
        location: str,
        *,
        immutable: bool = False,
        keep: bool = True,
        label: str = "",
        check: Callable[[bytes], None] | None = None,
    ) -> bytes:
        """The content of a URL or of a local path.

        Args:
            location: `http(s)://...` or a path of this computer.
            immutable: the address names its content (an index's `file/`): what the cache has is good.
            keep: use the cache; without it the content always comes from the network, for a caller that has
                a place of its own for it.
            label: tell the reporter of the bytes as they arrive, under this name.
            check: looks at what came from the network before it is kept; what it raises ends the fetch.

        Raises:
            NetworkError, OfflineError, PackageError (a local file that cannot be read, or too much data).
        """
        data = self.find(location, immutable=immutable, keep=keep, label=label, check=check)
        if data is None:
            raise not_found(location)
        return data

    def find(
        self,
        location: str,
        *,
        immutable: bool = False,
        keep: bool = True,
        label: str = "",
        check: Callable[[bytes], None] | None = None,
    ) -> bytes | None:
        """As `fetch`, with None for what is not there (404, 410, no such local file)."""
        if not is_url(location):
            return self._local(location)
        address = _address(location)
        if keep and (known := self._here(address, immutable)) is not None:
            return known
        if self.offline:
            raise OfflineError("offline.url", url=str(address))
        data = self._download(address, keep, label, check)
        if keep and data is not None:
            self._fresh[address] = data
        return data

    def fetch_all(self, wanted: Iterable[tuple[str, bool]]) -> dict[str, bytes]:
        """Many side by side: pairs of location and `immutable`, to location -> content.

        Raises: as `fetch`, for the first of them that fails; PackageError where all of it is too much; offline, one
            OfflineError that names everything that is missing.
        """
        todo = dict(wanted)
        with self.bounded():
            here = {each: self._here(each, immutable) for each, immutable in todo.items()}
            if self.offline:
                missing = [_address(each) for each, data in here.items() if data is None and is_url(each)]
                if missing:
                    shown, more = [str(each) for each in missing[:10]], len(missing) - 10
                    if more > 0:
                        raise OfflineError("offline.many-files", urls=shown, more=more, total=len(todo))
                    raise OfflineError("offline.files", urls=shown, count=len(missing), total=len(todo))
            found = {}
            for each, data in here.items():
                if data is not None:
                    self._take(len(data))
                elif not is_url(each):
                    self._take(len(data := self.fetch(each)))
                if data is not None:
                    found[each] = data
            remote = [each for each in todo if each not in found]
            if remote:
                with Task(self.reporter, "downloading", len(remote), "files") as task:
                    fetched = self.together(lambda each: self.fetch(each, immutable=todo[each]), remote, task.advance)
                    found.update(zip(remote, fetched, strict=True))
        return {each: found[each] for each in todo}

    def together(self, work: Callable[[T], R], items: Sequence[T], done: Callable[[int], object]) -> list[R]:
        """Do work that fetches side by side; see `net.together`. Offline there is nothing to wait for."""
        if self.offline:
            return alone(work, items, done)
        if len(items) > 1:
            import urllib3  # noqa: F401 - here, not by several threads at once
        return together(work, items, done)

    def _here(self, location: str, immutable: bool) -> bytes | None:
        """What is known of an address without asking its server, None for nothing."""
        if not is_url(location):
            return None
        address = _address(location)
        if address in self._fresh:
            return self._fresh[address]
        return self.cache.get(address) if immutable or self.offline else None

    def _local(self, location: str) -> bytes | None:
        try:
            Path(location).stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError):
            pass  # what is wrong is said by reading it
        return documents.read_bytes(location, error=PackageError, limit=self._limits.max_bytes)

    def _download(self, url: Address, keep: bool, label: str, check: Callable[[bytes], None] | None) -> bytes | None:
        known = self.cache.entry(url) if keep else None
        old = self.cache.blob(known.sha256) if known else None
        etag = known.etag if known and old is not None else None
        deadline = min(time.monotonic() + self._limits.total, self._end)
        for attempt in range(self._limits.retries + 1):
            try:
                status, data, new_etag = self._request(url, etag, deadline, label)
                break
            except Retry as retry:
                wait = retry.wait if retry.wait is not None else self._limits.backoff * 2**attempt
                if attempt == self._limits.retries or time.monotonic() + wait >= deadline:
                    raise retry.error from retry.__cause__
                notice(self.reporter, f"{retry.error}; trying again", "detail")
                self._sleep(wait)
                if BUDGET.stop.is_set():  # given up, and nobody hears of it
                    raise retry.error from retry.__cause__
        if status == 304:
            if etag is None or old is None:
                raise NetworkError("network.not-modified", url=str(url))
            return old
        if status in (404, 410):
            return None
        if check is not None:
            check(data)
        if keep:
            self.cache.put(url, data, new_etag)
        return data

    def _request(self, url: Address, etag: str | None, deadline: float, label: str) -> tuple[int, bytes, str | None]:
        """One try, through redirects: status, body, ETag."""
        import urllib3
        from urllib3.exceptions import HTTPError, MaxRetryError

        where = url
        BUDGET.deadline, BUDGET.bytes = deadline, self._limits.max_bytes
        for _ in range(limits.HTTP_REDIRECTS + 1):
            left = max(0.1, deadline - time.monotonic())
            timeout = urllib3.Timeout(connect=min(self._limits.connect, left), read=min(self._limits.read, left))
            with self._lock:
                self.requests += 1
            try:
                headers = self._headers(where, etag if where == url else None)
                response = self._pool_for(where).request(
                    "GET",
                    where.full,
                    headers=headers,
                    timeout=timeout,
                    retries=False,
                    redirect=False,
                    preload_content=False,
                    decode_content=False,
                )
                try:
                    target = response.get_redirect_location()
                    if not target:
                        body = self._body(where, response, deadline, label)
                        return response.status, body, response.headers.get("ETag")
                finally:
                    response.close()
                    response.release_conn()
            except ValueError as error:
                raise NetworkError("network.url", url=str(where), reason=redact(str(error))) from None
            except (HTTPError, OSError) as error:
                cause = error.reason if isinstance(error, MaxRetryError) and error.reason else error
                raise network_error(where, cause) from None
            try:
                there = where.beside(target)
            except UsageError as error:
                raise NetworkError("network.redirect", url=str(where), cause=error) from None
            downgrade = where.lower().startswith("https:") and not there.lower().startswith("https:")
            if downgrade:
                raise NetworkError("network.redirect-insecure", url=str(where), target=str(there))
            where = there
        raise NetworkError("network.redirects", url=str(url), limit=limits.HTTP_REDIRECTS)

    def _headers(self, url: Address, etag: str | None) -> dict[str, str]:
        headers = {"User-Agent": self.agent, "Accept-Encoding": "gzip"}
        for credential in self._credentials:
            if credential.covers(url):
                headers.update(credential.headers)
        if url.login():
            import urllib3

            headers["Authorization"] = urllib3.make_headers(basic_auth=url.login())["authorization"]
        if etag:
            headers["If-None-Match"] = etag
        return headers

    def _body(self, url: Address, response: Any, deadline: float, label: str) -> bytes:
        status = response.status
        if status == 304:
            response.read1(1)  # it has no body: the connection is free for the next request
        if status in (304, 404, 410):
            return b""
        if status != 200:
            denied = (Said("net.secret-not-stored"), self.denied) if url.stripped else (self.denied,)
            raise refused(url, status, response.headers.get("Retry-After"), denied)
        return read_body(
            url,
            response,
            limit=self._limits.max_bytes,
            deadline=deadline,
            seconds=self._limits.total,
            take=self._take,
            reporter=self.reporter,
            label=label,
        )

    def _pool_for(self, url: Address) -> urllib3.PoolManager:
        from .proxy import manager, proxy_of

        proxy = proxy_of(url)
        with self._lock:
            if proxy not in self._pools:
                self._pools[proxy] = manager(proxy)
            return self._pools[proxy]


def not_found(location: str) -> PackageError:
    """The error for what is not there."""
    hint = Said("net.check-name")
    if is_url(location):
        address = _address(location)
        if address.stripped:
            hint = Said("net.secret-not-stored")
        return NetworkError("network.not-found", url=str(address), hint=hint)
    return PackageError("package.not-on-disk", path=location, hint=hint)


def _address(location: str) -> Address:
    """Raises: NetworkError."""
    try:
        return Address.of(location)
    except UsageError as error:
        raise NetworkError("network.address", cause=error) from None
