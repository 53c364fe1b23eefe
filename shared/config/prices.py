"""Reads the prices of models: those that are shipped (`prices.toml`), and an operator's own file over them (PRICES_FILE)."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Final

from shared import operator_files
from shared.errors import ConfigurationError
from shared.model.prices import MICROS_PER_DOLLAR, Price, PriceRow, PriceTable, Rates, Tier

NAME: Final = "PRICES_FILE"
HOW: Final = "docs/howto/budgets.md"
MAX_ROWS: Final = 1_000
MAX_PROMPT: Final = 100_000_000
MAX_DOLLARS: Final = 100_000
_RATES: Final = ("input", "output", "cache_write_5m", "cache_write_1h", "cache_read")
_NANOS_PER_TOKEN: Final = 1_000  # of a dollar per million tokens
_MODEL: Final = re.compile(r"[!-~]{1,200}")


def load_prices(path: Path | None) -> PriceTable:
    """The prices in use. Raises ConfigurationError with every fault of the operator's file."""
    if path is None:
        return shipped()
    return _parse(operator_files.read(NAME, path), str(path)).over(shipped())


@cache
def shipped() -> PriceTable:
    """The prices that are shipped."""
    return _parse(resources.files("shared.config").joinpath("prices.toml").read_text(encoding="utf-8"), "prices.toml")


def _parse(text: str, path: str) -> PriceTable:
    try:
        tables = tomllib.loads(text, parse_float=Decimal)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        where = f" at {place[0]}" if (place := re.search(r"line \d+, column \d+", str(error))) else ""
        raise ConfigurationError(f"{NAME}: {path} is not TOML{where}; correct it ({HOW})") from None
    faults = [f"unknown table {name}" for name in sorted(set(tables) - {"prices", "web_searches"})]
    tiers: dict[tuple[str, date], dict[int, tuple[Rates, str]]] = {}
    for where, table in _numbered(tables, "prices", faults):
        _add_tier(table, where, tiers, faults)
    searches: dict[date, int] = {}
    for where, table in _numbered(tables, "web_searches", faults):
        found = [*_unknown(table, ("from", "per_thousand", "source")), *_dated(table)]
        price = _number(table, "per_thousand", MICROS_PER_DOLLAR // 1_000, found)
        faults += [f"{where}: {fault}" for fault in found]
        if not found:
            searches[table["from"]] = price
    for (model, since), found_tiers in tiers.items():
        if 0 not in found_tiers:
            faults.append(f"{model} from {since}: has only prices `above` so many tokens; add those below")
    if not tiers and not searches and not faults:
        faults.append("there is no [[prices]] table")
    if faults:
        raise ConfigurationError(f"{NAME}:\n" + "\n".join(f"  {fault}" for fault in faults))
    return PriceTable(tuple(_row(model, since, found) for (model, since), found in tiers.items()), searches)


def _row(model: str, since: date, tiers: dict[int, tuple[Rates, str]]) -> PriceRow:
    return PriceRow(model, since, Price(tuple(Tier(above, tiers[above][0]) for above in sorted(tiers))), tiers[0][1])


def _numbered(tables: Mapping[str, Any], name: str, faults: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The tables of one name, with what each is called in a fault."""
    found = tables.get(name, [])
    if not isinstance(found, list) or len(found) > MAX_ROWS or not all(isinstance(table, dict) for table in found):
        faults.append(f"{name} must be at most {MAX_ROWS} [[{name}]] tables")
        return
    for number, table in enumerate(found, 1):
        yield f"[[{name}]] {number}", table


def _add_tier(table: dict[str, Any], where: str, tiers: dict[tuple[str, date], dict[int, tuple[Rates, str]]], faults: list[str]) -> None:
    found = [*_unknown(table, ("model", "from", "above", "source", *_RATES)), *_dated(table)]
    model, above = table.get("model"), table.get("above", 0)
    if not isinstance(model, str) or not _MODEL.fullmatch(model):
        found.append("model must be its name, without blanks")
    if type(above) is not int or not 0 <= above <= MAX_PROMPT:
        found.append("above must be a number of tokens")
    rates = Rates(*(_number(table, name, _NANOS_PER_TOKEN, found) for name in _RATES))
    if not found and above in tiers.get((str(model), table["from"]), {}):
        found.append("the same model, day and tier stand twice")
    faults += [f"{where}: {fault}" for fault in found]
    if not found:
        tiers.setdefault((str(model), table["from"]), {})[above] = rates, table["source"]


def _unknown(table: dict[str, Any], known: tuple[str, ...]) -> list[str]:
    return [f"unknown field {name}" for name in sorted(set(table) - set(known))]


def _dated(table: dict[str, Any]) -> Iterator[str]:
    """A price says from when on it holds and where it was read."""
    if not isinstance(table.get("from"), date) or isinstance(table["from"], datetime):
        yield "from must be a day, such as 2026-11-29"
    if not isinstance(table.get("source"), str) or not table["source"].strip():
        yield "source must say where the price was read"


def _number(table: dict[str, Any], name: str, factor: int, faults: list[str]) -> int:
    """A price in dollars as a whole number of the smaller unit."""
    value = table.get(name)
    if type(value) not in (int, Decimal) or not Decimal(value).is_finite() or not 0 <= value <= MAX_DOLLARS:  # type: ignore[arg-type, operator]
        faults.append(f"{name} must be dollars, 0 or more")
        return 0
    units = Decimal(value) * factor  # type: ignore[arg-type]
    if units != int(units):
        faults.append(f"{name} has more than three decimals")
        return 0
    return int(units)
