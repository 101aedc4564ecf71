"""A result as JSON text, for programs: unknown is null and NaN never occurs."""

import json
from typing import Any

__all__ = ["to_json"]


def to_json(document: Any) -> str:
    """Write JSON types; a number that is not finite is an error of ours.

    Examples
    --------
    >>> print(to_json({"usd_per_request": None}))
    {
      "usd_per_request": null
    }
    """
    return json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False)
