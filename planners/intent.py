"""Is this request the agent's business at all? Asked before anything is planned."""

from __future__ import annotations

from dataclasses import dataclass

from agentkit.errors import DefinitionError, ModelOutputError
from agentkit.messages import GrammarOutput, ModelRequest, ModelSettings, assistant, system, user
from agentkit.planning import Intent, PlanRequest
from agentkit.run import Run

DECLINE = "I can't help with that; it is not something I have tools for."


@dataclass(frozen=True, slots=True)
class ModelIntent:
    """Asks the run's model for one word: ``yes`` (in scope) or ``no``.

    Attributes:
        scope: What the agent is for, in a sentence or two.
        in_scope: Requests that are the agent's.
        out_of_scope: Requests that are not.
        reply: The stock answer to a request that is declined.
    """

    scope: str
    in_scope: tuple[str, ...] = ()
    out_of_scope: tuple[str, ...] = ()
    reply: str = DECLINE

    async def classify(self, request: PlanRequest, run: Run) -> Intent:
        """One word of the model, constrained where its engine can.

        Raises:
            DefinitionError: The agent has no model.
            ModelError: The model failed for good.
        """
        if run.model is None:
            raise DefinitionError("ModelIntent needs a model; give the agent one")
        profile = run.model.model.profile
        messages = [system(f"{self.scope}\nCan this assistant help with the request? Answer yes or no.")]
        for text, label in self._examples():
            messages += [user(text), assistant(label)]
        output = GrammarOutput('start: "yes" | "no"') if profile.grammar else None
        settings = ModelSettings(temperature=0.0, max_tokens=4).for_profile(profile)
        asked = ModelRequest((*messages, user(request.task)), output=output, settings=settings)
        answer = await run.model.parsed(asked, _yes_or_no, purpose="intent")
        return Intent(True) if answer else Intent(False, self.reply)

    def _examples(self) -> list[tuple[str, str]]:
        """In-scope and out-of-scope examples in turn, so that neither label is merely the last one seen."""
        yes = [(text, "yes") for text in self.in_scope]
        no = [(text, "no") for text in self.out_of_scope]
        mixed = [pair for both in zip(yes, no, strict=False) for pair in both]
        shorter = min(len(yes), len(no))
        return yes[shorter:] + no[shorter:] + mixed


def _yes_or_no(text: str) -> bool:
    word = text.strip().strip(".!\"'").lower()
    if word.startswith("yes"):
        return True
    if word.startswith("no"):
        return False
    raise ModelOutputError("the reply is neither yes nor no")
