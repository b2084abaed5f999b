"""Figures of any language: grouped, decimal, scaled, in words, dated."""

import pytest

from aggregator.stories.numbers import figures_in, numbers_in


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("14 000, 14.000, 14,000 and 14\u00a0000", [14000] * 4),
        ("1,75 or 1.75", [1.75, 1.75]),
        ("1.234.567,50 zł", [1234567.5]),
        ("3 от 17, ١٢٣", [3, 17, 123]),
        ("no figure", []),
        ("5-3 and 1/2", [5, 3, 1, 2]),
    ],
)
def test_digits(text, values):
    """Groups and decimals of every usual form, and digits of every script."""
    assert numbers_in(text) == values


@pytest.mark.parametrize(
    ("text", "language", "values", "days"),
    [
        ("180 tysięcy kur", "pl", (180000,), ()),
        ("14 ribu warga", "id", (14000,), ()),
        ("2 млн рублей 25 февраля", "ru", (2e6,), ((2, 25),)),
        ("Sixteen died, 2.5 million paid", "en", (16, 2.5e6), ()),
        ("kuusitoista kuoli", "fi", (16,), ()),
        ("Sel päeval: 25. veebruar ajaloos", "et", (), ((2, 25),)),
        ("3月9日、16人死亡 1.5万人", "zh", (16, 15000), ((3, 9),)),
        ("at 15:05 in 2026", "en", (), ()),
        ("12 xyzzy", "tlh", (12,), ()),
    ],
)
def test_words_scales_and_days(text, language, values, days):
    """Thousands in words, numbers in words and days of a month count; years and clock times do not."""
    figures = figures_in(text, language)
    assert (figures.values, figures.days) == (values, days)
