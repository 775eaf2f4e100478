"""Prometheus metrics, computed from the ledger and the broker at each scrape."""
