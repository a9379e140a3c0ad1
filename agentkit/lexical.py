"""Finding texts by their words: BM25 on SQLite's FTS5, incremental, in a file or in memory.

Source: Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond" (2009); rank fusion:
Cormack, Clarke and Büttcher, "Reciprocal Rank Fusion outperforms Condorcet" (2009).
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from agentkit.errors import DefinitionError

__all__ = ["STOP_WORDS", "Entry", "LexicalHit", "LexicalIndex", "query_words", "reciprocal_rank_fusion"]

Key = TypeVar("Key", bound=Hashable)

MAX_QUERY_WORDS = 32
"""Words of a query that are looked for: its rarest ones."""

MAX_OCCURRENCES = 5_000
"""Texts that the words of a query may be in, together: the commonest words tell least, cost most and are left out."""

_MOST_COUNTS = 10_000

_WORD = re.compile(r"\w+")
_NO_SPACES = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Myanmar, Khmer
    "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Japanese, Chinese
)
_UNSPACED = re.compile(f"([{_NO_SPACES}])")
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_STOP_WORDS = """
a about am an and any are as at be been but by can could did do does for from had has have he her his how i if in into
is it its me my of on or our she should so some than that the their them then there these they this those to us was we
were what when where which who whom whose why with would you your
"""
STOP_WORDS = frozenset(_STOP_WORDS.split())
"""English words that say nothing of what a text is about. A query that has others is searched without them."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A text to be found.

    Attributes:
        key: Its name in the index.
        text: What is searched.
        group: Part of the index that it belongs to, of letters and digits; searches may be kept to groups.
    """

    key: str
    text: str
    group: str = ""


@dataclass(frozen=True, slots=True)
class LexicalHit:
    """A text that was found: its key, and its BM25 score (larger is better)."""

    key: str
    score: float


class LexicalIndex:
    """Texts by key, searched by words. English endings are ignored, and so are case and accents.

    Scripts that are written without spaces (Chinese, Japanese, Thai …) are searched character by character.

    Args:
        database: A file; ``:memory:``; or an open connection, whose transactions the index then takes part in:
            the caller commits, and may name its own tables in `search`.
        name: Of the index in the database, in lower case: its tables begin with it.
    """

    def __init__(self, database: str | Path | sqlite3.Connection = ":memory:", *, name: str = "lexical") -> None:
        if not _NAME.fullmatch(name):
            raise DefinitionError(f"a lexical index is called by lower-case letters, digits and _, not {name!r}.")
        self._owned = not isinstance(database, sqlite3.Connection)
        if isinstance(database, sqlite3.Connection):
            self._db = database
        else:
            self._db = sqlite3.connect(database, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA secure_delete = ON")
        self._keys, self._words = f"{name}_keys", f"{name}_words"
        self._counts: dict[str, tuple[int, int]] = {}
        self._create()

    def _create(self) -> None:
        self._db.execute(
            f"CREATE TABLE IF NOT EXISTS {self._keys} (number INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE)"
        )
        self._db.execute(
            f"CREATE VIRTUAL TABLE IF NOT EXISTS {self._words} USING fts5("
            "place, text, tokenize = 'porter unicode61 remove_diacritics 2')"
        )
        self._done()

    def __len__(self) -> int:
        return int(self._db.execute(f"SELECT count(*) FROM {self._keys}").fetchone()[0])

    def add(self, entries: Iterable[Entry]) -> None:
        """Put texts in; one with a known key replaces the earlier text."""
        entries = list(entries)
        self.remove([entry.key for entry in entries])
        cursor = self._db.cursor()
        for entry in {entry.key: entry for entry in entries}.values():
            cursor.execute(f"INSERT INTO {self._keys} (key) VALUES (?)", (entry.key,))
            cursor.execute(
                f"INSERT INTO {self._words} (rowid, place, text) VALUES (?, ?, ?)",
                (cursor.lastrowid, _place(entry.group), _spaced(entry.text)),
            )
        self._done()

    def remove(self, keys: Iterable[str]) -> None:
        """Take texts out; unknown keys are ignored. Their words stay in the file until `purge`."""
        for key in keys:
            row = self._db.execute(f"SELECT number FROM {self._keys} WHERE key = ?", (key,)).fetchone()
            if row is not None:
                self._db.execute(f"DELETE FROM {self._words} WHERE rowid = ?", row)
                self._db.execute(f"DELETE FROM {self._keys} WHERE number = ?", row)
        self._done()

    def clear(self) -> None:
        """Take every text out, and make the index anew."""
        self._db.execute(f"DROP TABLE {self._words}")
        self._db.execute(f"DROP TABLE {self._keys}")
        self._counts.clear()
        self._create()

    def purge(self) -> None:
        """Rewrite the index without the words of removed texts, so that the file holds no trace of them."""
        self._db.execute(f"INSERT INTO {self._words} ({self._words}) VALUES ('optimize')")
        self._done()
        if self._owned:
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()

    def keys(self) -> set[str]:
        """The keys of all texts."""
        return {key for (key,) in self._db.execute(f"SELECT key FROM {self._keys}")}

    def text(self, key: str) -> str | None:
        """The text of a key as it is indexed, None if there is none."""
        row = self._db.execute(
            f"SELECT w.text FROM {self._keys} k JOIN {self._words} w ON w.rowid = k.number WHERE k.key = ?", (key,)
        ).fetchone()
        return None if row is None else str(row[0])

    def search(
        self,
        query: str,
        k: int = 10,
        *,
        keys: Collection[str] | None = None,
        groups: Collection[str] | None = None,
        join: str = "",
        parameters: Sequence[object] = (),
    ) -> list[LexicalHit]:
        """The texts with words of `query`, best first. Any text is a valid query; its operators are only words.

        Args:
            query: What to look for.
            k: How many to return at most.
            keys: Look only at these.
            groups: Look only at these groups.
            join: SQL put after the index's own tables, to keep to rows of the caller's tables: ``k.key`` is the key,
                as in ``JOIN items i ON i.id = k.key AND i.price < ?``. Never made from what a user says.
            parameters: Values of the question marks in `join`.
        """
        words = self._telling(query_words(query))
        if not words or k <= 0 or (keys is not None and not keys) or (groups is not None and not groups):
            return []
        match = "text : (" + " OR ".join(f'"{word}"' for word in words) + ")"
        if groups is not None:
            match = "place : (" + " OR ".join(f'"{_place(group)}"' for group in groups) + f") AND {match}"
        if keys is not None:
            join = f"{self._among(keys)} {join}"
        found = f"SELECT {self._words}.rowid AS number, bm25({self._words}, 0.0, 1.0) AS score FROM {self._words}"
        if not join:  # a join costs a look-up a text that matches, so it comes last where it can
            found = f"SELECT k.key, f.score FROM ({found} WHERE {self._words} MATCH ? ORDER BY score LIMIT ?) f"
            rows = self._db.execute(f"{found} JOIN {self._keys} k ON k.number = f.number ORDER BY f.score", (match, k))
        else:
            found = f"SELECT k.key, f.score FROM ({found} WHERE {self._words} MATCH ?) f"
            rows = self._db.execute(
                f"{found} JOIN {self._keys} k ON k.number = f.number {join} ORDER BY f.score LIMIT ?",
                (match, *parameters, k),
            )
        return [LexicalHit(key, -score) for key, score in rows]

    def _among(self, keys: Collection[str]) -> str:
        """Put keys where SQL can join them."""
        self._db.execute("CREATE TEMP TABLE IF NOT EXISTS lexical_among (key TEXT PRIMARY KEY)")
        self._db.execute("DELETE FROM temp.lexical_among")
        self._db.executemany("INSERT OR IGNORE INTO temp.lexical_among VALUES (?)", ((key,) for key in keys))
        return "JOIN temp.lexical_among a ON a.key = k.key"

    def check(self) -> list[str]:
        """What is wrong inside the index, as sentences; empty if all is well."""
        problems = []
        try:
            self._db.execute(f"INSERT INTO {self._words} ({self._words}, rank) VALUES ('integrity-check', 1)")
        except sqlite3.DatabaseError as error:
            problems.append(f"the word index is damaged: {error}")
        texts = {row[0] for row in self._db.execute(f"SELECT rowid FROM {self._words}")}
        numbers = {row[0] for row in self._db.execute(f"SELECT number FROM {self._keys}")}
        if texts != numbers:
            problems.append(f"{len(texts ^ numbers)} texts of the word index have no key, or keys no text")
        return problems

    def close(self) -> None:
        """Close the database, if it was opened here."""
        if self._owned:
            self._db.close()

    def _telling(self, words: list[str]) -> list[str]:
        """The words worth looking for, rarest first."""
        words = [word for word in words if word not in STOP_WORDS] or words
        counted = sorted((self._texts_with(word), index) for index, word in enumerate(words))
        telling: list[str] = []
        left = MAX_OCCURRENCES
        for count, index in counted:
            if count and (count <= left or not telling):
                telling.append(words[index])
                left -= count
        return telling[:MAX_QUERY_WORDS]

    def _texts_with(self, word: str) -> int:
        """How many texts have a word, about: it is counted anew when the index has grown by a tenth."""
        total = self._total()
        count, then = self._counts.get(word, (0, -1))
        if then < 0 or not count or abs(total - then) > then // 10:
            row = self._db.execute(
                f"SELECT count(*) FROM (SELECT 1 FROM {self._words} WHERE {self._words} MATCH ? LIMIT ?)",
                (f'text : "{word}"', MAX_OCCURRENCES + 1),
            ).fetchone()
            count = int(row[0])
            if len(self._counts) >= _MOST_COUNTS:
                self._counts.clear()
            self._counts[word] = (count, total)
        return count

    def _total(self) -> int:
        """How many texts there are, about: the largest number, which costs nothing to find."""
        return int(self._db.execute(f"SELECT coalesce(max(number), 0) FROM {self._keys}").fetchone()[0])

    def _done(self) -> None:
        if self._owned:
            self._db.commit()


def query_words(text: str) -> list[str]:
    """The different words of `text`, in lower case and in their order, as an index compares them."""
    return list(dict.fromkeys(word for part in _WORD.findall(_spaced(text).lower()) for word in _plain(part)))


def reciprocal_rank_fusion(rankings: Iterable[Sequence[Key]], *, k: int = 60) -> list[tuple[Key, float]]:
    """One ranking from several: each item scores the sum of ``1 / (k + rank)``, with ranks from 1.

    Args:
        rankings: Each best first; an item may be missing from some.
        k: How little the first places stand out.

    Returns:
        Items with their scores, best first; of equals, the one seen first.
    """
    scores: dict[Key, float] = {}
    for ranking in rankings:
        for rank, item in enumerate(dict.fromkeys(ranking), start=1):
            scores[item] = scores.get(item, 0.0) + 1.0 / (k + rank)
    return sorted(scores.items(), key=lambda pair: -pair[1])


def _spaced(text: str) -> str:
    return _UNSPACED.sub(r" \1 ", text.replace("\0", " "))


def _plain(word: str) -> list[str]:
    return [part for part in word.split("_") if part]


def _place(group: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9]*", group):
        raise DefinitionError(f"the group of a text must be letters and digits, not {group!r}.")
    return f"group{group}"
