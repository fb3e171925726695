"""Proofs of convergence of two-dimensional systems under a policy; ``docs/evidence.md`` has the theorem."""

from lac.proofs.checker import Check, check
from lac.proofs.enclosures import NotProvedError
from lac.proofs.proof import Proof, prove

__all__ = ["Check", "NotProvedError", "Proof", "check", "prove"]
