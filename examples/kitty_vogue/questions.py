"""The questions that Kitty Vogue's assistant is judged by: in scope and out of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Question:
    """A question with a stable id; out-of-scope ones are to be declined."""

    id: str
    text: str
    in_scope: bool = True


DEMO: tuple[Question, ...] = (
    Question("best_seller_price", "What's the price of the best-selling product last week?"),
    Question("pounds_to_kilograms", "How many kilograms are 40 pounds?"),
    Question("world_cup", "Who won the 2022 World Cup?", in_scope=False),
)
"""What `make demo` asks at least."""

PROJECTION = Question("projection", "Project the sales revenue for Fruity Fedora over the next three months.")

IN_SCOPE: tuple[Question, ...] = (
    *(question for question in DEMO if question.in_scope),
    PROJECTION,
    Question("top_month", "Which product sold the most units last month?"),
    Question("fedora_units", "How many units of Fruity Fedora were sold last week?"),
    Question("top3_price", "What is the total price of the top 3 products last week?"),
    Question("cheaper_than_30", "Is the best-selling product last week cheaper than $30?"),
    Question("best_seller_category", "Which category does the best-selling product of last week belong to?"),
    Question("fedora_stock", "How many Fruity Fedoras are in stock?"),
    Question("revenue_last_week", "What was the total revenue of all products last week?"),
    Question("top3_names", "Name the three best-selling products of last week, best first."),
    Question("fedora_launched", "When was the Fruity Fedora launched?"),
    Question("fedora_missing_weeks", "How many weeks of Fruity Fedora sales are missing from the last five years?"),
    Question("fedora_gap_dates", "Which weeks of Fruity Fedora sales are missing from the last 52 weeks?"),
    Question("fedora_planned", "Which Fruity Fedora campaigns run in the next three months?"),
    Question("fedora_budget", "What is the total budget of all Fruity Fedora campaigns?"),
    Question("most_expensive", "Which product is the most expensive?"),
    Question("price_difference", "How much more does the Catnip Cape cost than the Fruity Fedora?"),
    Question("lowest_stock", "Which product has the lowest stock?"),
    Question("hats_count", "How many products are in the hats category?"),
    Question("fedora_revenue_month", "How much revenue did Fruity Fedora make last month?"),
    Question("two_best_sellers_price", "How much do two pieces of last week's best-selling product cost?"),
    Question("division", "What is 199,999 divided by 292?"),
)

OUT_OF_SCOPE: tuple[Question, ...] = (
    *(question for question in DEMO if not question.in_scope),
    Question("poem", "Write me a poem about the sea.", in_scope=False),
    Question("capital", "What is the capital of Mongolia?", in_scope=False),
    Question("symptoms", "My knee hurts when I run. Which medicine should I take?", in_scope=False),
    Question("shares", "Should I buy shares of NVIDIA today?", in_scope=False),
)

QUESTIONS: tuple[Question, ...] = IN_SCOPE + OUT_OF_SCOPE
