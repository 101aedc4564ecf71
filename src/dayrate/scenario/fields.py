"""What the sections of a scenario are made of: numbers with units, money, rules."""

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
)
from pydantic_core import core_schema

from dayrate.scenario.quantity import MOST, Money, money, quantity

__all__ = ["Count", "In", "Per", "Positive", "PositiveShare", "Section", "Share"]


@dataclass(frozen=True, slots=True)
class In:
    """Annotation: a number in ``unit``, or text with a unit of that dimension."""

    unit: str

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        def parse(value: Any, info: core_schema.ValidationInfo) -> Any:
            return quantity(self.unit, what=str(info.field_name))(value)

        return core_schema.with_info_before_validator_function(parse, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        text = {"type": "string", "description": f"with a unit, read as {self.unit}"}
        return {"anyOf": [handler(schema), text]}


@dataclass(frozen=True, slots=True)
class Per:
    """Annotation: money per ``unit``; plain numbers are US dollars."""

    unit: str

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        def parse(value: Any, info: core_schema.ValidationInfo) -> Money:
            return money(self.unit, what=str(info.field_name))(value)

        def show(value: Money) -> str:
            return (
                f"{value.amount!r} {value.currency}{'/' * bool(self.unit)}{self.unit}"
            )

        return core_schema.with_info_plain_validator_function(
            parse, serialization=core_schema.plain_serializer_function_ser_schema(show)
        )

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        shown = f"USD{'/' * bool(self.unit)}{self.unit}"
        return {"type": ["number", "string"], "description": shown, "minimum": 0}


Count = Annotated[int, Field(gt=0, le=int(MOST))]
Positive = Annotated[float, Field(gt=0, le=MOST)]
Share = Annotated[float, Field(ge=0, le=1), In("1")]
PositiveShare = Annotated[float, Field(gt=0, le=1), In("1")]


class Section(BaseModel):
    """Common rules: frozen, no unknown keys, no NaN or infinity."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
