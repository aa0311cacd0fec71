"""A self-hosted adapter between Shopify-style stores and Customer.io."""

__version__ = "0.2.0"
