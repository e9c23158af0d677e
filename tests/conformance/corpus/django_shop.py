"""What applications do with Django's ORM, on the shop's protected tables; run as a process of its own.

Prints the results as JSON. Nothing is migrated: the tables are there.
"""

import json
import os
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import django
from django.conf import settings
from django.contrib.postgres.aggregates import ArrayAgg
from django.contrib.postgres.fields import ArrayField
from django.db import connection, models, transaction
from django.db.models import Case, Count, Exists, F, Max, OuterRef, Prefetch, Q, Subquery, Sum, Value, When
from django.db.models.functions import Coalesce, Lower
from tests.conformance.corpus import django_everyday
from tests.conformance.corpus.steps import failure, settled

ADA, BOB, NEW = "ada.xq7mark@example.org", "bob.xq7mark@example.org", "new.xq7mark@example.org"
Step = Callable[[], object]
STEPS: dict[str, Step] = {}


def set_up() -> None:
    """Django is configured once for a process."""
    parameters = json.loads(os.environ["ENDPOINT"])
    options = {key: parameters[key] for key in ("sslmode", "sslrootcert") if key in parameters}
    options["server_side_binding"] = os.environ["BINDING"] == "server"
    database = {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parameters["dbname"],
        "USER": parameters["user"],
        "PASSWORD": parameters["password"],
        "HOST": parameters["host"],
        "PORT": parameters["port"],
        "OPTIONS": options,
    }
    settings.configure(
        DATABASES={"default": database},
        INSTALLED_APPS=["django.contrib.postgres", "tests.conformance.corpus.django_app.Shop"],
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        USE_TZ=True,
    )
    django.setup()


set_up()


class Customer(models.Model):
    """Someone who orders."""

    email = models.TextField(unique=True)
    iban = models.TextField(null=True)
    phone = models.CharField(max_length=20, null=True)
    born = models.DateField(null=True)
    visits = models.IntegerField(null=True)
    credit = models.DecimalField(max_digits=14, decimal_places=2, null=True)
    profile = models.JSONField(null=True)
    tags = ArrayField(models.TextField(), null=True)
    ref = models.UUIDField(null=True)
    seen = models.DateTimeField(null=True)
    name = models.TextField(default="nobody")
    city = models.TextField(null=True)
    age = models.IntegerField(null=True)

    class Meta:
        """Where it is."""

        app_label = "shop"
        db_table = "customers"


class Order(models.Model):
    """What was ordered."""

    customer = models.ForeignKey(Customer, models.CASCADE, null=True, related_name="orders")
    email = models.TextField(null=True)
    card = models.TextField(null=True)
    total = models.DecimalField(max_digits=10, decimal_places=2)
    note = models.TextField(null=True)

    class Meta:
        """Where it is."""

        app_label = "shop"
        db_table = "orders"


def step(made: Step) -> Step:
    """Registers a step."""
    STEPS[made.__name__] = made
    return made


def ids(found: "models.QuerySet[Customer]") -> object:
    """Which customers were found."""
    return list(found.order_by("id").values_list("id", flat=True))


def everything(customer: Customer) -> object:
    """All that a customer is."""
    return [getattr(customer, field.attname) for field in Customer._meta.fields]


def reads(name: str, made: Step) -> None:
    """Registers a step of one expression."""
    STEPS[name] = made


objects, orders = Customer.objects, Order.objects
reads("get", lambda: everything(objects.get(pk=1)))
reads("get_by_value", lambda: objects.get(email=ADA).name)
reads("get_missing", lambda: objects.get(email=NEW))
reads("all", lambda: [everything(one) for one in objects.order_by("id")])
reads("first", lambda: objects.order_by("id").first().email)
reads("last", lambda: objects.order_by("id").last().email)
reads("first_of_filter", lambda: objects.filter(email=BOB).first().iban)
reads("in_bulk", lambda: sorted(one.email for one in objects.in_bulk([1, 2]).values()))
reads("in_bulk_by_value", lambda: sorted(objects.in_bulk([ADA, NEW], field_name="email")))
reads("filter_equal", lambda: ids(objects.filter(email=ADA)))
reads("filter_exact", lambda: ids(objects.filter(email__exact=ADA)))
reads("filter_in", lambda: ids(objects.filter(email__in=[ADA, BOB, NEW])))
reads("filter_in_nothing", lambda: ids(objects.filter(email__in=[])))
reads(
    "filter_in_queryset", lambda: ids(objects.filter(email__in=orders.filter(total__gt=10).values("email")))
)
reads("filter_null", lambda: ids(objects.filter(iban__isnull=True)))
reads("filter_not_null", lambda: ids(objects.filter(born__isnull=False)))
reads("filter_none", lambda: ids(objects.filter(iban=None)))
reads("filter_visits", lambda: ids(objects.filter(visits=731100001)))
reads("filter_visits_in", lambda: ids(objects.filter(visits__in=[731100001, 731100002])))
reads("filter_uuid", lambda: ids(objects.filter(ref=UUID("98765432-0000-4000-8000-000000000001"))))
reads("filter_time", lambda: ids(objects.filter(seen=datetime(1847, 1, 1, 10, tzinfo=UTC))))
reads("filter_phone", lambda: ids(objects.filter(phone="+98765432 2")))
reads("filter_q", lambda: ids(objects.filter(Q(email=ADA) | Q(phone="+98765432 2", age__gt=30))))
reads("filter_not_q", lambda: ids(objects.filter(~Q(email=ADA))))
reads("filter_related", lambda: ids(objects.filter(orders__card="card xq7mark 1").distinct("id")))
reads(
    "filter_through",
    lambda: list(orders.filter(customer__email=ADA).order_by("id").values_list("id", flat=True)),
)
reads(
    "filter_f",
    lambda: list(orders.filter(email=F("customer__email")).order_by("id").values_list("id", flat=True)),
)
reads("exclude", lambda: ids(objects.exclude(email=ADA)))
reads("exclude_nullable", lambda: ids(objects.exclude(phone="+98765432 2")))
reads("exclude_in", lambda: ids(objects.exclude(email__in=[ADA, BOB])))
reads("values", lambda: list(objects.order_by("id").values("id", "email", "born", "credit", "tags")))
reads("values_list", lambda: list(objects.order_by("id").values_list("email", "profile")))
reads("values_flat", lambda: list(objects.order_by("id").values_list("iban", flat=True)))
reads("values_through", lambda: list(orders.order_by("id").values("customer__email", "card")))
reads("only", lambda: [one.email for one in objects.only("email").order_by("id")])
reads("defer", lambda: [one.iban for one in objects.defer("iban").order_by("id")])
reads("distinct", lambda: sorted(map(str, objects.values_list("phone", flat=True).distinct())))
reads("count", objects.count)
reads("count_filter", lambda: objects.filter(email=ADA).count())
reads("count_distinct", lambda: objects.values("phone").distinct().count())
reads("exists", lambda: [objects.filter(email=ADA).exists(), objects.filter(email=NEW).exists()])
reads("contains", lambda: objects.filter(phone="+98765432 2").contains(objects.get(pk=2)))
reads("page", lambda: [one.email for one in objects.order_by("id")[2:4]])
reads(
    "select_related",
    lambda: [one.customer and one.customer.email for one in orders.select_related("customer").order_by("id")],
)
reads(
    "prefetch",
    lambda: [
        [order.card for order in one.orders.all()]
        for one in objects.order_by("id").prefetch_related(Prefetch("orders", orders.order_by("id")))
    ],
)
reads(
    "related_lazily",
    lambda: [one.customer.iban for one in orders.filter(customer__isnull=False).order_by("id")],
)
reads("related_manager", lambda: [one.card for one in objects.get(pk=1).orders.order_by("id")])
reads("aggregate_count", lambda: objects.aggregate(n=Count("email"), d=Count("phone", distinct=True)))
reads(
    "annotate_count",
    lambda: list(objects.annotate(n=Count("orders")).order_by("id").values_list("email", "n")),
)
reads(
    "annotate_sum",
    lambda: [(one.email, one.spent) for one in objects.annotate(spent=Sum("orders__total")).order_by("id")],
)
reads(
    "group_by", lambda: sorted(map(str, orders.values_list("email").annotate(n=Count("id"), s=Sum("total"))))
)
reads("group_by_having", lambda: list(objects.values_list("phone").annotate(n=Count("id")).filter(n__gt=1)))
reads(
    "annotate_exists",
    lambda: list(
        objects.annotate(has=Exists(orders.filter(email=OuterRef("email"))))
        .order_by("id")
        .values_list("id", "has")
    ),
)
reads(
    "annotate_subquery",
    lambda: list(
        objects.annotate(
            card=Subquery(orders.filter(customer=OuterRef("pk")).order_by("id").values("card")[:1])
        )
        .order_by("id")
        .values_list("id", "card")
    ),
)
reads(
    "annotate_case",
    lambda: list(
        objects.annotate(her=Case(When(email=ADA, then=Value("yes")), default=Value("no")))
        .order_by("id")
        .values_list("her", flat=True)
    ),
)
reads(
    "annotate_f",
    lambda: list(orders.annotate(mail=F("customer__email")).order_by("id").values_list("mail", flat=True)),
)
reads(
    "array_agg",
    lambda: list(
        orders.values("customer_id")
        .annotate(cards=ArrayAgg("card", ordering="id"))
        .order_by("customer_id")
        .values_list("cards", flat=True)
    ),
)
reads(
    "coalesce",
    lambda: list(
        orders.annotate(mail=Coalesce("email", Value(NEW), output_field=models.TextField()))
        .order_by("id")
        .values_list("mail", flat=True)
    ),
)
reads(
    "union",
    lambda: sorted(
        map(str, objects.values_list("email", flat=True).union(orders.values_list("email", flat=True)))
    ),
)
reads(
    "union_all",
    lambda: sorted(
        map(
            str,
            objects.values_list("email", flat=True).union(orders.values_list("email", flat=True), all=True),
        )
    ),
)
reads("iterator", lambda: [one.email for one in objects.order_by("id").iterator(chunk_size=2)])
reads("raw", lambda: [one.iban for one in objects.raw("SELECT * FROM customers WHERE email = %s", [ADA])])
reads("explain", lambda: "customers" in objects.filter(pk=1).explain())
# what sealed values cannot do
reads("startswith", lambda: ids(objects.filter(email__startswith="ada.xq7mark")))
reads("icontains", lambda: ids(objects.filter(email__icontains="XQ7MARK")))
reads("iexact", lambda: ids(objects.filter(email__iexact=ADA)))
reads("greater", lambda: ids(objects.filter(visits__gt=731100001)))
reads("year", lambda: ids(objects.filter(born__year=1847)))
reads("json_key", lambda: ids(objects.filter(profile__likes="xq7mark tea")))
reads("array_contains", lambda: ids(objects.filter(tags__contains=["xq7mark-a"])))
reads("order_by_value", lambda: list(objects.order_by("email").values_list("id", flat=True)))
reads("largest", lambda: objects.aggregate(n=Max("visits")))
reads("lower", lambda: list(objects.annotate(low=Lower("email")).values_list("low", flat=True)))
reads("increment", lambda: objects.filter(pk=0).update(visits=F("visits") + 1))
STEPS.update(django_everyday.steps(Customer, Order))
# changes
reads(
    "create",
    lambda: everything(
        objects.create(email=NEW, iban="xq7mark", born=date(1847, 4, 4), credit=Decimal("98765432.75"))
    ),
)
reads("create_related", lambda: objects.get(pk=1).orders.create(card="xq7mark", total=3, email=ADA).card)
reads(
    "bulk_create",
    lambda: [
        one.pk
        for one in objects.bulk_create(
            [
                Customer(
                    email=f"b{n}.xq7mark", visits=731100000 + n, tags=["xq7mark"], profile={"n": "xq7mark"}
                )
                for n in range(30)
            ]
        )
    ],
)
reads(
    "bulk_created",
    lambda: list(
        objects.filter(visits__in=[731100000, 731100029])
        .order_by("id")
        .values_list("email", "tags", "profile")
    ),
)
reads(
    "bulk_create_ignore",
    lambda: [
        len(objects.bulk_create([Customer(email=ADA), Customer(email="i.xq7mark")], ignore_conflicts=True)),
        objects.filter(email="i.xq7mark").count(),
    ],
)
reads(
    "bulk_create_upsert",
    lambda: [
        len(
            objects.bulk_create(
                [Customer(email=ADA, iban="up xq7mark"), Customer(email="u.xq7mark", iban="up xq7mark")],
                update_conflicts=True,
                unique_fields=["email"],
                update_fields=["iban"],
            )
        ),
        list(objects.filter(email__in=[ADA, "u.xq7mark"]).order_by("id").values_list("iban", flat=True)),
    ],
)
reads(
    "get_or_create",
    lambda: [
        objects.get_or_create(email=ADA)[1],
        objects.get_or_create(email="g.xq7mark", defaults={"iban": "xq7mark"})[1],
    ],
)
reads(
    "update_or_create",
    lambda: [
        objects.update_or_create(email=BOB, defaults={"iban": "up xq7mark"})[1],
        objects.update_or_create(email="o.xq7mark", defaults={"phone": "+98765432"})[1],
        objects.get(email=BOB).iban,
    ],
)
reads(
    "update",
    lambda: [objects.filter(email=BOB).update(city="Rome", iban="upd xq7mark"), objects.get(pk=2).iban],
)
reads(
    "update_null", lambda: [objects.filter(pk=2).update(iban=None, born=None), everything(objects.get(pk=2))]
)
reads("update_in", lambda: objects.filter(email__in=[ADA, BOB]).update(age=50))
reads(
    "update_case",
    lambda: [
        objects.filter(pk__in=[1, 2]).update(
            iban=Case(
                When(email=ADA, then=Value("her xq7mark")), default=F("iban"), output_field=models.TextField()
            )
        ),
        objects.get(pk=1).iban,
    ],
)
reads(
    "update_subquery",
    lambda: [
        orders.filter(pk=3).update(
            email=Subquery(objects.filter(pk=OuterRef("customer_id")).values("email")[:1])
        ),
        orders.get(pk=3).email,
    ],
)
reads("delete_filter", lambda: orders.filter(card="card xq7mark 2").delete())
reads("delete_cascade", lambda: objects.get(email="Ada.xq7mark@example.org").delete())
reads("duplicate", lambda: objects.create(email=ADA))


@step
def save() -> object:
    customer = objects.get(pk=1)
    customer.born, customer.tags = date(1847, 8, 8), ["saved xq7mark", ""]
    customer.save()
    return everything(objects.get(pk=1))


@step
def save_fields() -> object:
    customer = objects.get(pk=1)
    customer.phone, customer.name = "+98765432 8", "not saved"
    customer.save(update_fields=["phone"])
    return everything(objects.get(pk=1))


@step
def save_json() -> object:
    customer = objects.get(pk=3)
    customer.profile = {"a": [1, None, "xq7mark"], "ü": {"b": 98765432.5}}
    customer.save()
    return objects.get(pk=3).profile


@step
def bulk_update() -> object:
    found = list(objects.filter(pk__in=[1, 2, 3]))
    for one in found:
        one.iban, one.born, one.visits = f"bulk xq7mark {one.pk}", date(1847, 1, one.pk), 731100000 + one.pk
    return [
        objects.bulk_update(found, ["iban", "born", "visits"]),
        list(objects.filter(pk__in=[1, 2, 3]).order_by("id").values_list("iban", "born", "visits")),
    ]


@step
def lock() -> object:
    with transaction.atomic():
        return objects.select_for_update().get(email=ADA).iban


@step
def savepoint() -> object:
    with transaction.atomic():
        try:
            with transaction.atomic():
                objects.create(email=ADA)
        except Exception as error:  # noqa: BLE001  # its class is the result
            return [type(error).__name__, objects.get(pk=1).email]
    return None


@step
def undone() -> object:
    try:
        with transaction.atomic():
            objects.filter(pk=1).update(iban="lost xq7mark")
            raise KeyError("lost")
    except KeyError:
        return objects.get(pk=1).iban


@step
def refused_in_a_transaction() -> object:
    with transaction.atomic():
        objects.filter(pk=2).update(city="kept?")
        list(objects.filter(email__startswith="ada.xq7mark"))
        raise KeyError("the twin has no reason of its own to roll back")


@step
def not_kept() -> object:
    return objects.filter(city="kept?").count()


@step
def cursor() -> object:
    with connection.cursor() as made:
        made.execute("SELECT id, email FROM customers WHERE email = %s", [ADA])
        rows = made.fetchall()
        made.executemany("INSERT INTO customers (email) VALUES (%s)", [["m1.xq7mark"], ["m2.xq7mark"]])
        return [rows, made.rowcount]


def main() -> None:
    """Runs every step and prints what it gave."""
    found = {}
    for name, one in STEPS.items():
        try:
            found[name] = settled(one())
        except Exception as error:  # noqa: BLE001  # whatever Django makes of an error is compared
            found[name] = failure(error)
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
