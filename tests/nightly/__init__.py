"""Run by `pytest -m nightly`; `pytest tests/nightly -m nightly --chaos-seconds 600` is the chaos in full.

What takes minutes: models that are followed much further, a page as large as may be, and providers behind bad networks.
"""
