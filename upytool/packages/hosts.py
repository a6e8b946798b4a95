"""Git hosts: how `github:USER/REPO/PATH@REF` becomes an address, and which token goes with it.

Public addresses (the ones that mip uses; mpremote's mip.py names them):
    github    https://raw.githubusercontent.com/OWNER/REPO/REF/PATH
    gitlab    https://gitlab.com/OWNER/REPO/-/raw/REF/PATH
    codeberg  https://codeberg.org/api/v1/repos/OWNER/REPO/raw/PATH?ref=REF
With a token the hosts' documented APIs are used, as their raw pages take none:
    GitHub REST "Get repository content" (raw media type), GitLab "Get raw file from repository",
    Forgejo/Gitea "Get a file from a repository".
"""

from __future__ import annotations

import posixpath
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal
from urllib.parse import quote, unquote

from upytool.errors import ConfigError, PackageError, UsageError
from upytool.net.address import Address
from upytool.secret import redact

from .download import Credential, is_url

Kind = Literal["github", "gitlab", "gitea", "http"]
KINDS: tuple[Kind, ...] = ("github", "gitlab", "gitea", "http")
DEFAULT_REF = "HEAD"
# git check-ref-format
_NO_REF = re.compile(r"[\s~^:?*\[\\]")
_NAME = re.compile(r"[a-z][a-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class Host:
    """A place that is named by a prefix.

    Attributes:
        name: the prefix, without the colon.
        kind: whose addresses it speaks; "http" for a plain web server (`NAME:path/package.json`).
        url: its base address.
        token: sent with each request below `url`, "" for none.
    """

    name: str
    kind: Kind
    url: str
    token: str = ""

    @property
    def api(self) -> str:
        """The base address of its API."""
        base = self.url.rstrip("/")
        if self.kind == "github":
            return "https://api.github.com" if base == "https://github.com" else f"{base}/api/v3"
        return {"gitlab": f"{base}/api/v4", "gitea": f"{base}/api/v1", "http": base}[self.kind]

    def credential(self) -> Credential | None:
        """The headers for requests to this host, None without a token."""
        if not self.token:
            return None
        if self.kind == "github":
            accept = ("Accept", "application/vnd.github.raw+json")
            return Credential(self.api, (("Authorization", f"Bearer {self.token}"), accept))
        if self.kind == "gitlab":
            return Credential(self.api, (("PRIVATE-TOKEN", self.token),))
        if self.kind == "http" and ":" in self.token:  # USER:PASSWORD; no token has a colon (RFC 6750)
            login = b64encode(self.token.encode()).decode()
            return Credential(self.api, (("Authorization", f"Basic {login}"),))
        scheme = "token" if self.kind == "gitea" else "Bearer"
        return Credential(self.api, (("Authorization", f"{scheme} {self.token}"),))

    def address(self, repo: str, path: str, ref: str | None) -> str:
        """The address of one file.

        Args:
            repo: `OWNER/REPO`; "" for kind http.
            path: of the file inside the repository.
            ref: a branch, tag or commit; None for the default branch.
        """
        ref = ref or DEFAULT_REF
        at, asked = quote(ref, safe="/"), quote(ref, safe="")
        where, base = quote(path), self.url.rstrip("/")
        if self.kind == "http":
            return f"{base}/{where}"
        if self.kind == "github":
            if self.token or base != "https://github.com":
                return f"{self.api}/repos/{quote(repo)}/contents/{where}?ref={asked}"
            return f"https://raw.githubusercontent.com/{quote(repo)}/{at}/{where}"
        if self.kind == "gitlab":
            if self.token:
                project, file = quote(repo, safe=""), quote(path, safe="")
                return f"{self.api}/projects/{project}/repository/files/{file}/raw?ref={asked}"
            return f"{base}/{quote(repo)}/-/raw/{at}/{where}"
        return f"{self.api}/repos/{quote(repo)}/raw/{where}?ref={asked}"


@dataclass(frozen=True, slots=True)
class RepoPath:
    """A file or folder of a repository: `HOST:OWNER/REPO/PATH@REF` taken apart."""

    host: Host
    repo: str
    path: str
    ref: str | None = None

    def location(self) -> Address:
        """Its address."""
        return Address.of(self.host.address(self.repo, self.path, self.ref))

    def text(self) -> str:
        """As the user would type it."""
        deep = self.repo.count("/") > 1 and self.path
        inner = "/".join(each for each in (self.repo, "/" + self.path if deep else self.path) if each)
        inner = inner.replace("@", "%40")
        return f"{self.host.name}:{inner}" + (f"@{self.ref}" if self.ref else "")

    def beside(self, relative: str, origin: str) -> RepoPath:
        """A file by its path relative to this one's folder.

        Raises:
            PackageError: it leads out of the repository.
        """
        joined = posixpath.normpath(posixpath.join(posixpath.dirname(self.path), relative.lstrip("/")))
        if joined == ".." or joined.startswith("../"):
            raise PackageError("package.outside", origin=origin, relative=relative)
        return replace(self, path=joined)

    def same_repo(self, other: RepoPath) -> bool:
        """Both in one repository? Hosts do not tell letters' case apart."""
        return self.host.name == other.host.name and self.repo.lower() == other.repo.lower()


class Hosts:
    """The hosts by their prefixes: the three that mip knows, and the user's own.

    Args:
        extra: more hosts; one with a known name replaces it.
        tokens: tokens for hosts, by name.
    """

    def __init__(self, extra: Sequence[Host] = (), tokens: Mapping[str, str] | None = None) -> None:
        known = [
            Host("github", "github", "https://github.com"),
            Host("gitlab", "gitlab", "https://gitlab.com"),
            Host("codeberg", "gitea", "https://codeberg.org"),
            *extra,
        ]
        self._by_name = {
            host.name: replace(host, token=host.token or (tokens or {}).get(host.name, "")) for host in known
        }

    @property
    def credentials(self) -> tuple[Credential, ...]:
        """The headers that go with the hosts' tokens."""
        made = [host.credential() for host in self._by_name.values()]
        return tuple(each for each in made if each is not None)

    def match(self, text: str) -> Host | None:
        """The host whose prefix `text` has, None for another kind of text."""
        name, colon, _ = text.partition(":")
        return self._by_name.get(name) if colon else None

    def parse(self, text: str) -> RepoPath:
        """`HOST:OWNER/REPO[/PATH][@REF]` taken apart.

        The ref begins at the first "@", so it may hold slashes and further "@" (`lib@1.2`); an "@" in the
        path is written %40. A gitlab subgroup is told from the path by "//": `gitlab:GROUP/SUB/REPO//PATH`.

        Raises:
            UsageError: no such host, or no repository in it.
        """
        host = self.match(text)
        if not text.isprintable():
            raise UsageError("usage.package-characters", source=text)
        if host is None:
            raise UsageError("usage.package-host", source=text, known=sorted(self._by_name))
        inner, at, ref = text.partition(":")[2].partition("@")
        if at and not ref:
            raise UsageError("usage.package-ref-empty", source=text)
        if ref and (".." in ref or not ref.isprintable() or _NO_REF.search(ref)):
            raise UsageError("usage.package-ref", ref=ref)
        if not unquote(inner).isprintable():
            raise UsageError("usage.package-path", source=text)
        inner = unquote(inner).strip("/") if host.kind == "http" else unquote(inner).lstrip("/")
        if host.kind == "http":
            if ref:
                raise UsageError("usage.web-refs", source=text)
            return RepoPath(host, "", inner)
        repo, split, path = inner.partition("//")
        if not split:
            parts = inner.split("/")
            repo, path = "/".join(parts[:2]), "/".join(parts[2:])
        pieces = repo.split("/")
        dots = any(each in (".", "..") for each in pieces + path.split("/"))
        if len(pieces) < 2 or not all(pieces) or dots:
            raise UsageError("usage.package-repository", source=text, host=host.name)
        return RepoPath(host, repo.removesuffix(".git"), path.strip("/"), ref or None)

    def locate(self, url: str, origin: str, own: RepoPath | None = None) -> Address:
        """The address of an absolute `urls` entry of a package.json.

        A git address without a ref takes the ref of `own` only where it lies in the same repository:
        a ref of one repository says nothing about another.
        """
        if is_url(url):
            return Address.of(url)
        if self.match(url) is None:
            raise PackageError("package.address-kind", origin=origin, url=redact(url))
        place = self.parse(url)
        if own is not None and place.ref is None and place.same_repo(own):
            place = replace(place, ref=own.ref)
        return place.location()


def hosts_from(table: Mapping[str, Any], environ: Mapping[str, str]) -> Hosts:
    """The hosts of a `[mip.hosts]` table, and the tokens of the environment.

    Args:
        table: name -> {"kind": one of `KINDS`, "url": base address, "token-env": variable's name}.
        environ: `UPYTOOL_TOKEN_NAME` gives the token of the host NAME (letters large, others as "_"), and so
            do GITHUB_TOKEN, GITLAB_TOKEN and CODEBERG_TOKEN. Tokens never stand in the file itself.

    Raises:
        ConfigError: an entry has a wrong form, or a token's variable is not set.
    """
    extra = []
    for name, raw in table.items():
        where = f"mip.hosts.{name}"
        if not _NAME.fullmatch(name) or name in ("http", "https", "file"):
            raise ConfigError("config.host-prefix", key=where)
        if not isinstance(raw, Mapping) or not set(raw) <= {"kind", "url", "token-env"}:
            raise ConfigError("config.host-table", key=where)
        kind, url, variable = raw.get("kind"), raw.get("url"), raw.get("token-env")
        if kind not in KINDS:
            raise ConfigError("config.host-kind", key=where, kinds=KINDS, kind=kind)
        try:
            if not isinstance(url, str) or Address.of(url).login() or Address.of(url) != url:
                raise ConfigError("config.host-url", key=where)
        except UsageError as error:
            raise ConfigError("config.host-url-invalid", key=where, cause=error) from None
        token = ""
        if variable is not None:
            token = environ.get(str(variable), "")
            if not token:
                raise ConfigError("config.host-token", key=where, variable=variable)
        extra.append(Host(name, kind, url.rstrip("/"), token))
    tokens = {}
    for name in ("github", "gitlab", "codeberg", *table):
        variable = "UPYTOOL_TOKEN_" + re.sub(r"[^A-Z0-9]", "_", name.upper())
        public = f"{name.upper()}_TOKEN" if name in ("github", "gitlab", "codeberg") else ""
        tokens[name] = environ.get(variable) or environ.get(public) or ""
    return Hosts(extra, tokens)
