"""Prove, every month, that what an MSP is about to invoice equals what it delivers."""

__version__ = "0.1.0"
