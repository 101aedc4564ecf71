"""The language of a report: gettext catalogues that ship with the package."""

import functools
import gettext
import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

from dayrate.errors import InvalidInput

__all__ = ["LANGUAGES", "Words", "language", "mark", "words"]

#: Language as typed, and the catalogue that holds it; English needs none.
LANGUAGES: Mapping[str, str] = {"en": "", "zh": "zh_CN"}


@dataclass(frozen=True, slots=True)
class Words:
    """The texts of one language; an unknown text comes back as it was."""

    language: str
    catalogue: gettext.NullTranslations

    def __call__(self, message: str) -> str:
        """Return the text in this language."""
        # gettext answers the empty text with the catalogue's header.
        return self.catalogue.gettext(message) if message else ""


def mark(message: str) -> str:
    """Mark a text of a table for translation; it is translated when it is shown."""
    return message


def language(given: str | None = None) -> str:
    """Return ``en`` or ``zh``: as given, else ``DAYRATE_LANG``, else English.

    Raises
    ------
    InvalidInput
        There is no such language.

    Examples
    --------
    >>> language("zh-CN")
    'zh'
    """
    asked = given or os.environ.get("DAYRATE_LANG") or "en"
    code = asked.replace("_", "-").split("-")[0].lower()
    if code not in LANGUAGES:
        raise InvalidInput(
            f"The language is {asked!r}; give one of {', '.join(LANGUAGES)} "
            "with --lang or DAYRATE_LANG."
        )
    return code


@functools.cache
def words(code: str) -> Words:
    """Load the texts of a language in `LANGUAGES`."""
    folder = LANGUAGES[code]
    if not folder:
        return Words(code, gettext.NullTranslations())
    file = resources.files("dayrate") / "locale" / folder / "LC_MESSAGES" / "dayrate.mo"
    with file.open("rb") as opened:
        return Words(code, gettext.GNUTranslations(opened))
