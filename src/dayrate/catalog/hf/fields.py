"""Checked access to a config.json: a size is a positive whole number or an error."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dayrate.errors import UnreadableConfig

__all__ = ["Fields"]

#: Other spellings of the same field, tried in order.
SPELLINGS = {
    "hidden_size": ("n_embd", "n_embed", "d_model"),
    "vocab_size": ("padded_vocab_size",),
    "n_groups": ("mamba_num_groups",),
    "ssm_state_size": ("mamba_state_dim",),
    "num_hidden_layers": ("n_layer", "n_layers", "num_layers"),
    "num_attention_heads": ("n_head", "n_heads", "num_heads"),
    "num_key_value_heads": ("num_kv_heads", "n_head_kv"),
    "intermediate_size": ("n_inner", "ffn_dim", "ffn_hidden_size", "d_ff"),
    "max_position_embeddings": (
        "n_positions",
        "max_seq_len",
        "max_sequence_length",
        "n_ctx",
        "seq_length",
    ),
}


@dataclass(frozen=True, slots=True)
class Fields:
    """A config's fields; ``owner`` names it in errors."""

    config: Mapping[str, Any]
    owner: str

    def get(self, name: str, default: Any = None) -> Any:
        """Value under the name or another spelling of it; null counts as absent."""
        for key in (name, *SPELLINGS.get(name, ())):
            if self.config.get(key) is not None:
                return self.config[key]
        return default

    def size(self, name: str, default: int | None = None) -> int:
        """Return a positive whole number, required unless it has a default."""
        value = self.get(name, default)
        if value is None:
            raise self.missing(name)
        return self._whole(name, value, minimum=1)

    def optional_size(self, name: str) -> int | None:
        """Return a positive whole number, or None where it is absent."""
        return None if self.get(name) is None else self.size(name)

    def count(self, name: str, default: int = 0) -> int:
        """Return a whole number that may be zero."""
        return self._whole(name, self.get(name, default), minimum=0)

    def flag(self, name: str, default: bool = False) -> bool:
        """Return a boolean."""
        value = self.get(name, default)
        if not isinstance(value, bool):
            raise UnreadableConfig(
                f"The config of {self.owner} has {name} = {value!r}; "
                "it must be true or false."
            )
        return value

    def text(self, name: str, default: str = "") -> str:
        """Return a string."""
        return str(self.get(name, default))

    def items(self, name: str) -> Sequence[Any]:
        """Return a list, empty where it is absent."""
        value = self.get(name, ())
        if isinstance(value, str | Mapping) or not isinstance(value, Sequence):
            raise UnreadableConfig(
                f"The config of {self.owner} has {name} = {value!r}; it must be a list."
            )
        return value

    def section(self, name: str) -> "Fields":
        """Return a nested object, empty where it is absent."""
        value = self.get(name, {})
        if not isinstance(value, Mapping):
            raise UnreadableConfig(
                f"The config of {self.owner} has {name} = {value!r}; "
                "it must be an object."
            )
        return Fields(value, f"{self.owner}.{name}")

    def missing(self, name: str) -> UnreadableConfig:
        """Build the error for a field that the family needs and the config lacks."""
        return UnreadableConfig(
            f"The config of {self.owner} has no {name}, which its model_type "
            f"({self.get('model_type', 'not given')!r}) needs; add the field."
        )

    def _whole(self, name: str, value: Any, *, minimum: int) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
            kind = "positive" if minimum else "non-negative"
            raise UnreadableConfig(
                f"The config of {self.owner} has {name} = {value!r}; "
                f"it must be a {kind} whole number."
            )
        return value
