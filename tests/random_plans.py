"""Random plans on a book, right and wrong, that say of themselves what is true."""

from __future__ import annotations

import random
from collections.abc import Sequence
from decimal import ROUND_CEILING, Decimal

from allocator.models.base import ZERO
from allocator.models.canonical import mandate_hash, plan_hash, snapshot_hash
from allocator.models.plan import (
    Action,
    Certificate,
    Infeasible,
    Order,
    Plan,
    PlanStatus,
    PositionMove,
    Transfer,
)
from allocator.plan.lots import Sizes
from allocator.state import Book, charge_of, published
from allocator.verify import final_violations, plan_blocks, price_range


def random_plan(rng: random.Random, book: Book, most: int = 6) -> Plan:
    """Make a plan of up to `most` random actions with honest figures."""
    return honest(book, random_actions(rng, book, rng.randint(0, most)))


def honest(book: Book, actions: Sequence[Action]) -> Plan:
    """Say of a list of actions what it costs and comes to, with a bound that is trivially true."""
    blocks = plan_blocks(book, actions)
    missing = blocks.after
    status: PlanStatus = "act" if actions else "nothing"
    if missing.total > Decimal("0.01"):
        status = "infeasible"
    plan = Plan(
        status=status,
        snapshot_hash=snapshot_hash(book.snapshot),
        mandate_hash=mandate_hash(book.mandate),
        actions=tuple(actions),
        cost=blocks.cost,
        exposure=blocks.exposure,
        accounts=blocks.accounts,
        certificate=Certificate(
            lower_bound=blocks.cost.total,
            gap=ZERO,
            gap_relative=ZERO,
            shortfall=published(missing.total),
            shortfall_lower_bound=published(missing.total),
        ),
        infeasible=tuple(
            Infeasible(what=row.what, missing=published(row.amount)) for row in missing.parts
        ),
        unrepairable=missing.unrepairable,
    )
    return plan.model_copy(update={"plan_hash": plan_hash(plan)})


def random_actions(rng: random.Random, book: Book, count: int) -> list[Action]:
    """Make actions that mostly keep the rules on single actions and wait by chance."""
    return _Draw(rng, book).actions(count)


class _Draw:
    def __init__(self, rng: random.Random, book: Book) -> None:
        self.rng, self.book = rng, book
        self.sides: dict[tuple[str, str], str] = {}
        self.used: set[tuple[str, ...]] = set()
        self.slip = rng.random() < 0.3

    def wrong(self) -> bool:
        """Tell whether to make a mistake here; most plans make none on purpose."""
        return self.slip and self.rng.random() < 0.25

    def actions(self, count: int) -> list[Action]:
        out = list[Action]()
        for _ in range(count):
            kind = self.rng.choices(("order", "transfer", "move"), (6, 3, 2))[0]
            action = getattr(self, kind)(len(out) + 1, [a.seq for a in out])
            if action is not None:
                out.append(action)
        return out

    def after(self, earlier: list[int]) -> tuple[int, ...]:
        if self.wrong():
            return (self.rng.randint(1, len(earlier) + 2),)
        if not earlier or self.rng.random() < 0.4:
            return ()
        return tuple(sorted(self.rng.sample(earlier, self.rng.randint(1, min(3, len(earlier))))))

    def fresh(self, *key: str) -> bool:
        if key in self.used and not self.wrong():
            return False
        self.used.add(key)
        return True

    def order(self, seq: int, earlier: list[int]) -> Order | None:
        book, rng = self.book, self.rng
        pairs = [*book.pairs, *book.spot_pairs]
        if self.wrong():
            pairs = [*book.quantity]
        if not pairs:
            return None
        account, name = rng.choice(pairs)
        if not self.fresh("order", account, name):
            return None
        held = book.quantity.get((account, name), ZERO)
        owner = (book.accounts[account].owner, name)
        side = rng.choice(("buy", "sell"))
        if not self.wrong():
            side = self.sides.setdefault(owner, "sell" if held > 0 and rng.random() < 0.6 else side)
        quantity = self.quantity(name, abs(held))
        reduces = quantity <= abs(held) and (side == "sell") == (held > 0)
        action = Order(
            seq=seq,
            account=account,
            instrument=name,
            side="buy" if side == "buy" else "sell",
            quantity=quantity,
            limit_price=book.instruments[name].mark,
            reduce_only=(reduces and rng.random() < 0.7) or self.wrong(),
            group=rng.choice((None, None, "g1", "g2")),
            after=self.after(earlier),
        )
        return self.priced(action)

    def quantity(self, name: str, held: Decimal) -> Decimal:
        row = self.book.instruments[name]
        if held and self.rng.random() < 0.3:
            return held
        most = Decimal(self.rng.choice((300, 5000, 40000, 40000, 300000)))
        wanted = most * Decimal(self.rng.random()) / self.book.notional(name)
        wanted = max(wanted, row.min_quantity, row.min_notional / self.book.notional(name))
        lots = (wanted / row.lot).to_integral_value(ROUND_CEILING)
        out = max(row.lot, lots * row.lot)
        if row.max_quantity is not None and not self.wrong():
            out = min(out, row.max_quantity)
        return out + row.lot / 4 if self.wrong() else out

    def priced(self, order: Order) -> Order:
        allowed = price_range(self.book, order)
        if allowed is None:
            return order
        tick = self.book.instruments[order.instrument].tick
        low, high = allowed
        first = (low / tick).to_integral_value(ROUND_CEILING)
        steps = int((high / tick) // 1 - first)
        price = (first + self.rng.randint(0, max(0, steps))) * tick
        if self.wrong():
            price += tick * Decimal(self.rng.choice(("-2", "0.5", "3")))
        return order.model_copy(update={"limit_price": max(tick, price)})

    def transfer(self, seq: int, earlier: list[int]) -> Transfer | None:
        book, rng = self.book, self.rng
        if not book.routes:
            return None
        route = rng.choice(list(book.routes.values()))
        if not (route.enabled or self.wrong()) or not self.fresh("transfer", route.id):
            return None
        most = book.withdrawable(route.source, route.asset)
        most = max(ZERO, most - route.fee) / (1 + route.rate)
        if route.max is not None and not self.wrong():
            most = min(most, route.max)
        amount = max(route.min, most * Decimal(rng.choice(("1", "0.6", "0.1"))))
        step = route.step or Decimal("0.00001")
        amount = amount // step * step
        if self.wrong():
            amount = amount * 3 + step / 8
        if not amount or (
            charge_of(route, amount) + amount > most + route.fee and not self.wrong()
        ):
            return None
        return Transfer(
            seq=seq,
            route=route.id,
            source=route.source,
            target=route.target,
            asset=route.asset,
            amount=amount,
            after=self.after(earlier),
        )

    def move(self, seq: int, earlier: list[int]) -> PositionMove | None:
        book, rng = self.book, self.rng
        rules = [
            rule for rule in book.moves.values() if book.quantity[rule.source, rule.instrument]
        ]
        if not rules:
            return None
        rule = rng.choice(rules)
        if not self.fresh("order", rule.source, rule.instrument):
            return None
        lot = book.instruments[rule.instrument].lot
        held = abs(book.quantity[rule.source, rule.instrument])
        lots = (held / lot * Decimal(rng.choice(("1", "0.5", "0.2")))) // 1
        if rule.max_notional is not None and not self.wrong():
            lots = min(lots, rule.max_notional / book.notional(rule.instrument) / lot // 1)
        if not lots:
            return None
        return PositionMove(
            seq=seq,
            source=rule.source,
            target=rule.target,
            instrument=rule.instrument,
            quantity=lots * lot + (lot / 4 if self.wrong() else 0),
            after=self.after(earlier),
        )


def random_sizes(rng: random.Random, book: Book, most: int = 8) -> Sizes:
    """Make sizes of random actions that keep every rule at their end; there may be none."""
    rows = random_actions(rng, book, rng.randint(2, most))
    while rows and (_doubled(rows) or final_violations(book, _loose(rows))):
        rows.pop(rng.randrange(len(rows)))
    orders = {(r.account, r.instrument): r.signed for r in rows if isinstance(r, Order)}
    sent = {r.route: r.amount for r in rows if isinstance(r, Transfer)}
    moved = {
        (r.source, r.target, r.instrument): r.quantity for r in rows if isinstance(r, PositionMove)
    }
    return Sizes(orders, sent, moved)


def _doubled(rows: Sequence[Action]) -> bool:
    names = [
        (r.account, r.instrument)
        if isinstance(r, Order)
        else (r.route,)
        if isinstance(r, Transfer)
        else (r.source, r.target, r.instrument)
        for r in rows
    ]
    return len(set(names)) < len(names)


def _loose(rows: Sequence[Action]) -> list[Action]:
    """Number the actions anew, none waiting for another."""
    out = list[Action]()
    for seq, row in enumerate(rows, 1):
        free: dict[str, object] = {"seq": seq, "after": ()}
        if isinstance(row, Order):
            free["group"] = None
        out.append(row.model_copy(update=free))
    return out
