"""Videos in, curated and traceable image sets out."""

__version__ = "0.1.0"
