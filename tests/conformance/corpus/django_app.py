"""The application that the models of ``django_shop`` belong to, so that Django knows both ends of relations."""

from django.apps import AppConfig


class Shop(AppConfig):
    """The shop."""

    name = "tests.conformance.corpus.django_app"
    label = "shop"
