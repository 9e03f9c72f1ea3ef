"""Signatures: signers of requests in `requests`, signature schemes of webhooks in `webhooks`."""

from __future__ import annotations

from ._requests import bearer, header

__all__ = ["bearer", "header"]
