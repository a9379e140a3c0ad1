"""``python -m benchmarks``: every speed measure, as a table or as one JSON object."""

from __future__ import annotations

import argparse
import json
import sys

from benchmarks.speed import MEASURES, Figure


def main() -> None:
    """Run the measures named (all by default) and print them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("measures", nargs="*", metavar="MEASURE", help=f"one or more of: {', '.join(MEASURES)}")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    unknown = [name for name in options.measures if name not in MEASURES]
    if unknown:
        parser.error(f"unknown measure {unknown[0]!r}; choose from {', '.join(MEASURES)}")
    figures: dict[str, Figure] = {}
    for name in options.measures or MEASURES:
        print(f"measuring {name} …", file=sys.stderr, flush=True)
        figures[name] = MEASURES[name]()
    if options.json:
        rows = {n: {"agentkit": f.agentkit, "asyncio": f.asyncio, "unit": f.unit} for n, f in figures.items()}
        print(json.dumps(rows))
        return
    print(f"{'measure':<16} {'agentkit':>10} {'asyncio':>10} {'target':>10} unit")
    for name, figure in figures.items():
        raw = "" if figure.asyncio is None else f"{figure.asyncio:10.3g}"
        mark = "" if figure.agentkit <= figure.target else "  ABOVE TARGET"
        note = f"  ({figure.note})" if figure.note else ""
        print(f"{name:<16} {figure.agentkit:>10.3g} {raw:>10} {figure.target:>10.3g} {figure.unit}{mark}{note}")


if __name__ == "__main__":
    main()
