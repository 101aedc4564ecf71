"""Speculative decoding as a scenario asks for it."""

from dayrate import catalog
from dayrate.catalog.model import ModelSpec
from dayrate.errors import InvalidInput
from dayrate.evidence import Grade
from dayrate.scenario.schema import DeploymentSection
from dayrate.scenario.working import Working
from dayrate.serving.speculation import Speculation, top_layer

__all__ = ["speculation_of"]

_ONE_LAYER = "one layer of the model with its head drafts, as EAGLE and MTP do"


def speculation_of(
    section: DeploymentSection, model: ModelSpec, w: Working
) -> Speculation | None:
    """Read what drafts how many tokens, and write it down; None where nothing does.

    Raises
    ------
    InvalidInput
        The share of accepted tokens is missing, or the keys contradict each other.
    """
    drafted, accepted = section.num_speculative_tokens, section.speculative_acceptance
    if drafted is None:
        _refuse_rest(section)
        return None
    if accepted is None:
        raise InvalidInput(
            f"{drafted} tokens are drafted for each step and nobody but your traffic "
            "knows how many are accepted. Give --speculative-acceptance: vLLM logs it "
            "as the draft acceptance rate, often 0.3 to 0.8."
        )
    w.given("deployment.num_speculative_tokens", drafted, "token")
    w.given("deployment.speculative_acceptance", accepted, "1")
    found = Speculation(drafted, accepted, _draft(section, model, w))
    w.derive(
        "deployment.tokens_per_step",
        float(found.tokens_per_step),
        "token",
        "1 + deployment.num_speculative_tokens * deployment.speculative_acceptance",
        "a sequence gets the model's own token and the drafts that it accepts",
    )
    return found


def _draft(
    section: DeploymentSection, model: ModelSpec, w: Working
) -> ModelSpec | None:
    name, method = section.speculative_model, section.speculative_method
    if method is None:
        method = "eagle" if name is None else "draft"
    w.choice(
        "deployment.speculative_method",
        method,
        given=section.speculative_method,
        why=_ONE_LAYER if name is None else "a draft model is named",
        grade=Grade.ASSUMED if name is None else Grade.GIVEN,
    )
    if (method == "draft") != (name is not None):
        raise InvalidInput(
            f"--speculative-method is {method} and --speculative-model "
            + ("is not given. Name one." if name is None else f"{name}. Leave out one.")
        )
    if name is not None:
        return catalog.model(name)
    return None if method == "ngram" else top_layer(model)


def _refuse_rest(section: DeploymentSection) -> None:
    rest = ("speculative_acceptance", "speculative_method", "speculative_model")
    for key in rest:
        if getattr(section, key) is not None:
            raise InvalidInput(
                f"--{key.replace('_', '-')} is given and no token is drafted. "
                "Give --num-speculative-tokens, as in 3, or leave it out."
            )
