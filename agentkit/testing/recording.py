"""A model that records the replies of another one to a file, and gives them again without it."""

from __future__ import annotations

from pathlib import Path

from agentkit.models.cassette import CassetteModel
from agentkit.protocols import Model


class RecordedModel(CassetteModel):
    """A `CassetteModel` that records when given a model, and replays when not.

    Args:
        path: The file.
        model: The model to record; None replays.
    """

    def __init__(self, path: str | Path, model: Model | None = None) -> None:
        super().__init__(path, model, mode="replay" if model is None else "record")
