"""The task bank of the planner comparison: requests, what must come out, and a plan by hand that does it.

Six categories: a single call, references between steps, branches, for-each loops, bounded while loops, and independent
work that can run at once. Every task is solved by its reference plan, which the tests run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from agentkit.messages import Json
from benchmarks.planning.checking import Unordered, Wanted, answer_matches, effects_match
from benchmarks.planning.world import World

TaskKind = Literal["call", "reference", "branch", "for_each", "loop", "parallel"]


@dataclass(frozen=True, slots=True)
class Task:
    """One request and its right outcome.

    Attributes:
        id: Stable name.
        category: The control flow that it needs.
        request: What the user says.
        reference: A plan in restricted Python that solves it.
        answer: The expected answer; None where only the effects count.
        effects: The expected side effects, all of them.
    """

    id: str
    category: TaskKind
    request: str
    reference: str
    answer: Json | Unordered = None
    effects: tuple[Wanted, ...] = ()

    def solved(self, answer: Json, world: World) -> bool:
        """Whether the final world is right: the answer, and exactly the expected side effects.

        Args:
            answer: The run's answer.
            world: The world that it ran in.
        """
        right = self.answer is None or answer_matches(self.answer, answer, request=self.request)
        return right and effects_match(self.effects, world.effects)


CALLS = (
    Task(
        "call_kilograms",
        "call",
        "How many kilograms are 40 pounds?",
        "answer(pounds_to_kilograms(pounds=40))",
        18.1436948,
    ),
    Task("call_price", "call", "What does the Beret cost?", 'answer(get_price(name="Beret"))', 27.9),
    Task("call_stock", "call", "How many Boots are in stock?", 'answer(get_stock(name="Boots"))', 7),
    Task("call_prime", "call", "Is 91 a prime number?", "answer(is_prime(number=91))", False),
    Task(
        "call_weather",
        "call",
        "How many degrees Celsius is it in Lima today?",
        'weather = get_weather(city="Lima")\nanswer(weather.celsius)',
        22.5,
    ),
    Task(
        "call_email",
        "call",
        'Send an email to ann@shop.example with the subject "Lunch" and the text "At noon?".',
        'send_email(to="ann@shop.example", subject="Lunch", body="At noon?")\nanswer("sent")',
        effects=(Wanted("send_email", {"to": "ann@shop.example", "subject": "Lunch", "body": "At noon?"}),),
    ),
)

REFERENCES = (
    Task(
        "ref_date",
        "reference",
        "Which date is 10 days from today?",
        "today = get_today()\nanswer(add_days(today, 10))",
        "2026-03-12",
    ),
    Task(
        "ref_manager_email",
        "reference",
        "What is the email address of Ann Lee's manager?",
        'ann = find_person(name="Ann Lee")\nboss = find_person(name=ann.manager)\nanswer(boss.email)',
        "bo@shop.example",
    ),
    Task(
        "ref_total_price",
        "reference",
        "What do one Fedora and two pairs of Slippers cost together?",
        'fedora = get_price(name="Fedora")\nslippers = get_price(name="Slippers")\nanswer(fedora + 2 * slippers)',
        93.1,
    ),
    Task(
        "ref_parcels",
        "reference",
        "Three parcels weigh 12, 15 and 20.5 pounds. How many kilograms is that together?",
        "answer(pounds_to_kilograms(pounds=12 + 15 + 20.5))",
        21.5456,
    ),
    Task(
        "ref_best_hat",
        "reference",
        "What is the price of the hat that sold the most units last week?",
        """\
hats = list_products(category="hats")
best = max(hats, key=lambda hat: hat.units)
answer(get_price(name=best.name))""",
        34.5,
    ),
    Task(
        "ref_compound",
        "reference",
        "How many kilograms are 30 pounds, and which date is a week from today?",
        """\
kilograms = pounds_to_kilograms(pounds=30)
today = get_today()
later = add_days(today, 7)
answer([kilograms, later])""",
        [13.60777, "2026-03-09"],
    ),
    Task(
        "ref_email_manager",
        "reference",
        "Email Di Evans's manager the price of the Heels.",
        """\
di = find_person(name="Di Evans")
boss = find_person(name=di.manager)
price = get_price(name="Heels")
send_email(to=boss.email, subject="Heels", body=f"The Heels cost ${price}.")
answer("sent")""",
        effects=(Wanted("send_email", {"to": "cy@shop.example"}, ("57.7",)),),
    ),
    Task(
        "ref_stock_value",
        "reference",
        "What are all the Beanies in stock worth at today's price?",
        'stock = get_stock(name="Beanie")\nprice = get_price(name="Beanie")\nanswer(stock * price)',
        495.0,
    ),
    Task(
        "ref_fahrenheit",
        "reference",
        "How many degrees Fahrenheit is it in Cairo today? (Fahrenheit is Celsius times 9 / 5 plus 32.)",
        'weather = get_weather(city="Cairo")\nanswer(weather.celsius * 9 / 5 + 32)',
        95.0,
    ),
)

BRANCHES = (
    Task(
        "branch_nvidia",
        "branch",
        "If NVIDIA's earnings beat the expected ones, buy 10 of its shares; otherwise sell 10.",
        """\
earnings = get_earnings(company="NVIDIA")
if earnings.eps > earnings.expected_eps:
    trade_shares(company="NVIDIA", action="buy", shares=10)
else:
    trade_shares(company="NVIDIA", action="sell", shares=10)
answer("done")""",
        effects=(Wanted("trade_shares", {"company": "NVIDIA", "action": "buy", "shares": 10}),),
    ),
    Task(
        "branch_intel",
        "branch",
        "Look at Intel's last earnings: if they are above what was expected, buy 4 shares, if not, sell 4.",
        """\
earnings = get_earnings(company="Intel")
if earnings.eps > earnings.expected_eps:
    trade_shares(company="Intel", action="buy", shares=4)
else:
    trade_shares(company="Intel", action="sell", shares=4)
answer("done")""",
        effects=(Wanted("trade_shares", {"company": "Intel", "action": "sell", "shares": 4}),),
    ),
    Task(
        "branch_umbrella",
        "branch",
        'If it rains in London today answer "umbrella", otherwise answer "sunglasses".',
        """\
weather = get_weather(city="London")
if weather.rain:
    item = "umbrella"
else:
    item = "sunglasses"
answer(item)""",
        "umbrella",
    ),
    Task(
        "branch_reorder",
        "branch",
        "If there are fewer than 5 Slippers in stock, reorder 20.",
        """\
stock = get_stock(name="Slippers")
if stock < 5:
    reorder(name="Slippers", units=20)
answer(stock)""",
        effects=(Wanted("reorder", {"name": "Slippers", "units": 20}),),
    ),
    Task(
        "branch_enough",
        "branch",
        "How many Boots are in stock? If there are fewer than 5, reorder 20 as well.",
        """\
stock = get_stock(name="Boots")
if stock < 5:
    reorder(name="Boots", units=20)
answer(stock)""",
        7,
    ),
    Task(
        "branch_cheaper",
        "branch",
        "Which is cheaper, the Heels or the Boots?",
        """\
heels = get_price(name="Heels")
boots = get_price(name="Boots")
answer("Heels" if heels < boots else "Boots")""",
        "Boots",
    ),
    Task(
        "branch_picnic",
        "branch",
        'If it is warmer than 20 degrees in Lima, email Bo Chen "Picnic today", otherwise email him "Cinema today".',
        """\
weather = get_weather(city="Lima")
bo = find_person(name="Bo Chen")
if weather.celsius > 20:
    text = "Picnic today"
else:
    text = "Cinema today"
send_email(to=bo.email, subject="Today", body=text)
answer(text)""",
        effects=(Wanted("send_email", {"to": "bo@shop.example"}, ("picnic",)),),
    ),
    Task(
        "branch_second_choice",
        "branch",
        "If Tesla beat its expected earnings buy 5 Tesla shares; otherwise, if Apple did, buy 5 Apple shares.",
        """\
tesla = get_earnings(company="Tesla")
apple = get_earnings(company="Apple")
if tesla.eps > tesla.expected_eps:
    trade_shares(company="Tesla", action="buy", shares=5)
elif apple.eps > apple.expected_eps:
    trade_shares(company="Apple", action="buy", shares=5)
answer("done")""",
        effects=(Wanted("trade_shares", {"company": "Apple", "action": "buy", "shares": 5}),),
    ),
)

FOR_EACH = (
    Task(
        "each_price_sum",
        "for_each",
        "What is the sum of the prices of all hats that sold more than 3 units last week?",
        """\
hats = list_products(category="hats")
prices = [get_price(name=hat.name) for hat in hats if hat.units > 3]
answer(sum(prices))""",
        54.3,
    ),
    Task(
        "each_low_toys",
        "for_each",
        "Which toys have fewer than 10 units in stock?",
        """\
toys = list_products(category="toys")
stocks = [get_stock(name=toy.name) for toy in toys]
answer([toys[i].name for i in range(len(toys)) if stocks[i] < 10])""",
        Unordered(("Laser Dot", "Catnip Ball")),
    ),
    Task(
        "each_reorder",
        "for_each",
        "Reorder 12 units of every shoe that has fewer than 10 units in stock.",
        """\
shoes = list_products(category="shoes")
for shoe in shoes:
    stock = get_stock(name=shoe.name)
    if stock < 10:
        reorder(name=shoe.name, units=12)
answer("done")""",
        effects=(
            Wanted("reorder", {"name": "Boots", "units": 12}),
            Wanted("reorder", {"name": "Slippers", "units": 12}),
        ),
    ),
    Task(
        "each_revenue",
        "for_each",
        "What revenue did the toys make last week, at today's prices?",
        """\
toys = list_products(category="toys")
prices = [get_price(name=toy.name) for toy in toys]
answer(sum([toys[i].units * prices[i] for i in range(len(toys))]))""",
        417.7,
    ),
    Task(
        "each_email",
        "for_each",
        'Email Ann Lee, Bo Chen and Di Evans each the text "Meeting at three".',
        """\
for name in ["Ann Lee", "Bo Chen", "Di Evans"]:
    person = find_person(name=name)
    send_email(to=person.email, subject="Meeting", body="Meeting at three")
answer("sent")""",
        effects=tuple(
            Wanted("send_email", {"to": f"{name}@shop.example"}, ("meeting at three",)) for name in ("ann", "bo", "di")
        ),
    ),
    Task(
        "each_rain",
        "for_each",
        "In which cities does it rain today?",
        """\
cities = list_cities()
reports = [get_weather(city=city) for city in cities]
answer([report.city for report in reports if report.rain])""",
        Unordered(("Hanoi", "London")),
    ),
    Task(
        "each_kilograms",
        "for_each",
        "Convert 10, 20 and 30 pounds to kilograms; answer with the list.",
        "answer([pounds_to_kilograms(pounds=pounds) for pounds in [10, 20, 30]])",
        [4.5359, 9.0718, 13.6078],
    ),
    Task(
        "each_primes",
        "for_each",
        "Which of the numbers 51, 53, 57 and 59 are prime? Answer with the list.",
        """\
candidates = [51, 53, 57, 59]
primes = [is_prime(number=n) for n in candidates]
answer([candidates[i] for i in range(len(candidates)) if primes[i]])""",
        Unordered((53, 59)),
    ),
    Task(
        "each_trade",
        "for_each",
        "For each of NVIDIA, Intel and Apple: buy 3 shares if its earnings beat the expected ones, otherwise sell 3.",
        """\
for company in ["NVIDIA", "Intel", "Apple"]:
    earnings = get_earnings(company=company)
    if earnings.eps > earnings.expected_eps:
        trade_shares(company=company, action="buy", shares=3)
    else:
        trade_shares(company=company, action="sell", shares=3)
answer("done")""",
        effects=(
            Wanted("trade_shares", {"company": "NVIDIA", "action": "buy", "shares": 3}),
            Wanted("trade_shares", {"company": "Intel", "action": "sell", "shares": 3}),
            Wanted("trade_shares", {"company": "Apple", "action": "buy", "shares": 3}),
        ),
    ),
)

LOOPS = (
    Task(
        "loop_prime",
        "loop",
        "Draw random numbers until one is prime. Which prime is it?",
        """\
number = next_random()
prime = is_prime(number=number)
while not prime:
    number = next_random()
    prime = is_prime(number=number)
answer(number)""",
        17,
    ),
    Task(
        "loop_count",
        "loop",
        "Draw random numbers until one is greater than 80. How many numbers did you draw?",
        """\
number = next_random()
count = 1
while number <= 80:
    number = next_random()
    count = count + 1
answer(count)""",
        11,
    ),
    Task(
        "loop_sum",
        "loop",
        "Keep drawing random numbers and adding them up until the sum is at least 100. What is the sum?",
        """\
total = 0
while total < 100:
    number = next_random()
    total = total + number
answer(total)""",
        113,
    ),
    Task(
        "loop_head",
        "loop",
        "Start at Ann Lee and go from manager to manager up to the head of the company. Who is it?",
        """\
person = find_person(name="Ann Lee")
while person.manager != "":
    person = find_person(name=person.manager)
answer(person.name)""",
        "Cy Diaz",
    ),
    Task(
        "loop_at_most",
        "loop",
        "Draw at most 4 random numbers and stop early at the first prime one. Which number did you draw last?",
        """\
number = 0
for _ in range(4):
    number = next_random()
    if is_prime(number=number):
        break
answer(number)""",
        50,
    ),
)

PARALLEL = (
    Task(
        "par_difference",
        "parallel",
        "By how many degrees is it warmer in Cairo than in Oslo today?",
        """\
cairo = get_weather(city="Cairo")
oslo = get_weather(city="Oslo")
answer(cairo.celsius - oslo.celsius)""",
        38.5,
    ),
    Task(
        "par_average",
        "parallel",
        "What is the average temperature of all known cities today, in Celsius?",
        """\
reports = [get_weather(city=city) for city in list_cities()]
answer(sum([report.celsius for report in reports]) / len(reports))""",
        19.2,
    ),
    Task(
        "par_units",
        "parallel",
        "How many units did hats, shoes and toys sell together last week?",
        """\
hats = list_products(category="hats")
shoes = list_products(category="shoes")
toys = list_products(category="toys")
answer(sum([product.units for product in hats + shoes + toys]))""",
        104,
    ),
    Task(
        "par_hottest",
        "parallel",
        "Which city is the hottest today?",
        """\
reports = [get_weather(city=city) for city in list_cities()]
highest = max([report.celsius for report in reports])
hottest = [report.city for report in reports if report.celsius == highest]
answer(hottest[0])""",
        "Cairo",
    ),
    Task(
        "par_compound",
        "parallel",
        "Tell me the price of the Fedora, the stock of the Beanie and the temperature in Oslo, in this order.",
        """\
price = get_price(name="Fedora")
stock = get_stock(name="Beanie")
weather = get_weather(city="Oslo")
answer([price, stock, weather.celsius])""",
        [34.5, 25, -3.5],
    ),
    Task(
        "par_prices",
        "parallel",
        "What is the price of the most expensive of all hats and shoes?",
        """\
hats = list_products(category="hats")
shoes = list_products(category="shoes")
prices = [get_price(name=product.name) for product in hats + shoes]
answer(max(prices))""",
        57.7,
    ),
)

TASKS: tuple[Task, ...] = CALLS + REFERENCES + BRANCHES + FOR_EACH + LOOPS + PARALLEL
