"""What vendors charge, audited: line by line, invoice by invoice, and against what was bought and is billed (FIELD.md 2.6)."""

from reconlib.invoices.audit import audit_charges

__all__ = ["audit_charges"]
