"""Downloads over HTTP(S), into a cache, with retries, limits and bounded waits.

The HTTP work is urllib3's (imported when the first request is made). Redirects and retries are followed here:
so a token goes only to addresses below its own prefix, https never becomes http, and no server can make us
wait longer than the limits. A body counts only when it is complete: by Content-Length, by the chunked
framing, by the end mark of gzip.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from upytool import documents, limits
from upytool.errors import NetworkError, OfflineError, PackageError, UsageError
from upytool.events import NULL, Reporter, Task, notice

from .address import Address, redact
from .cache import DownloadCache
from .failures import Retry, network_error, refused

if TYPE_CHECKING:
    import urllib3


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

    A subclass may set `agent` (what it calls itself to servers) and `denied` (the hint where a server wants to know
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
    denied = "the server gives this to others than you, or to nobody"

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
        self._stop = Event()
        self._sleep = sleep or self._stop.wait
        self.requests = 0

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
        """All downloads within have `limits.HTTP_TOTAL_SECONDS` together."""
        before = self._end
        self._end = min(before, time.monotonic() + limits.HTTP_TOTAL_SECONDS)
        try:
            yield
        finally:
            self._end = before

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
        if keep and address in self._fresh:
            return self._fresh[address]
        if keep and (immutable or self.offline) and (cached := self.cache.get(address)) is not None:
            return cached
        if self.offline:
            raise OfflineError(
                f"{address} is not in the cache, and --offline forbids to fetch it",
                hint="run the same command once without --offline, then it is there",
            )
        data = self._download(address, keep, label, check)
        if keep and data is not None:
            self._fresh[address] = data
        return data

    def fetch_all(self, wanted: Iterable[tuple[str, bool]]) -> dict[str, bytes]:
        """Many at once, a few at a time: pairs of location and `immutable`, to location -> content.

        Raises: as `fetch`; PackageError where all of it is too much; offline, one OfflineError that names everything
            that is missing.
        """
        from concurrent.futures import ThreadPoolExecutor, as_completed

        todo = dict(wanted)
        if self.offline:
            missing = [_address(each) for each in todo if is_url(each) and self.cache.get(_address(each)) is None]
            if missing:
                more = f" and {len(missing) - 10} more" if len(missing) > 10 else ""
                raise OfflineError(
                    f"{len(missing)} of {len(todo)} files are not in the cache: {', '.join(missing[:10])}{more}",
                    hint="run the same command once without --offline, then they are there",
                )
        remote = {each: None for each in todo if is_url(each) and each not in self._fresh and not self.offline}
        found: dict[str, bytes] = {}
        total = 0

        def take(location: str, data: bytes) -> None:
            nonlocal total
            total += len(data)
            if total > limits.HTTP_TOTAL_BYTES:
                raise PackageError(f"the files are more than {limits.HTTP_TOTAL_BYTES:,} bytes together")
            found[location] = data

        for each in todo:
            if each not in remote:
                take(each, self.fetch(each, immutable=todo[each]))
        if not remote:
            return found
        with suppress(Exception):  # its own fetch says what is wrong with an address or a proxy
            self._pool_for(_address(next(iter(remote))))  # urllib3 is imported here, not by several threads at once
        with self.bounded(), Task(self.reporter, "downloading", len(remote), "files") as task:
            pool = ThreadPoolExecutor(max_workers=min(6, len(remote)))
            try:
                jobs = {pool.submit(self.fetch, each, immutable=todo[each]): each for each in remote}
                for job in as_completed(jobs):
                    take(jobs[job], job.result())
                    task.advance(1)
            finally:
                self._stop.set()  # after an error or Ctrl-C nobody waits for the others
                pool.shutdown(wait=True, cancel_futures=True)
                self._stop.clear()
        return found

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
                notice(self.reporter, f"{retry.error.message}; trying again", "detail")
                self._sleep(wait)
        if status == 304:
            if etag is None or old is None:
                raise NetworkError(f"{url} answers that nothing has changed (304), which was not asked")
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

        from .wire import BUDGET

        where = url
        BUDGET.deadline, BUDGET.bytes, BUDGET.stop = deadline, self._limits.max_bytes, self._stop
        for _ in range(limits.HTTP_REDIRECTS + 1):
            left = max(0.1, deadline - time.monotonic())
            timeout = urllib3.Timeout(connect=min(self._limits.connect, left), read=min(self._limits.read, left))
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
                raise NetworkError(f"{where} is not a usable address: {redact(str(error))}") from None
            except (HTTPError, OSError) as error:
                cause = error.reason if isinstance(error, MaxRetryError) and error.reason else error
                raise network_error(where, cause) from None
            try:
                there = where.beside(target)
            except UsageError as error:
                raise NetworkError(f"{where} redirects to what is not followed: {error.message}") from None
            downgrade = where.lower().startswith("https:") and not there.lower().startswith("https:")
            if downgrade:
                raise NetworkError(f"{where} redirects to {there}, which is not followed")
            where = there
        raise NetworkError(f"{url} redirects more than {limits.HTTP_REDIRECTS} times")

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
        if status in (304, 404, 410):
            return b""
        if status != 200:
            denied = f"its password or token was not stored: write the whole address again\n{self.denied}"
            raise refused(url, status, response.headers.get("Retry-After"), denied if url.stripped else self.denied)
        coding = (response.headers.get("Content-Encoding") or "identity").strip().lower()
        if coding not in ("identity", "gzip", "x-gzip", "deflate"):
            raise NetworkError(f"{url} comes in the encoding {coding[:40]!r}, which was not asked for")
        unpack = None if coding == "identity" else zlib.decompressobj(47 if "gzip" in coding else 15)
        length = (response.headers.get("Content-Length") or "").strip()
        total = int(length) if unpack is None and length.isdecimal() else None
        if total is not None and total > self._limits.max_bytes:
            raise self._too_large(url)
        with Task(self.reporter if label else NULL, label, total) as task:
            data = self._pieces(url, response, deadline, unpack, task)
        if unpack is not None and not unpack.eof:
            raise Retry(NetworkError(f"{url} arrived incomplete"))
        return data

    def _too_large(self, url: Address) -> PackageError:
        return PackageError(f"{url} is larger than {self._limits.max_bytes} bytes; upytool stops here")

    def _pieces(self, url: Address, response: Any, deadline: float, unpack: Any, task: Task) -> bytes:
        parts: list[bytes] = []
        size = 0
        while True:
            if time.monotonic() > deadline:
                raise NetworkError(
                    f"{url} is too slow: not done after {self._limits.total:g} s",
                    hint="try again later, or get the file another way and use it from its path",
                )
            part = response.read1(65536, decode_content=False)
            if not part:
                break
            if unpack is not None:
                try:
                    # What follows the end mark is read to the end that the server promised, and dropped.
                    part = b"" if unpack.eof else unpack.decompress(part, self._limits.max_bytes + 1 - size)
                except zlib.error as error:
                    raise Retry(NetworkError(f"{url} arrived damaged: {error}")) from None
            size += len(part)
            if size > self._limits.max_bytes:
                raise self._too_large(url)
            parts.append(part)
            task.advance(len(part))
        return b"".join(parts)

    def _pool_for(self, url: Address) -> urllib3.PoolManager:
        from .proxy import manager, proxy_of

        proxy = proxy_of(url)
        if proxy not in self._pools:
            self._pools[proxy] = manager(proxy)
        return self._pools[proxy]


def not_found(location: str) -> PackageError:
    """The error for what is not there."""
    hint = "check the name, the path and the ref"
    if is_url(location):
        address = _address(location)
        if address.stripped:
            hint = "its password or token was not stored: write the whole address again"
        return NetworkError(f"{address} does not exist (404)", hint=hint)
    return PackageError(f"{location} does not exist on this computer", hint=hint)


def _address(location: str) -> Address:
    """Raises: NetworkError."""
    try:
        return Address.of(location)
    except UsageError as error:
        raise NetworkError(error.message) from None
