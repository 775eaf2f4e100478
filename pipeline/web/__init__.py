"""The pages and the HTTP API, which `curate serve` serves."""
