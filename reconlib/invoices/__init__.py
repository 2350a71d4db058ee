"""What vendors charge, audited: line by line, invoice by invoice, and against what was bought and is billed (docs/rules.md)."""

from reconlib.invoices.audit import audit_charges

__all__ = ["audit_charges"]
