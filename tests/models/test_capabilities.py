"""A request is held against the profile before anything is sent."""

from __future__ import annotations

import pytest

from agentkit.errors import DefinitionError
from agentkit.messages import GrammarOutput, ModelProfile, ModelRequest, ModelSettings, user
from agentkit.models.capabilities import check_request
from agentkit.testing.models import ABLE


def test_everything_wrong_is_said_at_once() -> None:
    request = ModelRequest(
        (),
        tool_choice="required",
        output=GrammarOutput("start: /a/"),
        prefix="a",
        settings=ModelSettings(seed=1, max_tokens=2),
    )
    with pytest.raises(DefinitionError) as caught:
        check_request(request, ModelProfile(settings=frozenset({"max_tokens"})), "test:m")
    assert str(caught.value) == (
        "model 'test:m' cannot take this request: "
        "it asks for output of a grammar, which needs a profile with grammar=True; "
        "it asks for the continuation of a prefix, which needs a profile with prefix=True; "
        "it sets 'seed', which the model does not take (it takes: max_tokens); leave it unset, "
        "or use settings.for_profile(model.profile); "
        "tool_choice is 'required' but no tools are offered; "
        "the request has no messages; give at least one user message."
    )


def test_a_request_within_the_profile_passes() -> None:
    check_request(ModelRequest((user("a"),), prefix="b", output=GrammarOutput("start: /a/")), ABLE, "test:m")


def test_settings_fit_themselves_to_a_profile() -> None:
    settings = ModelSettings(temperature=0.0, seed=3, stop=("x",), max_tokens=9)
    assert settings.chosen() == {"temperature", "seed", "stop", "max_tokens"}
    fitted = settings.for_profile(ModelProfile(settings=frozenset({"max_tokens", "stop"})))
    assert fitted == ModelSettings(stop=("x",), max_tokens=9)
    assert settings.for_profile(ModelProfile()) == settings
