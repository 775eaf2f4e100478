"""The command `curate metrics`: one scrape, for a look or for a collector that reads files."""

import typer

from pipeline import client


def metrics() -> None:
    """Prints all metrics once, in Prometheus' text format; `curate serve` has them at /metrics.

    Example: curate metrics | grep curation_queue_messages
    """
    # No other command needs what this loads.
    from curation.metrics.collector import exposition

    settings = client.settings()
    text, _ = exposition(client.ledger().store, settings.ec2.ec2_instance_id, settings.cost)
    typer.echo(text, nl=False)
