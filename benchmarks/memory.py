"""``python -m benchmarks.memory``: what memory recalls, how true it is kept, and how fast it is at up to 100,000."""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any, get_args

from agentkit.embeddings import MiniLM
from agentkit.evals.memory_decisions import Sort, decision_samples, evaluate_decisions
from agentkit.evals.memory_set import WAYS, QuestionType, evaluate_recall, fill, joined, memory_set
from agentkit.evals.memory_updates import Change, all_together, evaluate_updates
from agentkit.limits import Limits
from agentkit.memory import (
    ChromaStore,
    Decider,
    Grammar,
    LongTermMemory,
    Memory,
    MemoryStore,
    ModelDecider,
    Scope,
    SqliteStore,
)
from agentkit.models import resolve_model
from agentkit.run import Run

SEEDS = (7, 11, 12, 13)
"""Of the sets that figures are reported on. What the memory does was chosen by looking at the seeds 1 to 4."""

SIZES = (10_000, 100_000)
TARGETS = {10_000: 15.0, 100_000: 40.0}
"""Milliseconds that a recall may take at the median, without the embedding of the query."""

INGEST_TARGET = 500
"""Short memories a second, without embedding."""

COLUMNS = {
    "ingest": "ingest, 1/s",
    "ingest_cpu": "1/CPU s",
    "single": "one add, ms",
    "recall": "recall p50, ms",
    "recall_cpu": "CPU ms",
    "filtered": "with `where` p50, ms",
    "filtered_cpu": "CPU ms",
    "nearest": "nearest@10",
    "delete": "delete, ms",
    "ram": "RAM, MB",
    "disk": "disk, MB",
}
"""Figures in their order. CPU time is what remains on a machine that is busy with other things."""

_UNLIMITED = Limits(model_calls=None, tokens=None)
STORES = ("sqlite", "chroma")
USER = Scope("user")
DIMENSION = 384
_BATCH = 1_000
_ASKED = 60
_AREAS = 40
_TOPICS = 500
_SHARES = (0.25, 0.35, 0.4)
"""Of a vector's squared length: its area's, its topic's, its own. Cosines are 0.6 in a topic, 0.25 in an area."""


class Stopwatch:
    """Seconds that pass, and seconds of this process on all processors, less those of making vectors."""

    def __init__(self, embedder: Synthetic) -> None:
        self._embedder = embedder
        self._wall, self._cpu = self._now()

    def _now(self) -> tuple[float, float]:
        return time.perf_counter() - self._embedder.wall, time.process_time() - self._embedder.cpu

    def read(self) -> tuple[float, float]:
        """Seconds, and processor seconds."""
        wall, cpu = self._now()
        return wall - self._wall, cpu - self._cpu


class Synthetic:
    """Vectors as texts have them: areas, topics in these, and what is a text's own, mostly in few directions.

    A text's topic is its first word; equal texts have equal vectors. It counts the time that it takes itself.
    """

    name = "synthetic"
    dimension = DIMENSION

    def __init__(self) -> None:
        import numpy as np

        self.wall = self.cpu = 0.0
        random = np.random.default_rng(1)
        areas = random.normal(size=(_AREAS, DIMENSION))[random.integers(_AREAS, size=_TOPICS)]
        area, topic, own = np.sqrt(_SHARES)
        self._centres = area * areas + topic * random.normal(size=(_TOPICS, DIMENSION))
        sizes = np.arange(1, DIMENSION + 1) ** -0.35
        turned, _ = np.linalg.qr(random.normal(size=(DIMENSION, DIMENSION)))
        self._directions = own * np.sqrt(DIMENSION / np.sum(sizes**2)) * sizes[:, None] * turned

    def matrix(self, texts: Sequence[str]) -> Any:
        """The vectors of texts, as rows of length 1."""
        import numpy as np

        topics = [int(text.partition(" ")[0].removeprefix("topic")) for text in texts]
        own = np.stack([np.random.default_rng(zlib.crc32(text.encode())).normal(size=DIMENSION) for text in texts])
        vectors = self._centres[topics] + own @ self._directions
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """The vectors of texts."""
        wall, cpu = time.perf_counter(), time.process_time()
        found: list[list[float]] = self.matrix(texts).tolist()
        self.wall += time.perf_counter() - wall
        self.cpu += time.process_time() - cpu
        return found


def texts(count: int) -> list[str]:
    """Short texts of a vocabulary in which few words are frequent."""
    import random

    chosen = random.Random(2)
    common = ["the", "of", "and", "is", "in", "user"]

    def word() -> str:
        return chosen.choice(common) if chosen.random() < 0.35 else f"w{min(int(chosen.paretovariate(0.6)), 20_000)}"

    return [f"topic{chosen.randrange(_TOPICS)} " + " ".join(word() for _ in range(12)) for _ in range(count)]


def open_store(kind: str, folder: Path, embedder: Any) -> MemoryStore:
    """A fresh store."""
    return SqliteStore(folder / "memory.db", embedder) if kind == "sqlite" else ChromaStore(folder, embedder)


async def speed(kind: str, size: int) -> dict[str, float]:
    """Figures of one store at one size."""
    embedder = Synthetic()
    every = texts(size + 2 * _ASKED)
    kept, asked = every[:size], every[size:]
    with tempfile.TemporaryDirectory() as name:
        before = _megabytes()
        store = open_store(kind, Path(name), embedder)
        figures = await _ingest(store, embedder, kept)
        memory = LongTermMemory(store)
        figures |= await _milliseconds(memory, embedder, asked, "recall")
        figures |= await _milliseconds(memory, embedder, asked, "filtered", where={"even": True})
        figures["ram"] = _megabytes() - before
        figures["nearest"] = await _nearest(store, embedder, kept, asked[_ASKED:])
        figures["single"] = await _single(store, embedder)
        watch = Stopwatch(embedder)
        (last,) = await store.list(scope=USER, limit=1)
        await store.delete(last.id, scope=USER)
        figures["delete"] = watch.read()[0] * 1e3
        await store.aclose()
        figures["disk"] = sum(file.stat().st_size for file in _files(Path(name))) / 1e6
    return figures


async def _ingest(store: MemoryStore, embedder: Synthetic, texts: Sequence[str]) -> dict[str, float]:
    watch = Stopwatch(embedder)
    for start in range(0, len(texts), _BATCH):
        memories = (
            Memory(text=text, scope=USER, created=1e9 + start + place, metadata={"even": place % 2 == 0})
            for place, text in enumerate(texts[start : start + _BATCH])
        )
        await store.add(*memories, scope=USER)
    wall, cpu = watch.read()
    return {"ingest": len(texts) / wall, "ingest_cpu": len(texts) / cpu}


async def _nearest(store: MemoryStore, embedder: Synthetic, kept: Sequence[str], asked: Sequence[str]) -> float:
    """The share of the ten nearest vectors that a search finds."""
    import numpy as np

    queries = embedder.matrix(asked)
    scores = np.vstack([embedder.matrix(kept[at : at + _BATCH]) @ queries.T for at in range(0, len(kept), _BATCH)])
    found = 0
    for query, column in zip(queries, scores.T, strict=True):
        matches = await store.search_meaning(query.tolist(), scope=USER, k=10)
        found += len({kept[row] for row in np.argsort(-column)[:10]} & {match.memory.text for match in matches})
    return found / (10 * len(asked))


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def _milliseconds(
    memory: LongTermMemory, embedder: Synthetic, queries: Sequence[str], name: str, **more: Any
) -> dict[str, float]:
    """The medians of a recall's time and processor time, after as many to warm up."""
    taken = []
    for query in queries:
        watch = Stopwatch(embedder)
        await memory.recall(query, scope=USER, k=10, **more)
        taken.append(watch.read())
    wall, cpu = (median(times[_ASKED:]) * 1e3 for times in zip(*taken, strict=True))
    return {name: wall, f"{name}_cpu": cpu}


async def _single(store: MemoryStore, embedder: Synthetic) -> float:
    taken = []
    for text in texts(50):
        watch = Stopwatch(embedder)
        await store.add(Memory(text=text, scope=USER), scope=USER)
        taken.append(watch.read()[0])
    return median(taken) * 1e3


def _megabytes() -> float:
    for line in Path("/proc/self/status").read_text().splitlines() if Path("/proc/self/status").exists() else ():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1e3
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def print_speed(sizes: Sequence[int]) -> None:
    """One row a store and size; each is measured in a process of its own."""
    print("| store | memories | " + " | ".join(COLUMNS.values()) + " |")
    print("|---" * (2 + len(COLUMNS)) + "|")
    for size in sizes:
        for kind in STORES:
            command = [sys.executable, "-m", "benchmarks.memory", "--one", kind, str(size)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            figures = json.loads(done.stdout)
            cells = [_cell(figures[name]) for name in COLUMNS]
            late = figures["recall"] > TARGETS.get(size, 1e9) or figures["ingest"] < INGEST_TARGET
            print(f"| {kind} | {size:,} | {' | '.join(cells)} |{' ABOVE TARGET' if late else ''}", flush=True)
    print(f"\nLoad average {os.getloadavg()[1]:.1f} on {os.cpu_count()} processors.")


def _cell(figure: float) -> str:
    """Three digits of what is small, else two or more."""
    return f"{figure:,.0f}" if figure >= 20 else f"{figure:.3g}" if figure < 1 else f"{figure:.1f}"


async def print_quality(people: int, seeds: Sequence[int]) -> None:
    """One row a way to recall, over all questions of several sets."""
    sets = [memory_set(seed=seed, people=people) for seed in seeds]
    stores = [SqliteStore(":memory:", MiniLM()) for _ in sets]
    started = time.perf_counter()
    for store, generated in zip(stores, sets, strict=True):
        await fill(store, generated.memories)
    took = time.perf_counter() - started
    told, asked = (len(sets[0].memories), sum(len(generated.questions) for generated in sets))
    numbers = ", ".join(map(str, seeds))
    print(f"{told:,} memories a set (embedded in {took:.0f} s), {asked:,} questions, seeds {numbers}\n")
    kinds: tuple[QuestionType, ...] = get_args(QuestionType)
    print("| | recall@1 | recall@5 | recall@10 | " + " | ".join(f"{kind}@5" for kind in kinds) + " |")
    print("|---" * (4 + len(kinds)) + "|")
    for way in WAYS:
        pairs = zip(stores, sets, strict=True)
        report = joined([await evaluate_recall(store, generated.questions, way) for store, generated in pairs])
        shares = [report.recall_at(k) for k in (1, 5, 10)] + [report.recall_at(5, kind) for kind in kinds]
        print(f"| {way.name} | " + " | ".join(f"{share:.2f}" for share in shares) + " |", flush=True)
    for store in stores:
        await store.aclose()


async def print_updates(people: int) -> None:
    """One row a way to keep memory true, over several sets."""
    changes: tuple[Change, ...] = get_args(Change)
    print("| | " + " | ".join(changes) + " | a memory, ms |")
    print("|---" * (2 + len(changes)) + "|")
    for name, one_value in (("rules", False), ("rules, told that everything has one value", True)):
        started = time.perf_counter()
        sets = [
            await evaluate_updates(people=people, seed=seed, one_value=one_value, embedder=MiniLM()) for seed in SEEDS
        ]
        count = sum(len(memory_set(people=people, seed=seed).memories) for seed in SEEDS)
        took = (time.perf_counter() - started) / count
        shares = [all_together(sets).accuracy(change) for change in changes]
        cells = ["–" if math.isnan(share) else f"{share:.2f}" for share in shares]
        print(f"| {name} | {' | '.join(cells)} | {took * 1e3:,.1f} |", flush=True)


async def print_decisions(samples: int, seed: int, model: str | None, *, show: bool) -> None:
    """One row a way to decide about single sentences."""
    sorts: tuple[Sort, ...] = get_args(Sort)
    asked = decision_samples(samples, seed=seed, people=max(8, samples // 3))
    print(f"| {len(asked)} decisions | right | " + " | ".join(sorts) + " | calls | tokens in | tokens out | s each |")
    print("|---" * (6 + len(sorts)) + "|")
    deciders: dict[str, Decider | None] = {"rules": None}
    if model is not None:
        deciders |= {f"{model} alone": ModelDecider(grammar=Grammar(())), f"rules, then {model}": ModelDecider()}
    for name, decider in deciders.items():
        run = Run(model=None if decider is None else resolve_model(model or ""), limits=_UNLIMITED)
        report = await evaluate_decisions(asked, decide=decider, embedder=MiniLM(), run=run)
        shares = [report.accuracy(), *(report.accuracy(sort) for sort in sorts)]
        used = report.usage
        counts = [used.model_calls, used.input_tokens, used.output_tokens]
        cells = [f"{share:.2f}" for share in shares] + [f"{count:,}" for count in counts]
        print(f"| {name} | {' | '.join(cells)} | {sum(report.seconds) / len(asked):.2f} |", flush=True)
        for sample, decided, right in zip(report.samples, report.decided, report.right, strict=True):
            if show:
                known = [memory.text for memory in sample.known if memory.id == sample.target]
                print(f"  {right!s:5} {sample.sort:6} {sample.text} {known} -> {decided.action}: {decided.why}")


def main() -> None:
    """Print the tables, or what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="10,000 memories and fewer questions")
    parser.add_argument("--only", choices=("quality", "updates", "decisions", "speed"))
    parser.add_argument("--model", help="with --only decisions: the id of a model that decides, too")
    parser.add_argument("--samples", type=int, default=60, help="with --only decisions: how many")
    parser.add_argument("--show", action="store_true", help="with --only decisions: print each")
    parser.add_argument("--people", type=int, default=60, help="how many are spoken of in a set, up to 600")
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS, help="of the sets (7 11 12 13)")
    parser.add_argument("--one", nargs=2, metavar=("STORE", "SIZE"), help="one store at one size, as JSON")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(asyncio.run(speed(options.one[0], int(options.one[1])))))
        return
    people = 20 if options.quick else options.people
    if options.only in (None, "quality"):
        asyncio.run(print_quality(people, options.seeds))
        print()
    if options.only in (None, "updates"):
        asyncio.run(print_updates(people))
        print()
    if options.only in (None, "decisions"):
        asyncio.run(print_decisions(options.samples, options.seeds[0], options.model, show=options.show))
        print()
    if options.only in (None, "speed"):
        print_speed(SIZES[:1] if options.quick else SIZES)


if __name__ == "__main__":
    main()
