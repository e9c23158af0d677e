"""What an application of Django's does, in one run; prints what it found as JSON. Run by ``test_django``."""

import json
import os

import django
from django.apps import AppConfig
from django.conf import settings
from django.db import IntegrityError, connection, models, transaction
from django.db.models import Count, F, Q, Sum

parameters = json.loads(os.environ["ENDPOINT"])
options = {key: parameters[key] for key in ("sslmode", "sslrootcert") if key in parameters}


class Shop(AppConfig):
    """The application that the models belong to."""

    name = "__main__"
    label = "shop"


settings.configure(
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": parameters["dbname"],
            "USER": parameters["user"],
            "PASSWORD": parameters["password"],
            "HOST": parameters["host"],
            "PORT": parameters["port"],
            "OPTIONS": {**options, "server_side_binding": True},
        }
    },
    INSTALLED_APPS=["django.contrib.postgres", "__main__.Shop"],
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
)
django.setup()

from django.contrib.postgres.fields import ArrayField  # noqa: E402  # Django must be set up first


class Customer(models.Model):
    """Someone who orders."""

    name = models.CharField(max_length=100)
    email = models.EmailField(unique=True)
    tags = ArrayField(models.TextField(), default=list)
    profile = models.JSONField(default=dict)

    class Meta:
        """Where it belongs."""

        app_label = "shop"


class Order(models.Model):
    """What was ordered."""

    customer = models.ForeignKey(Customer, models.CASCADE, related_name="orders")
    total = models.IntegerField()

    class Meta:
        """Where it belongs."""

        app_label = "shop"


def fill() -> None:
    """Makes the tables and 500 customers with an order each."""
    with connection.schema_editor() as editor:
        editor.create_model(Customer)
        editor.create_model(Order)
    customers = Customer.objects.bulk_create(
        Customer(name=f"customer {n}", email=f"{n}@example.com", tags=["a"], profile={"n": n})
        for n in range(500)
    )
    Order.objects.bulk_create(Order(customer=one, total=n) for n, one in enumerate(customers))


def break_a_savepoint() -> str:
    """Runs into a unique constraint inside a savepoint; says how it was told."""
    try:
        with transaction.atomic():
            Customer.objects.create(name="again", email="1@example.com")
    except IntegrityError as error:
        return type(error).__name__
    return ""


def main() -> dict[str, object]:
    """Does everything in order; what is found is said under the names that the test knows."""
    fill()
    seen: dict[str, object] = {}
    seven = Customer.objects.get(email="7@example.com")
    seen["found"] = [seven.name, seven.tags, seven.profile]
    seen["aggregate"] = Order.objects.aggregate(count=Count("id"), total=Sum("total"))
    seen["filtered"] = Customer.objects.filter(Q(profile__n__lt=5) | Q(orders__total__gte=495)).count()
    best = Customer.objects.select_related().filter(orders__total__gt=100).order_by("-orders__total")
    seen["joined"] = [one.name for one in best[:2]]
    Customer.objects.bulk_create(
        [Customer(name="renamed", email="7@example.com")],
        update_conflicts=True,
        unique_fields=["email"],
        update_fields=["name"],
    )
    seen["upserted"] = [Customer.objects.get(email="7@example.com").name, Customer.objects.count()]
    seen["updated"] = Order.objects.filter(total__lt=5).update(total=F("total") + 1000)
    seen["iterated"] = sum(1 for _ in Customer.objects.order_by("id").iterator(chunk_size=100))
    with transaction.atomic():
        Customer.objects.filter(email="2@example.com").update(name="kept")
        seen["savepoint"] = break_a_savepoint()
    seen["kept"] = Customer.objects.filter(name="kept").exists()
    with transaction.atomic():
        seen["locked"] = len(Customer.objects.select_for_update().filter(email="3@example.com"))
    seen["deleted"] = Customer.objects.filter(email="4@example.com").delete()[0]
    seen["tables"] = sorted(connection.introspection.table_names())
    connection.close()
    return seen


if __name__ == "__main__":
    print(json.dumps(main()))
