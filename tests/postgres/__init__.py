"""Tests of the Postgres store."""
