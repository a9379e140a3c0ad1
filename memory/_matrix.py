"""All vectors of a file as one matrix: exact search by one product, with the conditions that most searches have."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from agentkit.memory._database import Database
from agentkit.memory.records import KINDS, Filter

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_GROWTH = 1.5
_FEW = 8
_COLUMNS = "v.number, m.id, m.namespace, m.kind, m.valid_from, m.ends, v.vector"


class Matrix:
    """Vectors by row, with the columns that filters look at. It is read from the file and follows what is written.

    Args:
        dimension: Numbers of a vector.
    """

    def __init__(self, dimension: int) -> None:
        self._dimension = dimension
        self._clear(1024)

    def _clear(self, capacity: int) -> None:
        import numpy as np

        self._rows: dict[str, int] = {}
        self._ids: list[str] = []
        self._vectors: NDArray[np.float32] = np.zeros((capacity, self._dimension), dtype=np.float32)
        self._facts: NDArray[np.float64] = np.zeros((5, capacity))
        """Row number, namespace, kind, valid_from, ends."""

    def load(self, database: Database) -> None:
        """Read all vectors of a file."""
        count = database.value("SELECT count(*) FROM vectors")
        self._clear(int(count * _GROWTH) + 1024)
        for row in database.connection.execute(f"SELECT {_COLUMNS} FROM vectors v JOIN memories m USING (number)"):
            self._put(row)

    def follow(self, database: Database, ids: Collection[str]) -> None:
        """Read the vectors of memories again that were written or removed."""
        for id in ids:
            self._drop(id)
        for row in database.rows(
            f"SELECT {_COLUMNS} FROM json_each(?) j JOIN memories m ON m.id = j.value JOIN vectors v USING (number)",
            json.dumps(list(ids)),
        ):
            self._put(row)

    def _put(self, row: Sequence[Any]) -> None:
        import numpy as np

        number, id, namespace, kind, valid_from, ends, vector = row
        place = len(self._ids)
        if place == len(self._vectors):
            capacity = int(place * _GROWTH) + 1024
            self._vectors = np.resize(self._vectors, (capacity, self._dimension))
            self._facts = np.concatenate([self._facts, np.zeros((5, capacity - place))], axis=1)
        self._rows[id] = place
        self._ids.append(id)
        self._vectors[place] = np.frombuffer(vector, dtype=np.float32)
        self._facts[:, place] = (number, namespace, KINDS.index(kind), valid_from, ends)

    def _drop(self, id: str) -> None:
        place = self._rows.pop(id, None)
        if place is None:
            return
        last = self._ids.pop()
        if last != id:
            self._ids[place] = last
            self._rows[last] = place
            self._vectors[place] = self._vectors[len(self._ids)]
            self._facts[:, place] = self._facts[:, len(self._ids)]

    def search(
        self,
        vector: NDArray[np.float32],
        k: int,
        namespaces: Sequence[int],
        only: Filter,
        numbers: Sequence[int] | None,
    ) -> list[tuple[str, float]]:
        """The nearest rows of some owners that meet the times and kinds of a filter.

        Its other conditions are in `numbers`: the rows that meet them, or None.
        """
        import numpy as np

        size = len(self._ids)
        if not size or k <= 0:
            return []
        found = np.flatnonzero(self._mask(size, namespaces, only, numbers))
        # einsum stays in this thread: matmul's threads wait for each other, twenty times as long on a busy machine.
        if len(found) > size // 2:  # then one product over all is quicker than copying the rows out
            scores = np.einsum("ij,j->i", self._vectors[:size], vector)[found]
        else:
            scores = np.einsum("ij,j->i", self._vectors[found], vector)
        if len(scores) > k:
            best = np.argpartition(scores, -k)[-k:]
            found, scores = found[best], scores[best]
        return sorted(
            ((self._ids[row], float(score)) for row, score in zip(found, scores, strict=True)),
            key=lambda pair: (-pair[1], pair[0]),
        )

    def _mask(
        self, size: int, namespaces: Sequence[int], only: Filter, numbers: Sequence[int] | None
    ) -> NDArray[np.bool_]:
        import numpy as np

        row, namespace, kind, valid_from, ends = self._facts[:, :size]
        mask: NDArray[np.bool_] = np.zeros(size, dtype=np.bool_)
        if len(namespaces) > _FEW:
            mask = np.isin(namespace, namespaces)
        else:
            for number in namespaces:
                mask |= namespace == number
        if numbers is not None:
            mask &= np.isin(row, numbers)
        if only.kinds:
            mask &= np.isin(kind, [KINDS.index(name) for name in only.kinds])
        if only.since is not None:
            mask &= valid_from >= only.since
        if only.until is not None:
            mask &= valid_from < only.until
        if only.at is not None:
            mask &= (valid_from <= only.at) & (only.at < ends)
        return mask
