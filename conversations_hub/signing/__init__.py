"""Signatures: signers of requests in `requests`, signature schemes of webhooks in `webhooks`."""

from __future__ import annotations

from .requests import bearer, header

__all__ = ["bearer", "header"]
