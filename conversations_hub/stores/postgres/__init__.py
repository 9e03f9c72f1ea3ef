"""Conversations in Postgres, which many workers fill together; needs the extra `postgres`."""
