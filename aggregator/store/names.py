"""Names of countries and languages in the reader's language, from the Unicode CLDR that Babel carries."""

from babel import Locale, UnknownLocaleError

__all__ = ["country_name", "country_names", "flag", "language_name", "locale_of"]

REGION_CODE = 2  # letters; CLDR's territories also hold numbers for parts of the world
NO_COUNTRY = frozenset({"EU", "EZ", "QO", "UN", "XA", "XB", "ZZ"})


def locale_of(language: str) -> Locale:
    """CLDR's locale of a BCP 47 tag; English when it has none."""
    for tag in (language, language.split("-", maxsplit=1)[0], "en"):
        try:
            return Locale.parse(tag, sep="-")
        except (UnknownLocaleError, ValueError):
            continue
    raise AssertionError("CLDR has English")


def flag(country: str) -> str:
    """The flag emoji of an ISO 3166-1 code (Unicode Technical Standard 51, regional indicators); "" for none."""
    return "".join(chr(0x1F1E6 + ord(letter) - ord("A")) for letter in country)


def country_names(locale: Locale) -> dict[str, str]:
    """Every country's name by its code."""
    return {
        code: name
        for code, name in locale.territories.items()
        if len(code) == REGION_CODE and code.isalpha() and code not in NO_COUNTRY
    }


def country_name(country: str, locale: Locale) -> str:
    """A country's name; the code itself when CLDR does not know it."""
    return str(locale.territories.get(country, country))


def language_name(language: str, locale: Locale) -> str:
    """A language's name; the tag itself when CLDR does not know it."""
    try:
        name = Locale.parse(language, sep="-").get_display_name(locale) if language else ""
    except (UnknownLocaleError, ValueError):
        name = locale.languages.get(language.split("-", maxsplit=1)[0])
    return str(name or language)
