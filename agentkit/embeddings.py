"""Embeddings: texts as vectors whose directions tell what the texts are about.

The default needs no network: `MiniLM` runs on this machine once ``agentkit models pull minilm`` has fetched it.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeAlias

from agentkit.errors import DefinitionError, MissingDependencyError
from agentkit.models.catalogue import MINILM, is_pulled, not_here, weights_path
from agentkit.models.openai_embeddings import OpenAIEmbedder
from agentkit.protocols import Embedder

__all__ = ["EmbedFunction", "Embedder", "FunctionEmbedder", "MiniLM", "OpenAIEmbedder"]

EmbedFunction: TypeAlias = Callable[[Sequence[str]], Sequence[Sequence[float]] | Awaitable[Sequence[Sequence[float]]]]
"""``embed(texts)``, plain or ``async``: a vector for each text."""

_BATCH = 32


class FunctionEmbedder:
    """Embeddings that a function makes.

    Args:
        function: Gives a vector for each text. A plain function runs in a thread.
        name: What to keep beside the vectors; change it when the function changes.
        dimension: Numbers of a vector.
    """

    def __init__(self, function: EmbedFunction, *, name: str, dimension: int) -> None:
        self.name = name
        self.dimension = dimension
        self._function = function

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """A vector for each text.

        Raises:
            DefinitionError: The function gave another number of vectors, or vectors of another length.
        """
        if inspect.iscoroutinefunction(self._function):
            found = await self._function(texts)
        else:
            found = await asyncio.to_thread(self._function, texts)
        vectors = [[float(number) for number in vector] for vector in found]
        lengths = {len(vector) for vector in vectors}
        if len(vectors) != len(texts) or lengths - {self.dimension}:
            raise DefinitionError(
                f"the embedding function {self.name!r} must give {len(texts)} vectors of {self.dimension} numbers; "
                f"it gave {len(vectors)}, of {sorted(lengths)} numbers."
            )
        return vectors


class MiniLM:
    """all-MiniLM-L6-v2 on this machine: 384 numbers of length 1, texts cut off at 256 tokens.

    The network (int8) is loaded by the first call and shared by all `MiniLM` objects. About 10 ms a short sentence.

    Args:
        threads: Processor cores that one call may use; by default one.
    """

    name = "minilm"
    dimension = MINILM.dimension

    def __init__(self, *, threads: int = 1) -> None:
        self._threads = threads

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """A vector for each text.

        Raises:
            DefinitionError: The weights are not on this machine; the message says how to fetch them.
            MissingDependencyError: onnxruntime, tokenizers or numpy is not installed.
        """
        if not texts:
            return []
        return await asyncio.to_thread(self._embed, list(texts))

    def _embed(self, texts: list[str]) -> list[list[float]]:
        network = _network(self._threads)
        order = sorted(range(len(texts)), key=lambda index: len(texts[index]))  # alike lengths need little padding
        vectors: list[list[float]] = [[]] * len(texts)
        for start in range(0, len(order), _BATCH):
            batch = order[start : start + _BATCH]
            for index, vector in zip(batch, network([texts[index] for index in batch]), strict=True):
                vectors[index] = vector
        return vectors


_networks: dict[int, _Network] = {}
_loading = threading.Lock()


def _network(threads: int) -> _Network:
    with _loading:
        if threads not in _networks:
            _networks[threads] = _Network(threads)
        return _networks[threads]


class _Network:
    def __init__(self, threads: int) -> None:
        for file in MINILM.files:
            if not is_pulled(file):
                raise not_here(file)
        os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # read when onnxruntime is imported
        try:
            import onnxruntime
            import tokenizers
        except ModuleNotFoundError as error:
            raise MissingDependencyError(
                f"the embedding model {MINILM.name!r} needs the package {error.name!r}; "
                "install it with: pip install 'agentkit-plans[memory]'"
            ) from None
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        path = str(weights_path(MINILM.model))
        self._session: Any = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self._tokenizer: Any = tokenizers.Tokenizer.from_file(str(weights_path(MINILM.tokenizer)))
        self._tokenizer.enable_truncation(MINILM.max_tokens)
        self._tokenizer.enable_padding()

    def __call__(self, texts: list[str]) -> list[list[float]]:
        """The mean of the tokens' vectors, brought to length 1, as the model was trained."""
        import numpy as np

        encoded = self._tokenizer.encode_batch(texts)
        ids = np.array([one.ids for one in encoded], dtype=np.int64)
        mask = np.array([one.attention_mask for one in encoded], dtype=np.int64)
        inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        states = self._session.run(None, inputs)[0]
        weights = mask[:, :, None].astype(np.float32)
        means = (states * weights).sum(axis=1) / weights.sum(axis=1)
        vectors: list[list[float]] = (means / np.linalg.norm(means, axis=1, keepdims=True)).tolist()
        return vectors
