"""``python -m benchmarks.tool_selection``: how often the tools that a request needs are among those selected.

Recall@k is the share of the needed tools that are among the k best, the mean over the requests. Lexical is BM25 over
names, descriptions and parameters; dense is cosine of MiniLM vectors (``agentkit models pull minilm``); hybrid fuses
both. Times are of one request, on one thread; building counts reading schemas and, for dense, making the vectors.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import mean, median
from typing import Literal

from agentkit.embeddings import MiniLM
from agentkit.protocols import Embedder
from agentkit.tools.selection import ToolIndex
from benchmarks.inventories import Asked, Inventory, berkeley, generated

KS = (5, 10, 20)


WAYS: tuple[tuple[str, Literal["words", "meaning", "both"]], ...] = (
    ("lexical", "words"),
    ("dense", "meaning"),
    ("hybrid", "both"),
)


@dataclass(frozen=True, slots=True)
class Row:
    """What one way of searching achieves on one set of requests.

    Attributes:
        inventory: Its name.
        requests: The set's name.
        way: ``lexical``, ``dense`` or ``hybrid``.
        tools: How many there are.
        asked: How many requests.
        recall: By k.
        milliseconds: Of one request, the median.
        build_seconds: Of making the index that this way needs.
        peak_megabytes: By which the process had grown at most when the index was made, the embedder's work included.
    """

    inventory: str
    requests: str
    way: str
    tools: int
    asked: int
    recall: dict[int, float]
    milliseconds: float
    build_seconds: float
    peak_megabytes: float


async def measure(inventory: Inventory, embedder: Embedder | None) -> list[Row]:
    """A row for each set of requests and way of searching; without an embedder, by words alone."""
    rows = []
    if embedder is not None:
        await embedder.embed(["warm up"])
    for ways, used in ((WAYS[:1], None), (WAYS[1:], embedder)):
        if used is None and ways[0][0] != "lexical":
            continue
        before, began = _peak(), time.perf_counter()
        index = ToolIndex(inventory.tools, used)
        await index.build()
        built = time.perf_counter() - began, (_peak() - before) / 1024
        for name, requests in inventory.requests.items():
            for way, by in ways:
                recall, milliseconds = await _searched(index, by, requests)
                tools, asked = len(inventory.tools), len(requests)
                rows.append(Row(inventory.name, name, way, tools, asked, recall, milliseconds, *built))
    return rows


async def _searched(
    index: ToolIndex, by: Literal["words", "meaning", "both"], requests: Sequence[Asked]
) -> tuple[dict[int, float], float]:
    """Recall by k, and the median of milliseconds."""
    taken, found = [], []
    for asked in requests:
        began = time.perf_counter()
        ranked = await index.rank(asked.text, max(KS), by=by)
        taken.append(time.perf_counter() - began)
        found.append([one.tool for one in ranked])
    recall = {k: mean(recall_at(k, *pair) for pair in zip(requests, found, strict=True)) for k in KS}
    return recall, median(taken) * 1000


def recall_at(k: int, asked: Asked, ranked: Sequence[str]) -> float:
    """The share of the needed tools that are among the first `k`."""
    return len(asked.tools & set(ranked[:k])) / len(asked.tools)


def _peak() -> int:
    """The most memory that the process has had, in KiB (as Linux counts it)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tool_selection", description=__doc__)
    parser.add_argument("--bfcl", metavar="WHEEL", help="measure on the functions of this bfcl-eval wheel too")
    parser.add_argument("--requests", type=int, default=500, help="requests an inventory (500)")
    parser.add_argument("--words", action="store_true", help="lexical only, which needs no embedding model")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    inventories = [generated(options.requests)]
    if options.bfcl:
        inventories.append(berkeley(options.bfcl, options.requests))
    rows = []
    for inventory in inventories:
        rows += asyncio.run(measure(inventory, None if options.words else MiniLM()))
    if options.json:
        print(json.dumps([asdict(row) for row in rows]))
        return
    print("| inventory | requests | way | recall@5 | recall@10 | recall@20 | ms a request | s to build | peak MB |")
    print("|---|---|---|---|---|---|---|---|---|")
    for row in sorted(rows, key=lambda row: (row.inventory != "generated", row.requests)):
        recall = " | ".join(f"{row.recall[k]:.3f}" for k in KS)
        print(
            f"| {row.inventory}, {row.tools:,} tools | {row.requests}, {row.asked} | {row.way} | {recall} "
            f"| {row.milliseconds:.1f} | {row.build_seconds:.1f} | {row.peak_megabytes:.0f} |"
        )


if __name__ == "__main__":
    main()
