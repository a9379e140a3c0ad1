"""What Kitty Vogue sells, advertises and failed to record: the hand-made facts behind the generated sales.

Moments are counted in weeks before the reference week (the week that contains "today"), so that the shop has the same
story whatever day it is built for. A negative number of weeks lies in the future: a campaign that is planned.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Product:
    """A product and the shape of its demand.

    Attributes:
        name: Unique display name.
        category: One of the shop's categories.
        prices: ``(weeks before the reference week, US dollars)``, oldest first; the last one is today's price.
        weekly: Units sold in an average week at the start of the records.
        peak: ISO week of the yearly peak.
        swing: Strength of the yearly season; 0 is flat, 1 multiplies the peak by e.
        growth: Growth a year, as a logarithm.
        launched: Weeks between launch and the reference week.
        stock: Units in stock.
    """

    name: str
    category: str
    prices: tuple[tuple[int, float], ...]
    weekly: float
    peak: int
    swing: float
    growth: float
    launched: int
    stock: int

    @property
    def price(self) -> float:
        """Today's price in US dollars."""
        return self.prices[-1][1]


@dataclass(frozen=True, slots=True)
class Campaign:
    """A marketing campaign: from the Monday `starts` weeks before the reference week, for `weeks` weeks.

    `lift` multiplies the product's demand while the campaign runs; the database does not record it.
    """

    product: str
    name: str
    starts: int
    weeks: int
    budget: float
    channel: str
    lift: float


@dataclass(frozen=True, slots=True)
class Gap:
    """Weeks whose sales were never recorded, oldest first: `weeks` of them from `starts` weeks before the reference."""

    product: str
    starts: int
    weeks: int
    reason: str


PRODUCTS: tuple[Product, ...] = (
    Product("Fruity Fedora", "hats", ((600, 29.90), (170, 32.50), (66, 34.50)), 46, 25, 0.55, 0.09, 352, 212),
    Product("Bengal Beret", "hats", ((600, 24.90), (120, 27.90)), 31, 43, 0.45, 0.04, 410, 95),
    Product("Panama Paws", "hats", ((600, 38.00), (80, 41.25)), 24, 28, 0.70, 0.10, 158, 61),
    Product("Siamese Sunhat", "hats", ((600, 22.75),), 29, 27, 0.80, 0.02, 300, 148),
    Product("Bobcat Beanie", "hats", ((600, 17.50), (140, 19.80)), 42, 2, 0.60, 0.05, 388, 173),
    Product("Whisker Wool Scarf", "scarves", ((600, 22.00), (100, 24.40)), 44, 51, 0.65, 0.03, 420, 120),
    Product("Silk Purr Scarf", "scarves", ((600, 45.00), (150, 48.60)), 17, 20, 0.15, 0.06, 275, 44),
    Product("Calico Cardigan", "sweaters", ((600, 47.50), (130, 52.30)), 33, 48, 0.50, 0.05, 402, 87),
    Product("Tabby Turtleneck", "sweaters", ((600, 42.00), (110, 46.10)), 40, 1, 0.55, 0.05, 395, 76),
    Product("Purrfect Poncho", "sweaters", ((600, 33.90), (180, 36.40), (52, 38.20)), 48, 45, 0.20, 0.06, 333, 139),
    Product("Catnip Cape", "outerwear", ((600, 59.00), (95, 64.90)), 16, 42, 0.40, 0.03, 310, 38),
    Product("Mainecoon Mackintosh", "outerwear", ((600, 74.00), (125, 79.50)), 14, 14, 0.35, 0.05, 260, 17),
    Product("Kitten Heels", "shoes", ((600, 55.20), (75, 57.70)), 21, 22, 0.25, 0.04, 430, 53),
    Product("Puddle Paws Boots", "shoes", ((600, 41.00), (145, 43.60)), 27, 12, 0.45, 0.04, 290, 66),
    Product("Slinky Slippers", "shoes", ((600, 26.50), (90, 29.30)), 36, 52, 0.55, 0.05, 365, 110),
    Product("Bowtie of Nine Tails", "accessories", ((600, 15.10), (105, 16.40)), 38, 50, 0.20, 0.04, 440, 187),
    Product("Meow Mittens", "accessories", ((600, 13.20), (115, 14.90)), 62, 3, 0.62, 0.06, 376, 241),
    Product("Velvet Collar", "accessories", ((600, 19.90), (60, 21.60)), 35, 24, 0.10, 0.07, 405, 158),
    Product("Tabby Tuxedo", "costumes", ((600, 92.00), (85, 96.80)), 9, 51, 0.60, 0.05, 280, 21),
    Product("Pumpkin Pounce Costume", "costumes", ((600, 31.40), (135, 33.70)), 12, 42, 1.30, 0.06, 340, 33),
)

CAMPAIGNS: tuple[Campaign, ...] = (
    Campaign("Fruity Fedora", "Summer Sizzle", 250, 4, 3200.0, "social", 1.50),
    Campaign("Fruity Fedora", "Brim Season", 195, 3, 2400.0, "email", 1.35),
    Campaign("Fruity Fedora", "Cool Cats Tour", 142, 5, 5200.0, "influencer", 1.60),
    Campaign("Fruity Fedora", "Back to Basics", 115, 2, 1500.0, "email", 1.25),
    Campaign("Fruity Fedora", "Fedora Friday", 89, 4, 2800.0, "social", 1.45),
    Campaign("Fruity Fedora", "Sunny Side Up", 41, 4, 4100.0, "influencer", 1.55),
    Campaign("Fruity Fedora", "Spring Fling", -5, 4, 3600.0, "social", 1.50),
    Campaign("Fruity Fedora", "High Summer", -16, 5, 4500.0, "influencer", 1.55),
    Campaign("Purrfect Poncho", "Poncho Parade", 1, 1, 1900.0, "influencer", 3.30),
    Campaign("Purrfect Poncho", "Wrap Party", 69, 3, 2100.0, "email", 1.40),
    Campaign("Meow Mittens", "Warm Paws", 58, 4, 1700.0, "email", 1.35),
    Campaign("Tabby Tuxedo", "Black Tie Tabby", 66, 5, 3900.0, "print", 1.60),
    Campaign("Pumpkin Pounce Costume", "Howl and Meow", 20, 3, 2600.0, "social", 1.70),
    Campaign("Panama Paws", "Launch Party", 157, 4, 4800.0, "influencer", 1.80),
    Campaign("Velvet Collar", "Velvet Hour", 34, 2, 900.0, "email", 1.30),
    Campaign("Puddle Paws Boots", "April Showers", -5, 3, 2000.0, "social", 1.40),
)

GAPS: tuple[Gap, ...] = (
    Gap("Fruity Fedora", 196, 4, "tills replaced: the old export was lost"),
    Gap("Fruity Fedora", 117, 3, "warehouse flood: the week sheets were ruined"),
    Gap("Fruity Fedora", 61, 1, "public holiday week never entered"),
    Gap("Fruity Fedora", 48, 3, "export failed during the move to the new shop system"),
    Gap("Velvet Collar", 140, 3, "sold from a pop-up stall without a till"),
    Gap("Puddle Paws Boots", 88, 2, "export failed"),
)
