"""Who asks, and who has sent: signers of requests in `requests`, schemes of webhooks in `webhooks`."""

from __future__ import annotations

from .requests import bearer, header

__all__ = ["bearer", "header"]
