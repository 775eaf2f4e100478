"""Looks at all that a run needs: settings, Redis, AWS, Lightly, and Celery's processes."""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING

from curation.doctor.broker import BrokerChecks
from curation.doctor.buckets import BucketChecks
from curation.doctor.engine import engine_checks
from curation.doctor.examine import examine
from curation.doctor.instance import InstanceChecks
from curation.doctor.lightly import LightlyChecks
from curation.doctor.notify import notify_checks
from curation.doctor.pexels import pexels_checks
from curation.doctor.settings import right_settings, wrong_settings
from pipeline.processes import FLOWER_VARIABLES, ProcessChecks, wrong_celery_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from curation.doctor.check import Finding
    from curation.wiring import Wiring

# Seconds for all checks together. Nothing takes as long that works, not even to load the Lightly
# client or to convert the engine's network on a busy machine.
LIMIT_S = 60.0


def examine_all(wiring: Wiring, *, tell: Callable[[Finding], None]) -> list[Finding]:
    """Carries out every check that these settings need.

    Args:
        wiring: Everything that the steps need.
        tell: Told of each finding as it comes.

    Returns:
        The findings: on settings first, then from the broker to the processes.
    """
    wrong = [
        *wrong_settings(wiring, os.environ, known=FLOWER_VARIABLES),
        *wrong_celery_settings(wiring),
    ]
    findings = wrong or [right_settings(os.environ)]
    for finding in findings:
        tell(finding)
    # Each of botocore and requests keeps this from being printed while it is imported, but not
    # if the other is imported at the same time.
    warnings.filterwarnings("ignore", message="SOCKS support in urllib3")
    checks = [
        *BrokerChecks(wiring.settings).all(),
        *BucketChecks(wiring).all(),
        *InstanceChecks(wiring).all(),
        *LightlyChecks(wiring).all(),
        *pexels_checks(wiring),
        *engine_checks(wiring),
        *notify_checks(wiring),
        *ProcessChecks(wiring).all(),
    ]
    return [*findings, *examine(checks, limit_s=LIMIT_S, tell=tell)]
