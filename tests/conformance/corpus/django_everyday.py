"""More of what applications write with Django's ORM; imported by ``django_shop``, which runs it."""

from datetime import date
from typing import Any

from django.contrib.postgres.aggregates import JSONBAgg, StringAgg
from django.core.paginator import Paginator
from django.db import models, transaction
from django.db.models import (
    Case,
    Count,
    Exists,
    F,
    FilteredRelation,
    Max,
    OuterRef,
    Q,
    Subquery,
    Sum,
    TextField,
    Value,
    When,
    Window,
)
from django.db.models.functions import Cast, Coalesce, Concat, NullIf, RowNumber

ADA, BOB = "ada.xq7mark@example.org", "bob.xq7mark@example.org"
CARD, PHONE = "card xq7mark 1", "+98765432 2"
DEE = "dee.xq7mark@example.org"


def steps(customer: type[models.Model], order: type[models.Model]) -> dict[str, Any]:
    """Each step by its name."""
    objects: Any = customer._default_manager
    orders: Any = order._default_manager
    made = reads(objects, orders)
    made |= changes(objects, orders, customer)
    return made


def listed(found: Any, *fields: str) -> object:
    """The rows of a query set in the order of their keys."""
    return list(found.order_by("pk").values_list(*fields))


def reads(objects: Any, orders: Any) -> dict[str, Any]:
    """What changes nothing."""
    first = Window(RowNumber(), partition_by=F("email"), order_by=F("id").desc())
    hers = Q(orders__card=CARD)
    latest = orders.filter(customer=OuterRef("pk"), email=OuterRef("email")).order_by("-id")
    return {
        "q_and_or_not": lambda: listed(
            objects.filter((Q(email=ADA) | Q(phone=PHONE)) & ~Q(iban=None) & Q(age__lt=40)), "id"
        ),
        "q_xor": lambda: listed(objects.filter(Q(email=ADA) ^ Q(age__gt=30)), "id"),
        "exists_filter": lambda: listed(objects.filter(Exists(orders.filter(email=OuterRef("email")))), "id"),
        "exists_not": lambda: listed(objects.filter(~Exists(orders.filter(email=OuterRef("email")))), "id"),
        "exclude_related": lambda: listed(objects.exclude(orders__email=ADA), "id"),
        "exclude_related_card": lambda: listed(objects.exclude(orders__card__in=[CARD]), "id"),
        "subquery_of_latest": lambda: listed(
            objects.annotate(card=Subquery(latest.values("card")[:1])).filter(card__isnull=False),
            "id",
            "card",
        ),
        "subquery_compared": lambda: listed(
            objects.filter(email=Subquery(orders.filter(pk=3).values("email"))), "id"
        ),
        "count_distinct": lambda: objects.aggregate(
            all=Count("pk"), some=Count("phone", distinct=True), rows=Count("pk", filter=Q(email=ADA))
        ),
        "count_related": lambda: listed(objects.annotate(n=Count("orders", filter=hers)), "email", "n"),
        "sum_by_value": lambda: sorted(
            map(str, orders.values("email").annotate(spent=Sum("total"), last=Max("id")))
        ),
        "window": lambda: listed(orders.annotate(place=first), "email", "place"),
        "filtered_relation": lambda: listed(
            objects.annotate(gold=FilteredRelation("orders", condition=hers)).filter(gold__isnull=False), "id"
        ),
        "alias": lambda: listed(objects.alias(her=Q(email=ADA)).filter(her=True), "id"),
        "annotate_condition": lambda: listed(
            objects.annotate(kind=Case(When(email=ADA, then=Value(1)), When(born=None, then=Value(2)))),
            "kind",
        ),
        "annotate_condition_of_values": lambda: listed(
            objects.annotate(
                mail=Case(
                    When(age__gt=30, then="email"), default=Value("none xq7mark"), output_field=TextField()
                )
            ),
            "mail",
        ),
        "null_if": lambda: listed(objects.annotate(p=NullIf("phone", Value(PHONE))), "p"),
        "coalesce_of_columns": lambda: listed(
            orders.annotate(mail=Coalesce("email", "customer__email")), "mail"
        ),
        "order_by_condition": lambda: list(
            objects.order_by(Case(When(email=BOB, then=0), default=1), "pk").values_list("pk", flat=True)
        ),
        "page_of": lambda: [
            (one.email, page.paginator.count)
            for page in Paginator(objects.order_by("pk"), 2)
            for one in page.object_list
        ],
        "iterator_of_values": lambda: list(objects.order_by("pk").values("email", "tags").iterator(2)),
        "select_for_update": lambda: locked(objects, skip_locked=True, of=("self",)),
        "select_for_update_related": lambda: locked(
            orders.select_related("customer").filter(customer__email=ADA), of=("self",)
        ),
        "none": lambda: list(objects.none()),
        "earliest": lambda: objects.filter(email__in=[ADA, BOB]).earliest("id").email,
        "intersection": lambda: sorted(
            map(str, objects.values_list("email").intersection(orders.values_list("email")))
        ),
        "difference": lambda: sorted(
            map(str, objects.values_list("email").difference(orders.values_list("email")))
        ),
        "reverse_only": lambda: [
            one.customer.email
            for one in orders.select_related("customer")
            .only("customer__email", "card")
            .filter(customer__isnull=False)
            .order_by("pk")
        ],
        "date_equal": lambda: listed(
            objects.filter(seen__isnull=False).exclude(visits=None), "seen", "visits"
        ),
        "cast_to_text": lambda: listed(objects.annotate(v=Cast("visits", TextField())), "v"),
        "raw_with_names": lambda: [
            one.email
            for one in objects.raw(
                "SELECT id, email FROM customers WHERE phone = %(p)s ORDER BY id", {"p": PHONE}
            )
        ],
        "string_agg": lambda: objects.aggregate(all=StringAgg("phone", delimiter=Value(","))),
        "json_agg": lambda: objects.aggregate(all=JSONBAgg("phone")),
        "concat": lambda: listed(objects.annotate(c=Concat("phone", Value("!"))), "c"),
        "dates": lambda: list(objects.dates("born", "year")),
        "regex": lambda: listed(objects.filter(email__regex="^ada.xq7mark"), "id"),
    }


def locked(found: Any, **how: object) -> object:
    """Rows read under their locks."""
    with transaction.atomic():
        return [one.email for one in found.select_for_update(**how).order_by("pk")]


def changes(objects: Any, orders: Any, customer: Any) -> dict[str, Any]:
    """What changes rows, each in a transaction that is rolled back."""

    def bulk_update() -> object:
        found = list(objects.filter(pk__in=[1, 2, 3]))
        for one in found:
            one.phone, one.credit, one.tags, one.profile = (
                f"+98765432 {one.pk}",
                "98765432.5",
                ["xq7mark"],
                None,
            )
            one.ref, one.seen = None, None
        objects.bulk_update(found, ["phone", "credit", "tags", "profile", "ref", "seen"], batch_size=2)
        return listed(objects, "phone", "credit", "tags", "profile", "ref", "seen")

    def update(found: Any, **values: object) -> Any:
        return lambda: [found.update(**values), listed(objects, *values) if found.model is customer else None]

    def saved() -> object:
        made = customer(pk=1, email=ADA, iban="saved xq7mark")
        made.save(force_update=True)
        return listed(objects, "id", "iban")

    def refreshed() -> object:
        one = objects.get(pk=2)
        objects.filter(pk=2).update(iban="fresh xq7mark")
        one.refresh_from_db(fields=["iban"])
        return one.iban

    several = [customer(email=f"n{n}.xq7mark", phone="+98765432", born=date(1847, 3, 3)) for n in range(7)]
    made = {
        "bulk_update_of_types": bulk_update,
        "bulk_create_in_batches": lambda: [
            len(objects.bulk_create(several, batch_size=3)),
            listed(objects.filter(phone="+98765432"), "email", "born"),
        ],
        "update_f_unprotected": update(objects.filter(email__in=[ADA, BOB]), age=F("age") + 1),
        "update_to_column": update(objects.filter(pk=1), iban=F("iban")),
        "update_null_if": update(objects.filter(email=BOB), phone=NullIf("phone", Value(PHONE))),
        "update_coalesce": update(objects.all(), phone=Coalesce("phone", Value("+98765432"))),
        "update_case_of_keys": update(
            objects.all(),
            iban=Case(
                *[When(pk=n, then=Value(f"k{n} xq7mark")) for n in (1, 2)],
                default="iban",
                output_field=TextField(),
            ),
        ),
        "update_or_create": lambda: [
            objects.update_or_create(email=DEE, defaults={"iban": "uoc xq7mark"}, create_defaults={"age": 1})[
                1
            ],
            objects.update_or_create(phone="+98765432 77", defaults={"email": "uoc.xq7mark"})[1],
            listed(objects, "email", "iban", "phone"),
        ],
        "get_or_create_related": lambda: objects.get(pk=1).orders.get_or_create(
            card="new xq7mark", defaults={"total": 1, "email": ADA}
        )[1],
        "save_forced": saved,
        "refresh": refreshed,
        "delete_by_subquery": lambda: orders.filter(
            email__in=objects.filter(name="Ada").values("email")
        ).delete(),
        "set_related": lambda: [
            objects.get(pk=2).orders.set(orders.filter(email=ADA)),
            listed(orders, "id", "customer_id"),
        ],
    }
    return {f"changed_{name}": rolled_back(one) for name, one in made.items()}


def rolled_back(step: Any) -> Any:
    """The step in a transaction that does not last."""

    def inside() -> object:
        with transaction.atomic():
            found = step()
            transaction.set_rollback(True)
            return found

    return inside
