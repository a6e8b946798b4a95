"""Did you mean ...? For commands, options, topics, settings, aliases."""

from __future__ import annotations

from collections.abc import Iterable

from ..words import Said

# What loses something, or the question before it, is only ever typed in full: never suggested, never completed
# from its beginning.
DESTRUCTIVE = frozenset(
    (
        "erase", "wipe", "rm", "rmdir", "uninstall", "clean",
        "--yes", "-y", "--force", "-f", "--delete", "--erase", "--erase-fs", "--in-place", "--no-verify",
    )
)  # fmt: skip


def closest(word: str, known: Iterable[str], count: int = 3) -> list[str]:
    """The known words nearest to `word`, best first; those far behind the best, and destructive ones, are left out."""
    from difflib import SequenceMatcher, get_close_matches

    near = get_close_matches(word, [each for each in known if each not in DESTRUCTIVE], count, 0.6)
    scores = [SequenceMatcher(None, word, each).ratio() for each in near]
    return [each for each, score in zip(near, scores, strict=True) if score > scores[0] - 0.15]


def did_you_mean(word: str, known: Iterable[str], otherwise: Said) -> Said:
    """A hint: `did you mean cp or cat?`, or `otherwise` where nothing is near."""
    *first, last = closest(word, known) or [""]
    if not last:
        return otherwise
    return Said("cli.did-you-mean-one", names=first, last=last) if first else Said("cli.did-you-mean", name=last)
