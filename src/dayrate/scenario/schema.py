"""The question as data: one frozen `Scenario`, whoever asks it.

The command line, a YAML file, the page and `dayrate.quote()` all build this. Unknown
keys are errors with a suggestion; quantities may be numbers in the documented unit or
text with a unit. What is absent is chosen later and shown as an assumption.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from dayrate.catalog.price import Pricing
from dayrate.errors import InvalidInput, did_you_mean
from dayrate.perf.engines import served_by
from dayrate.scenario.autoscale import AutoscaleSection
from dayrate.scenario.fields import (
    Count,
    In,
    Per,
    Positive,
    PositiveShare,
    Section,
    Share,
)
from dayrate.scenario.quantity import CURRENCIES, MOST, Money
from dayrate.units import DType

__all__ = ["Scenario", "scenario_from"]


def _currency(value: str) -> str:
    code = CURRENCIES.get(value.upper())
    if code is None:
        known = ", ".join(sorted(set(CURRENCIES.values())))
        raise InvalidInput(f"currency is {value!r}; give one of {known}.")
    return code


def _engine(value: str) -> str:
    return served_by(value).id


#: Spellings of vLLM's --quantization and --kv-cache-dtype.
_DTYPE_ALIASES = {
    "float16": "fp16",
    "half": "fp16",
    "bfloat16": "bf16",
    "float32": "fp32",
    "fp8_e4m3": "fp8",
    "fp8_e5m2": "fp8",
    "awq": "int4",
    "gptq": "int4",
    "fp4": "nvfp4",
    "modelopt_fp4": "nvfp4",
    "modelopt": "fp8",
}


def _dtype(value: Any) -> Any:
    """Accept other spellings of a number format."""
    if not isinstance(value, str):
        return value
    name = value.lower()
    return _DTYPE_ALIASES.get(name, name)


Tokens = Annotated[float, Field(ge=1, le=MOST)]  # of one request
Format = Annotated[
    DType,
    BeforeValidator(_dtype),
    WithJsonSchema({"enum": [*(d.value for d in DType), *_DTYPE_ALIASES]}),
]


class ModelSection(Section):
    """Which model, in which number formats."""

    id: str | None = Field(None, description="catalogue id or path to a config.json")
    quantization: Format | None = Field(None, description="format of the weights")
    kv_cache_dtype: Format | None = Field(None, description="format of the KV cache")
    max_model_len: Count | None = Field(None, description="longest request, in tokens")


class WorkloadSection(Section):
    """Who asks for what: a preset, a trace, or numbers."""

    preset: str | None = Field(
        None, description="a use with its lengths: chat, code completion, ..."
    )
    trace: str | None = Field(None, description="path of a trace file")
    trace_model: str | None = Field(
        None, description="of a trace of several models, the one to take"
    )
    users: Positive | None = Field(None, description="users per day")
    requests_per_user: Positive | None = Field(
        None, description="requests per user and day"
    )
    requests_per_day: Positive | None = Field(None, description="requests per day")
    isl: Tokens | None = Field(None, description="input tokens per request")
    osl: Tokens | None = Field(None, description="output tokens per request")
    cached_input_frac: Share | None = Field(
        None, description="share of input tokens found in a prefix cache"
    )
    day_shape: str | tuple[float, ...] | None = Field(
        None, description="name of a shape, or 24 shares"
    )
    input_tokens_per_day: Positive | None = Field(
        None, description="instead of lengths and requests"
    )
    cached_input_tokens_per_day: Annotated[float, Field(ge=0)] | None = Field(
        None, description="of these, found in a prefix cache"
    )
    output_tokens_per_day: Positive | None = Field(
        None, description="instead of lengths and requests"
    )


class SloSection(Section):
    """Latency targets at a percentile."""

    ttft_ms: Annotated[float, Field(gt=0), In("ms")] | None = Field(
        None, description="time to first token, at the percentile"
    )
    tpot_ms: Annotated[float, Field(gt=0), In("ms")] | None = Field(
        None, description="time per output token, at the percentile"
    )
    percentile: Annotated[float, Field(ge=50, lt=100)] = Field(
        95.0, description="share of requests that meet the targets, in percent"
    )


class ServerSection(Section):
    """A machine priced from its parts; watts per part come from ``coefficients``."""

    cpus: Annotated[int, Field(ge=0)] = Field(
        0, description="processors of the machine"
    )
    memory_gb: Annotated[float, Field(ge=0), In("GB")] = Field(
        0.0, description="memory of the machine"
    )
    storage_tb: Annotated[float, Field(ge=0), In("TB")] = Field(
        0.0, description="storage of the machine"
    )
    network_mbps: Annotated[float, Field(ge=0), In("Mbit/s")] = Field(
        0.0, description="rate of its network port"
    )
    accelerator: str | None = Field(None, description="accelerator it holds, if any")
    accelerators: Annotated[int, Field(ge=0)] = Field(0, description="how many of them")
    coefficients: Literal["realistic", "article"] = Field(
        "realistic", description="watts per part: published ones, or the article's"
    )
    utilisation: Share = Field(
        1.0, description="share of the watts drawn, mean over the day"
    )
    count: Count = Field(1, description="how many such machines")
    price: Annotated[Money, Per("")] | None = Field(
        None, description="purchase price of one machine"
    )

    @model_validator(mode="after")
    def _accelerators_are_named(self) -> "ServerSection":
        if self.accelerators and self.accelerator is None:
            raise InvalidInput(
                f"server.accelerators is {self.accelerators} but no server.accelerator "
                "is named. Name one, as in h100-sxm-80gb."
            )
        if self.accelerator is not None and not self.accelerators:
            raise InvalidInput(
                f"server.accelerator is {self.accelerator} but not how many there "
                "are. Give server.accelerators (--server-accelerators), as in 8."
            )
        return self


class DeploymentSection(Section):
    """Which machines, how many, and how the model is spread over them."""

    accelerator: str | None = Field(
        None, description="catalogue id or alias, as in h100-sxm-80gb"
    )
    accelerators: Annotated[Count, In("1")] | None = Field(
        None, description="accelerators in all; chosen from the demand when absent"
    )
    replicas: Count | None = Field(
        None, description="copies of the model; chosen from the demand when absent"
    )
    tensor_parallel_size: Count | None = Field(
        None, description="accelerators that share each layer"
    )
    pipeline_parallel_size: Count | None = Field(
        None, description="stages that share the layers"
    )
    data_parallel_size: Count | None = Field(
        None, description="ranks that each attend to their own sequences"
    )
    enable_expert_parallel: bool | None = Field(
        None, description="experts are spread, not sharded"
    )
    engine: Annotated[str, AfterValidator(_engine)] | None = Field(
        None, description="serving engine, as in vllm or sglang"
    )
    max_num_seqs: Count | None = Field(None, description="sequences per batch, at most")
    max_num_batched_tokens: Count | None = Field(
        None, description="tokens per step, at most"
    )
    gpu_memory_utilization: PositiveShare | None = Field(
        None, description="share of accelerator memory that is used"
    )
    num_speculative_tokens: Annotated[int, Field(ge=1, le=64)] | None = Field(
        None, description="tokens drafted for each sequence and step"
    )
    speculative_acceptance: Share | None = Field(
        None, description="share of drafted tokens that are accepted, as vLLM logs it"
    )
    speculative_method: Literal["eagle", "ngram", "draft"] | None = Field(
        None, description="what drafts; eagle (or MTP): a layer of the model"
    )
    speculative_model: str | None = Field(
        None, description="draft model: a catalogue id or the path of a config.json"
    )
    headroom_frac: Annotated[float, Field(ge=0), In("1")] | None = Field(
        None, description="capacity above the peak, as a share"
    )
    scaling: Literal["peak", "hourly"] = Field(
        "peak", description="machines for the peak all day, or hour by hour"
    )
    server: ServerSection | None = None


class EconomicsSection(Section):
    """What an hour, a kilowatt-hour, a person costs. Plain money is US dollars."""

    pricing: Pricing | None = Field(None, description="how the machines are paid for")
    gpu_hour_price: Annotated[Money, Per("hour")] | None = Field(
        None, description="price of one accelerator-hour"
    )
    offer: str | None = Field(None, description="id of one catalogued price")
    currency: Annotated[str, AfterValidator(_currency)] = Field(
        "USD", description="currency of the bill: USD, CNY, EUR, GBP, JPY"
    )
    fx: Positive | None = Field(None, description="units of the currency per US dollar")
    site: str | None = Field(None, description="region of electricity and carbon")
    electricity: Annotated[Money, Per("kWh")] | None = Field(
        None, description="price of electricity"
    )
    pue: Annotated[float, Field(ge=1), In("1")] | None = Field(
        None, description="facility energy over machine energy"
    )
    carbon_g_per_kwh: Annotated[float, Field(ge=0), In("g/kWh")] | None = Field(
        None, description="CO2 of the grid"
    )
    server_price: Annotated[Money, Per("")] | None = Field(
        None, description="purchase price of one server"
    )
    discount_rate: Annotated[float, Field(ge=0, le=10), In("1")] | None = Field(
        None, description="cost of capital, per year"
    )
    lifetime_years: Annotated[float, Field(gt=0, le=1e3), In("year")] | None = Field(
        None, description="years until a machine is written off"
    )
    residual_frac: Share | None = Field(
        None, description="resale value, as a share of the price"
    )
    network_capex_frac: Share | None = Field(
        None, description="network, as a share of the servers' price"
    )
    maintenance_frac_per_year: Share | None = Field(
        None, description="per year, as a share of the price"
    )
    colocation: Annotated[Money, Per("kW/month")] | None = Field(
        None, description="rent of provisioned power"
    )
    availability: PositiveShare | None = Field(
        None, description="share of the time that a machine works"
    )
    staff_fte: Annotated[float, Field(ge=0)] | None = Field(
        None, description="people, in full-time equivalents"
    )
    staff_per_year: Annotated[Money, Per("person/year")] | None = Field(
        None, description="cost of one person"
    )
    software_per_year: Annotated[Money, Per("year")] | None = Field(
        None, description="licences and subscriptions"
    )
    data_per_year: Annotated[Money, Per("year")] | None = Field(
        None, description="data acquisition"
    )
    stored_tb: Annotated[float, Field(ge=0), In("TB")] | None = Field(
        None, description="data kept"
    )
    storage_per_tb_month: Annotated[Money, Per("TB/month")] | None = Field(
        None, description="price of storage"
    )
    egress_gb_per_day: Annotated[float, Field(ge=0), In("GB")] | None = Field(
        None, description="traffic out, per day"
    )
    egress_per_gb: Annotated[Money, Per("GB")] | None = Field(
        None, description="price of traffic out"
    )


class Scenario(Section):
    """One question: model, workload, targets, machines and money."""

    title: str | None = None
    model: ModelSection = ModelSection()
    workload: WorkloadSection = WorkloadSection()
    slo: SloSection = SloSection()
    deployment: DeploymentSection = DeploymentSection()
    autoscale: AutoscaleSection = AutoscaleSection()
    economics: EconomicsSection = EconomicsSection()

    @property
    def given(self) -> dict[str, Any]:
        """What was asked, without what was left open; JSON types only."""
        return self.model_dump(mode="json", exclude_unset=True)


def scenario_from(data: Mapping[str, Any]) -> Scenario:
    """Check ``data`` and freeze it.

    Raises
    ------
    InvalidInput
        An unknown key, a value outside its domain or of the wrong unit: one sentence
        that names the key.

    Examples
    --------
    >>> scenario_from({"workload": {"isl": 1155}}).workload.isl
    1155.0
    >>> scenario_from({"workload": {"ils": 1155}})
    Traceback (most recent call last):
    dayrate.errors.InvalidInput: workload.ils is not a key. Did you mean isl?
    """
    try:
        return Scenario.model_validate(data)
    except ValidationError as error:
        raise InvalidInput(" ".join(_sentences(error))) from None


def _sentences(error: ValidationError) -> Iterator[str]:
    for problem in error.errors():
        path = ".".join(str(p) for p in problem["loc"])
        if problem["type"] == "extra_forbidden":
            yield _unknown_key(problem["loc"])
        elif problem["type"] == "value_error":
            yield str(problem["ctx"]["error"])
        else:
            given = _shown(problem["input"])
            yield f"{path} is {given}: {problem['msg'][0].lower()}{problem['msg'][1:]}."


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _unknown_key(where: tuple[int | str, ...]) -> str:
    section: Any = Scenario
    for part in where[:-1]:
        section = _section_type(section, str(part))
    known = list(section.model_fields) if section else []
    close = did_you_mean(str(where[-1]), known)
    hint = f"Did you mean {close}?" if close else f"Keys here are {', '.join(known)}."
    return f"{'.'.join(map(str, where))} is not a key. {hint}"


def _section_type(section: Any, name: str) -> Any:
    if section is None or name not in section.model_fields:
        return None
    annotation = section.model_fields[name].annotation
    options = getattr(annotation, "__args__", (annotation,))
    return next((t for t in options if hasattr(t, "model_fields")), None)
