"""`boss spending`: what answering has cost, and what it may."""

from __future__ import annotations

from collections.abc import Iterator

import click

from boss.session import open_session
from boss.terminal.output import Command, emit_json, printable
from shared.operations.spending import Amount, Spending, spending_report

WIDTH = 28


@click.command(cls=Command)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def spending(*, as_json: bool) -> None:
    """Show what answering has cost: today, this month, by model, by day and by person.

    Dollars and tokens, and what is reserved for questions under way. Days and
    months are UTC's; a person's are those of their own clock. A model that is
    played costs nothing.
    """
    with open_session() as session:
        found = spending_report(session.redis, session.people, session.settings)
    if as_json:
        emit_json(found)
        return
    for line in lines(found):
        click.echo(printable(line))


def lines(found: Spending) -> Iterator[str]:
    """The report for the eye."""
    bounds = found["bounds"]
    tokens = f", {bounds['daily_tokens']:,} tokens" if bounds["daily_tokens"] else ""
    yield _line(f"today ({found['day']})", found["today"], bounds["daily_dollars"], tokens)
    yield _line(f"this month ({found['day'][:7]})", found["month"], bounds["monthly_dollars"])
    yield _line("last month", found["last_month"])
    for title, group in (("by model, today", "models_today"), ("by model, this month", "models_month"), ("by day", "days")):
        rows: dict[str, Amount] = found[group]  # type: ignore[literal-required]  # one of the three that stand above
        if rows:
            yield f"{title}:"
            yield from (_line(f"  {name}", amount) for name, amount in rows.items())
    if found["persons"]:
        yield "by person:"
    for each in found["persons"]:
        yield _line(f"  {each['username']}, today", each["today"], bounds["person_daily_dollars"])
        yield _line(f"  {each['username']}, this month", each["month"], bounds["person_monthly_dollars"])


def _line(name: str, amount: Amount, bound: float | None = None, more: str = "") -> str:
    of = f" of ${bound:,.2f}{more}" if bound else more and f" of{more[1:]}"
    reserved = ""
    if amount["tokens_reserved"] or amount["dollars_reserved"]:
        reserved = f"; reserved ${amount['dollars_reserved']:,.4f}, {amount['tokens_reserved']:,} tokens"
    searches = f", {amount['searches']:,} searches" if amount["searches"] else ""
    return f"{name:<{WIDTH}} ${amount['dollars']:,.4f}, {amount['tokens']:,} tokens{of}{searches}{reserved}"
