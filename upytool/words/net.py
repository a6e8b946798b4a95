"""What the net room says when something fails."""

from __future__ import annotations

ERRORS: dict[str, tuple[str, ...]] = {
    "network.address": ("{cause}",),
    "network.connect": ("no connection to {host}",),
    "network.cut": ("{url} ended early", "try again later"),
    "network.damaged": ("{url} arrived damaged: {reason}",),
    "network.encoding": ("{url} comes in the encoding {coding!r}, which was not requested",),
    "network.failed": ("cannot fetch {url}: {reason}",),
    "network.host": ("host not found: {host}",),
    "network.not-found": ("{url} not found (404)",),
    "network.not-http": ("{url} does not answer as a web server does", "check the address and the port"),
    "network.not-modified": ("{url} answers that nothing has changed (304), which was not asked",),
    "network.proxy": ("the proxy does not connect to {host}: {reason}",),
    "network.redirect": ("{url} redirects to an unusable address: {cause}",),
    "network.redirect-insecure": ("{url} redirects to {target}, which is not encrypted",),
    "network.redirects": ("{url} redirects more than {limit} times",),
    "network.refused": ("{url} refuses access ({status})",),
    "network.socks": (
        "the proxy {host} is a SOCKS proxy, which is not supported",
        "set HTTPS_PROXY to an http:// proxy, or NO_PROXY for this host",
    ),
    "network.status": ("{url} answers with HTTP status {status}", "try again later"),
    "network.timeout": ("{url} timed out",),
    "network.tls": (
        "the secure connection to {host} failed: {reason}",
        "if {host} has a certificate of your own, name its file in SSL_CERT_FILE",
    ),
    "network.too-much": ("fetching {url} was aborted: {reason}", "try again later, or use another source"),
    "network.too-slow": (
        "{url} is too slow: not complete after {seconds:g} s",
        "try again later, or get the file another way and use it from its path",
    ),
    "network.unusable-url": ("{url} is not a usable address",),
    "network.url": ("{url} is not a usable address: {reason}",),
    "offline.files": (
        "{count} of {total} files are not in the cache: {urls}",
        "run the same command once without --offline",
    ),
    "offline.many-files": (
        "of {total} files these are not in the cache: {urls} and {more} more",
        "run the same command once without --offline",
    ),
    "offline.url": (
        "{url} is not in the cache, and --offline does not allow fetching it",
        "run the same command once without --offline",
    ),
    "package.cache": (
        "cannot write the download cache {path}: {reason}",
        "free some space there, or name another directory for the cache",
    ),
    "package.not-on-disk": ("{path} does not exist on this computer",),
    "package.too-large": ("{url} is larger than {limit:,} bytes",),
    "package.too-large-together": ("the files are more than {limit:,} bytes together",),
    "usage.url": ("{url!r} is not an address: {reason}",),
    "usage.url-characters": ("{url!r} is not an address: it holds a character that no address has",),
    "usage.url-scheme": ("{url!r} is not an address: it does not begin with http:// or https:// and a host",),
}

NOTES: dict[str, str] = {
    "net.check-name": "check the name, the path and the ref",
    "net.denied": "the server does not give you access to it",
    "net.given-up": "the download was given up",
    "net.not-in-time": "{what} did not end in time",
    "net.offline": "check the network connection; with --offline only the cache is used",
    "net.private-host": "a private host needs its token in the environment: docs/guides/packages.md, Private hosts",
    "net.proxy-settings": "the proxy comes from the system's settings",
    "net.proxy-variables": "the proxy comes from {names}",
    "net.secret-not-stored": "its password or token was not stored: write the whole address again",
    "net.too-long": "{what} is too long",
}
