"""Local models: what is asked of llama.cpp, what is made of its answers, and how requests share one engine."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from agentkit.errors import (
    DefinitionError,
    MissingDependencyError,
    ModelFileError,
    ModelOutputError,
    ModelRefusedError,
    ModelUnavailableError,
)
from agentkit.messages import (
    GrammarOutput,
    JsonOutput,
    Message,
    ModelRequest,
    ModelResponse,
    ModelSettings,
    TextDelta,
    ToolCall,
    Usage,
    assistant,
    system,
    user,
)
from agentkit.models.catalogue import find_weights, is_pulled
from agentkit.models.local import LocalModel
from agentkit.models.safety import override_allow_model_requests
from agentkit.testing import block_network
from tests.conformance.model import ModelConformance, ModelFor
from tests.models.fake_llama import FakeLlama, answer, delta, usage

pytest.importorskip("llguidance", reason="local models need the extra 'local'")

ASK = ModelRequest((system("Be brief."), user("Say hello.")))


@pytest.fixture
def llama(monkeypatch: pytest.MonkeyPatch) -> FakeLlama:
    fake = FakeLlama()
    monkeypatch.setitem(sys.modules, "xllamacpp", fake.module())
    return fake


@pytest.fixture
def gguf(tmp_path: Path) -> Path:
    path = tmp_path / "some-model.gguf"
    path.write_bytes(b"GGUF and the rest")
    return path


@pytest.fixture
def model(llama: FakeLlama, gguf: Path) -> Iterator[LocalModel]:
    local = LocalModel(gguf)
    yield local
    llama.hold.set()
    local.close()


async def body_of(llama: FakeLlama, model: LocalModel, request: ModelRequest) -> dict[str, Any]:
    """What llama.cpp is asked for `request`."""
    await model.request(request)
    return llama.bodies[-1]


class TestNames:
    def test_a_model_of_the_catalogue_has_its_id_and_profile(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AGENTKIT_MODELS", "/models")
        model = LocalModel("qwen2.5-coder-0.5b")
        assert model.name == "local:qwen2.5-coder-0.5b"
        assert model.profile == find_weights("qwen2.5-coder-0.5b").profile
        assert model.path == Path("/models/qwen2.5-coder-0.5b-instruct-q4_k_m.gguf")
        assert repr(model) == "LocalModel('qwen2.5-coder-0.5b')"

    @pytest.mark.parametrize("path", ["/a/b.gguf", "b.gguf", "./b", "~/b", "a/b"])
    def test_a_path_needs_no_catalogue(self, path: str) -> None:
        model = LocalModel(path)
        assert model.name == f"local:{path}"
        assert model.path == Path(path).expanduser()

    def test_the_context_can_be_chosen(self) -> None:
        assert LocalModel("smollm2-135m", context=1024).profile.context_window == 1024

    def test_an_unknown_name_is_an_error_when_the_model_is_made(self) -> None:
        with pytest.raises(DefinitionError, match="did you mean 'smollm2-135m'"):
            LocalModel("smollm2")


class TestTokens:
    async def test_the_model_s_own_tokenizer_counts(self, model: LocalModel, llama: FakeLlama) -> None:
        assert await model.count_tokens(["one two", "", "three"]) == [2, 0, 1]
        assert llama.bodies == []
        assert len(llama.params) == 1

    async def test_weights_that_are_not_here_are_told(self, tmp_path: Path) -> None:
        with pytest.raises(DefinitionError, match="there is no file"):
            await LocalModel(tmp_path / "x.gguf").count_tokens(["one"])


class TestMissing:
    async def test_weights_that_are_not_here_say_how_to_fetch_them(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("AGENTKIT_MODELS", str(tmp_path))
        with pytest.raises(DefinitionError) as caught:
            await LocalModel("qwen2.5-coder-1.5b").request(ASK)
        assert str(caught.value) == (
            "local model 'qwen2.5-coder-1.5b' is not on this machine; fetch it with: "
            "agentkit models pull qwen2.5-coder-1.5b (1.1 GB)"
        )

    async def test_a_path_without_a_file_is_told(self, tmp_path: Path) -> None:
        path = tmp_path / "x.gguf"
        with pytest.raises(DefinitionError) as caught:
            await LocalModel(path).request(ASK)
        assert str(caught.value) == f"there is no file '{path}'; give the path of a GGUF file after 'local:'."

    async def test_a_file_of_another_kind_is_told(self, tmp_path: Path) -> None:
        path = tmp_path / "x.gguf"
        path.write_bytes(b"PK and so on")
        with pytest.raises(DefinitionError) as caught:
            await LocalModel(path).request(ASK)
        assert str(caught.value) == f"'{path}' is not a GGUF file; local models are GGUF files."

    @pytest.mark.parametrize("package", ["xllamacpp", "llguidance"])
    async def test_a_missing_package_says_what_to_install(
        self, model: LocalModel, monkeypatch: pytest.MonkeyPatch, package: str
    ) -> None:
        monkeypatch.setitem(sys.modules, package, None)
        with pytest.raises(MissingDependencyError) as caught:
            await model.request(ModelRequest(ASK.messages, output=GrammarOutput("start: /a/")))
        assert str(caught.value) == (
            f"local models need the package '{package}'; install it with: pip install 'agentkit-plans[local]'"
        )

    async def test_a_file_that_llama_cpp_cannot_load_is_told_and_can_be_tried_again(
        self, llama: FakeLlama, model: LocalModel
    ) -> None:
        llama.loads = False
        with pytest.raises(ModelFileError, match=r"^llama\.cpp cannot load '.*some-model\.gguf': it is damaged"):
            await model.request(ASK)
        llama.loads = True
        assert (await model.request(ASK)).text == "Hello, world"


class TestRequests:
    async def test_messages_settings_and_caching_are_passed_on(self, llama: FakeLlama, model: LocalModel) -> None:
        settings = ModelSettings(temperature=0.0, top_p=0.9, max_tokens=7, seed=3, stop=("END",))
        body = await body_of(llama, model, ModelRequest(ASK.messages, settings=settings))
        assert body["messages"] == [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Say hello."},
        ]
        assert (body["temperature"], body["top_p"], body["max_tokens"], body["seed"]) == (0.0, 0.9, 7, 3)
        assert body["stop"] == ["END"]
        assert body["cache_prompt"] is True

    async def test_what_is_not_set_is_left_to_the_engine(self, llama: FakeLlama, model: LocalModel) -> None:
        body = await body_of(llama, model, ASK)
        assert not {"temperature", "top_p", "max_tokens", "seed", "stop", "grammar"} & set(body)

    async def test_the_models_seed_stands_in_for_the_requests(self, llama: FakeLlama, gguf: Path) -> None:
        model = LocalModel(gguf, seed=5)
        assert (await body_of(llama, model, ASK))["seed"] == 5
        assert (await body_of(llama, model, ModelRequest(ASK.messages, settings=ModelSettings(seed=0))))["seed"] == 0
        model.close()

    async def test_a_prefix_is_the_assistants_unfinished_message(self, llama: FakeLlama, model: LocalModel) -> None:
        body = await body_of(llama, model, ModelRequest(ASK.messages, prefix="x = 1\n"))
        assert body["messages"][-1] == {"role": "assistant", "content": "x = 1\n"}
        assert body["stream"] is True

    async def test_a_schema_becomes_a_grammar_of_compact_json(self, llama: FakeLlama, model: LocalModel) -> None:
        schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
        grammar = (await body_of(llama, model, ModelRequest(ASK.messages, output=JsonOutput(schema))))["grammar"]
        head, _, sent = grammar.partition("start: %json ")
        assert head == "%llguidance {}\n"
        guidance = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
        assert json.loads(sent) == {**schema, "x-guidance": guidance}
        assert "x-guidance" not in schema

    @pytest.mark.parametrize("head", ["", "%llguidance {}\n"])
    async def test_a_lark_grammar_gets_the_head_that_it_needs_once(
        self, llama: FakeLlama, model: LocalModel, head: str
    ) -> None:
        output = GrammarOutput(f'{head}start: "a"')
        body = await body_of(llama, model, ModelRequest(ASK.messages, output=output))
        assert body["grammar"] == '%llguidance {}\nstart: "a"'

    async def test_tool_calls_of_the_past_are_told_in_llama_cpps_form(
        self, llama: FakeLlama, model: LocalModel
    ) -> None:
        called = Message("assistant", tool_calls=(ToolCall("c1", "add", {"a": 1}),))
        done = Message("tool", "2", tool_call_id="c1")
        body = await body_of(llama, model, ModelRequest((user("Add."), called, done)))
        function = {"name": "add", "arguments": '{"a": 1}'}
        assert body["messages"][1:] == [
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [{"id": "c1", "type": "function", "function": function}],
            },
            {"role": "tool", "content": "2", "tool_call_id": "c1"},
        ]

    async def test_the_engine_is_set_up_for_one_request_at_a_time_and_closed_to_others(
        self, llama: FakeLlama, gguf: Path
    ) -> None:
        model = LocalModel(gguf, context=1000, threads=3)
        await model.request(ASK)
        (params,) = llama.params
        assert params.model.path == str(gguf)
        assert (params.n_ctx, params.n_parallel) == (1000, 1)
        assert params.cpuparams.n_threads == params.cpuparams_batch.n_threads == 3
        assert params.verbosity < 0
        assert len(params.api_keys[0]) >= 32
        assert not params.ui
        assert os.environ["GOMP_SPINCOUNT"]
        model.close()


class TestReplies:
    async def test_a_reply_is_text_finish_and_usage(self, model: LocalModel) -> None:
        response = await model.request(ASK)
        assert response.text == "Hello, world"
        assert response.finish == "stop"
        assert response.usage == Usage(input_tokens=9, cached_tokens=4, output_tokens=3, model_calls=1)
        assert response.model == "some-model"
        assert response.ttft is not None
        assert 0 < response.ttft <= response.seconds

    async def test_a_reply_without_text_has_no_first_token(self, llama: FakeLlama, model: LocalModel) -> None:
        llama.script = answer()
        response = await model.request(ASK)
        assert (response.text, response.ttft) == ("", None)

    async def test_progress_of_the_prompt_is_no_text(self, llama: FakeLlama, model: LocalModel) -> None:
        llama.script = [{**delta(None), "prompt_progress": {"processed": 256}}, *answer("a")]
        assert [item async for item in model.stream(ASK)][:-1] == [TextDelta("a")]

    async def test_a_cut_reply_says_length(self, llama: FakeLlama, model: LocalModel) -> None:
        llama.script = answer("a", finish="length")
        assert (await model.request(ASK)).finish == "length"

    @pytest.mark.parametrize("script", [[], [delta("a")], [delta("a"), usage()], [delta("a"), delta(None, "stop")]])
    async def test_a_reply_that_ends_early_is_malformed(
        self, llama: FakeLlama, model: LocalModel, script: list[dict[str, Any]]
    ) -> None:
        llama.script = script
        with pytest.raises(ModelOutputError, match=r"llama\.cpp ended without a complete reply"):
            await model.request(ASK)

    async def test_a_prompt_that_does_not_fit_says_what_to_do(self, llama: FakeLlama, model: LocalModel) -> None:
        error = {"code": 400, "message": "request (9 tokens) exceeds 8", "type": "exceed_context_size_error"}
        llama.script = [{"error": error}]
        with pytest.raises(ModelRefusedError) as caught:
            await model.request(ASK)
        assert str(caught.value) == (
            f"'{model.name}' refuses the request: request (9 tokens) exceeds 8; shorten the prompt, or give "
            "LocalModel a larger context="
        )
        assert caught.value.status == 400

    async def test_a_failure_of_the_engine_may_be_tried_again(self, llama: FakeLlama, model: LocalModel) -> None:
        llama.script = [{"error": {"code": 500, "message": "out of luck", "type": "server_error"}}]
        with pytest.raises(ModelUnavailableError, match=r"llama\.cpp failed: out of luck"):
            await model.request(ASK)

    async def test_a_request_that_llama_cpp_rejects_is_refused(self, llama: FakeLlama, model: LocalModel) -> None:
        llama.rejects = "Cannot have 2 or more assistant messages at the end of the list."
        with pytest.raises(ModelRefusedError, match=r"refuses the request: Cannot have 2 or more assistant messages"):
            await model.request(ModelRequest((*ASK.messages, assistant("a")), prefix="b"))

    @pytest.mark.parametrize(
        ("output", "reason"),
        [
            (GrammarOutput("start: thing"), 'unknown name: "thing"'),
            (GrammarOutput('start: "open'), "lexer error"),
            (JsonOutput({"type": "thing"}), "Invalid type: thing"),
        ],
    )
    async def test_a_grammar_that_llama_cpp_would_ignore_is_refused(
        self, llama: FakeLlama, model: LocalModel, output: GrammarOutput | JsonOutput, reason: str
    ) -> None:
        with pytest.raises(ModelRefusedError, match=r"refuses the request: the grammar is wrong: ") as caught:
            await model.request(ModelRequest(ASK.messages, output=output))
        assert reason in str(caught.value)
        assert llama.bodies == []


class TestSharing:
    async def test_models_of_one_file_share_one_engine_which_the_last_one_frees(
        self, llama: FakeLlama, gguf: Path
    ) -> None:
        first, second = LocalModel(gguf), LocalModel(str(gguf))
        await first.request(ASK)
        await second.request(ASK)
        assert len(llama.params) == 1
        first.close()
        assert llama.closed == 0
        second.close()
        assert llama.closed == 1

    async def test_a_closed_model_loads_again_when_it_is_used(self, llama: FakeLlama, model: LocalModel) -> None:
        await model.request(ASK)
        model.close()
        model.close()
        await model.request(ASK)
        assert len(llama.params) == 2

    async def test_nothing_is_loaded_before_the_first_request(self, llama: FakeLlama, model: LocalModel) -> None:
        assert model.profile.grammar
        assert llama.params == []

    async def test_requests_run_in_one_thread_that_is_not_the_loops(self, llama: FakeLlama, model: LocalModel) -> None:
        await asyncio.gather(*(model.request(ASK) for _ in range(5)))
        assert len(llama.bodies) == 5
        assert llama.threads == {"llama.cpp some-model.gguf"}

    async def test_the_loop_is_free_while_the_model_writes(self, llama: FakeLlama, model: LocalModel) -> None:
        llama.hold.clear()
        task = asyncio.create_task(model.request(ASK))
        await asyncio.sleep(0.01)
        assert not task.done()
        llama.hold.set()
        assert (await task).text == "Hello, world"


class TestStopping:
    async def test_leaving_a_stream_stops_the_generation(self, llama: FakeLlama, model: LocalModel) -> None:
        llama.script = answer(*"abcdefgh")
        llama.hold.clear()
        async with aclosing(model.stream(ASK)) as stream:
            assert await anext(stream) == TextDelta("a")
        llama.hold.set()
        assert await asyncio.to_thread(llama.stopped.wait, 5)
        assert llama.sent < 5

    async def test_cancelling_a_request_stops_the_generation(self, llama: FakeLlama, model: LocalModel) -> None:
        llama.hold.clear()
        task = asyncio.create_task(model.request(ASK))
        assert await asyncio.to_thread(llama.serving.wait, 5)
        task.cancel()
        await asyncio.wait([task])
        llama.hold.set()
        assert await asyncio.to_thread(llama.stopped.wait, 5)

    async def test_a_cancelled_request_in_the_queue_is_never_served(self, llama: FakeLlama, model: LocalModel) -> None:
        llama.hold.clear()
        first = asyncio.create_task(model.request(ASK))
        assert await asyncio.to_thread(llama.serving.wait, 5)
        waiting = asyncio.create_task(model.request(ModelRequest((user("waiting"),))))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
        llama.hold.set()
        await first
        await model.request(ASK)
        assert [body["messages"][-1]["content"] for body in llama.bodies] == ["Say hello.", "Say hello."]

    async def test_a_timeout_stops_the_generation_and_says_so(self, llama: FakeLlama, model: LocalModel) -> None:
        llama.hold.clear()
        with pytest.raises(ModelUnavailableError) as caught:
            await model.request(ModelRequest(ASK.messages, settings=ModelSettings(timeout=0.05)))
        assert str(caught.value) == (
            f"'{model.name}': no complete reply within 0.05 s. Raise ModelSettings.timeout, or ask for fewer tokens."
        )
        llama.hold.set()
        assert await asyncio.to_thread(llama.stopped.wait, 5)

    async def test_the_callers_own_time_is_not_in_the_timeout(self, model: LocalModel) -> None:
        request = ModelRequest(ASK.messages, settings=ModelSettings(timeout=0.2))
        items = []
        async for item in model.stream(request):
            items.append(item)
            if len(items) == 1:
                time.sleep(0.25)  # noqa: ASYNC251 - a caller that is slow between two pieces
        assert isinstance(items[-1], ModelResponse)

    async def test_closing_ends_what_runs_and_what_waits(self, llama: FakeLlama, model: LocalModel) -> None:
        llama.hold.clear()
        tasks = [asyncio.create_task(model.request(ASK)) for _ in range(3)]
        assert await asyncio.to_thread(llama.serving.wait, 5)
        closing = asyncio.create_task(asyncio.to_thread(model.close))
        await asyncio.sleep(0.01)
        llama.hold.set()
        await closing
        for task in tasks:
            with pytest.raises(ModelRefusedError, match="was closed while the request waited or ran"):
                await task


HAVE_SMALL = is_pulled(find_weights("smollm2-135m"))


@pytest.fixture(scope="module")
def small() -> Iterator[LocalModel]:
    pytest.importorskip("xllamacpp", reason="local models need the extra 'local'")
    if not HAVE_SMALL:
        pytest.skip("the weights are not here; fetch them with: agentkit models pull smollm2-135m")
    model = LocalModel("smollm2-135m", context=2048)
    yield model
    model.close()


def greedy(text: str, max_tokens: int = 16, **more: Any) -> ModelRequest:
    """A request with one possible answer."""
    settings = ModelSettings(temperature=0.0, max_tokens=max_tokens, stop=more.pop("stop", ()))
    return ModelRequest((user(text),), settings=settings, **more)


@pytest.mark.local_model
class TestSmolLM2(ModelConformance):
    """The real engine with a real, small model."""

    exact = False

    @pytest.fixture
    def model_for(self, small: LocalModel) -> ModelFor:
        return lambda *answers: small

    async def test_it_runs_where_no_network_and_no_provider_is_allowed(self, small: LocalModel) -> None:
        with block_network(), override_allow_model_requests(False):
            assert (await small.request(greedy("Say hello."))).text

    async def test_one_seed_gives_one_text_and_another_another(self, small: LocalModel) -> None:
        def seeded(seed: int) -> ModelRequest:
            settings = ModelSettings(temperature=1.5, max_tokens=24, seed=seed)
            return ModelRequest((user("Invent the name of a planet and describe it."),), settings=settings)

        await small.request(seeded(1))  # so that both find the same part of the prompt in the cache
        texts = [(await small.request(seeded(seed))).text for seed in (1, 1, 2)]
        assert texts[0] == texts[1] != texts[2]

    async def test_a_stop_text_ends_the_reply_and_is_left_out(self, small: LocalModel) -> None:
        request = greedy("x", output=GrammarOutput('start: "one two three"'), stop=("two",))
        response = await small.request(request)
        assert (response.text, response.finish) == ("one ", "stop")

    @pytest.mark.parametrize("prefix", ["x = 1", "x = 1\n", "  ", "é—", '{"a": ['])
    @pytest.mark.parametrize("text", ["y = 2\n", "  y\n", "\n\ny", "<think>a</think>", '{"name": "f"}', "é—日本"])
    async def test_a_continuation_is_exactly_what_was_written(self, small: LocalModel, prefix: str, text: str) -> None:
        output = GrammarOutput(f"start: {json.dumps(text, ensure_ascii=False)}")
        response = await small.request(greedy("Go on.", 40, prefix=prefix, output=output))
        assert (response.text, response.finish) == (text, "stop")

    @pytest.mark.parametrize(
        "output",
        [
            GrammarOutput('start: "a <|im_start|> b"'),
            JsonOutput({"type": "object", "properties": {"a": {"enum": ["x", "<|im_start|>"]}}}),
            JsonOutput({"type": "object", "properties": {"<|im_start|>": {"type": "integer"}}}),
        ],
        ids=["grammar", "enum", "property"],
    )
    async def test_a_grammar_that_demands_a_special_token_is_refused(
        self, small: LocalModel, output: GrammarOutput | JsonOutput
    ) -> None:
        with pytest.raises(ModelRefusedError) as caught:
            await small.request(greedy("Go on.", 40, output=output))
        assert str(caught.value) == (
            f"{small.name!r} refuses the request: the grammar demands '<|im_start|>', a special token of the model; "
            "leave it out or reword it."
        )

    async def test_a_grammar_may_spell_a_special_token_out(self, small: LocalModel) -> None:
        output = GrammarOutput(r'start: "x = \"\\x3c|im_start|>\""')
        assert (await small.request(greedy("Go on.", 40, output=output))).text == r'x = "\x3c|im_start|>"'

    async def test_json_is_compact(self, small: LocalModel) -> None:
        pair = {"type": "array", "prefixItems": [{"const": 2}, {"const": 3}], "items": False, "minItems": 2}
        properties = {"a": {"const": 1}, "b": pair}
        schema = {"type": "object", "properties": properties, "required": ["a", "b"], "additionalProperties": False}
        response = await small.request(greedy("JSON", 40, output=JsonOutput(schema)))
        assert response.text == '{"a": 1, "b": [2, 3]}'

    async def test_a_shared_beginning_is_read_once_and_continuations_stay_cached(self, small: LocalModel) -> None:
        base = (system("You know these words: " + "apple pear plum " * 100), user("Count."))
        line = GrammarOutput('start: /[a-z]{1,5}/ "\\n"')
        prefix = ""
        cold = await small.request(ModelRequest(base, output=line, settings=ModelSettings(max_tokens=12)))
        prefix += cold.text
        for _ in range(4):
            request = ModelRequest(base, prefix=prefix, output=line, settings=ModelSettings(max_tokens=12))
            usage_ = (await small.request(request)).usage
            assert usage_.input_tokens - usage_.cached_tokens <= cold.usage.output_tokens + 8
            prefix += "next\n"

    async def test_a_prompt_larger_than_the_context_is_refused(self, small: LocalModel) -> None:
        with pytest.raises(ModelRefusedError, match=r"exceeds the available context size .*; shorten the prompt, or"):
            await small.request(greedy("word " * 3000))

    async def test_a_cancelled_generation_frees_the_engine_at_once(self, small: LocalModel) -> None:
        long = ModelRequest((user("x"),), output=GrammarOutput("start: /[a-z]{1500}/"))
        task = asyncio.create_task(small.request(long))
        await asyncio.sleep(0.3)
        task.cancel()
        await asyncio.wait([task])
        started = time.perf_counter()
        await small.request(greedy("Hi.", 1))
        assert time.perf_counter() - started < 5

    async def test_nothing_is_printed(self, small: LocalModel, capfd: pytest.CaptureFixture[str]) -> None:
        again = LocalModel("smollm2-135m", context=1024)
        await again.request(greedy("Say hello."))
        again.close()
        assert capfd.readouterr() == ("", "")


@pytest.mark.local_model
@pytest.mark.skipif(not HAVE_SMALL, reason="the weights are not here: agentkit models pull smollm2-135m")
@pytest.mark.parametrize("ending", ["", "task = asyncio.ensure_future(model.request(long)); await asyncio.sleep(0.5)"])
def test_a_program_that_does_not_close_its_model_ends_quietly(ending: str) -> None:
    import subprocess

    program = f"""
import asyncio
from agentkit.messages import ModelRequest, ModelSettings, user
from agentkit.models.local import LocalModel

model = LocalModel("smollm2-135m", context=1024)
long = ModelRequest((user("Tell a story."),))

async def main():
    await model.request(ModelRequest((user("Hi."),), settings=ModelSettings(max_tokens=2)))
    {ending or "pass"}

asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
