"""Project weekly sales: harmonic regression with a trend and the effect of campaigns.

The logarithm of a week's units is modelled as ``level + trend + yearly harmonics + campaign effect``, fitted by least
squares to the weeks that were recorded. Missing weeks are left out, never filled in; that the effect of campaigns is a
term of its own is why they must be known (R. Hyndman, G. Athanasopoulos, *Forecasting: Principles and Practice*, 3rd
edition, sections 7.4 and 10.5). The interval comes from how far the fit is off on average over stretches of the past
as long as the projection, because neighbouring weeks err together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

MIN_WEEKS = 104
"""Recorded weeks that a projection needs: two seasons, so that season and trend can be told apart."""

_YEAR = 365.2425 / 7
_HARMONICS = 4
_Z80 = 1.2816
"""Two-sided 80 % quantile of the normal distribution."""


@dataclass(frozen=True, slots=True)
class Week:
    """A recorded week: its Monday, units sold, and revenue in US dollars."""

    start: date
    units: int
    revenue: float


@dataclass(frozen=True, slots=True)
class Span:
    """A campaign's first and last day."""

    start: date
    end: date


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a projection says.

    Attributes:
        weeks: Monday, expected units and expected revenue (US dollars) of each week.
        low: Lower end of the 80 % interval of the total revenue, US dollars.
        high: Upper end of that interval.
        campaign_effect: Factor by which a campaign multiplies units; 1 where no recorded week had a campaign.
    """

    weeks: tuple[tuple[date, float, float], ...]
    low: float
    high: float
    campaign_effect: float

    @property
    def units(self) -> float:
        """Expected units in total."""
        return sum(units for _, units, _ in self.weeks)

    @property
    def revenue(self) -> float:
        """Expected revenue in total, US dollars."""
        return sum(revenue for _, _, revenue in self.weeks)


def project(history: Sequence[Week], campaigns: Sequence[Span], mondays: Sequence[date]) -> Forecast:
    """Project the sales of the weeks that start on `mondays`.

    Args:
        history: Recorded weeks, in any order; at least `MIN_WEEKS`.
        campaigns: Past and planned campaigns of the product.
        mondays: First days of the weeks to project; at least one.

    Returns:
        The projection. Future units are sold at the price of the last recorded week with sales.

    Raises:
        ValueError: Too few recorded weeks, or no week was sold in.
    """
    weeks = sorted(history, key=lambda week: week.start)
    if len(weeks) < MIN_WEEKS:
        raise ValueError(f"a projection needs at least {MIN_WEEKS} recorded weeks, got {len(weeks)}")
    price = next((week.revenue / week.units for week in reversed(weeks) if week.units), None)
    if price is None:
        raise ValueError("no recorded week has sales")
    origin = weeks[0].start
    shares = [_campaign_share(week.start, campaigns) for week in weeks]
    with_campaign = max(shares) > min(shares)
    rows = [_features(week.start, origin, share, with_campaign) for week, share in zip(weeks, shares, strict=True)]
    logs = [math.log(max(week.units, 0.5)) for week in weeks]
    beta = _solve(rows, [_dot(column, logs) for column in zip(*rows, strict=True)])
    residuals = [log - _dot(row, beta) for row, log in zip(rows, logs, strict=True)]
    variance = sum(r * r for r in residuals) / (len(rows) - len(beta))
    future = [_features(start, origin, _campaign_share(start, campaigns), with_campaign) for start in mondays]
    units = [math.exp(_dot(row, beta) + variance / 2) for row in future]
    # The total errs like its average week: by the drift seen in the past, and by the doubt in the coefficients.
    average = [_dot(column, units) / sum(units) for column in zip(*future, strict=True)]
    doubt = variance * _dot(average, _solve(rows, average))
    margin = math.exp(_Z80 * math.sqrt(_drift(residuals, len(mondays)) ** 2 + doubt))
    revenue = price * sum(units)
    return Forecast(
        tuple((start, expected, expected * price) for start, expected in zip(mondays, units, strict=True)),
        low=revenue / margin,
        high=revenue * margin,
        campaign_effect=math.exp(beta[-1]) if with_campaign else 1.0,
    )


def _drift(residuals: Sequence[float], length: int) -> float:
    """Root mean square of the mean residual over every stretch of `length` recorded weeks."""
    length = min(length, len(residuals))
    means = [sum(residuals[i : i + length]) / length for i in range(len(residuals) - length + 1)]
    return math.sqrt(sum(mean * mean for mean in means) / len(means))


def _campaign_share(monday: date, campaigns: Sequence[Span]) -> float:
    """The share of a week's days on which a campaign runs, from 0 to 1."""
    days = [monday + timedelta(days=i) for i in range(7)]
    return sum(any(span.start <= day <= span.end for span in campaigns) for day in days) / 7


def _features(monday: date, origin: date, share: float, with_campaign: bool) -> list[float]:
    years = (monday - origin).days / 7 / _YEAR
    angle = 2 * math.pi * (monday.timetuple().tm_yday / 365.2425)
    row = [1.0, years]
    for k in range(1, _HARMONICS + 1):
        row += [math.cos(k * angle), math.sin(k * angle)]
    return [*row, share] if with_campaign else row


def _solve(rows: Sequence[Sequence[float]], right: Sequence[float]) -> list[float]:
    """Solve ``(rows' rows) x = right`` by elimination with pivoting: a dozen unknowns need no library."""
    n = len(right)
    matrix = [[sum(row[i] * row[j] for row in rows) for j in range(n)] + [right[i]] for i in range(n)]
    for column in range(n):
        pivot = max(range(column, n), key=lambda i: abs(matrix[i][column]))
        matrix[column], matrix[pivot] = matrix[pivot], matrix[column]
        if abs(matrix[column][column]) < 1e-9:
            raise ValueError("the recorded weeks do not tell trend, season and campaigns apart")
        for i in range(n):
            if i != column:
                factor = matrix[i][column] / matrix[column][column]
                matrix[i] = [a - factor * b for a, b in zip(matrix[i], matrix[column], strict=True)]
    return [matrix[i][n] / matrix[i][i] for i in range(n)]


def _dot(a: Sequence[float], b: Sequence[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))
